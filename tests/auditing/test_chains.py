"""`amends.auditing.verify` on a database of several engines: all chains as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from amends.adapters.memory import MemoryStore
from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.ownership import MemoryOwnership
from amends.auditing.chain import head_of, head_text, heads_of
from amends.auditing.findings import Finding
from amends.auditing.verify import verify
from amends.core.records import SagaEnded
from amends.engine.archiving import Departure
from amends.engine.recording import Recording
from amends.storage.causes import cause_text, changes_text
from amends.storage.records import Cause, ChainFenced, ChainTakenOver, EntityWritten, SagaStarted
from amends.storage.rows import COMPLETED, NOTHING_MOVED, Block, Changes, EntityRow, KeyRow, SagaRow
from tests.contract.rows import key, saga

NOW_MS = 1_700_000_000_000
LEASE_MS = 1_000


class Database:
    """A database of several engines, each with a clock of its own, which write to one counter in turns."""

    def __init__(self, **clocks: int) -> None:
        """Let engines enter.

        Args:
            clocks: for each, by how much its clock is off.
        """
        self.now_ms = NOW_MS
        self.database = MemoryDatabase(lambda: self.now_ms, lock_timeout_s=0)
        self.store, self.ownership, self.clocks = MemoryStore(self.database), MemoryOwnership(self.database), clocks
        for name in clocks:
            self.ownership.enter(name, LEASE_MS)
        self.version = 0

    def count(self, engine: str, *causes: Cause, fences: list[Block] | None = None) -> Block:
        """Let an engine write the next version of the counter, and what else it did."""
        self.now_ms += 1
        self.version += 1
        row = EntityRow("COUNTER", "C", str(self.version), self.version)
        recording = self.recording(engine)
        recording.add("COUNTER/C", 0, EntityWritten("COUNTER", "C", "written"), str(self.version))
        for cause in causes:
            recording.add(engine, 0, cause)
        recording.write_entities("COUNTER", [row])
        block = recording.block(self.store.head(engine))
        self.store.commit(Changes([], [row], [], block, {}, (), (), (), (), (), fences or [], NOTHING_MOVED))
        return block

    def end(self, engine: str, row: SagaRow, started_by: KeyRow) -> None:
        """Let an engine start and end a saga under a client key, and write the next version of the counter with it."""
        self.now_ms += 1
        self.version += 1
        counter = EntityRow("COUNTER", "C", str(self.version), self.version)
        recording = self.recording(engine)
        changes = changes_text([SagaEnded(COMPLETED)])
        recording.write(row.saga_id, 1, cause_text(SagaStarted(row.definition)), changes, row.request)
        recording.write_entities("COUNTER", [counter])
        recording.write_keys([started_by])
        block = recording.block(self.store.head(engine), 1, 1)
        counts = {(row.definition, row.status): 1}
        self.store.commit(Changes([row], [counter], [started_by], block, counts))

    def keep(self, engine: str, row: KeyRow) -> None:
        """Let an engine store what a client key stands for."""
        self.now_ms += 1
        recording = self.recording(engine)
        recording.write_keys([row])
        self.store.commit(Changes([], [], [row], recording.block(self.store.head(engine)), {}))

    def recording(self, engine: str) -> Recording:
        """Return the records of the engine's next commit, by its clock."""
        return Recording(max(self.now_ms + self.clocks[engine], self.store.head(engine).at_ms), salts=bytes)

    def fence(self, dead: str, by: str) -> Block:
        """Return what ends a chain."""
        recording = self.recording(dead)
        recording.add(dead, 0, ChainFenced(by))
        return recording.block(self.store.head(dead))

    def take_over(self, engine: str, dead: str) -> Block:
        """Let an engine take over from another one."""
        self.now_ms += LEASE_MS
        self.ownership.renew(engine, LEASE_MS)
        fence = self.fence(dead, engine)
        self.count(engine, ChainTakenOver(dead, fence.number, fence.head.hex(), ()), fences=[fence])
        return fence

    def found(self) -> list[Finding]:
        """Return what a verification finds."""
        return [*verify(self.store).findings]


@pytest.fixture
def taken() -> Database:
    """Return a database in which ``b`` took over from ``a``."""
    database = Database(a=0, b=0, c=0)
    for engine in "aabacb":
        database.count(engine)
    database.take_over("b", "a")
    database.count("b")
    database.count("c")
    return database


def test_all_chains_are_verified_as_one(taken: Database) -> None:
    """With a takeover, which each of two chains tells; the verdict has every head."""
    verdict = verify(taken.store)
    assert [*verdict.findings] == []
    assert verdict.heads == {name: taken.store.head(name) for name in "abc"}
    assert verdict.reached.blocks == 10


@pytest.mark.parametrize("off_ms", [0, 1, 60_000, -60_000])
def test_the_clocks_of_engines_may_differ(off_ms: int) -> None:
    """What one did after another one is verified after it, whatever their clocks said."""
    database = Database(a=off_ms, b=0, c=-off_ms)
    for engine in "abcaabbccbacab":
        database.count(engine)
    database.take_over("c", "a")
    database.count("b")
    assert database.found() == []


def test_it_is_verified_while_engines_write(taken: Database) -> None:
    """A block that follows one which came after its chain had been read to its end waits for it."""
    blocks, written = taken.store.blocks, list[Block]()

    def blocks_and_more(after: int = 0, chain: str = "") -> object:
        yield from blocks(after, chain)
        if not written and chain == "b":
            written.extend([taken.count("b"), taken.count("c")])

    taken.store.blocks = blocks_and_more  # type: ignore[method-assign,assignment]
    verdict = verify(taken.store)
    assert [*verdict.findings] == []
    assert verdict.heads["c"].number == taken.store.head("c").number


def _replaced(database: Database, chain: str, number: int, block: Block | None) -> None:
    blocks = database.database.chains[chain]
    blocks[number - 1 : number] = [] if block is None else [block]


def _without_fence(database: Database) -> None:
    _replaced(database, "a", 4, None)


def _with_another_head(database: Database) -> None:
    """The fence is another one than the taker saw: the dead chain was built anew."""
    blocks = database.database.chains["a"]
    recording = Recording(blocks[2].at_ms + 1, salts=bytes)
    recording.add("a", 0, ChainFenced("b"))
    recording.add("a", 0, EntityWritten("COUNTER", "D", "written"), "1")
    blocks[3] = recording.block(blocks[2].as_head())._replace(subjects=())


def _with_a_block_behind_it(database: Database) -> None:
    recording = database.recording("a")
    recording.add("COUNTER/D", 0, EntityWritten("COUNTER", "C", "written"), "1")
    database.database.chains["a"].append(recording.block(database.store.head("a"))._replace(subjects=()))


def _without_a_word_of_the_taker(database: Database) -> None:
    del database.database.chains["b"][2:]
    database.database.chains["c"].pop()


FAULTS: dict[Callable[[Database], None], list[Finding]] = {
    _without_fence: [Finding("chain a", "b took its shards, and it has no fence")],
    _with_another_head: [Finding("chain a", "it ends with block 4, and b took over after another block 4")],
    _with_a_block_behind_it: [Finding("block 5 of chain a", "it comes after block 4, which ended its chain")],
    _without_a_word_of_the_taker: [Finding("chain a", "it was ended by b, whose chain says nothing of it")],
}


@pytest.mark.parametrize("spoil", FAULTS)
def test_a_takeover_that_does_not_hold_is_found(taken: Database, spoil: Callable[[Database], None]) -> None:
    """Both chains have to tell it, and nothing comes after."""
    spoil(taken)
    found = [finding for finding in taken.found() if finding.where.startswith(("chain", "block"))]
    assert found == FAULTS[spoil]


def test_a_block_of_any_chain_that_is_missing_is_found(taken: Database) -> None:
    """With the name of its chain."""
    _replaced(taken, "c", 1, None)
    assert Finding("block 1 of chain c", "it is missing") in taken.found()


def test_a_kept_head_is_looked_for_in_its_chain(taken: Database) -> None:
    """Of two chains, each has a block of that number."""
    kept = {name: head_text(taken.store.head(name)) for name in "abc"}
    for text in kept.values():
        assert [*verify(taken.store, heads_of(text)).findings] == []
    head = taken.store.head("c")
    for name, what in {
        "b": "has another head than the given one: it was built anew",
        "d": f"the chain d ends with block 0, the given head is of block {head.number}: it was cut",
    }.items():
        found = [*verify(taken.store, heads_of(head_text(head._replace(chain=name)))).findings]
        assert [finding.where for finding in found] == ["head"]
        assert what in found[0].what


def test_the_name_of_a_chain_is_part_of_a_kept_head() -> None:
    """It is read back as it was."""
    kept = head_of(f"Web-1:b:7:{'Ab' * 32}")
    assert (kept.chain, kept.number, kept.head) == ("Web-1:b", 7, b"\xab" * 32)


class NoArchive:
    """Where copies go of which nothing is asked."""

    def take(self, sagas: Sequence[SagaRow], keys: Sequence[KeyRow]) -> None:
        """Lose them."""


@pytest.mark.parametrize("now_ms", [0, NOW_MS + 10_000])
def test_what_left_for_an_archive_had_ended_and_its_key_is_free_after_it(now_ms: int) -> None:
    """Whatever the clocks said: of who wrote before the saga ended, of the archive's, of who used the key anew."""
    database = Database(a=0, ahead=5, later=10, archive=0)
    ended_ms = NOW_MS + 2
    database.count("ahead")
    database.end("a", saga("S", due_ms=None, status=COMPLETED, started_ms=ended_ms, changed_ms=ended_ms), key("K", "S"))
    departure = Departure("old.db", ended_ms + 1, lambda: now_ms, "archive")
    assert departure.take(database.store, NoArchive(), ["S"], ["K"]) == 1
    assert database.store.head("archive").at_ms == max(now_ms, ended_ms + 1)
    database.keep("later", key("K", "T"))
    assert database.found() == []
