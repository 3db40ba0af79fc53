"""The time of engines that share a store: the store's, whatever their own clocks say."""

from __future__ import annotations

import pytest

from amends import Done
from amends.adapters.memory import MemoryStore
from amends.engine.store_clock import StoreClock
from amends.engine.turn_io import ReadDue
from amends.errors import StoreBusy, StoreConflict
from tests.engine.world import START_MS, Buy, Life, tickets


def test_it_goes_on_between_two_looks() -> None:
    """The clock of elapsed time counts from some moment."""
    clock = StoreClock(7, START_MS)
    assert clock.now_ms(7) == START_MS
    assert clock.now_ms(1_007) == START_MS + 1_000


def test_of_a_look_that_took_long_the_next_one_is_right() -> None:
    """The process stood still for 20 s while it looked; it does not run back meanwhile."""
    clock = StoreClock(0, START_MS + 20_000)
    assert clock.now_ms(21_000) == START_MS + 41_000
    clock.see(22_000, START_MS + 22_000)
    assert clock.now_ms(22_000) == START_MS + 41_000
    assert clock.now_ms(50_000) == START_MS + 50_000


def test_one_look_that_takes_long_does_no_harm() -> None:
    """It is taken for what two clocks differ by, which is little."""
    clock = StoreClock(0, START_MS)
    clock.see(2_000, START_MS + 32_000)
    assert clock.now_ms(2_000) == START_MS + 2_003


def test_it_follows_a_store_whose_clock_is_faster() -> None:
    """By 500 millionths, for a day, with a look every two seconds."""
    clock = StoreClock(0, START_MS)
    for elapsed_ms in range(0, 86_400_000, 2_000):
        clock.see(elapsed_ms, START_MS + elapsed_ms + elapsed_ms // 2_000)
    assert abs(clock.now_ms(elapsed_ms) - START_MS - elapsed_ms - elapsed_ms // 2_000) <= 1


@pytest.mark.parametrize("trouble", [StoreBusy, StoreConflict])
def test_a_turn_that_was_committed_is_told_though_its_next_look_fails(trouble: type[Exception]) -> None:
    """The look for the next due time meets a locked file, or a transaction that its server had ended."""
    store = MemoryStore()
    life = Life(store, tickets())
    send = life.begin(Buy("Hamlet", 2)).sends[0]
    life.answer(send, Done())
    turn = life.coordinator.turn([], send[1].due_ms)
    looks, wanted, result = 0, next(turn), None
    while result is None:
        looks += isinstance(wanted, ReadDue)
        try:
            wanted = turn.throw(trouble("too late")) if looks > 1 else turn.send(wanted.on(store))
        except StopIteration as end:
            result = end.value
    assert looks > 1
    assert result.due_ms == send[1].due_ms
