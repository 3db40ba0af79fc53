"""Calls of participants: each participant with slots of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Sequence
from math import inf
from typing import Any

import pytest

from amends import Call, Done, Saga, Unknown, external
from amends.core.definition import Step
from amends.core.effects import Send
from amends.core.messages import Answered, Kind, Request
from amends.engine.batch import BatchResult
from amends.engine.calls import LEASE_OVER, Calls
from amends.engine.in_flight import AttemptId, attempt_id_of
from amends.engine.limits import Limit, Limits
from amends.engine.slots import LATE_MAX
from amends.engine.task import Task
from amends.engine.tasks import Deliver


class Standing:
    """A clock that stands."""

    def now_ms(self) -> int:
        """Return the same all the time."""
        return 0


class Silent:
    """A participant that answers nobody but the last."""

    def __init__(self) -> None:
        self.asked: list[str] = []


async def charge(silent: Silent, _: Any, call: Call) -> Done:
    """Answer the call of saga c alone."""
    silent.asked.append(call.key)
    if not call.key.startswith("c/"):
        await asyncio.Event().wait()
    return Done()


SALE = Saga("sale", int, [external("CARD_CHARGED", charge, pivot=True)])


def asking(saga_id: str) -> Send:
    """Return the request of a saga."""
    return Send(Request(saga_id, "CARD_CHARGED", Kind.DO, 1, Call(f"{saga_id}/CARD_CHARGED/do")), 0, 10_000)


def test_what_waits_for_a_place_and_is_dropped_is_not_sent() -> None:
    """It would keep the place: nobody drops it again, and its participant may never answer."""

    async def heard() -> tuple[list[str], list[str]]:
        silent, answered = Silent(), asyncio.Queue[str]()

        def hear(task: Task) -> None:
            answered.put_nowait(task.saga_id)

        calls = Calls({"CARD": silent}, Limits({"CARD": Limit(1)}), Standing(), {}, hear, lambda: inf)
        step = SALE.step("CARD_CHARGED")
        first, second, third = (asking(saga_id) for saga_id in "abc")
        calls.take(BatchResult(None, (), [(step, first), (step, second), (step, third)]))
        await asyncio.sleep(0)  # the first has begun
        calls.take(BatchResult(None, (), dropped=[attempt_id_of(second), attempt_id_of(first)]))
        saga_id = await asyncio.wait_for(answered.get(), 5)
        await calls.close()
        return silent.asked, [saga_id]

    asked, answered = asyncio.run(heard())
    assert "b/CARD_CHARGED/do" not in asked
    assert answered == ["c"]


async def talked(step: Step, sends: Sequence[Send], limit: int = 1) -> list[tuple[str, Answered]]:
    """Send requests, and return what is heard of them, in the order in which it came."""
    answered = asyncio.Queue[tuple[str, Answered]]()

    def hear(task: Task) -> None:
        assert isinstance(task, Deliver)
        assert isinstance(task.said, Answered)
        answered.put_nowait((task.saga_id, task.said))

    calls = Calls({}, Limits({step.service: Limit(limit)}), Standing(), {}, hear, lambda: inf)
    calls.take(BatchResult(None, (), [(step, send) for send in sends]))
    try:
        return [await asyncio.wait_for(answered.get(), 5) for _ in sends]
    finally:
        await calls.close()


def test_who_gets_no_thread_is_not_asked_and_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on processes must not cost a place each: of a thousand that got no thread none keeps it."""
    start, none = threading.Thread.start, [0]

    def rationed(thread: threading.Thread) -> None:
        if thread.name == "amends-call" and none[0] < 1000:
            none[0] += 1
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", rationed)
    plain = external("CARD_CHARGED", lambda client, asked, call: Done(), pivot=True)
    heard = asyncio.run(talked(plain, [asking(str(number)) for number in range(1001)]))
    assert [said.outcome for _, said in heard[:-1]] == [
        Unknown("it was not asked: can't start new thread", taken_back=True)
    ] * 1000
    assert heard[-1][1].outcome == Done()


def test_what_was_not_sent_has_no_time_that_runs_out() -> None:
    """The lease was over when it had its place: no turn before its answer takes it for sent.

    Several engines, seed 2741 of ``amends.shop.outside:CHECKOUT_OUTSIDE``.
    """

    async def test() -> tuple[Any, dict[AttemptId, int]]:
        answered, departed = asyncio.Queue[Task](), dict[AttemptId, int]()
        calls = Calls({}, Limits({"CARD": Limit(1)}), Standing(), departed, answered.put_nowait, lambda: 0.0)
        calls.take(BatchResult(None, (), [(external("CARD_CHARGED", nobody, pivot=True), asking("a"))]))
        task = await asyncio.wait_for(answered.get(), 5)
        await calls.close()
        return task, departed

    task, departed = asyncio.run(test())
    assert task.said.outcome == Unknown(LEASE_OVER, taken_back=True)
    assert not departed


async def nobody(client: Any, asked: Any, call: Any) -> Done:
    """Answer: never asked."""
    raise AssertionError("the lease is over")


def test_a_call_that_is_over_before_it_began_takes_no_place() -> None:
    """It was cancelled before it had its turn in the loop."""

    async def test() -> None:
        answered = asyncio.Queue[str]()
        calls = Calls(
            {"CARD": Silent()},
            Limits({"CARD": Limit(1)}),
            Standing(),
            {},
            lambda task: answered.put_nowait(task.saga_id),
            lambda: inf,
        )
        step = SALE.step("CARD_CHARGED")
        for number in range(LATE_MAX + 10):
            calls.take(BatchResult(None, (), [(step, asking(str(number)))]))
            calls.take(BatchResult(None, (), dropped=[attempt_id_of(asking(str(number)))]))
        calls.take(BatchResult(None, (), [(step, asking("c"))]))
        assert await asyncio.wait_for(answered.get(), 5) == "c"
        await calls.close()

    asyncio.run(test())


@pytest.mark.parametrize("cancels", ["raises", "itself", "scope", "pool"])
def test_a_participant_that_cancels_itself_is_unknown_at_once(cancels: str) -> None:
    """A cancel scope of its own, a pool that was closed: nobody waits for its time to be over."""

    async def charge(client: Any, asked: Any, call: Call) -> Done:
        task = asyncio.current_task()
        assert task is not None
        if cancels == "raises":
            raise asyncio.CancelledError("the pool was closed")
        if cancels == "itself":
            task.cancel()
        elif cancels == "scope":
            asyncio.get_running_loop().call_soon(task.cancel)
        else:
            inner = asyncio.ensure_future(asyncio.sleep(3600))
            inner.cancel()
            await inner
        await asyncio.sleep(3600)
        return Done()

    ((_, said),) = asyncio.run(talked(external("CARD_CHARGED", charge, pivot=True), [asking("a")]))
    assert isinstance(said.outcome, Unknown)
    assert said.outcome.error.startswith("CancelledError")


def test_a_call_that_keeps_the_loop_for_itself_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The step, and for how long; what else was to happen waited for it."""
    monkeypatch.setattr("amends.engine.calls.STRETCH_S", 0.25)  # what a loaded machine does not take by itself

    async def charge(client: Any, asked: Any, call: Call) -> Done:
        await asyncio.sleep(0)
        time.sleep(0.3)  # noqa: ASYNC251 - what it is not to do
        return Done()

    asyncio.run(talked(external("CARD_CHARGED", charge, pivot=True), [asking(saga_id) for saga_id in "abc"]))
    named = [record.getMessage() for record in caplog.records]
    assert [line.partition(" kept")[0] for line in named] == [f"saga {name}: CARD_CHARGED/do" for name in "ab"]


def test_a_call_is_awaited_as_it_would_be_by_itself() -> None:
    """It may wait, be told what went wrong with what it waits for, and wait again."""

    async def charge(client: Any, asked: Any, call: Call) -> Done:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.sleep(3600)
        return Done(sum(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0.001, 2))))

    ((_, said),) = asyncio.run(talked(external("CARD_CHARGED", charge, pivot=True), [asking("a")]))
    assert said.outcome == Done(3)


def test_a_call_that_is_given_up_frees_its_own_participants_place() -> None:
    """There may be others, each with places of its own, and all hear of it."""

    async def hang(client: Any, asked: Any, call: Call) -> Done:
        if call.key.startswith("a/"):
            await asyncio.Event().wait()
        return Done()

    async def test() -> None:
        answered = asyncio.Queue[str]()
        calls = Calls(
            {},
            Limits({"CARD": Limit(1), "MAIL": Limit(1)}),
            Standing(),
            {},
            lambda task: answered.put_nowait(task.saga_id),
            lambda: inf,
        )
        mail, card = external("MAIL_SENT", hang, pivot=True), external("CARD_CHARGED", hang, pivot=True)
        calls.take(BatchResult(None, (), [(mail, asking("z")), (card, asking("a")), (card, asking("b"))]))
        assert await asyncio.wait_for(answered.get(), 5) == "z"
        calls.take(BatchResult(None, (), dropped=[attempt_id_of(asking("a"))]))
        assert await asyncio.wait_for(answered.get(), 5) == "b"
        await calls.close()

    asyncio.run(test())
