"""Verifying: while an engine writes, of what is damaged, of what was never written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from amends import Saga, external
from amends.adapters.memory import MemoryStore
from amends.adapters.sqlite.reader import SqliteReader
from amends.auditing.chain import head_of, head_text, heads_of
from amends.auditing.findings import Finding, Findings
from amends.auditing.verify import VerificationProgress, verify
from amends.core.audit import GENESIS
from amends.core.messages import Answered, Done, Kind
from amends.engine.coordinator import Coordinator
from amends.engine.recording import Recording
from amends.engine.tasks import Deliver, StartSagas
from amends.engine.turn_io import drive
from amends.errors import StoreFailed, UnusableInput
from amends.storage.ports import SagaFilter
from amends.storage.records import CommandExecuted
from amends.storage.rows import Block, Head, SagaRow, Unreadable
from tests.auditing.history import written

NOW_MS = 1_700_000_000_000
STEPS = [external(f"S{number}_DONE", lambda *_: None, pivot=number == 0) for number in range(9)]
BETWEEN_STARTS = 3  # turns: few enough sagas are under way that none is over before it is looked at twice
ASKING = Saga("asking", str, STEPS)


class Busy(MemoryStore):
    """A store whose engine takes a turn whenever somebody looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_quiet = False
        self.coordinator = Coordinator(self, [ASKING], now_ms=NOW_MS, prefix="s")
        self.turns = 0
        self.work()

    def work(self) -> None:
        """Start a saga now and then, and let the others go on by a step."""
        if self.is_quiet:
            return
        tasks: list[Any] = [
            Deliver(f"s-{number}", Answered(f"S{step}_DONE", Kind.DO, Done()))
            for number, begun in enumerate(range(0, self.turns, BETWEEN_STARTS), 1)
            if (step := self.turns - begun - 1) < len(STEPS)
        ]
        if self.turns % BETWEEN_STARTS == 0:
            tasks.append(StartSagas(self.coordinator.definitions.codec_of(ASKING), ["x"]))
        self.turns += 1
        drive(self.coordinator.turn(tasks, NOW_MS + self.turns), self)

    def saga(self, saga_id: str) -> SagaRow | None:
        """Look, while the engine works."""
        row = super().saga(saga_id)
        if self.turns < 400:
            self.work()
        return row

    def counts(self) -> Any:
        """Look, while the engine works, now and then."""
        if self.turns % 3:
            self.work()
        return super().counts()

    def listing(self, wanted: SagaFilter) -> Iterator[SagaRow]:
        """Look, while the engine works."""
        self.work()
        yield from list(super().listing(wanted))
        self.work()


def test_what_an_engine_writes_meanwhile_is_no_fault() -> None:
    """Rows that are newer than the blocks that were read, and blocks that are newer than the rows."""
    store = Busy()
    for _ in range(60):
        store.work()
    verdict = verify(store)
    assert list(verdict.findings) == []
    assert store.turns > 68
    assert verdict.reached.rows >= 21


def test_a_fault_is_found_while_an_engine_writes() -> None:
    """A row that the engine does not change meanwhile, and one that is gone."""
    store = Busy()
    for _ in range(30):
        store.work()
    store.database.sagas["s-2"] = store.database.sagas["s-2"]._replace(request='"y"')
    del store.database.sagas["s-3"]
    assert list(verify(store).findings) == [
        Finding("saga s-2", "its definition or request is not what it was started with"),
        Finding("saga s-3", "it has records, and no row"),
    ]


class Torn(MemoryStore):
    """A store whose storage fails on the way."""

    def chains(self) -> list[str]:
        """Return the chain that there would be."""
        return [""]

    def blocks(self, after: int = 0, chain: str = "") -> Iterator[Block]:
        """Fail."""
        raise StoreFailed("it is damaged")


def test_storage_that_fails_is_a_finding() -> None:
    """And the verdict says that not all of it was looked at; what the store itself finds wrong is there, too."""
    verdict = verify(Torn(), problems=["Tree 5 page 7: wrong", "entity STOCK/P1: torn", "block 1: also torn"])
    assert not verdict.is_whole
    assert list(verdict.findings) == [
        Finding("file", "it is damaged"),
        Finding("entity STOCK/P1", "torn"),
        Finding("block 1", "also torn"),
    ]
    assert list(verify(MemoryStore(), problems=["Tree 5 page 7: wrong"]).findings) == [
        Finding("file", "Tree 5 page 7: wrong")
    ]


def test_problems_are_told_once() -> None:
    """Of the places where the verification found something itself, the store's own words are left out."""
    store = Busy()
    store.is_quiet = True
    del store.database.sagas["s-1"]
    assert list(verify(store, problems=["saga s-1: not found"]).findings) == [
        Finding("saga s-1", "it has records, and no row")
    ]


def test_it_says_how_far_it_is() -> None:
    """Blocks first, then rows."""
    store = Busy()
    for _ in range(300 * BETWEEN_STARTS):
        store.work()
    store.is_quiet = True
    reached = list[VerificationProgress]()
    verdict = verify(store, report=reached.append)
    assert [progress.blocks for progress in reached[:14]] == list(range(64, 900, 64))
    assert [progress.rows for progress in reached[14:]] == [64, 128, 192, 256]
    assert verdict.reached[:5] == (901, 901, verdict.reached.records, 301, 301)


def test_only_so_many_findings_are_kept() -> None:
    """The others are counted; the same one twice is one."""
    findings = Findings(2)
    for number in (1, 1, 2, 3, 4):
        findings.add(f"block {number}", "torn")
    assert list(findings) == [Finding("block 1", "torn"), Finding("block 2", "torn")]
    assert (findings.beyond, len(findings)) == (2, 4)


def test_heads_are_read_back() -> None:
    """With number, without, with spaces around; anything else is refused."""
    head = Head(17, bytes(range(32)), 5)
    text = head_text(head)
    assert head_of(f" {text.upper()}\n")[:2] == (head.head, 17)
    assert head_of(text.partition(":")[2])[:2] == (head.head, None)
    for wrong in ("", "17", "17:", text[:-1], f"x{text}", f"-{text}", f"{text}:", "1" * 30 + text):
        with pytest.raises(UnusableInput, match="is no head"):
            head_of(wrong)


def test_a_head_without_its_number_is_looked_for(tmp_path: Path) -> None:
    """Of a file that has it, that lacks it, and the head of nothing."""
    copies = written(tmp_path)
    with closing(SqliteReader(copies[1].path)) as store:
        for copy, words in [(copies[0], []), (copies[1], []), (copies[2], ["no block has the given head"])]:
            found = verify(store, heads_of(copy.head.partition(":")[2])).findings
            assert [finding.what.partition(":")[0] for finding in found] == words
        assert not len(verify(store, heads_of(GENESIS.hex())).findings)
        assert not len(verify(store, heads_of(f"0:{GENESIS.hex()}")).findings)


@pytest.mark.parametrize("numbers", [[1], [1, 2, 3], [2], [39]])
def test_missing_blocks_are_named(numbers: Sequence[int], tmp_path: Path) -> None:
    """One, or a run of them, also at the very beginning."""
    store = Busy()
    for _ in range(40):
        store.work()
    store.is_quiet = True
    store.database.chains[""] = [block for block in store.database.chains[""] if block.number not in numbers]
    found = {finding.where: finding.what for finding in verify(store).findings if finding.where.startswith("block")}
    words = "it is missing" + f", with all up to block {numbers[-1]}" * (len(numbers) > 1)
    assert found == {f"block {numbers[0]}": words}


def test_times_that_run_back_are_named() -> None:
    """Also when records and block agree on them: no clock of ours does that."""
    store = Busy()
    store.is_quiet = True
    store.database.chains[""] = [block_of(1, NOW_MS + 5, GENESIS)]
    store.database.chains[""].append(block_of(2, NOW_MS, store.database.chains[""][0].head))
    found = [finding for finding in verify(store).findings if finding.where.startswith("block")]
    assert found == [Finding("block 2", "its time is before that of the block before it")]


def block_of(number: int, at_ms: int, before: bytes) -> Block:
    """A block of one record about an entity."""
    recording = Recording(at_ms)
    recording.add("STOCK/P1", 0, CommandExecuted("STOCK", "P1", "ADDED"), "5")
    return recording.block(Head(number - 1, before))


def test_a_damaged_last_block_is_named() -> None:
    """The head cannot be told then, and everything else is verified as ever."""

    class Headless(Busy):
        def head(self, chain: str = "") -> Head:
            if self.is_quiet:
                raise StoreFailed("the last block of the audit is not what was written")
            return super().head(chain)

    store = Headless()
    store.is_quiet = True
    last = store.database.chains[""][-1]
    store.database.chains[""][-1] = last._replace(head=b"", before=b"", at_ms=0)
    assert list(verify(store).findings) == [Finding("block 1", "its row is not what was written")]


def test_rows_that_cannot_be_read_are_named() -> None:
    """By the store, or since their body is none."""

    class Unread(Busy):
        def listing(self, wanted: SagaFilter) -> Iterator[Any]:
            yield from (self.saga(name) for name in list(self.database.sagas))

        def saga(self, saga_id: str) -> Any:
            row = self.database.sagas[saga_id]
            return Unreadable("saga", saga_id, "torn") if saga_id == "s-1" else row._replace(body="{}")

    store = Unread()
    for _ in range(BETWEEN_STARTS):
        store.work()
    store.is_quiet = True
    found = {finding.where: finding.what for finding in verify(store).findings}
    assert found["saga s-1"] == "its row cannot be read: torn"
    assert found["saga s-2"].startswith("its row cannot be read: Object missing required field")
