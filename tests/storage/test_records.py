"""Typed records: what is written is read back, words are those that people know, and no line makes anybody stumble."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amends.core.messages import (
    Abandon,
    Answered,
    Cancel,
    Compensate,
    DeadlinePassed,
    Done,
    Halt,
    Input,
    Kind,
    Later,
    Refused,
    Resolve,
    Retry,
    TimedOut,
    Undo,
    Unknown,
)
from amends.core.records import GroupEntered, SagaEnded, StepBecame
from amends.core.state import Debt, Status, word_for
from amends.engine.recording import Recording, said_text
from amends.storage import former
from amends.storage.blocks import FORM, Contents, head_after
from amends.storage.causes import cause_of, cause_text, change_of, changes_text
from amends.storage.digests import DIGITS, ERASED_SALT, each_of, salts_of
from amends.storage.records import (
    ERASED,
    AttemptsRetimed,
    Checkpoint,
    CommandExecuted,
    EntitiesStored,
    EntityWritten,
    KeyRefused,
    KeyRemembered,
    KeysArchived,
    KeysStored,
    RequestServed,
    RetimeReason,
    RowSetAside,
    SagaArchived,
    SagaStarted,
    SagaTakenOver,
    TypeAssumed,
)
from amends.storage.rows import Block, Head
from amends.storage.words import cause_in_words, changes_in_words

CORPUS = Path(__file__).parent.parent / "corpus" / "stores"
names = st.text("AB_é :/", min_size=1, max_size=6)
people = st.just("") | names
kinds = st.sampled_from(Kind)
attempts = st.none() | st.integers(1, 9)
outcomes = st.sampled_from([Done(), Refused(), Unknown(), Unknown(taken_back=True)]) | st.integers(1, 9).map(Later)
inputs: st.SearchStrategy[Input] = st.one_of(
    st.builds(Answered, names, kinds, outcomes, attempts, people),
    st.builds(TimedOut, names, kinds, attempts),
    st.builds(Halt, names, st.just("")),
    st.builds(Resolve, names, st.sampled_from([Done(), Refused()]), by=people),
    st.builds(Retry, names, by=people),
    st.builds(Undo, names, by=people),
    st.builds(Cancel, by=people),
    st.builds(Compensate, by=people),
    st.builds(Abandon, by=people),
    st.just(DeadlinePassed()),
)
causes = st.one_of(
    inputs,
    st.builds(SagaStarted, names),
    st.builds(AttemptsRetimed, st.sampled_from(RetimeReason), st.lists(st.tuples(names, kinds), max_size=2).map(tuple)),
    st.builds(CommandExecuted, names, names, names),
    st.builds(EntityWritten, names, names, names),
    st.builds(RequestServed, names, names, names, kinds),
    st.builds(KeyRefused, names, names),
    st.builds(KeyRemembered, names),
    st.builds(RowSetAside, names),
    st.builds(SagaArchived, names),
    st.sampled_from([TypeAssumed(), SagaTakenOver(), Checkpoint(is_whole=False), Checkpoint(is_whole=True)]),
    st.builds(EntitiesStored, names, st.lists(st.tuples(names, st.integers(1, 9)), max_size=2).map(tuple)),
    st.builds(KeysStored, st.lists(st.tuples(names, names), max_size=2).map(tuple)),
    st.builds(KeysArchived, st.lists(names, max_size=2).map(tuple)),
)
became = st.one_of(
    st.builds(StepBecame, names, st.sampled_from([*Status, *Debt])),
    st.builds(GroupEntered, st.sampled_from(["forward", "backward"]), st.lists(names, max_size=3).map(tuple)),
    st.builds(SagaEnded, st.sampled_from(["completed", "compensated", "abandoned"])),
)


@given(causes, st.lists(became, max_size=3))
def test_what_is_written_is_read_back(cause: object, changes: list[object]) -> None:
    """Whatever a step is called: no name can be taken for a tag."""
    assert cause_of(json.loads(cause_text(cause))) == cause  # type: ignore[arg-type]
    assert list(map(change_of, json.loads(changes_text(changes)))) == changes  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "cause", "value"),
    [
        (Answered("A", Kind.DO, Done({"id": 1}), 2), '["done","A","do",2]', '{"id":1}'),
        (Answered("A", Kind.DO, Done(), 2), '["done","A","do",2]', None),
        (Answered("A", Kind.UNDO, Refused('no "way"'), None), '["refused","A","undo",null]', '"no \\"way\\""'),
        (Answered("A", Kind.DO, Unknown("boom", taken_back=True), 1), '["taken back","A","do",1]', '"boom"'),
        (Answered("A", Kind.DO, Later(5.5), 1), '["later","A","do",1,5.5]', None),
        (Resolve("A", Done(7), "looked"), '["resolve","A","done"]', '[7,"looked"]'),
        (Resolve("A", Refused("none"), ""), '["resolve","A","refused"]', '["none",""]'),
        (Resolve("A", Done()), '["resolve","A","done"]', None),
        (Halt("A", "damaged"), '["halt","A"]', '"damaged"'),
        (Cancel("\ud800"), '["cancel"]', '"\\\\ud800"'),
        (DeadlinePassed(), '["deadline passed"]', None),
        (Cancel("sold out", "ann"), '["cancel","ann"]', '"sold out"'),
        (Retry("A", "mended", "ann"), '["retry","A","ann"]', '"mended"'),
        (Resolve("A", Done(), by="ann"), '["resolve","A","done","ann"]', None),
        (Answered("A", Kind.DO, Done(7), by="ann"), '["done","A","do",null,0.0,"ann"]', "7"),
        (Answered("A", Kind.DO, Later(5.5), 1, "ann"), '["later","A","do",1,5.5,"ann"]', None),
        (Answered("A", Kind.DO, Done(7), 1, "ann", "seen"), '["done","A","do",1,0.0,"ann",true]', '[7,"seen"]'),
        (Answered("A", Kind.DO, Done(), 1, "", "seen"), '["done","A","do",1,0.0,"",true]', '[null,"seen"]'),
    ],
)
def test_what_was_said_is_no_part_of_a_record(said: Input, cause: str, value: str | None) -> None:
    """An answer, a reason, a word of an operator: all of it lies beside."""
    assert said_text(said) == (cause, value)


def block_of(*values: str) -> Block:
    """Return a block with a record for each value."""
    recording = Recording(7)
    for number, value in enumerate(values, 1):
        recording.add("s", number, Cancel(), value)
    return recording.block(Head())


def test_an_erased_value_leaves_the_chain_and_the_other_values_whole() -> None:
    """Its record says that it was erased; nothing tells what it was."""
    block = block_of('"one"', '"two"')
    seed, values = json.loads(block.values)
    beside = json.dumps([ERASED_SALT + salts_of(seed, 2)[DIGITS:], [None, values[1]]], separators=(",", ":"))
    erased = block._replace(values=beside)
    contents = Contents(erased)
    assert [record.value for record in contents.records() if record] == [ERASED, '"two"']
    assert [cause_in_words(record) for record in contents.records() if record] == ["cancel: (erased)", "cancel: two"]
    assert (list(contents.faults()), head_after(erased.before, erased.records)) == ([], block.head)


@pytest.mark.parametrize(
    ("outcome", "value", "words"),
    [
        (Done([1]), "[1]", "seen"),
        (Done(), None, "seen"),
        (Refused("no"), '"no"', "no (seen)"),
    ],
)
def test_why_an_answer_was_brought_is_told_apart_from_it(
    outcome: Done | Refused, value: str | None, words: str
) -> None:
    """Both lie beside as one value, and are erased together."""
    recording, said = Recording(7), Answered("A", Kind.DO, outcome, None, "ann", "seen")
    cause, text = said_text(said)
    recording.write("s", 1, cause, "[]", text)
    block, about = recording.block(Head()), f"A/do {word_for(outcome)} by ann: "
    (record,) = filter(None, Contents(block).records())
    assert (record.value, cause_in_words(record)) == (value, about + words)
    (record,) = filter(None, Contents(block._replace(values=f'["{ERASED_SALT}",[null]]')).records())
    assert (record.value, cause_in_words(record)) == (ERASED, about + "(erased)")


OTHERS = "its records are about 2 values, beside them are others"


@pytest.mark.parametrize(
    ("beside", "fault"),
    [
        ('["{salts}",["one","two"]]', "value 0 is not what was written"),
        ('["",[]]', OTHERS),
        ("what", OTHERS),
        ("", OTHERS),
    ],
)
def test_another_value_is_found(beside: str, fault: str) -> None:
    """Also where it has a salt, or there is none."""
    block = block_of('"one"', '"two"')
    assert fault in list(Contents(block._replace(values=beside.replace("{salts}", "01" * DIGITS))).faults())


def test_every_salt_is_another() -> None:
    """Else two equal values would show that they are."""
    first, second = (salts_of(json.loads(block_of('"one"', '"one"').values)[0], 2) for _ in range(2))
    assert len({*each_of(first), *each_of(second)}) == 4


@pytest.mark.parametrize(
    "line",
    [
        "", "[]", "{}", "torn", '["s",1]', '["s",1,[],[]]', '["s",1,["what"],[]]', '["s",1,["started"],[]]',
        '["s",1,["started",5],[]]', '["s",1,["started","a","b"],[]]', '["s",1,["done","A","does",1],[]]',
        '["s",1,["cancel"],[["done"]]]', '["s",1,["cancel"],[["what","A"]]]', '["s","1",["cancel"],[]]',
        '["s",1,["retimed","never",[]],[]]', '["s",1,["resolve","A","unknown"],[]]', '["s",1,' + "[" * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_record_is_told_apart(line: str) -> None:
    """Somebody who writes to the file makes nobody stumble."""
    block = block_of('"one"')
    torn = block._replace(records=f"{block.records}\n{line}")
    assert [record is None for record in Contents(torn).records()] == [False, True]
    assert [*Contents(torn._replace(records=f"[{FORM},{line}")).faults()] == ["its first line cannot be read"]


# The first form -----------------------------------------------------------------------------------------------------


def lines_of_the_corpus(folder: Path) -> list[tuple[str, str]]:
    """Return every record that an earlier version wrote, with the store that it is in."""
    found = []
    for packed in sorted(CORPUS.glob("*.db.gz")):
        path = folder / packed.stem
        path.write_bytes(gzip.decompress(packed.read_bytes()))
        with closing(sqlite3.connect(path)) as database:
            for (text,) in database.execute("SELECT records FROM blocks ORDER BY number"):
                found += [(packed.name, line) for line in text.split("\n") if line and text.startswith('["')]
    return found


def test_what_earlier_versions_recorded_is_shown_as_before(tmp_path: Path) -> None:
    """Each of their records is typed, and its words are those that were written."""
    lines = lines_of_the_corpus(tmp_path)
    assert len({name for name, _ in lines}) >= 8
    for name, line in lines:
        subject, number, at_ms, cause, changes = json.loads(line)
        record = former.record_of(line)
        assert (record.subject, record.number, record.at_ms) == (subject, number, at_ms)
        assert (cause_in_words(record), changes_in_words(record)) == (cause, changes), name
        assert "FormerWords" not in type(record.cause).__name__, line


@pytest.mark.parametrize(
    "cause",
    [
        'started a b/1/abc {"how":"well: done"}', "A/do done", "A b/undo refused: it: was\nso", "A/probe unknown: x",
        "A/do later", "A/do timed out", "deadline passed", "halt A: damaged", "cancel", "cancel: why: this",
        "compensate: x", "abandon: gone", "retry A", "retry A: again", "undo A: owed", "resolve A done",
        "resolve A refused: looked", "another process took over", "sent late, for want of a place",
        "A/do waits for a place", "A/do still waits for a place", "A/do goes out", "A/do asked again",
        "A/do, B/undo asked again", "A/undo-late done",
    ],
)  # fmt: skip
def test_words_of_the_first_form_are_typed(cause: str) -> None:
    """All that it had for a saga."""
    record = former.record_of(json.dumps(["s", 2, 7, cause, ["A done", "backward at A, B", "compensated", "A owed"]]))
    assert type(record.cause).__name__ != "FormerWords"
    assert cause_in_words(record) == cause
    assert record.changes == (
        StepBecame("A", Status.DONE), GroupEntered("backward", ("A", "B")), SagaEnded("compensated"),
        StepBecame("A", Debt.OWED),
    )  # fmt: skip


def test_a_change_of_the_first_form_that_is_none_is_told_apart() -> None:
    """It is no record."""
    with pytest.raises(msgspec.DecodeError):
        former.record_of(json.dumps(["s", 2, 7, "cancel", ["what"]]))
