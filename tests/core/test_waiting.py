"""Attempts and times: pauses, limits, the life of a key, when a probe may look."""

from __future__ import annotations

from statistics import mean

from hypothesis import given
from hypothesis import strategies as st

from amends.core.definition import Backoff
from amends.core.messages import Kind
from amends.core.waiting import Waiting, ask, is_over, milliseconds, pause_ms, sent
from tests.core.sagas import nobody, pivot, saga, step

keys = st.text(max_size=20)
attempts = st.integers(2, 10_000)
HOUR_MS = 3_600_000


@given(keys, attempts, st.floats(0.001, 100), st.floats(1, 100))
def test_a_pause_is_below_a_doubling_ceiling_with_a_cap(key: str, attempt: int, first: float, more: float) -> None:
    """Never longer than the cap, never negative, whatever the attempt."""
    backoff = Backoff(first, first * more)
    ceiling = min(backoff.cap_s, first * 2.0 ** min(attempt - 2, 50))
    assert 0 <= pause_ms(backoff, key, attempt) <= round(ceiling * 1000)


@given(keys, attempts)
def test_a_pause_is_the_same_at_every_replay(key: str, attempt: int) -> None:
    """It is drawn from the key and the attempt, and from nothing else."""
    assert pause_ms(Backoff(), key, attempt) == pause_ms(Backoff(), key, attempt)


def test_pauses_of_many_sagas_are_spread() -> None:
    """Full jitter: from nothing to the ceiling, evenly, so that a thousand sagas do not come at once."""
    pauses = [pause_ms(Backoff(10, 10), f"saga-{number}/A/do", 2) for number in range(1000)]
    assert 4500 < mean(pauses) < 5500
    assert min(pauses) < 100
    assert max(pauses) > 9900
    assert len(set(pauses)) > 900


def test_ceilings_double() -> None:
    """0.2 s, 0.4 s, 0.8 s ... 300 s."""
    longest = [max(pause_ms(Backoff(), f"{number}", attempt) for number in range(500)) for attempt in (2, 3, 4, 20)]
    for ceiling, pause in zip((200, 400, 800, 300_000), longest, strict=True):
        assert 0.95 * ceiling < pause <= ceiling


def test_seconds_become_whole_milliseconds() -> None:
    """At least one: a time that passes at once would be none."""
    assert [milliseconds(seconds) for seconds in (0.0001, 0.0014, 1, 2.5)] == [1, 1, 1000, 2500]


def test_books_of_the_first_attempt_and_the_next() -> None:
    """When it was asked first is kept; when it is due, and until when the action may be sent, move on."""
    asked = step("A", timeout_s=5)
    first = ask(asked, Kind.DO, None, 100, "")
    assert first == Waiting(Kind.DO, 1, since_ms=100, acted_ms=5100, at_ms=100, due_ms=5100, error="")
    again = ask(asked, Kind.DO, first, 7000, "boom")
    assert again == Waiting(Kind.DO, 2, since_ms=100, acted_ms=12_000, at_ms=7000, due_ms=12_000, error="boom")
    undo = ask(asked, Kind.UNDO, again, 20_000, "")
    assert undo == Waiting(Kind.UNDO, 1, since_ms=20_000, acted_ms=12_000, at_ms=20_000, due_ms=25_000, error="")


def test_a_probe_waits_until_the_action_has_settled() -> None:
    """Counted from when its last attempt was due, until which it may be sent; a later probe may go at once."""
    looks = step("A", timeout_s=5, probe=nobody, settles_within_s=60)
    acted = ask(looks, Kind.DO, ask(looks, Kind.DO, None, 0, ""), 7000, "")
    probing = ask(looks, Kind.PROBE, acted, 20_000, "")
    assert (probing.at_ms, probing.due_ms, probing.acted_ms, probing.attempt) == (72_000, 77_000, 12_000, 1)
    assert ask(looks, Kind.PROBE, probing, 30_000, "").at_ms == 72_000
    assert ask(looks, Kind.PROBE, probing, 80_000, "").at_ms == 80_000
    assert ask(looks, Kind.DO, probing, 90_000, "").acted_ms == 95_000


def test_only_an_action_before_the_pivot_has_a_limit() -> None:
    """From the pivot on, and going back, nothing ends because of a clock."""
    limited = step("A", timeout_s=5, limit_s=30)
    definition = saga(limited, pivot())
    do, undo, probe = (ask(limited, kind, None, 1000, "") for kind in (Kind.DO, Kind.UNDO, Kind.PROBE))
    assert [is_over(definition, 0, limited, do, at_ms) for at_ms in (30_999, 31_000)] == [False, True]
    for waiting in (undo, probe):
        assert not is_over(definition, 0, limited, waiting, 10**12)
    at_pivot = ask(definition.groups[1][0], Kind.DO, None, 1000, "")
    assert not is_over(definition, 1, definition.groups[1][0], at_pivot, 10**12)


def test_a_key_may_be_forgotten_at_the_end_of_its_life() -> None:
    """Of an action and of an undo."""
    lives = pivot(key_lives_h=24)
    definition = saga(lives)
    for kind in (Kind.DO, Kind.UNDO):
        waiting = ask(lives, kind, None, 0, "")
        assert not is_over(definition, 0, lives, waiting, 24 * HOUR_MS - 1)
        assert is_over(definition, 0, lives, waiting, 24 * HOUR_MS)


@given(st.sampled_from(Kind), st.integers(1, 5), st.integers(0, 10**6))
def test_an_attempt_that_waited_for_a_slot_counts_from_its_sending(kind: Kind, attempt: int, late_ms: int) -> None:
    """Its time-out does; its limit counts from when the request was sent first."""
    charge = step("CARD_CHARGED", timeout_s=2)
    before = Waiting(kind, attempt, since_ms=500, acted_ms=700, at_ms=1000, due_ms=9000, error="", unsent=True)
    after = sent(charge, before, 1000 + late_ms)
    assert (after.at_ms, after.due_ms, after.unsent) == (1000 + late_ms, 3000 + late_ms, False)
    assert after.since_ms == (1000 + late_ms if attempt == 1 else 500)
    assert after.acted_ms == (after.due_ms if kind is Kind.DO else 700)
