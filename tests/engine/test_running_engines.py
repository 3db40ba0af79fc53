"""Several asyncio engines on one database: shares, letters, a kill, a takeover, a hand-over at the end, a fence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

import amends
from amends import Cancel, Completed, Done, EngineStopped, RequestRefused, Saga, external, local
from amends.auditing.verify import verify
from amends.core.messages import Answered, Call, Kind
from amends.engine.batch import BatchResult
from amends.engine.handle import Result
from amends.engine.limits import LEASE_MS
from amends.engine.task import Task
from amends.engine.upkeep import LOOK_MS
from amends.errors import Overloaded, StoreConflict, StoreFull
from amends.storage.blocks import Contents
from amends.storage.letters import answer_letter, verb_letter
from amends.storage.rows import COMPENSATED, COMPLETED, Changes
from amends.storage.shards import ALL_SHARDS, shard_of
from amends.storage.words import cause_in_words, changes_in_words
from amends.views.overview import overview
from amends.views.sagas import AsOf
from tests.engine.running import Running, Shop, charge, submitted, until
from tests.engine.test_engine import PATIENCE_S, engine, run
from tests.engine.world import Buy

SHOWS = [f"show {number}" for number in range(6)]


def owner(shop: Shop, saga_id: str) -> Running:
    """Return the engine that has a saga's shard."""
    (running,) = (each for each in shop.engines if shard_of(saga_id) in each.shards)
    return running


def ids_of(running: Running, number: int) -> list[str]:
    """Return ids of sagas to come, in an engine's shards."""
    every = (f"client-{place}" for place in range(10_000))
    found = (saga_id for saga_id in every if shard_of(saga_id) in running.shards)
    return [next(found) for _ in range(number)]


@pytest.mark.parametrize("names", [("one",), ("one", "two"), ("one", "two", "three")])
def test_each_saga_is_moved_by_the_owner_of_its_shard(names: tuple[str, ...]) -> None:
    """The engines share the shards evenly, start sagas of their own, and all of these end there."""

    async def test() -> None:
        shop = Shop()
        engines = await shop.open(*names)
        assert sorted(shard for running in engines for shard in running.shards) == sorted(ALL_SHARDS)
        sizes = [len(running.shards) for running in engines]
        assert max(sizes) - min(sizes) <= 1
        for running in engines:
            for handle in await submitted(running, shop.saga, *SHOWS):
                await handle.result(PATIENCE_S)
                assert shop.movers(handle.saga_id) == [running.name]
        seen = overview(shop.store, AsOf(shop.clock.ms))
        assert seen.heads
        assert seen.rates
        assert [head.chain for head in seen.heads] == sorted(names)
        assert seen.rates.started == seen.rates.ended == len(SHOWS) * len(names)
        await shop.close()
        assert shop.is_at_rest
        assert [*verify(shop.store).findings] == []

    run(test())


def test_an_engine_without_a_shard_starts_nothing_and_says_so() -> None:
    """As what it is, an error that passes: one saga, or many."""

    async def test() -> None:
        shop = Shop()
        (one,) = await shop.open("one")
        one.engine._loop.coordinator.lose(ALL_SHARDS)
        with pytest.raises(Overloaded, match="no shard of its store yet"):
            await one.engine.submit(shop.saga, Buy("Hamlet", 1))
        with pytest.raises(Overloaded, match="no shard of its store yet"):
            await one.engine.submit_many(shop.saga, [Buy("Hamlet", 1), Buy("Lear", 1)])
        await one.kill()

    run(test())


def test_what_a_killed_engine_had_goes_on_elsewhere() -> None:
    """Once its lease has run out, and not before; the participant is asked again under the same keys."""

    async def test() -> None:
        shop = Shop()
        one, two = await shop.open("one", "two")
        one.card.gate.clear()
        handles = await submitted(one, shop.saga, *SHOWS)
        await until(lambda: len(one.card.calls) == len(SHOWS))
        await one.kill()
        await shop.pass_ms(LEASE_MS - 2_000)
        assert len(two.shards) == len(ALL_SHARDS) // 2
        await shop.pass_ms(60_000)
        assert two.shards == ALL_SHARDS
        assert shop.is_at_rest
        for handle in handles:
            assert shop.movers(handle.saga_id) == ["one", "two"]
            assert shop.status(handle.saga_id) == COMPLETED
        assert {call.key for call in two.card.calls} == {call.key for call in one.card.calls}
        await shop.close(but=one)
        assert [*verify(shop.store).findings] == []

    run(test())


def test_an_engine_that_ends_hands_its_shards_back() -> None:
    """The other has them at its next look, though the lease has not run out, and goes on with what waits in them."""

    async def test() -> None:
        shop = Shop()
        one, two = await shop.open("one", "two")
        one.card.gate.clear()
        (handle,) = await submitted(one, shop.saga, "Hamlet")
        await until(lambda: len(one.card.calls) == 1)
        await one.engine.close()
        assert [lease.engine for lease in shop.ownership.leases()] == ["two"]
        assert {*shop.ownership.owners().values()} == {"two"}
        await shop.pass_ms(LEASE_MS // 2)
        assert two.shards == ALL_SHARDS
        await shop.pass_ms(30_000)
        assert shop.status(handle.saga_id) == COMPLETED
        await shop.close()
        assert [*verify(shop.store).findings] == []

    run(test())


def test_a_fenced_engine_stops_and_says_why() -> None:
    """It stood still for longer than its lease: its next step finds its chain ended, and nothing is taken any more."""

    async def test() -> None:
        shop = Shop()
        one, two = await shop.open("one", "two")
        waits = asyncio.create_task(one.engine.result((await submitted(one, shop.saga, "Hamlet"))[0].saga_id))
        await waits
        one.card.gate.clear()
        (handle,) = await submitted(one, shop.saga, "Macbeth")
        told = asyncio.create_task(handle.result(PATIENCE_S))
        await shop.pass_ms(2 * LEASE_MS, but=one)
        assert two.shards == ALL_SHARDS
        assert one.loop.stopped is None
        await shop.pass_ms(500)
        with pytest.raises(EngineStopped, match=r"'one' has no lease.* its sagas go on there"):
            await told
        with pytest.raises(EngineStopped, match="'one' has no lease"):
            await one.engine.submit(shop.saga, Buy("Othello", 1))
        await shop.close()
        assert [*verify(shop.store).findings] == []

    run(test())


def test_a_fenced_engine_commits_and_calls_nothing() -> None:
    """Also where a client is faster than its next look at the lease, which goes on by its clock."""

    async def test() -> None:
        shop = Shop()
        one, _two = await shop.open("one", "two", concurrency={"CARD": 1})
        one.card.gate.clear()
        await submitted(one, shop.saga, "Hamlet", "Macbeth")
        await until(lambda: len(one.card.calls) == 1 and one.sleeps)
        await shop.pass_ms(2 * LEASE_MS, but=one)
        before = len(shop.database.sagas)
        with pytest.raises(EngineStopped, match="'one' has no lease"):
            await one.engine.submit(shop.saga, Buy("Othello", 1))
        assert len(shop.database.sagas) == before
        one.card.gate.set()
        await until(lambda: not one.loop.calls.crowded(1))
        await shop.close()
        assert len(one.card.calls) == 1

    run(test())


def test_a_shard_moves_though_a_call_of_it_runs_for_too_long() -> None:
    """The newcomer asks again under the same key; clients that wait at the first owner are told where the saga is."""

    async def test() -> None:
        shop = Shop()
        (one,) = await shop.open("one", concurrency={"CARD": 200})
        one.card.gate.clear()
        handles = await submitted(one, shop.saga, *(f"show {number}" for number in range(150)))
        await until(lambda: len(one.card.calls) == len(handles))
        ends = {handle.saga_id: asyncio.create_task(handle.result(PATIENCE_S)) for handle in handles}
        (two,) = await shop.open("two")
        moved = [handle.saga_id for handle in handles if shard_of(handle.saga_id) in two.shards]
        assert moved
        for waits in map(ends.pop, moved):
            with pytest.raises(RequestRefused, match="is moved by another engine"):
                await waits
        departed = one.loop.coordinator.departed
        await until(lambda: two.shards.isdisjoint(shard_of(attempt_id[0]) for attempt_id in departed))
        one.card.gate.set()
        await shop.pass_ms(60_000)
        await until(lambda: shop.is_at_rest)
        assert [shop.movers(saga_id) for saga_id in moved] == [["one", "two"]] * len(moved)
        assert {shop.status(handle.saga_id) for handle in handles} == {COMPLETED}
        assert all(isinstance(end.state, Completed) for end in await asyncio.gather(*ends.values()))
        assert isinstance((await one.engine.result(moved[0])).state, Completed)
        await shop.close()
        assert [*verify(shop.store).findings] == []

    run(test())


# Letters ----------------------------------------------------------------------------------------------------------


def test_letters_are_acted_on_by_the_owner() -> None:
    """A start, wherever it was posted; the engine of the saga's shard takes it, and it is gone then."""

    async def test() -> None:
        shop = Shop()
        one, two = await shop.open("one", "two")
        ids = {running.name: ids_of(running, 3) for running in (one, two)}
        for saga_id in (*ids["one"], *ids["two"]):
            shop.post(f"key of {saga_id}", Buy("Hamlet", 1), saga_id)
            shop.post(f"key of {saga_id}", Buy("Hamlet", 1), saga_id)
        one.loop.wake()
        await until(lambda: all(shop.status(saga_id) == COMPLETED for saga_id in ids["one"]))
        assert len(shop.database.letters) == 3  # the other has not looked yet
        two.loop.wake()
        await until(lambda: shop.is_at_rest and len(shop.database.sagas) == 6)
        for name, started in ids.items():
            assert [shop.movers(saga_id) for saga_id in started] == [[name]] * 3
        await shop.close()

    run(test())


def test_a_letter_is_found_without_a_wake_up() -> None:
    """The mailbox is looked at when its time has come, and not before."""

    async def test() -> None:
        shop = Shop()
        (one,) = await shop.open("one")
        shop.post("key", Buy("Hamlet", 1), "client-1")
        await one.engine.submit(shop.saga, Buy("Macbeth", 1))  # a turn is no look
        assert not shop.status("client-1")
        await shop.pass_ms(LOOK_MS, wakes=False)
        await until(lambda: shop.status("client-1") == COMPLETED)
        await shop.close()

    run(test())


def test_an_answer_and_a_verb_come_by_letter() -> None:
    """With the actor and the reason, which are recorded; a letter that cannot be carried out is gone all the same."""

    async def later(_: object, __: Buy, ___: Call) -> amends.Later:
        return amends.Later(3600)

    async def back(_: object, __: Buy, ___: Call) -> Done:
        return Done()

    async def test() -> None:
        saga = Saga("asked", Buy, [external("ASKED", later, undo=back, undone="TAKEN_BACK", limit_s=3600),
                                   external("TOLD", later, pivot=True)])  # fmt: skip
        shop = Shop(saga)
        one, two = await shop.open("one", "two")
        (first,), (second,) = await submitted(one, saga, "a"), await submitted(two, saga, "b")
        ids = [first.saga_id, second.saga_id]
        await until(lambda: all("ASKED/do later" in text_of(shop, saga_id) for saga_id in ids))
        shop.mailbox.post([verb_letter("v", ids[1], Cancel("sold out", "ann"), 1)])
        said = Answered("ASKED", Kind.DO, Done())
        shop.mailbox.post([answer_letter(f"a {saga_id}", saga_id, said, 2) for saga_id in ids])
        shop.mailbox.post([verb_letter("none", "client-none", Cancel("no such saga", "ann"), 1)])
        await shop.pass_ms(1_000)
        await until(lambda: shop.status(ids[1]) == COMPENSATED and not shop.database.letters)
        shop.mailbox.post([answer_letter("t", ids[0], Answered("TOLD", Kind.DO, Done()), 1)])
        await shop.pass_ms(1_000)
        await until(lambda: shop.status(ids[0]) == COMPLETED)
        assert "by ann: sold out" in text_of(shop, ids[1])
        await shop.close()

    run(test())


def text_of(shop: Shop, saga_id: str) -> str:
    """Return what is recorded of a saga, in words."""
    contents = [Contents(block) for block in shop.store.blocks_about(saga_id)]
    records = [record for each in contents for record in each.records() if record and record.subject == saga_id]
    return "\n".join(f"{cause_in_words(record)}: {', '.join(changes_in_words(record))}" for record in records)


@pytest.mark.parametrize("ends", [False, True])
def test_an_engine_that_has_nothing_to_do_takes_no_turn(ends: bool) -> None:
    """Until its clock says that it is time; one that is to end takes no letter more, though calls are under way."""

    async def test() -> None:
        shop = Shop()
        (one,) = await shop.open("one", drain_s=PATIENCE_S)
        one.card.gate.clear()
        await submitted(one, shop.saga, "Hamlet")
        await until(lambda: len(one.card.calls) == 1)
        closing = asyncio.create_task(one.engine.close()) if ends else None
        await asyncio.sleep(0)
        shop.post("key", Buy("Macbeth", 1), "client-1")
        one.loop.wake()
        await until(lambda: one.is_settled)
        turns, take = list[int](), one.loop._turns.take

        async def counted(tasks: Sequence[Task], asked: int) -> BatchResult:
            turns.append(len(tasks))
            return await take(tasks, asked)

        one.loop._turns.take = counted  # type: ignore[method-assign]  # it counts
        await until(lambda: ends or len(one.card.calls) == 2)
        for _ in range(20):  # what was begun comes to its end
            turns.clear()
            await asyncio.sleep(0.02)
            if not turns:
                break
        assert not turns
        assert bool(shop.database.letters) == ends
        one.card.gate.set()
        await (closing or one.engine.close())

    run(test())


# Calls ------------------------------------------------------------------------------------------------------------


def test_nothing_is_called_after_the_lease() -> None:
    """A request that waited for a place until the lease was over goes out once it is renewed, as another attempt."""

    async def test() -> None:
        shop = Shop()
        (one,) = await shop.open("one", concurrency={"CARD": 1})
        one.card.gate.clear()
        first, second = await submitted(one, shop.saga, "Hamlet", "Macbeth")
        await until(lambda: len(one.card.calls) == 1 and one.sleeps)
        keeper = one.loop._turns.upkeep._keeper
        keeper.next_ms += 10 * LEASE_MS  # else a turn may renew the lease before the place is free
        one.clock.ms += LEASE_MS  # it stood still, as its machine may
        shop.clock.ms += LEASE_MS
        one.card.gate.set()
        await first.result(PATIENCE_S)
        keeper.next_ms = one.clock.ms
        await shop.pass_ms(30_000)
        await second.result(PATIENCE_S)
        calls = [(call.key.split("/")[0], call.attempt) for call in one.card.calls]
        assert calls == [(first.saga_id, 1), (second.saga_id, 2)]
        await shop.close()

    run(test())


def test_a_call_says_until_when_its_answer_counts() -> None:
    """Until the lease ends, or the step's limit, whichever is first; a participant that we keep is told no end."""
    seen = list[float]()

    def held(_: int | None, __: Buy, call: Call) -> int:
        seen.append(call.deadline)
        return 1

    async def test() -> None:
        steps = [local("HELD", held, undo=lambda _, __: None, undone="FREED", entity=lambda buy: buy.show),
                 external("CARD_CHARGED", charge, pivot=True, timeout_s=10)]  # fmt: skip
        saga = Saga("deadline", Buy, steps)
        shop = Shop(saga)
        (one,) = await shop.open("one")
        before = time.time()
        (handle,) = await submitted(one, saga, "Hamlet")
        await handle.result(PATIENCE_S)
        left_s = one.loop._turns.upkeep.lease_left_s()
        assert 0 < left_s <= LEASE_MS / 1000
        assert before + left_s <= one.card.calls[0].deadline <= time.time() + left_s
        await shop.close()
        async with engine(shop.store.__class__(), saga, clients={"CARD": one.card}) as alone:
            before = time.time()
            await (await alone.submit(saga, Buy("Hamlet", 1))).result(PATIENCE_S)
            assert before + 10 <= one.card.calls[1].deadline <= time.time() + 10
        assert {*seen} == {float("inf")}

    run(test())


def test_a_turn_that_the_store_ends_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is waited for in vain while a turn reads stops no engine, and loses nothing."""

    async def test() -> None:
        shop = Shop()
        (one,) = await shop.open("one")
        store = one.loop._turns._store
        reads: dict[str, Callable[..., Any]] = {"due": store.due, "entity_rows": store.entity_rows}
        ended = list[str]()

        def ends(name: str, *given: Any) -> Any:
            if ended.count(name) < 2:
                ended.append(name)
                raise StoreConflict("another engine has locked it")
            return reads[name](*given)

        for name in ("due", "entity_rows"):
            monkeypatch.setattr(store, name, partial(ends, name))
        handles = await submitted(one, shop.saga, *SHOWS)
        assert [(await handle.result(PATIENCE_S)).state for handle in handles] == [Completed()] * len(SHOWS)
        assert sorted({*ended}) == ["due", "entity_rows"]
        await shop.close()
        assert shop.is_at_rest

    run(test())


def test_a_look_that_the_store_ends_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while there is no space, when only looks are answered."""

    async def test() -> None:
        shop = Shop()
        (one,) = await shop.open("one")
        (handle,) = await submitted(one, shop.saga, "Hamlet")
        await handle.result(PATIENCE_S)
        monkeypatch.setattr("amends.engine.turn_taking.SPACE_PAUSE_S", 0)
        store, ended = one.loop._turns._store, list[str]()
        commit, sagas = store.commit, store.sagas

        def full(changes: Changes) -> None:
            if ended.count("commit") < 3:
                ended.append("commit")
                raise StoreFull("there is no space")
            commit(changes)

        def conflicting(saga_ids: Sequence[str]) -> Any:
            if len(ended) == ended.count("commit") == 1:
                ended.append("sagas")
                raise StoreConflict("another engine has locked it")
            return sagas(saga_ids)

        monkeypatch.setattr(store, "commit", full)
        monkeypatch.setattr(store, "sagas", conflicting)
        refused, seen = await asyncio.gather(
            one.engine.submit(shop.saga, Buy("Lear", 1)),
            one.engine.result(handle.saga_id, PATIENCE_S),
            return_exceptions=True,
        )
        assert isinstance(refused, StoreFull)
        assert isinstance(seen, Result)
        assert seen.state == Completed()
        assert ended[:2] == ["commit", "sagas"]
        monkeypatch.undo()
        await shop.close()

    run(test())
