"""Limits of participants: how many calls a second, and for all engines together; time is moved by hand."""

from __future__ import annotations

from typing import Any

import pytest

import amends
from amends import Completed, Done, Limit, Refused, Saga, UnusableInput, external
from amends.core.messages import Kind
from amends.engine.token_bucket import TokenBucket
from amends.storage.budgets import Places
from amends.testing import ManualClock
from tests.engine.test_slots import Desk, attempt_id

PATIENCE_S = 60.0


class Moments:
    """A participant, and when it was called."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._begun = clock.now()
        self.asked: list[tuple[str, float]] = []

    def saga(self, **options: Any) -> Saga:
        """Return a saga of a step that never fails, and one that is refused for odd numbers."""
        done = external(
            "CARD_CHARGED", self.charge, undo=self.refund, undone="CARD_REFUNDED", service="CARD", **options
        )
        return Saga("charging", int, [done, external("SENT", self.send, pivot=True, service="CARRIER")])

    def charge(self, *_: Any) -> Done:
        """CARD_CHARGED."""
        self.asked.append(("do", self.seconds))
        return Done()

    def refund(self, *_: Any) -> None:
        """CARD_REFUNDED."""
        self.asked.append(("undo", self.seconds))

    def send(self, _: Any, number: int, *__: Any) -> Done | Refused:
        """SENT."""
        return Refused("sold out") if number % 2 else Done()

    @property
    def seconds(self) -> float:
        """How long the clock has been moved."""
        return round((self._clock.now() - self._begun).total_seconds(), 3)


def test_a_rate_lets_calls_go_one_by_one() -> None:
    """At the moments at which it allows them, and the first one not before it does."""
    clock = ManualClock()
    card = Moments(clock)
    saga = card.saga()
    with amends.open("memory:", sagas=[saga], concurrency={"CARD": Limit(per_s=2)}, clock=clock) as engine:
        handles = [engine.submit(saga, 0) for _ in range(4)]
        clock.advance(seconds=10)
        assert [at_s for _, at_s in card.asked] == [0.5, 1.0, 1.5, 2.0]
        assert all(isinstance(handle.result(timeout=0).state, Completed) for handle in handles)


def test_who_waits_for_the_rate_waits_for_a_place() -> None:
    """It is shown like that, it is no time of the participant's, and what is queued has its limit."""
    clock = ManualClock()
    card = Moments(clock)
    saga = card.saga(timeout_s=10, limit_s=20)
    limits: Any = {"concurrency": {"CARD": Limit(per_s=0.01)}, "queue_max": 3}
    with amends.open("memory:", sagas=[saga], clock=clock, **limits) as engine:
        handles = [engine.submit(saga, 0) for _ in range(3)]
        with pytest.raises(amends.Overloaded, match="3 requests wait for a place at CARD"):
            engine.submit(saga, 0)
        clock.advance(seconds=90)
        assert card.asked == []
        assert "waits for a place" in str(handles[0].describe())
        clock.advance(seconds=300)
        assert [at_s for _, at_s in card.asked] == [100, 200, 300]
        assert all(isinstance(handle.result(timeout=0).state, Completed) for handle in handles)


def test_compensations_come_first_in_the_rate() -> None:
    """Before the actions that waited already, also where these were withdrawn to wait."""
    clock = ManualClock()
    card = Moments(clock)
    saga = card.saga(timeout_s=3, limit_s=3600)
    with amends.open("memory:", sagas=[saga], concurrency={"CARD": Limit(per_s=1)}, clock=clock) as engine:
        handles = [engine.submit(saga, number) for number in (1, 0, 0, 0, 0, 0, 0, 0)]
        clock.advance(seconds=30)
        assert [kind for kind, _ in card.asked] == ["do", "undo", *["do"] * 7]
        assert [at_s for _, at_s in card.asked] == [float(number) for number in range(1, 10)]
        assert all(handle.result(timeout=0) for handle in handles)


def test_a_limit_for_all_engines_is_that_of_the_only_one() -> None:
    """Where a store has one engine: places and rate are its own."""
    clock = ManualClock()
    card = Moments(clock)
    saga = card.saga()
    limit = Limit(at_once=4, per_s=2, fleet=True)
    with amends.open("memory:", sagas=[saga], concurrency={"CARD": limit}, clock=clock) as engine:
        handle = engine.submit(saga, 0)
        clock.advance(seconds=10)
        assert [at_s for _, at_s in card.asked] == [0.5]
        assert isinstance(handle.result(timeout=PATIENCE_S).state, Completed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"at_once": 0}, {"at_once": 1.0}, {"at_once": True}, {"at_once": 10**10}, {"per_s": 0}, {"per_s": -1.0},
        {"per_s": float("nan")}, {"per_s": float("inf")}, {"per_s": "1"}, {"per_s": True}, {"fleet": 1},
    ],
)  # fmt: skip
def test_a_limit_is_what_it_has_to_be(wrong: dict[str, Any]) -> None:
    """Else one line says what is wrong."""
    (name,) = wrong
    with pytest.raises(UnusableInput, match=f"^{name} is .*; give "):
        Limit(**wrong)


class Ticks:
    """A clock."""

    ms = 0

    def now_ms(self) -> int:
        """Return it."""
        return self.ms


def test_a_bucket_keeps_no_more_than_a_tenth_of_a_second() -> None:
    """Or one token, where that is less; and a rate that changes counts from then."""
    clock = Ticks()
    bucket, slow, none = TokenBucket(clock, 50.0), TokenBucket(clock, 0.5), TokenBucket(clock)
    assert (bucket.left(), bucket.take(), bucket.next_ms()) == (0, False, 20)
    clock.ms = 20
    assert (bucket.left(), bucket.next_ms(), bucket.take(), bucket.take()) == (1, None, True, False)
    clock.ms = 60_000
    assert (bucket.left(), slow.left(), none.left(), none.next_ms()) == (5, 1, float("inf"), None)
    assert (slow.take(), slow.next_ms(), none.take()) == (True, 62_000, True)
    slow.set_rate(0.0)
    clock.ms += 10_000
    assert (slow.left(), slow.next_ms()) == (0, None)
    slow.set_rate(1.0)
    assert slow.next_ms() == 71_000
    slow.set_rate(None)
    assert slow.take()


def test_slots_come_and_go() -> None:
    """Of fewer of them than calls, none begins before these have ended; of a rate alone none is held back."""
    desk = Desk(4)
    desk.send("a", "b", "c", "d")
    assert desk.started == ["a", "b", "c"]
    desk.places.resize(Places(1, 0), None)
    for saga_id in ("a", "b"):
        desk.places.give_back(attempt_id(saga_id))
    assert desk.started == ["a", "b", "c"]
    desk.places.give_back(attempt_id("c"))
    assert desk.started == ["a", "b", "c", "d"]
    desk.send("y", "z", kind=Kind.UNDO)
    desk.places.resize(Places(1, 1), None)
    assert desk.started[4:] == ["y"]
    desk.places.resize(Places(0, 0), None)
    desk.places.give_back(attempt_id("y", Kind.UNDO))
    desk.places.give_back(attempt_id("d"))
    assert (desk.started[5:], len(desk.places)) == ([], 1)


def test_a_call_whose_saga_another_engine_got_keeps_its_slot() -> None:
    """While it is under way; at the latest until its time is over. What was not sent has none."""
    desk = Desk(1)
    desk.send("a", "b", "c", "d")
    for saga_id in ("a", "c"):
        assert desk.places.leave(attempt_id(saga_id))
    assert not desk.places.leave(attempt_id("never"))
    desk.places.fill()
    assert (desk.started, desk.places.taken, desk.places.next_ms) == (["a"], 1, 7 + 10_000)
    desk.places.release(attempt_id("a"))
    assert desk.started == ["a", "b"]
    desk.places.leave(attempt_id("b"))
    desk.ms = 7 + 10_000
    desk.places.fill()
    assert desk.started == ["a", "b", "d"]
    desk.places.release(attempt_id("b"))
    assert desk.places.taken == 1
