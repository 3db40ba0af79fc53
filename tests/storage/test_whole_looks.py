"""Looks from the first row on come now and then, and the rarer the longer they take."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from amends.storage import whole_looks
from amends.storage.whole_looks import EVERY_S, SHARE, WholeLooks

Seconds = list[float]


@pytest.fixture
def now_s(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    """The clock of the looks."""
    clock = [100.0]
    monkeypatch.setattr(whole_looks, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


@pytest.mark.parametrize(("took_s", "pause_s"), [(0.0, EVERY_S), (0.1, EVERY_S), (2.0, 2.0 * SHARE)])
def test_the_longer_a_look_takes_the_rarer_it_comes(now_s: Seconds, took_s: float, pause_s: float) -> None:
    """Twice as long, half as often; but none comes before some seconds are over."""
    looks = WholeLooks()
    assert looks.begin()
    now_s[0] += took_s
    looks.end()
    now_s[0] += pause_s - 0.01
    assert not looks.begin()
    now_s[0] += 0.02
    assert looks.begin()
    assert looks.begin(), "one that failed is begun again"
