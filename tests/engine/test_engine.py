"""The engine as its users meet it: submitting, waiting, answering from outside, and participants of every temper."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Coroutine, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from amends import (
    Backoff,
    Cancel,
    Command,
    Compensated,
    Completed,
    Done,
    Engine,
    EngineStopped,
    Handle,
    KeyReused,
    Later,
    Overloaded,
    Refused,
    RequestRefused,
    Saga,
    StoreFull,
    external,
    local,
)
from amends.adapters.clock import SystemClock
from amends.adapters.memory import MemoryStore
from amends.engine.blocking import BlockingEngine
from amends.engine.limits import Limit, Limits
from amends.engine.loop import EngineLoop
from amends.errors import StoreFailed
from amends.storage.rows import Changes
from tests.engine.world import Buy, hold, let_go, nothing, records, tickets

PATIENCE_S = 120.0  # a test that waits longer has failed; none of them asserts a time


def engine(store: MemoryStore, *sagas: Saga, prefix: str = "a", **options: Any) -> Engine:
    """Return an engine on a store in memory."""
    clients = options.pop("clients", {})
    limits = limits_of(**{"queue_max": 1000, "drain_s": 0} | options)
    loop = EngineLoop(lambda: store, SystemClock, prefix, sagas=sagas, commands=(), clients=clients, limits=limits)
    return Engine(loop)


def limits_of(concurrency: Mapping[str, int | Limit] = MappingProxyType({}), **others: Any) -> Limits:
    """Return the limits of an engine; a number is of calls at a time."""
    limits = {name: each if isinstance(each, Limit) else Limit(each) for name, each in concurrency.items()}
    return Limits(limits, **others)


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine, and fail rather than hang."""
    asyncio.run(asyncio.wait_for(test, PATIENCE_S))


def one(function: Any, **options: Any) -> Saga:
    """Return a saga of a local step, an external one, and a pivot."""
    return Saga(
        "one",
        Buy,
        [
            local("SEATS_HELD", hold, undo=let_go, undone="SEATS_FREED", entity=lambda buy: buy.show),
            external("CARD_CHARGED", function, undo=nothing, undone="CARD_REFUNDED", **options),
            local("TICKET_ISSUED", lambda _, buy: buy.seats, entity=lambda buy: buy.show, pivot=True),
        ],
    )


def test_a_saga_runs_to_its_end() -> None:
    """The handle is there once the start is stored; its result has the state and the answers."""

    async def charge(client: Any, buy: Buy, call: Any) -> Done:
        return Done(await client(buy.seats, call.key))

    async def psp(seats: int, key: str) -> str:
        return f"receipt {seats} {key}"

    async def test() -> None:
        saga = one(charge)
        async with engine(MemoryStore(), saga, clients={"CARD": psp}) as running:
            handle = await running.submit(saga, Buy("Hamlet", 2))
            result = await handle.result(PATIENCE_S)
            assert result.answers == {"CARD_CHARGED": f"receipt 2 {handle.saga_id}/CARD_CHARGED/do"}
            assert isinstance(result.state, Completed)
            assert await running.entity("SEATS", "Hamlet") == 8
            assert await running.result(handle.saga_id) == result

    run(test())


def test_a_plain_function_runs_in_a_thread() -> None:
    """And what it raises is unknown: it is asked again."""
    threads: list[str] = []

    def charge(client: Any, buy: Buy, call: Any) -> Done:
        threads.append(threading.current_thread().name)
        if call.attempt == 1:
            raise ConnectionError("no line")
        return Done()

    async def test() -> None:
        saga = one(charge, backoff=Backoff(0.001, 0.001))
        async with engine(MemoryStore(), saga) as running:
            result = await (await running.submit(saga, Buy("Hamlet", 2))).result()
            assert isinstance(result.state, Completed)
        assert len(threads) == 2
        assert all(name.startswith("amends-call") for name in threads)

    run(test())


def test_a_process_ends_beside_a_participant_that_hangs() -> None:
    """A thread cannot be ended, and must not hold the process back (A5): it is as if its answer were lost."""
    script = (
        "import amends, time\n"
        "from amends import Saga, external\n"
        "s = Saga('s', int, [external('A', lambda client, request, call: time.sleep(60), pivot=True)])\n"
        "with amends.open('memory:', sagas=[s], drain_s=0.1) as engine:\n"
        "    engine.submit(s, 1)\n"
        "    time.sleep(0.2)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], timeout=PATIENCE_S, check=False)
    assert ended.returncode == 0


class Bank:
    """Which keys were asked, and whether the saga has ended."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.has_ended = threading.Event()


async def charge_slowly(bank: Bank, buy: Buy, call: Any) -> Done:
    """Take too long at the first attempt."""
    bank.keys.append(call.key)
    if call.attempt == 1:
        await asyncio.to_thread(bank.has_ended.wait, PATIENCE_S)
    return Done(call.attempt)


def charge_slowly_in_a_thread(bank: Bank, buy: Buy, call: Any) -> Done:
    """The same in a thread, which cannot be ended."""
    bank.keys.append(call.key)
    if call.attempt == 1:
        bank.has_ended.wait(PATIENCE_S)
    return Done(call.attempt)


@pytest.mark.parametrize("charge", [charge_slowly, charge_slowly_in_a_thread])
def test_a_timeout_is_unknown_and_a_late_answer_is_recorded(charge: Any) -> None:
    """The first attempt answers after its time: the second was asked under the same key; both are on record."""
    bank = Bank()

    async def test() -> None:
        store, saga = MemoryStore(), one(charge, timeout_s=0.1, backoff=Backoff(0.001, 0.001))
        async with engine(store, saga, clients={"CARD": bank}) as running:
            result = await (await running.submit(saga, Buy("Hamlet", 2))).result()
            assert result.answers["CARD_CHARGED"] >= 2  # more on a machine on which the second took too long as well
            bank.has_ended.set()
            while sum("CARD_CHARGED/do done" in line for line in records(store)) < 2:
                await asyncio.sleep(0.01)
        assert len(set(bank.keys)) == 1

    run(test())


def test_an_answer_comes_from_outside() -> None:
    """A participant says Later; the answer comes by its key, and a duplicate changes nothing."""

    async def charge(client: Any, buy: Buy, call: Any) -> Later:
        return Later(3600)

    async def test() -> None:
        store, saga = MemoryStore(), one(charge)
        async with engine(store, saga) as running:
            handle = await running.submit(saga, Buy("Hamlet", 2))
            with pytest.raises(TimeoutError):
                await handle.result(0.05)
            key = f"{handle.saga_id}/CARD_CHARGED/do"
            await running.answer(key, Done({"by": "webhook"}))
            await running.answer(key, Done({"by": "another"}))
            assert (await handle.result()).answers == {"CARD_CHARGED": {"by": "webhook"}}
            for wrong in ("nonsense", f"{handle.saga_id}/CARD_CHARGED/probe", "b-1/CARD_CHARGED/do"):
                with pytest.raises(RequestRefused):
                    await running.answer(wrong, Done())
            with pytest.raises(RequestRefused, match="no outcome"):
                await running.answer(key, "yes")  # type: ignore[arg-type]  # what a caller may get wrong

    run(test())


def test_nothing_of_a_saga_is_lost_between_two_lives() -> None:
    """A call that was under way when the process ended is unknown; the next process asks again, and ends the saga."""
    calls: list[int] = []

    async def charge(client: Any, buy: Buy, call: Any) -> Done:
        calls.append(call.attempt)
        if len(calls) == 1:
            await asyncio.sleep(3600)
        return Done()

    async def test() -> None:
        store, saga = MemoryStore(), one(charge, backoff=Backoff(0.001, 0.001))
        async with engine(store, saga) as first:
            handle = await first.submit(saga, Buy("Hamlet", 2))
            while not calls:
                await asyncio.sleep(0.001)
        with pytest.raises(EngineStopped):
            await handle.result()
        with pytest.raises(EngineStopped):
            await first.submit(saga, Buy("Hamlet", 2))
        async with engine(store, saga, prefix="b") as second:
            assert isinstance((await second.result(handle.saga_id)).state, Completed)
        assert calls == [1, 2]

    run(test())


def test_giving_up_waiting_does_not_stop_a_saga() -> None:
    """Neither the wait for its end, nor the wait for its start, once it is queued."""
    released = asyncio.Event()

    async def charge(client: Any, buy: Buy, call: Any) -> Done:
        await released.wait()
        return Done()

    async def test() -> None:
        store, saga = MemoryStore(), one(charge)
        async with engine(store, saga) as running:
            handle = await running.submit(saga, Buy("Hamlet", 2))
            waiting = asyncio.create_task(handle.result())
            starting = asyncio.create_task(running.submit(saga, Buy("Lear", 1), key="lear"))
            await asyncio.sleep(0)
            for task in (waiting, starting):
                task.cancel()
            await asyncio.gather(waiting, starting, return_exceptions=True)
            released.set()
            assert isinstance((await handle.result()).state, Completed)
            other = await running.submit(saga, Buy("Lear", 1), key="lear")
            assert isinstance((await other.result()).state, Completed)
            assert await running.entity("SEATS", "Lear") == 9

    run(test())


def test_one_key_is_one_saga_also_when_requests_race() -> None:
    """Sixty-four at once: one saga, sixty-four equal answers; another request under the key is an error (C2)."""

    async def test() -> None:
        store, saga = MemoryStore(), tickets()
        async with engine(store, saga) as running:
            handles = await asyncio.gather(*[running.submit(saga, Buy("Hamlet", 1), key="k") for _ in range(64)])
            assert len({handle.saga_id for handle in handles}) == 1
            results = await asyncio.gather(*[handle.result() for handle in handles])
            assert len({result.saga_id for result in results}) == 1
            with pytest.raises(KeyReused):
                await running.submit(saga, Buy("Hamlet", 2), key="k")
            for key in ("", "x" * 256, "a\nb", 7):
                with pytest.raises(RequestRefused, match="client key"):
                    await running.submit(saga, Buy("Hamlet", 1), key=key)  # type: ignore[arg-type]  # an int among them
        assert sum(block.started for block in store.blocks()) == 1

    run(test())


def test_many_are_submitted_in_order() -> None:
    """More than a batch takes; those that are refused are among the answers."""

    async def test() -> None:
        saga: Saga = Saga(
            "seats",
            Buy,
            [local("SEATS_HELD", hold, entity=lambda buy: buy.show, pivot=True)],
            prepare=lambda _, __, asked: Refused("no") if asked[1] == 0 else Buy(*asked),
        )
        asked = [(f"S{number}", number % 7) for number in range(2500)]
        async with engine(MemoryStore(), saga) as running:
            handles = await running.submit_many(saga, asked)
            assert [isinstance(handle, RequestRefused) for handle in handles] == [seats == 0 for _, seats in asked]
            ids = [handle.saga_id for handle in handles if isinstance(handle, Handle)]
            assert len(set(ids)) == len(ids)
            with pytest.raises(RequestRefused, match="2 requests came with 1 keys"):
                await running.submit_many(saga, asked[:2], keys=["k"])

    run(test())


class Slow(MemoryStore):
    """A store that can be made to wait, or to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.troubles: list[Exception] = []

    def commit(self, changes: Changes) -> None:
        """Commit, behind the gate, unless there is trouble."""
        self.gate.wait(PATIENCE_S)
        if self.troubles:
            raise self.troubles.pop(0)
        super().commit(changes)


def test_a_full_queue_says_so() -> None:
    """New work is refused before accepted work is delayed (P16); what was refused left nothing."""

    async def test() -> None:
        store, saga = Slow(), Saga("seats", Buy, [local("SEATS_HELD", hold, entity=lambda buy: buy.show, pivot=True)])
        async with engine(store, saga, queue_max=10) as running:
            store.gate.clear()
            accepted = [asyncio.create_task(running.submit(saga, Buy("Hamlet", 0))) for _ in range(5)]
            await asyncio.sleep(0.05)
            accepted += [asyncio.create_task(running.submit(saga, Buy("Hamlet", 0))) for _ in range(10)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded, match="try again later"):
                await running.submit(saga, Buy("Hamlet", 0))
            store.gate.set()
            await asyncio.gather(*accepted)
            await running.submit(saga, Buy("Hamlet", 0))
        assert sum(block.started for block in store.blocks()) == 16

    run(test())


def test_no_space_refuses_clients_and_keeps_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a participant answered while there was no space is written when there is."""
    monkeypatch.setattr("amends.engine.turn_taking.SPACE_PAUSE_S", 0.01)

    async def test() -> None:
        store, released = Slow(), asyncio.Event()

        async def charge(client: Any, buy: Buy, call: Any) -> Done:
            await released.wait()
            return Done(call.attempt)

        saga = one(charge)
        async with engine(store, saga) as running:
            handle = await running.submit(saga, Buy("Hamlet", 2))
            store.troubles = [StoreFull("no space left")]
            with pytest.raises(StoreFull):
                await running.submit(saga, Buy("Lear", 2))
            store.troubles = [StoreFull("no space left")] * 3
            released.set()
            assert (await handle.result()).answers == {"CARD_CHARGED": 1}
            assert await running.entity("SEATS", "Lear") is None

    run(test())


def test_a_failed_store_stops_the_engine(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever waits is told; what was stored goes on with the next engine."""

    async def test() -> None:
        store, saga = Slow(), one(nothing)
        async with engine(store, saga) as running:
            await running.submit(saga, Buy("Hamlet", 2))
            store.troubles = [StoreFailed("EIO")] * 5
            with pytest.raises(EngineStopped, match="EIO"):
                await running.submit(saga, Buy("Lear", 2))
            with pytest.raises(EngineStopped):
                await running.submit(saga, Buy("Lear", 2))
        store.troubles = []
        async with engine(store, saga, prefix="b") as second:
            assert isinstance((await second.result("a-1")).state, Completed)

    with caplog.at_level(logging.CRITICAL, "amends"):
        run(test())


def test_a_slow_participant_starves_nobody() -> None:
    """Its calls are bounded, and another participant's go on meanwhile (G8)."""
    at_once = 0
    most = 0
    gate = asyncio.Event()

    async def slow(client: Any, buy: Buy, call: Any) -> Done:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await gate.wait()
        at_once -= 1
        return Done()

    async def test() -> None:
        slowly = Saga("slowly", Buy, [external("SLOW_DONE", slow, pivot=True)])
        quickly = Saga("quickly", Buy, [external("QUICK_DONE", nothing, pivot=True)])
        async with engine(MemoryStore(), slowly, quickly, concurrency={"SLOW": 4}) as running:
            behind = await running.submit_many(slowly, [Buy("x", 1)] * 50)
            ahead = await running.submit_many(quickly, [Buy("x", 1)] * 50)
            for handle in ahead:
                assert isinstance(handle, Handle)
                await handle.result()
            assert most == 3  # one is kept for compensations
            gate.set()
            for handle in behind:
                assert isinstance(handle, Handle)
                await handle.result()
            assert most == 3

    run(test())


def test_a_participant_that_hangs_gives_its_place_free() -> None:
    """After its time; so others come to their turn, and it is undone or asked again."""

    async def hang(client: Any, buy: Buy, call: Any) -> Done:
        if buy.show == "bad":
            await asyncio.sleep(3600)
        return Done()

    async def test() -> None:
        saga = one(hang, timeout_s=0.05, limit_s=0.1, backoff=Backoff(0.01, 0.01))
        async with engine(MemoryStore(), saga, concurrency={"CARD": 1}) as running:
            bad = await running.submit(saga, Buy("bad", 1))
            good = await running.submit(saga, Buy("good", 1))
            assert isinstance((await bad.result()).state, Compensated)
            await good.result()

    run(test())


def test_what_participants_give_back_wrongly_is_unknown() -> None:
    """Garbage is neither a yes nor a no (G10): it is asked again until its time is over, then undone."""
    given: list[Any] = [object(), "yes", 7, Done(object())]

    async def charge(client: Any, buy: Buy, call: Any) -> Any:
        return given[min(call.attempt, len(given)) - 1]

    async def test() -> None:
        saga = one(charge, timeout_s=0.1, limit_s=0.1, backoff=Backoff(0.01, 0.01))
        async with engine(MemoryStore(), saga) as running:
            result = await (await running.submit(saga, Buy("Hamlet", 1))).result()
            assert isinstance(result.state, Compensated)
            assert await running.entity("SEATS", "Hamlet") == 10

    run(test())


def test_a_saga_is_cancelled_until_its_pivot() -> None:
    """And afterwards the client is told that it is too late."""

    async def charge(client: Any, buy: Buy, call: Any) -> Later:
        return Later(3600)

    async def test() -> None:
        store, saga = MemoryStore(), one(charge)
        async with engine(store, saga) as running:
            handle = await running.submit(saga, Buy("Hamlet", 2))
            while '"taken":true' not in store.saga(handle.saga_id).body:  # type: ignore[union-attr]  # it is there
                await asyncio.sleep(0.001)
            await running.tell(handle.saga_id, Cancel("changed my mind"))
            await running.answer(f"{handle.saga_id}/CARD_CHARGED/do", Done())
            assert isinstance((await handle.result()).state, Compensated)
            with pytest.raises(RequestRefused, match="too late"):
                await running.tell(handle.saga_id, Cancel())
            with pytest.raises(RequestRefused, match="there is no saga"):
                await running.tell("a-77", Cancel())

    run(test())


ADDED = Command("SEATS_ADDED", "SEATS", lambda free, more: (free or 0) + more)


def test_scripts_have_a_door_without_asyncio() -> None:
    """Method by method the same engine."""

    def charge(client: Any, buy: Buy, call: Any) -> Done:
        return Done(buy.seats)

    saga = one(charge)
    with BlockingEngine(engine(MemoryStore(), saga)) as running:
        assert running.carry_out(ADDED, "Hamlet", 5) is None
        handle = running.submit(saga, Buy("Hamlet", 2), key="k")
        assert handle.result(PATIENCE_S).answers == {"CARD_CHARGED": 2}
        many = running.submit_many(saga, [Buy("Lear", 1), Buy("Lear", 2)])
        assert [result.answers["CARD_CHARGED"] for result in (h.result() for h in many)] == [1, 2]  # type: ignore[union-attr]
        assert running.entity("SEATS", "Hamlet") == 3
        assert running.result(handle.saga_id) == handle.result()
        with pytest.raises(RequestRefused):
            running.tell(handle.saga_id, Cancel())
        with pytest.raises(RequestRefused):
            running.answer("nonsense", Done())
    with pytest.raises(EngineStopped):
        running.submit(saga, Buy("Hamlet", 2))


def test_an_engine_that_was_not_entered_says_how() -> None:
    """Not an AttributeError."""

    async def test() -> None:
        with pytest.raises(EngineStopped, match="async with"):
            await engine(MemoryStore(), tickets()).submit(tickets(), Buy("x", 1))

    run(test())
