"""How much a store has taken in lately, from the times of its blocks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from amends.storage.blocks import lines_of
from amends.storage.ports import Records
from amends.storage.rows import Block, Head

MINUTE_MS: Final = 60_000
BLOCKS_MAX: Final = 5_000  # that are read for it: less than a second, however small they are


class Rates(NamedTuple):
    """What happened in a span of time that ends now.

    Attributes:
        span_ms: how long it is, >= 1: a minute, or less where that holds too many commits to read.
        commits: in it.
        records: in it.
        started: sagas.
        ended: sagas.
    """

    span_ms: int
    commits: int = 0
    records: int = 0
    started: int = 0
    ended: int = 0

    def per_second(self, count: int) -> float:
        """One of the counts, for each second."""
        return count * 1000 / self.span_ms

    def per_minute(self, count: int) -> float:
        """One of the counts, for each minute."""
        return count * MINUTE_MS / self.span_ms


def rates(records: Records, heads: Sequence[Head], now_ms: int) -> Rates:
    """The rates of the last minute.

    Args:
        records: the store.
        heads: where the chains of its audit end.
        now_ms: milliseconds since 1970 (UTC).
    """
    since_ms = now_ms - MINUTE_MS
    recent = [head for head in heads if head.at_ms >= since_ms]
    most = BLOCKS_MAX // max(len(recent), 1)
    furthest = {head.chain: head.number - most + 1 for head in recent}  # back as many blocks are read of each chain
    cut_ms = [_time_of(records, number, chain) for chain, number in furthest.items() if number > 0]
    since_ms = max(since_ms, *cut_ms, 0)
    commits = counted = started = ended = 0
    for head in recent:
        for block in _blocks_since(records, head, since_ms, furthest[head.chain]):
            commits, counted = commits + 1, counted + len(lines_of(block))
            started, ended = started + block.started, ended + block.ended
    return Rates(max(now_ms - since_ms, 1), commits, counted, started, ended)


def _blocks_since(records: Records, head: Head, since_ms: int, furthest: int) -> Iterator[Block]:
    """The blocks of a chain from a time on, and none before a number."""
    first = _first_since(lambda number: _time_of(records, number, head.chain), head.number, since_ms)
    for block in records.blocks(max(first, furthest, 1) - 1, head.chain):
        yield block
        if block.number >= head.number:
            return


def _first_since(time_of: Callable[[int], int], last: int, since_ms: int) -> int:
    """The first block of a time or later, found by doubling the way back, then by halving: most are recent."""
    step = 1
    while step < last and time_of(last - step) >= since_ms:
        step *= 2
    return bisect_left(range(last + 1), since_ms, max(last - step, 0) + 1, last - step // 2, key=time_of)


def _time_of(records: Records, number: int, chain: str) -> int:
    """When a block was written; 0 of one that is missing or damaged."""
    block = next(iter(records.blocks(number - 1, chain)), None)
    return block.at_ms if block else 0
