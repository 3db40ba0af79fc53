"""What `amends.storage.ports.Clock` promises."""

from __future__ import annotations

import logging
import re
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import amends
from amends import Completed, Done, Later, Saga, external
from amends.adapters.clock import SystemClock, doubt_of

MS = 1_000_000  # nanoseconds


def test_it_goes_on_from_the_wall_clock() -> None:
    """By what has passed, whatever the wall clock says later."""
    wall, passed = iter([5_000 * MS]), iter([70 * MS, 70 * MS, 71 * MS, 1_070 * MS + MS - 1])
    clock = SystemClock(0, lambda: next(wall), lambda: next(passed))
    assert [clock.now_ms() for _ in range(3)] == [5_000, 5_001, 6_000]


def test_it_starts_where_the_store_ended() -> None:
    """Also when the machine's clock was set back meanwhile."""
    clock = SystemClock(9_000, lambda: 5_000 * MS, lambda: 70 * MS)
    assert clock.now_ms() == 9_000


@given(st.integers(0, 2**50), st.integers(0, 2**62), st.lists(st.integers(0, 2**62), min_size=2).map(sorted))
def test_it_never_runs_backwards(not_before_ms: int, wall_ns: int, passed: list[int]) -> None:
    """Nor says a time before the one that it was given."""
    moments = iter(passed)
    clock = SystemClock(not_before_ms, lambda: wall_ns, lambda: next(moments))
    said = [clock.now_ms() for _ in passed[1:]]
    assert said == sorted(said)
    assert said[0] >= not_before_ms


def test_the_machine_s_own_clock_works() -> None:
    """On whatever system this is."""
    clock = SystemClock()
    assert 1_600_000_000_000 < clock.now_ms() <= clock.now_ms()


# What the log says when a store is opened ------------------------------------------------------------------------

NOW_MS = 1_795_000_000_000  # 2026-11-18 11:06:40Z
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("last_ms", "says"),
    [
        (0, ""),
        (NOW_MS, ""),
        (NOW_MS + 60_000, ""),
        (NOW_MS - 364 * DAY_MS, ""),
        (NOW_MS + 60_001, "the store was written last at 2026-11-18 11:07:40Z, .* says 2026-11-18 11:06:40Z, 0 days"),
        (
            NOW_MS + 5000 * DAY_MS,
            "last at 2040-07-27 .*, .* 2026-11-18 .*, 5000 days before that.*nothing is lost",
        ),
        (NOW_MS - 5000 * DAY_MS, "clock says 2026-11-18 .*, 5000 days after the store was written last, at 2013-03-11"),
        (2**62, f"written last at {2**62} ms"),
    ],
)
def test_a_clock_that_cannot_be_right_is_told(last_ms: int, says: str) -> None:
    """With both times, and what to do."""
    doubt = doubt_of(last_ms, NOW_MS)
    assert bool(doubt) == bool(says)
    assert re.search(says, doubt)
    assert "\n" not in doubt


def test_a_clock_that_jumped_is_told_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Years ahead at one start, right again at the next: each says so once, and what waits can be answered."""
    caplog.set_level(logging.WARNING, "amends")
    store = f"sqlite:///{tmp_path / 'store.db'}"
    step = external("SENT", lambda *_: Later(3600), undo=lambda *_: Done(), undone="UNSENT")
    waits = Saga("waits", int, [step])
    with amends.open(store, sagas=[waits]) as engine:
        engine.submit(waits, 1)
    assert not caplog.records

    def years_ahead_ns() -> int:
        return time.time_ns() + 5000 * DAY_MS * MS

    with monkeypatch.context() as patch:
        patch.setattr("amends.bootstrap.SystemClock", partial(SystemClock, wall_ns=years_ahead_ns))
        with amends.open(store, sagas=[waits]) as engine:
            saga_id = engine.submit(waits, 2).saga_id
    assert re.search("this machine's clock says .*, 5000 days after", caplog.text)
    caplog.clear()

    with amends.open(store, sagas=[waits]) as engine:
        engine.answer(f"{saga_id}/SENT/do", Done())
        assert isinstance(engine.result(saga_id, timeout=20).state, Completed)
    assert re.search("the store was written last at .* days before that", caplog.text)
