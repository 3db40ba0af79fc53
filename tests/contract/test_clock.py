"""What `amends.ports.Clock` promises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from amends.adapters.clock import SystemClock

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
