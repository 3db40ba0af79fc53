"""Waiting for people, and pausing: one answer counts, who comes second is told. Time passes where the test moves it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import amends
from amends import (
    Abandon,
    Backoff,
    Call,
    Cancel,
    Compensated,
    Completed,
    Done,
    Engine,
    Later,
    PendingAnswer,
    Refused,
    RequestRefused,
    Resolve,
    Saga,
    Unknown,
    external,
    pause,
    wait_for,
)
from amends.adapters.memory import MemoryStore
from amends.core.messages import Outcome
from amends.engine.limits import Limits
from amends.engine.loop import EngineLoop
from tests.engine.running import HandClock
from tests.engine.test_engine import PATIENCE_S, run
from tests.engine.world import START_MS

HOUR_MS = 3_600_000
DAY_S = 86_400.0


@dataclass(frozen=True)
class Approval:
    """What a manager says."""

    cents: int
    note: str = ""


class House:
    """A store, and the engine that runs on it now, by a clock that the test moves."""

    def __init__(self, *steps: Any, request: Any = dict, clients: Any = None, **options: Any) -> None:
        self.saga = Saga("buy", request, [*steps, external("SHIPPED", ship, pivot=True)], **options)
        self.store, self.clock, self._clients = MemoryStore(), HandClock(START_MS), clients or {}
        self.engine = self._next()

    def _next(self) -> Engine:
        loop = EngineLoop(
            lambda: self.store,
            lambda _: self.clock,
            "a",
            sagas=[self.saga],
            commands=(),
            clients=self._clients,
            limits=Limits(queue_max=1000, drain_s=0),
        )
        return Engine(loop)

    async def restart(self) -> None:
        """Close the engine, and open another one on the same store."""
        await self.engine.close()
        self.engine = self._next()
        await self.engine.__aenter__()

    async def begin(self, request: Any) -> str:
        """Start a saga, and give its id."""
        return (await self.engine.submit(self.saga, request)).saga_id

    async def pass_ms(self, ms: int) -> None:
        """Let time pass, and the engine do what is due then."""
        self.clock.ms += ms
        self.engine._loop.wake()
        await asyncio.sleep(0.01)

    async def end(self, saga_id: str) -> amends.Result:
        """Wait for the end of a saga."""
        return await self.engine.result(saga_id, PATIENCE_S)

    async def waits_for(self, saga_id: str) -> str:
        """Return what a saga waits for, as people read it."""
        return (await self.engine.describe(saga_id)).waits_for

    async def pending(self) -> list[PendingAnswer]:
        """Return the answers that are to come from outside."""
        return list(await self.engine.pending())


def ship(client: Any, request: Any, call: Call) -> Done[dict[str, Any]]:
    """SHIPPED: answers with what the steps before it said."""
    return Done({event: repr(answer) for event, answer in call.answers.items()})


def approved(**options: Any) -> Any:
    """Return a step that waits for a manager."""
    return wait_for("MANAGER_APPROVED", **{"limit_s": DAY_S, "answer": Approval, **options})


def test_a_person_answers_under_the_key_that_is_listed() -> None:
    """Who is asked is made of the request; the answer is read back as its type, also one that came as plain JSON."""

    async def test() -> None:
        house = House(approved(assignee=lambda request: request["boss"]))
        async with house.engine:
            saga_id = await house.begin({"boss": "Ada"})
            (waits,) = await house.pending()
            assert (waits.key, waits.assignee) == (f"{saga_id}/MANAGER_APPROVED/do", "Ada")
            assert waits.until_ms == waits.since_ms + 24 * HOUR_MS
            assert "waits for an answer from Ada, since" in await house.waits_for(saga_id)
            await house.engine.answer(waits.key, Done({"cents": 100}))
            ended = await house.end(saga_id)
            assert isinstance(ended.state, Completed)
            assert ended.answers["MANAGER_APPROVED"] == Approval(100)
            assert ended.answers["SHIPPED"] == {"MANAGER_APPROVED": "Approval(cents=100, note='')"}
            assert await house.pending() == []

    run(test())


WRONG: list[tuple[Outcome, str]] = [
    (Done("yes"), "is none of the step's"),
    (Done({"note": "no cents"}), "is none of the step's"),
    (Done(), "the answer is missing; give Done"),
    (Later(60), "is answered with Done"),
    (Unknown("hm"), "is answered with Done"),
]


@pytest.mark.parametrize(("wrong", "words"), WRONG)
def test_a_wrong_answer_is_refused_and_changes_nothing(wrong: Outcome, words: str) -> None:
    """The next one that is right is taken."""

    async def test() -> None:
        house = House(approved())
        async with house.engine:
            saga_id = await house.begin({})
            before = await house.engine.describe(saga_id)
            with pytest.raises(RequestRefused, match=words):
                await house.engine.answer(f"{saga_id}/MANAGER_APPROVED/do", wrong)
            assert await house.engine.describe(saga_id) == before
            await house.engine.answer(f"{saga_id}/MANAGER_APPROVED/do", Done(Approval(1)))
            assert isinstance((await house.end(saga_id)).state, Completed)

    run(test())


def test_an_answer_may_be_missing_where_its_type_says_so() -> None:
    """And an answer of no type is plain JSON."""

    async def test() -> None:
        house = House(approved(answer=int | None), wait_for("BOSS_APPROVED", limit_s=1))
        async with house.engine:
            saga_id = await house.begin({})
            await house.engine.answer(f"{saga_id}/MANAGER_APPROVED/do", Done())
            await house.engine.answer(f"{saga_id}/BOSS_APPROVED/do", Done({"any": [1]}))
            assert (await house.end(saga_id)).answers["BOSS_APPROVED"] == {"any": [1]}

    run(test())


async def cancelled(house: House, saga_id: str) -> None:
    """Cancel a saga."""
    await house.engine.tell(saga_id, Cancel("changed my mind"))


async def abandoned(house: House, saga_id: str) -> None:
    """Give a saga up."""
    await house.engine.tell(saga_id, Abandon())


async def deadline(house: House, saga_id: str) -> None:
    """Let the saga's deadline pass."""
    await house.pass_ms(2 * HOUR_MS)
    await house.end(saga_id)


async def refused(house: House, saga_id: str) -> None:
    """Let another person say no."""
    await house.engine.answer(f"{saga_id}/MANAGER_APPROVED/do", Refused("too dear"))


@pytest.mark.parametrize(
    ("withdraw", "words"),
    [
        (cancelled, "not waited for any more, the saga turned back: cancel: changed my mind"),
        (deadline, "not waited for any more, the saga turned back: deadline passed"),
        (refused, "not waited for any more, the saga turned back: too dear"),
        (abandoned, "was never asked, and will not be: the saga is abandoned"),
    ],
)
def test_of_answer_and_withdrawal_the_first_counts_and_the_other_is_told(
    withdraw: Callable[[House, str], Any], words: str
) -> None:
    """A withdrawal ends the saga at once: nothing is waited for, and a late answer leaves no trace."""

    async def test() -> None:
        house = House(approved(), deadline_s=3600)
        async with house.engine:
            saga_id = await house.begin({})
            await withdraw(house, saga_id)
            ended = await house.engine.describe(saga_id)
            assert ended.has_ended
            assert ended.owed == ()
            for late in (Done(Approval(1)), Refused("no")):
                with pytest.raises(RequestRefused, match=words):
                    await house.engine.answer(f"{saga_id}/MANAGER_APPROVED/do", late)
            assert await house.engine.describe(saga_id) == ended
            other = await house.begin({})
            await house.engine.answer(f"{other}/MANAGER_APPROVED/do", Done(Approval(1)))
            with pytest.raises(RequestRefused, match="too late"):
                await house.engine.tell(other, Cancel())

    run(test())


def test_the_same_answer_twice_is_no_contradiction() -> None:
    """A form is sent twice; another answer than the first is told that it does not count."""

    async def test() -> None:
        house = House(approved())
        async with house.engine:
            saga_id = await house.begin({})
            key = f"{saga_id}/MANAGER_APPROVED/do"
            for again in (Approval(7), Approval(7), {"cents": 7, "note": ""}, {"cents": 7}):
                await house.engine.answer(key, Done(again))
            for other in (Done(Approval(8)), Done(), Done("no"), Refused("no")):
                with pytest.raises(RequestRefused, match=r"answered before, in another way|is missing"):
                    await house.engine.answer(key, other)
            assert (await house.end(saga_id)).answers["MANAGER_APPROVED"] == Approval(7)

    run(test())


def test_who_does_not_answer_in_time_has_refused() -> None:
    """Not before the limit, and also where the process was down at it; the reason says so."""

    async def test() -> None:
        house = House(approved(limit_s=lambda request: 3600.0 * request["hours"]))
        async with house.engine:
            saga_id = await house.begin({"hours": 5})
            await house.pass_ms(5 * HOUR_MS - 1)
            await house.restart()
            assert "waits for an answer from MANAGER, since" in await house.waits_for(saga_id)
            await house.engine.close()
            house.clock.ms += HOUR_MS
            await house.restart()
            ended = await house.end(saga_id)
            assert isinstance(ended.state, Compensated)
            assert ended.reason == "MANAGER_APPROVED: no answer came in time"
            await house.engine.close()

    run(test())


def test_a_pause_survives_a_restart_and_nobody_answers_it() -> None:
    """It ends at its time, or by an operator's word."""

    async def test() -> None:
        house = House(pause("RESTED", lambda request: request["days"] * DAY_S))
        async with house.engine:
            saga_id, other = await house.begin({"days": 7}), await house.begin({"days": 7})
            assert "pauses, since" in await house.waits_for(saga_id)
            assert await house.pending() == []
            with pytest.raises(
                RequestRefused, match=r"is a pause, which its time ends; .* by Resolve\('RESTED', Done\("
            ):
                await house.engine.answer(f"{saga_id}/RESTED/do", Done())
            await house.engine.tell(other, Resolve("RESTED", Done()))
            assert isinstance((await house.end(other)).state, Completed)
            await house.pass_ms(7 * 24 * HOUR_MS - 1000)
            await house.restart()
            assert not (await house.engine.describe(saga_id)).has_ended
            await house.pass_ms(2000)
            assert isinstance((await house.end(saga_id)).state, Completed)
            await house.engine.close()

    run(test())


def test_a_person_is_notified_and_reminded(caplog: pytest.LogCaptureFixture) -> None:
    """At once, again where it failed, after each reminder's time, by the next engine; its word decides nothing."""
    told: list[tuple[str, str, int]] = []
    moods: list[Any] = [ConnectionError("no mail"), Refused("no"), Done(Approval(9)), None]

    async def notify(mail: str, request: Any, call: Call) -> Any:
        told.append((mail, call.key.partition("/")[2], call.attempt))
        mood = moods[min(call.attempt, len(moods)) - 1]
        if isinstance(mood, Exception):
            raise mood
        return mood

    async def until(count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(told) < count:
                await house.pass_ms(1)

    house = House(
        approved(notify=notify, remind_every_s=3600, backoff=Backoff(0.001, 0.001)), clients={"MANAGER": "mail"}
    )

    async def test() -> None:
        async with house.engine:
            saga_id = await house.begin({})
            await until(2)
            await house.pass_ms(HOUR_MS - 1000)
            assert len(told) == 2
            await house.pass_ms(1000)
            await until(3)
            async with asyncio.timeout(PATIENCE_S):
                while "told" in (waits_for := await house.waits_for(saga_id)):  # what it came to is committed after it
                    await house.pass_ms(1)
            assert "waits for an answer from MANAGER" in waits_for
            await house.restart()
            await house.pass_ms(HOUR_MS)
            await until(4)
            await house.engine.answer(f"{saga_id}/MANAGER_APPROVED/do", Done(Approval(1)))
            assert (await house.end(saga_id)).answers["MANAGER_APPROVED"] == Approval(1)
            await house.engine.close()

    with caplog.at_level(logging.WARNING):
        run(test())
    assert told == [("mail", "MANAGER_APPROVED/do", attempt) for attempt in (1, 2, 3, 4)]
    assert "no answer came in time" not in caplog.text


def test_a_wait_that_notifies_nobody_needs_no_client() -> None:
    """`open` asks for the clients of what is called, and for no other."""
    definition = Saga("buy", dict, [approved(), pause("RESTED", 1), external("SHIPPED", ship, pivot=True)])
    with amends.open("memory:", sagas=[definition], clients={"SHIPPED": None}):
        pass
