"""How much a store has taken in lately."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amends.adapters.memory import MemoryStore
from amends.storage.rows import Block, Head
from amends.views import rates as module
from amends.views.rates import MINUTE_MS, Rates, rates

NOW_MS = 1_700_000_000_000


class Log(MemoryStore):
    """A store whose blocks are of given ages; it counts how many are read."""

    def __init__(self, *ages_ms: Sequence[int]) -> None:
        super().__init__()
        for place, ages in enumerate(ages_ms):
            chain, times = f"e{place}" if place else "", sorted(NOW_MS - age for age in ages)
            self.database.chains[chain] = [
                Block(number, at_ms, b"", b"x", "a\nb", (), 3, 1, chain=chain) for number, at_ms in enumerate(times, 1)
            ]
        self.reads = 0

    def blocks(self, after: int = 0, chain: str = "") -> Iterator[Block]:
        """Count what is read."""
        for block in super().blocks(after, chain):
            self.reads += 1
            yield block

    def ends(self) -> list[Head]:
        """Where its chains end."""
        ends = [(chain, blocks[-1]) for chain, blocks in self.database.chains.items() if blocks]
        return [Head(last.number, b"x", last.at_ms, chain) for chain, last in ends]


@given(st.lists(st.integers(0, 3 * MINUTE_MS), max_size=300))
def test_the_last_minute_is_counted(ages_ms: list[int]) -> None:
    """Every block of it, and none before."""
    log = Log(ages_ms)
    count = sum(age <= MINUTE_MS for age in ages_ms)
    assert rates(log, log.ends(), NOW_MS) == Rates(MINUTE_MS, count, 2 * count, 3 * count, count)
    assert log.reads <= count + 40


def test_old_blocks_are_not_read() -> None:
    """A million of them cost no more than a few."""
    log = Log([*range(10 * MINUTE_MS, 11 * MINUTE_MS, 3), 5, 7])
    assert rates(log, log.ends(), NOW_MS).commits == 2
    assert log.reads < 50
    quiet = Log([10 * MINUTE_MS])
    assert rates(quiet, quiet.ends(), NOW_MS) == Rates(MINUTE_MS)
    assert quiet.reads == 0


def test_of_very_many_commits_the_last_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the span is shorter, so that the rates are right."""
    monkeypatch.setattr(module, "BLOCKS_MAX", 100)
    log = Log(range(0, MINUTE_MS, 10))
    seen = rates(log, log.ends(), NOW_MS)
    assert (seen.commits, seen.span_ms) == (100, 990)
    assert round(seen.per_second(seen.records)) == 202
    assert round(seen.per_minute(seen.started)) == 18_182


@given(st.lists(st.lists(st.integers(0, 3 * MINUTE_MS), max_size=100), min_size=1, max_size=4))
def test_every_chain_counts(ages_ms: list[list[int]]) -> None:
    """Each engine of a shared store writes into its own."""
    log = Log(*ages_ms)
    assert rates(log, log.ends(), NOW_MS).commits == sum(age <= MINUTE_MS for ages in ages_ms for age in ages)


def test_of_very_many_commits_in_two_chains_the_same_span_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The busier chain says how long it is."""
    monkeypatch.setattr(module, "BLOCKS_MAX", 100)
    log = Log(range(0, MINUTE_MS, 10), range(0, MINUTE_MS, 70))
    seen = rates(log, log.ends(), NOW_MS)
    assert (seen.commits, seen.span_ms) == (50 + 8, 490)


def test_a_clock_that_is_ahead_is_no_matter() -> None:
    """The engine's clock never runs back; the machine's may have."""
    log = Log([-5_000, -1_000])
    assert rates(log, log.ends(), NOW_MS).commits == 2
