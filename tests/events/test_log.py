"""`amends.events.log`: of several chains, each saga's records in their order, none left out and none twice."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from amends.adapters.memory import MemoryStore
from amends.core.records import SagaEnded, StateChange, StepBecame
from amends.core.state import Status
from amends.engine.recording import Recording
from amends.errors import StoreFailed
from amends.events import log
from amends.events.log import EventBlock, EventLog, ended
from amends.storage.causes import cause_text, changes_text
from amends.storage.records import SagaStarted
from amends.storage.rows import COMPLETED, Block, Head
from tests.contract.engines import SHARED, Shared, SharedEngine
from tests.contract.rows import START_MS, TICKETS

GOES_ON: tuple[StateChange, ...] = (StepBecame("HELD", Status.DONE),)
ENDS: tuple[StateChange, ...] = (SagaEnded(COMPLETED),)


class Told(NamedTuple):
    """A record of a saga, by its number, and whether the saga ends with it."""

    saga_id: str
    number: int
    ends: bool = False


@pytest.fixture(params=SHARED)
def shared(request: pytest.FixtureRequest) -> Iterator[Shared]:
    """Return an empty database for several engines."""
    with SHARED[request.param]() as shared:
        yield shared


def commit(engine: SharedEngine, *records: Told, at_ms: int = 0) -> Block:
    """Let an engine commit records, at a time of its own clock."""
    head = engine.store.head(engine.name)
    recording = Recording(max(at_ms, head.at_ms, START_MS), salts=bytes)
    for told in records:
        changes = changes_text(ENDS if told.ends else GOES_ON)
        recording.write(told.saga_id, told.number, cause_text(SagaStarted(TICKETS)), changes, '"asked"')
    block = recording.block(head, 0, 0)
    engine.store.commit(engine.changes()._replace(block=block))
    return block


def given(events: Iterator[EventBlock]) -> list[tuple[str, int]]:
    """Return which records are given, in their order."""
    return [(record.subject, record.number) for block in events for record in block.records]


def test_what_a_saga_does_next_waits_for_what_it_did_in_another_chain(shared: Shared) -> None:
    """Whatever the clocks of the two engines say."""
    one, two = shared.engine("one"), shared.engine("two")
    commit(one, Told("A", 1), at_ms=START_MS + 900)
    commit(two, Told("A", 2), at_ms=START_MS + 100)
    commit(two, Told("B", 1), at_ms=START_MS + 200)
    commit(one, Told("A", 3, ends=True), at_ms=START_MS + 950)
    events = EventLog(one.store, {})
    assert given(events.blocks()) == [("A", 1), ("A", 2), ("B", 1), ("A", 3)]
    assert events.cursor == {name: one.store.head(name) for name in ("one", "two")}


def test_a_cursor_goes_on_behind_what_it_passed(shared: Shared) -> None:
    """Nothing is given twice; and a log that begins there knows what the one before it gave."""
    one, two = shared.engine("one"), shared.engine("two")
    commit(one, Told("A", 1), Told("B", 1), at_ms=START_MS + 500)
    events = EventLog(one.store, {})
    assert given(events.blocks()) == [("A", 1), ("B", 1)]
    assert given(events.blocks()) == []
    commit(one, Told("A", 2), at_ms=START_MS + 600)
    commit(two, Told("A", 3), Told("B", 2), at_ms=START_MS + 10)
    for behind in (events, EventLog(one.store, events.cursor)):
        assert given(behind.blocks()) == [("A", 2), ("A", 3), ("B", 2)]


def test_a_log_stops_between_two_blocks(shared: Shared) -> None:
    """Its cursor says so at each."""
    one = shared.engine("one")
    first = commit(one, Told("A", 1))
    commit(one, Told("A", 2))
    events = EventLog(one.store, {})
    next(events.blocks())
    assert [*events.cursor.values()] == [first.as_head()]
    assert given(events.blocks()) == [("A", 2)]


def test_a_commit_that_comes_late_is_not_passed(shared: Shared) -> None:
    """Each chain has a number of its own, whatever happens in the others meanwhile; what is no saga's is passed."""
    one, two = shared.engine("one"), shared.engine("two")
    events = EventLog(one.store, {})
    commit(two, Told("B", 1), at_ms=START_MS + 5_000)
    assert given(events.blocks()) == [("B", 1)]
    one.commit()
    commit(one, Told("A", 1), at_ms=START_MS + 20)
    assert given(events.blocks()) == [("subject of one", 1), ("A", 1)]


def test_of_records_before_a_time_there_are_numbers(shared: Shared) -> None:
    """A chain that begins later is not among them."""
    one, two = shared.engine("one"), shared.engine("two")
    for after_ms in (10, 20, 20, 30):
        commit(one, Told("A", 1), at_ms=START_MS + after_ms)
    commit(two, Told("B", 1), at_ms=START_MS + 20)
    assert one.store.block_numbers(START_MS + 20) == {"one": 1}
    assert one.store.block_numbers(START_MS + 21) == {"one": 3, "two": 1}
    assert one.store.block_numbers(START_MS) == {}


def test_a_saga_says_how_it_ended(shared: Shared) -> None:
    """With its last record."""
    one = shared.engine("one")
    commit(one, Told("A", 1), Told("A", 2, ends=True))
    (block,) = EventLog(one.store, {}).blocks()
    assert [*map(ended, block.records)] == ["", COMPLETED]


def test_a_saga_whose_records_are_gone_is_not_waited_for(shared: Shared) -> None:
    """An audit with a hole goes on, the earliest block first."""
    one, two = shared.engine("one"), shared.engine("two")
    commit(one, Told("A", 4), at_ms=START_MS + 20)
    commit(two, Told("B", 1), at_ms=START_MS + 30)
    assert given(EventLog(one.store, {}).blocks()) == [("A", 4), ("B", 1)]
    commit(two, Told("C", 2), at_ms=START_MS + 40)
    commit(one, Told("C", 2), Told("C", 1), at_ms=START_MS + 50)
    cursor = {name: Head(1, b"", 0, name) for name in ("one", "two")}
    assert given(EventLog(one.store, cursor).blocks()) == [("C", 2), ("C", 2), ("C", 1)]


def test_a_block_that_cannot_be_read_is_told() -> None:
    """In its place, whether it is missing or holds what is no record; those behind it come all the same."""
    with SHARED["memory"]() as shared:
        one = shared.engine("one")
        for number in (1, 2, 3, 4):
            commit(one, Told("A", number))
        store = one.store
        assert isinstance(store, MemoryStore)
        blocks = store.database.chains["one"]
        blocks[2] = blocks[2]._replace(records=f"{blocks[2].records}\nno record")
        del blocks[1]
        found = [*EventLog(_Shortened(store), {}).blocks()]
    assert [(block.head.number, block.is_damaged, len(block.records)) for block in found] == [
        (1, False, 1), (2, True, 0), (3, True, 1), (4, False, 1),
    ]  # fmt: skip


class _Shortened(MemoryStore):
    """One of whose blocks one is missing."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store.database)

    def block_numbers(self, before_ms: int | None = None) -> dict[str, int]:
        """Return where it ends."""
        return {"one": 4}


class _History:
    """Engines that move sagas between them, with clocks of their own, as chance has it."""

    def __init__(self, chance: random.Random, engines: Sequence[SharedEngine]) -> None:
        self._chance, self._engines = chance, engines
        self._clocks = [chance.randrange(2_000) for _ in engines]
        self.last = dict[str, int]()

    def go_on(self, now_ms: int) -> None:
        """Let one engine commit about some sagas."""
        number = self._chance.randrange(len(self._engines))
        sagas = self._chance.sample([f"S{i}" for i in range(8)], k=self._chance.randint(0, 3))
        records = []
        for saga_id in sagas:
            for _ in range(self._chance.randint(1, 2)):
                self.last[saga_id] = self.last.get(saga_id, 0) + 1
                records.append(Told(saga_id, self.last[saga_id], self._chance.random() < 0.1))
        commit(self._engines[number], *records, at_ms=now_ms + self._clocks[number])


@pytest.mark.parametrize("seed", range(30))
def test_however_sagas_move_each_is_told_in_its_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever is looked, wherever a reader stops, and from whichever cursor the next one begins."""
    chance = random.Random(seed)
    monkeypatch.setattr(log, "GIVEN_MAX", chance.choice([0, 3, 100]))
    with SHARED["memory"]() as shared:
        engines = [shared.engine(name) for name in ("one", "two", "three")]
        history, told = _History(chance, engines), dict[str, int]()
        events = EventLog(engines[0].store, {})
        for step in range(120):
            history.go_on(START_MS + 10 * step)
            if chance.random() < 0.3:
                events = EventLog(engines[0].store, events.cursor)
            if chance.random() < 0.3:
                _take(events.blocks(), told, chance.randint(1, 20))
        _take(events.blocks(), told, 1_000)
        assert told == history.last


def _take(blocks: Iterator[EventBlock], told: dict[str, int], most: int) -> None:
    """Read some blocks, and see that each record is the next one of its saga."""
    for _ in range(most):
        for record in next(blocks, EventBlock(Head())).records:
            assert record.number == told.get(record.subject, 0) + 1
            told[record.subject] = record.number


def test_a_store_that_is_an_older_copy_is_told(shared: Shared) -> None:
    """One without such a chain, one that ends before the cursor, and one that went on since, in other blocks."""
    one = shared.engine("one")
    events = EventLog(one.store, {"one": Head(2, b"2" * 32, START_MS, "one")})
    with pytest.raises(StoreFailed, match="the chain 'one' ends with block 0, and block 2 was read"):
        given(events.blocks())
    commit(one, Told("A", 1))
    with pytest.raises(StoreFailed, match="the chain 'one' ends with block 1, and block 2 was read"):
        given(events.blocks())
    commit(one, Told("A", 2))
    assert given(events.blocks()) == []
    commit(one, Told("A", 3))
    with pytest.raises(StoreFailed, match="the chain 'one' has another block 2, and block 2 was read"):
        given(events.blocks())
    assert given(EventLog(one.store, {"one": Head(2, b"", 0, "one")}).blocks()) == [("A", 3)]


def test_what_comes_while_it_is_read_waits_for_the_next_look() -> None:
    """A chain is read up to where it ended in the look at all: behind that, what it follows may not be seen."""
    with SHARED["memory"]() as shared:
        one, two = shared.engine("one"), shared.engine("two")
        commit(one, Told("A", 1), at_ms=START_MS + 500)
        store = one.store
        assert isinstance(store, MemoryStore)
        events = EventLog(_Early(store), {})
        commit(one, Told("A", 2), at_ms=START_MS + 600)
        commit(two, Told("A", 3), at_ms=START_MS + 10)
        assert given(events.blocks()) == [("A", 1)]
        assert given(EventLog(store, events.cursor).blocks()) == [("A", 2), ("A", 3)]


class _Early(MemoryStore):
    """One that was looked at when it had a block."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store.database)

    def block_numbers(self, before_ms: int | None = None) -> dict[str, int]:
        """Return where it ended then."""
        return {"one": 1}
