"""What `amends.storage.ports.Ownership` promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amends.errors import LeaseLost, StoreInUse
from amends.storage.rows import COMPLETED, NEVER, WAITS_FOR_OPERATOR, Lease
from amends.storage.shards import ALL_SHARDS, SHARDS, shard_of
from tests.contract.engines import LEASE_MS, Shared
from tests.contract.rows import START_MS, saga
from tests.contract.subjects import ONE_OWNER, OWNED, Subject, now_ms, owned


@pytest.fixture(params=OWNED)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Return an empty store, of each kind, which no engine has entered."""
    with owned(request.param, tmp_path) as subject:
        yield subject


@pytest.fixture(params=ONE_OWNER)
def alone(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Return an empty store for one engine."""
    with owned(request.param, tmp_path) as subject:
        yield subject


def test_a_shard_is_a_pure_function_of_the_id() -> None:
    """The same for ever: it is part of what is stored. Ids spread over all of them."""
    assert [shard_of(name) for name in ("", "S1", "tok-1", "ä")] == [0, 18, 19, 3]
    assert {shard_of(f"a-{number}") for number in range(2_000)} == ALL_SHARDS


def test_nobody_owns_anything_before_it_enters(subject: Subject) -> None:
    """And the store has a time of its own."""
    assert (list(subject.ownership.leases()), dict(subject.ownership.owners())) == ([], {})
    assert abs(subject.ownership.now_ms() - now_ms()) < 600_000


def test_the_first_engine_can_have_every_shard(subject: Subject) -> None:
    """It has them, or they are free for it; it is told into which chain it writes."""
    lease = subject.ownership.enter("one", LEASE_MS)
    assert lease.engine in ("", "one")
    assert lease.engine == "one" if subject.store.is_shared else lease.until_ms == NEVER
    subject.ownership.claim(lease.engine, ALL_SHARDS)
    assert subject.ownership.owners() == dict.fromkeys(range(SHARDS), lease.engine)
    assert list(subject.ownership.leases()) == [lease]
    assert subject.ownership.claim(lease.engine, ALL_SHARDS) == []
    assert subject.ownership.renew(lease.engine, LEASE_MS).until_ms >= lease.until_ms
    subject.ownership.leave(lease.engine)
    assert (list(subject.ownership.leases()), dict(subject.ownership.owners())) == ([], {})


def test_a_store_with_one_owner_takes_no_second_one(alone: Subject) -> None:
    """Until the first one leaves."""
    alone.ownership.enter("one", LEASE_MS)
    with pytest.raises(StoreInUse, match="two"):
        alone.ownership.enter("two", LEASE_MS)
    alone.ownership.leave("")
    alone.ownership.enter("two", LEASE_MS)


def test_a_lease_is_on_the_time_of_the_store(shared: Shared) -> None:
    """It is prolonged from the moment at which it is renewed."""
    assert shared.ownership.enter("one", LEASE_MS) == Lease("one", START_MS + LEASE_MS)
    shared.clock.ms += 100
    assert shared.ownership.enter("two", 50) == Lease("two", START_MS + 150)
    assert shared.ownership.renew("one", LEASE_MS) == Lease("one", START_MS + 100 + LEASE_MS)
    shared.clock.ms += 100 * LEASE_MS
    assert [lease.engine for lease in shared.ownership.leases()] == ["one", "two"]
    assert shared.ownership.renew("two", 1) == Lease("two", shared.clock.ms + 1)


@pytest.mark.parametrize("name", ["", "one", "gone"])
def test_a_name_is_used_once(shared: Shared, name: str) -> None:
    """Not that of an engine, nor of one that was, whose chain is there."""
    shared.engine("one")
    shared.engine("gone").commit()
    shared.ownership.leave("gone")
    with pytest.raises(StoreInUse):
        shared.ownership.enter(name, LEASE_MS)


def test_a_free_shard_goes_to_one_engine(shared: Shared) -> None:
    """To the one that claims it first; each is told what it got."""
    shared.engine("one")
    shared.engine("two")
    assert shared.ownership.claim("one", [5, 3]) == [3, 5]
    assert shared.ownership.claim("two", range(7)) == [0, 1, 2, 4, 6]
    assert shared.ownership.owners() == {0: "two", 1: "two", 2: "two", 3: "one", 4: "two", 5: "one", 6: "two"}


def test_who_leaves_frees_its_shards_and_commits_nothing_more(shared: Shared) -> None:
    """Leaving twice does nothing."""
    one = shared.engine("one", [3, 4])
    two = shared.engine("two", [5])
    one.commit()
    for _ in range(2):
        shared.ownership.leave("one")
    assert shared.ownership.owners() == {5: "two"}
    with pytest.raises(LeaseLost):
        one.commit()
    assert shared.ownership.claim("two", [3]) == [3]
    two.commit()


def test_without_a_lease_nothing_is_renewed_or_claimed(shared: Shared) -> None:
    """Whether it was ended, or left, or never begun."""
    one, two = shared.engine("one", [3]), shared.engine("two")
    shared.clock.ms += LEASE_MS
    two.commit(fences=[two.next_block("one")])
    shared.ownership.leave("two")
    for name in (one.name, two.name, "three", ""):
        with pytest.raises(LeaseLost):
            shared.ownership.renew(name, LEASE_MS)
        with pytest.raises(LeaseLost):
            shared.ownership.claim(name, [7])


def test_each_engine_is_told_what_the_others_know(shared: Shared) -> None:
    """For as long as a lease lasts, however it ends; an engine that tells nothing knows nothing."""
    assert shared.ownership.enter("one", LEASE_MS, ["b/1/y", "a\0/1/x"]).knows == {"a\0/1/x", "b/1/y"}
    two = shared.engine("two")
    shared.ownership.enter("three", LEASE_MS, ["b/1/y"])
    shared.ownership.renew("one", LEASE_MS)
    known = {"one": {"a\0/1/x", "b/1/y"}, "two": set(), "three": {"b/1/y"}}
    assert {lease.engine: lease.knows for lease in shared.ownership.leases()} == known
    shared.ownership.leave("three")
    shared.clock.ms += LEASE_MS
    shared.ownership.renew("two", LEASE_MS)
    two.commit(fences=[two.next_block("one")])
    assert {lease.engine: lease.knows for lease in shared.ownership.leases()} == {"two": set()}


def test_it_is_seen_what_waits_in_a_shard(shared: Shared) -> None:
    """By the definitions of sagas that are not final, but for those that are not asked for."""
    one = shared.engine("one", range(SHARDS))
    rows = [saga("S1", definition="a/1/x"), saga("S2", definition="b/1/y"), saga("S3", definition="c/1/z")]
    rows.append(saga("S4", definition="b/1/y", due_ms=WAITS_FOR_OPERATOR))
    one.commit(*rows, saga("S5", definition="d/1/w", status=COMPLETED, due_ms=None))
    places = {row.saga_id: shard_of(row.saga_id) for row in rows}
    found = shared.ownership.definitions_in([places["S1"], places["S2"], places["S4"]], ["a/1/x"])
    assert {shard: [*names] for shard, names in found.items()} == {
        places["S2"]: ["b/1/y"], places["S4"]: ["b/1/y"]
    }  # fmt: skip
    assert not shared.ownership.definitions_in([], [])
    assert {*shared.ownership.definitions_in(ALL_SHARDS, [])} == {*places.values()}


def test_a_store_with_one_owner_has_nobody_to_give_a_shard_to(alone: Subject) -> None:
    """So nothing of it is looked for."""
    alone.ownership.enter("one", LEASE_MS, ["a/1/x"])
    assert not alone.ownership.definitions_in(ALL_SHARDS, [])
