"""Who works at a store, what waits for them, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from amends.errors import AmendsError
from amends.storage.location import EngineSeen, LettersSeen, StoreReader
from amends.storage.rows import Letter
from amends.storage.shards import SHARDS


class AtWork(NamedTuple):
    """The engines of a store, and the letters to them.

    Attributes:
        engines: in the order of their names.
        free: how many shards no engine has.
        letters: that wait; ``None`` where they cannot be read.
        why: why the oldest letter waits; empty where none does.
    """

    engines: Sequence[EngineSeen]
    free: int
    letters: LettersSeen | None
    why: str


def at_work(records: StoreReader) -> AtWork:
    """Who works at a store now.

    Raises:
        StoreError: the storage failed.
    """
    engines, letters = records.engines(), _letters(records)
    free = SHARDS - sum(len(engine.shards) for engine in engines)
    oldest = letters.oldest if letters else None
    return AtWork(engines, free, letters, why_it_waits(oldest, engines) if oldest else "")


def why_it_waits(letter: Letter, engines: Sequence[EngineSeen]) -> str:
    """What is in the way of a letter."""
    owner = next((engine for engine in engines if letter.shard in engine.shards), None)
    if all(engine.is_gone for engine in engines):
        return "no engine runs" if engines else "no engine is seen"
    if owner is None:
        return f"no engine has shard {letter.shard} yet: one that runs takes it in some seconds"
    if owner.is_gone:
        return f"{owner.name} is gone, which has shard {letter.shard}: another engine takes over"
    return f"{owner.name} is to act on it, which has shard {letter.shard}"


def _letters(records: StoreReader) -> LettersSeen | None:
    try:
        return records.letters_waiting()
    except AmendsError:  # the mailbox beside a file that can be read alone
        return None
