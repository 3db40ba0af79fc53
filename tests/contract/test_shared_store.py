"""What `amends.storage.ports.Store` promises where several engines write to one database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amends.errors import LeaseLost, StoreConflict
from amends.storage.ports import Store
from amends.storage.rows import Block, EntityRow, Head, KeyRow, SagaRow
from amends.storage.shards import SHARDS
from tests.contract.engines import LEASE_MS, SHARED, Shared, SharedEngine
from tests.contract.rows import START_MS, Writer, block, completed, entity, key, saga
from tests.contract.subjects import ONE_OWNER, owned


@pytest.fixture(params=ONE_OWNER)
def alone(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return an empty store for one engine."""
    with owned(request.param, tmp_path) as subject:
        yield subject.store


@pytest.fixture
def one(shared: Shared) -> SharedEngine:
    """Return an engine with a half of the shards."""
    return shared.engine("one", range(32))


@pytest.fixture
def two(shared: Shared) -> SharedEngine:
    """Return an engine with the other half."""
    return shared.engine("two", range(32, SHARDS))


# Chains -----------------------------------------------------------------------------------------------------------


def test_each_engine_writes_into_a_chain_of_its_own(one: SharedEngine, two: SharedEngine) -> None:
    """Its blocks are numbered by themselves; whoever asks for a chain gets that one alone."""
    first, second, third = one.commit(saga("S1")).block, two.commit(saga("S2")).block, one.commit().block
    assert (first.number, second.number, third.number) == (1, 1, 2)
    assert third.before == first.head
    assert one.store.chains() == ["one", "two"]
    assert one.store.head("one") == Head(2, third.head, third.at_ms, "one")
    assert two.store.head("two") == Head(1, second.head, second.at_ms, "two")
    assert (one.store.head(), one.store.head("three")) == (Head(), Head(chain="three"))
    assert [kept.number for kept in two.store.blocks(0, "one")] == [1, 2]
    assert [kept.chain for kept in one.store.blocks(0, "two")] == ["two"]
    assert [*one.store.blocks(), *one.store.blocks(2, "one")] == []


def test_what_is_about_a_subject_is_found_in_every_chain(one: SharedEngine, two: SharedEngine) -> None:
    """In the order of the times."""
    for engine, after_ms in ((two, 5), (two, 90), (one, 70)):
        engine.store.commit(engine.changes()._replace(block=_about("S1", engine, START_MS + after_ms)))
    assert [(kept.chain, kept.number) for kept in one.store.blocks_about("S1")] == [("two", 1), ("one", 1), ("two", 2)]


def test_who_did_not_enter_cannot_commit(shared: Shared) -> None:
    """Whatever chain it would write into."""
    for name in ("", "nobody"):
        with pytest.raises(LeaseLost):
            SharedEngine("", shared.store()).store.commit(
                Writer(shared.store()).changes(saga("S1"))._replace(block=block(Head(chain=name)))
            )
    assert shared.store().chains() == []


def test_a_store_of_one_owner_has_one_chain(alone: Store) -> None:
    """Which has no name; nothing is fenced or handed over in it."""
    assert not alone.is_shared
    assert alone.chains() == []
    changes = Writer(alone)(saga("S1"))
    assert (alone.chains(), alone.head("one"), [*alone.blocks(0, "one")]) == ([""], Head(chain="one"), [])
    after = block(alone.head())
    for refused, error in (
        (changes._replace(sagas=(), block=after._replace(chain="one")), LeaseLost),
        (changes._replace(sagas=(), block=block(Head(chain="one"))), LeaseLost),
        (changes._replace(sagas=(), block=after, fences=[block(Head(chain="one"))]), StoreConflict),
        (changes._replace(sagas=(), block=after, moved={3: "one"}), StoreConflict),
    ):
        with pytest.raises(error):
            alone.commit(refused)
    alone.abandon()
    assert alone.head().number == 1


# Fences -----------------------------------------------------------------------------------------------------------


def test_a_fence_ends_a_chain_and_takes_its_shards(shared: Shared, one: SharedEngine, two: SharedEngine) -> None:
    """All in the taker's commit; the fence is the dead chain's last block."""
    one.commit(saga("S1"))
    shared.clock.ms += LEASE_MS
    shared.ownership.renew("two", LEASE_MS)
    fence = two.next_block("one")
    two.commit(completed(saga("S1")), fences=[fence])
    assert two.store.head("one") == Head(2, fence.head, fence.at_ms, "one")
    assert [kept.chain for kept in two.store.blocks_about("subject of two")] == ["two", "one"]
    assert [lease.engine for lease in shared.ownership.leases()] == ["two"]
    assert shared.ownership.owners() == dict.fromkeys(range(SHARDS), "two")


ZOMBIE: dict[str, Callable[[SharedEngine], Block]] = {
    "the block that it had decided": lambda one: one.next_block()._replace(number=2, before=_block(one, 1).head),
    "a block behind the fence": lambda one: one.next_block(),
    "a block that is there": lambda one: _block(one, 1),
}


@pytest.mark.parametrize("what", ZOMBIE)
def test_after_its_fence_an_engine_commits_nothing(
    shared: Shared, one: SharedEngine, two: SharedEngine, what: str
) -> None:
    """Whatever it touches: a saga that no other engine has met, an entity, a key, nothing at all."""
    one.commit(saga("S1"))
    shared.clock.ms += LEASE_MS
    shared.ownership.renew("two", LEASE_MS)
    two.commit(fences=[two.next_block("one")])
    for rows in ([], [saga("S9")], [entity("E9")], [key("K9")], [completed(saga("S1"))]):
        with pytest.raises(LeaseLost):
            one.store.commit(one.changes(*rows)._replace(block=ZOMBIE[what](one)))
    assert two.store.head("one").number == 2
    assert (two.store.saga("S9"), two.store.saga("S1")) == (None, saga("S1"))
    assert (two.store.entity("SHOWS", "E9"), [*two.store.all_keys()]) == (None, [])


FENCES: dict[str, Callable[[Shared, SharedEngine], Block]] = {
    "of an engine whose lease runs": lambda shared, two: _renewed(shared, "one", two.next_block("one")),
    "of the engine itself": lambda shared, two: _later(shared, two.next_block("two")),
    "of an engine that never was": lambda shared, two: two.next_block("three"),
    "with a number that is there": lambda shared, two: two.next_block("one")._replace(number=1),
    "with a number that leaves one out": lambda shared, two: two.next_block("one")._replace(number=3),
    "that follows another block": lambda shared, two: two.next_block("one")._replace(before=bytes(32)),
}


@pytest.mark.parametrize("what", FENCES)
def test_a_fence_that_does_not_hold_takes_nothing(
    shared: Shared, one: SharedEngine, two: SharedEngine, what: str
) -> None:
    """The commit is refused whole: the shards stay where they are, and the engine goes on."""
    one.commit(saga("S1"))
    shared.clock.ms += LEASE_MS
    shared.ownership.renew("two", LEASE_MS)
    fence = FENCES[what](shared, two)
    with pytest.raises(StoreConflict):
        two.commit(saga("S2"), fences=[fence])
    assert shared.ownership.owners()[0] == "one"
    assert two.store.saga("S2") is None
    one.commit(completed(saga("S1")))


def test_a_lease_that_ran_out_holds_until_another_engine_ends_it(shared: Shared, one: SharedEngine) -> None:
    """No time alone takes anything from an engine: its commits are fenced, and its lease goes on when it is renewed."""
    shared.clock.ms += 100 * LEASE_MS
    one.commit(saga("S1"))
    shared.ownership.renew("one", LEASE_MS)
    two = shared.engine("two")
    with pytest.raises(StoreConflict):
        two.commit(fences=[two.next_block("one")])


def test_of_two_that_take_over_one_does(shared: Shared, one: SharedEngine, two: SharedEngine) -> None:
    """The other one finds the chain ended."""
    three = shared.engine("three")
    one.commit(saga("S1"))
    fences = [engine.next_block("one") for engine in (two, three)]
    shared.clock.ms += LEASE_MS
    two.commit(fences=fences[:1])
    with pytest.raises(StoreConflict):
        three.commit(fences=fences[1:])
    assert set(shared.ownership.owners().values()) == {"two"}


# Shards -----------------------------------------------------------------------------------------------------------


def test_an_engine_hands_shards_over_in_a_commit_of_its_own(
    shared: Shared, one: SharedEngine, two: SharedEngine
) -> None:
    """To another engine, or to none."""
    one.commit(moved={3: "two", 4: ""})
    owners = shared.ownership.owners()
    assert (owners[3], owners.get(4), owners[5]) == ("two", None, "one")
    assert shared.ownership.claim("two", [4, 5]) == [4]


@pytest.mark.parametrize("moved", [{40: "one"}, {40: ""}, {3: "three"}], ids=["another's", "another's, freed", "away"])
def test_shards_move_from_their_owner_to_an_engine(
    shared: Shared, one: SharedEngine, two: SharedEngine, moved: dict[int, str]
) -> None:
    """Else the commit is refused."""
    before = shared.ownership.owners()
    with pytest.raises(StoreConflict):
        one.commit(saga("S1"), moved=moved)
    assert shared.ownership.owners() == before
    assert two.store.saga("S1") is None


# Turns ------------------------------------------------------------------------------------------------------------

READS: dict[str, Callable[[Store], object]] = {
    "sagas": lambda store: store.sagas(["S1"]),
    "keys": lambda store: store.keys(["K1"]),
    "entities": lambda store: store.entity_rows([("SHOWS", "E1")]),
}
WRITTEN: dict[str, SagaRow | EntityRow | KeyRow] = {
    "sagas": completed(saga("S1")),
    "keys": key("K1"),
    "entities": entity("E1"),
}


@pytest.mark.parametrize("what", READS)
def test_what_a_turn_has_read_no_other_engine_changes(one: SharedEngine, two: SharedEngine, what: str) -> None:
    """Nor reads it in a turn of its own; also where it does not exist yet. A look that is no turn's goes on."""
    one.commit(saga("S1"))
    READS[what](one.store)
    with pytest.raises(StoreConflict):
        READS[what](two.store)
    with pytest.raises(StoreConflict):
        two.commit(WRITTEN[what])
    assert (two.store.saga("S1"), two.store.entity("SHOWS", "E1")) == (saga("S1"), None)
    one.commit(WRITTEN[what])


@pytest.mark.parametrize("end", ["commit", "abandon", "close", "refusal"])
def test_the_end_of_a_turn_frees_what_it_read(one: SharedEngine, two: SharedEngine, end: str) -> None:
    """However it ends."""
    one.store.entity_rows([("SHOWS", "E1")])
    if end == "commit":
        one.commit()
    elif end == "refusal":
        with pytest.raises(StoreConflict):
            one.store.commit(one.changes()._replace(block=one.next_block()._replace(number=7)))
    else:
        getattr(one.store, end)()
    two.commit(entity("E1"))


def test_who_waits_in_vain_keeps_no_lock(one: SharedEngine, two: SharedEngine) -> None:
    """Its turn is over: what it had read before is free for the one that it waited for."""
    one.store.entity_rows([("SHOWS", "E1")])
    two.store.entity_rows([("SHOWS", "E2")])
    with pytest.raises(StoreConflict):
        two.store.entity_rows([("SHOWS", "E1")])
    assert one.store.entity_rows([("SHOWS", "E2")]) == {}


@pytest.mark.parametrize("kind", SHARED)
def test_who_waits_goes_on_once_the_row_is_free(kind: str) -> None:
    """And sees what was committed meanwhile."""
    with SHARED[kind](lock_timeout_s=60) as shared:
        _wait(shared.engine("one"), shared.engine("two"))


def _wait(one: SharedEngine, two: SharedEngine) -> None:
    one.store.entity_rows([("SHOWS", "E1")])
    found, asks = [], threading.Event()

    def read() -> None:
        asks.set()
        found.append(two.store.entity_rows([("SHOWS", "E1")]))

    waiting = threading.Thread(target=read)
    waiting.start()
    asks.wait()
    one.commit(entity("E1"))
    waiting.join()
    assert found == [{("SHOWS", "E1"): entity("E1")}]


def _block(engine: SharedEngine, number: int) -> Block:
    return next(engine.store.blocks(number - 1, engine.name))


def _about(subject: str, engine: SharedEngine, at_ms: int) -> Block:
    return block(engine.store.head(engine.name), [subject], at_ms=at_ms)


def _later(shared: Shared, fence: Block) -> Block:
    shared.clock.ms += LEASE_MS
    return fence


def _renewed(shared: Shared, engine: str, fence: Block) -> Block:
    shared.ownership.renew(engine, LEASE_MS)
    return fence
