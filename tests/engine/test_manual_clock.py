"""Time that a test moves by hand: what an engine does when it is time is done at once, and in its order."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import amends
from amends import Backoff, Compensated, Completed, Done, EngineMisused, Later, Refused, Saga, UnusableInput, external
from amends.testing import ManualClock

WEEK = timedelta(days=7)
PATIENCE_S = 60.0


def asking(do: Callable[..., Any], *, deadline_s: float | None = None, **limits: Any) -> Saga:
    """Return a saga that books, and then asks a participant outside."""
    return Saga(
        "asking",
        int,
        [
            external("ROOM_BOOKED", booked, undo=let_go, undone="ROOM_FREED", remembers_refusals=True),
            external("ASKED", do, undo=let_go, undone="UNASKED", remembers_refusals=True, **limits),
        ],
        deadline_s=deadline_s,
    )


def booked(*_: Any) -> Done:
    """ROOM_BOOKED."""
    return Done()


def let_go(*_: Any) -> None:
    """ROOM_FREED."""


def later(*_: Any) -> Later:
    """ASKED: the answer comes from outside, within a month."""
    return Later(within_s=30 * 24 * 3600)


def test_a_deadline_of_a_week_passes_at_once() -> None:
    """And not before: a second earlier the saga goes on."""
    saga, clock = asking(later, deadline_s=WEEK.total_seconds(), limit_s=60 * 24 * 3600), ManualClock()
    with amends.open("memory:", sagas=[saga], clock=clock) as engine:
        handle = engine.submit(saga, 1)
        clock.advance(days=7, seconds=-1)
        with pytest.raises(TimeoutError):
            handle.result(timeout=0)
        clock.advance(seconds=1)
        engine.answer(f"{handle.saga_id}/ASKED/do", Refused("too late"))
        result = handle.result(timeout=PATIENCE_S)
    assert isinstance(result.state, Compensated)
    assert "deadline" in result.reason


def test_each_attempt_is_made_at_its_own_moment() -> None:
    """Not all at the end of the stretch; and the saga turns back at the limit of its step."""
    clock, asked = ManualClock(), []

    def fails(*_: Any) -> None:
        asked.append(clock.now())
        raise ConnectionError

    saga = asking(fails, backoff=Backoff(first_s=600, cap_s=600), timeout_s=10, limit_s=6 * 3600)
    with amends.open("memory:", sagas=[saga], clock=clock) as engine:
        handle = engine.submit(saga, 1)
        clock.advance()
        assert asked == [datetime(2030, 1, 1, tzinfo=UTC)]
        clock.advance(days=1)
        assert isinstance(handle.result(timeout=0).state, Compensated)
    assert len({*asked}) == len(asked) > 36, "a pause of at most ten minutes, for six hours"
    assert max(asked) <= asked[0] + timedelta(hours=6)
    assert clock.now() == datetime(2030, 1, 2, tzinfo=UTC)


def test_a_call_that_hangs_is_given_up_when_its_time_is_over() -> None:
    """Time goes on without it; one that takes a moment is waited for."""
    clock, released, attempts = ManualClock(hangs_after_s=0.1), threading.Event(), []

    def hangs_once(_: None, __: int, call: amends.Call) -> Done:
        attempts.append(call.attempt)
        if call.attempt == 1:
            released.wait(PATIENCE_S)
        time.sleep(0.01)
        return Done(call.attempt)

    saga = asking(hangs_once, timeout_s=30)
    with amends.open("memory:", sagas=[saga], clock=clock) as engine:
        handle = engine.submit(saga, 1)
        clock.advance(seconds=29)
        assert attempts == [1]
        clock.advance(minutes=5)
        result = handle.result(timeout=0)
        released.set()
    assert isinstance(result.state, Completed)
    assert result.answers["ASKED"] == 2


def test_what_a_client_asks_for_is_done_too() -> None:
    """By letters, which are looked for before the time is moved."""
    saga, clock = asking(later, deadline_s=3600, limit_s=60 * 24 * 3600), ManualClock()
    name = "memory:moved-by-hand"
    with amends.open(name, sagas=[saga], clock=clock) as engine, amends.connect(name, sagas=[saga]) as client:
        handle = client.submit(saga, 1)
        clock.advance(hours=1)
        with suppress(TimeoutError):
            engine.result(handle.saga_id, timeout=0)  # it is there: else this is refused
        client.answer(f"{handle.saga_id}/ASKED/do", Refused("no"), timeout=PATIENCE_S)
        assert isinstance(handle.result(timeout=PATIENCE_S).state, Compensated)


def test_an_engine_on_the_same_loop_is_moved_from_a_thread() -> None:
    """In its loop it would wait for itself, and is told so."""
    saga, clock = asking(later, deadline_s=3600, limit_s=60 * 24 * 3600), ManualClock()

    async def scenario() -> str:
        async with amends.open("memory:", sagas=[saga], clock=clock) as engine:
            handle = await engine.submit(saga, 1)
            with pytest.raises(EngineMisused, match="to_thread"):
                clock.advance(hours=1)
            await asyncio.to_thread(clock.advance, hours=1)
            await engine.answer(f"{handle.saga_id}/ASKED/do", Refused("no"))
            return (await handle.result(timeout=PATIENCE_S)).reason

    assert "deadline" in asyncio.run(scenario())


def test_a_store_that_was_written_later_sets_the_clock(tmp_path: Any) -> None:
    """Its times never run back: a millisecond after."""
    url, saga = f"sqlite:///{tmp_path}/s.db", asking(booked)
    later_on, clock = ManualClock(datetime(2031, 1, 1, tzinfo=UTC)), ManualClock()
    for each in (later_on, clock):
        with amends.open(url, sagas=[saga], clock=each) as engine:
            assert isinstance(engine.submit(saga, 1).result(timeout=PATIENCE_S).state, Completed)
    assert clock.now() - later_on.now() == timedelta(milliseconds=1)


def test_the_clock_of_an_engine_that_was_closed_can_be_moved() -> None:
    """Before it is opened, and between two openings: all that was due is done at the next."""
    saga, clock, url = asking(later, deadline_s=3600, limit_s=60 * 24 * 3600), ManualClock(), "memory:closed-meanwhile"
    opening = amends.open(url, sagas=[saga], clock=clock)
    clock.advance(days=1)
    with opening as engine:
        saga_id = engine.submit(saga, 1).saga_id
        clock.advance()
    clock.advance(hours=2)
    with opening as engine:
        clock.advance()
        engine.answer(f"{saga_id}/ASKED/do", Refused("no"))
        assert "deadline" in engine.result(saga_id, timeout=PATIENCE_S).reason


@pytest.mark.parametrize(
    ("moved", "told"),
    [
        ({"seconds": -1}, "moved back, by 1 s"),
        ({"days": "7"}, "cannot be moved so far"),
        ({"days": float("nan")}, "cannot be moved so far"),
        ({"days": 10**7}, "cannot be moved so far"),
    ],
)
def test_what_is_no_stretch_of_time_is_refused(moved: dict[str, Any], told: str) -> None:
    """And the time stands where it stood."""
    clock = ManualClock()
    with pytest.raises(UnusableInput, match=told):
        clock.advance(**moved)
    assert clock.now() == datetime(2030, 1, 1, tzinfo=UTC)


def test_what_is_no_clock_is_refused() -> None:
    """By `open`, and by the clock itself."""
    with pytest.raises(UnusableInput, match="ManualClock"):
        amends.open("memory:", sagas=[], clock=time.time)  # type: ignore[arg-type]
    with pytest.raises(UnusableInput, match="time zone"):
        ManualClock(datetime(2030, 1, 1))  # noqa: DTZ001 - what is refused
    with pytest.raises(UnusableInput, match="above 0"):
        ManualClock(hangs_after_s=0)
