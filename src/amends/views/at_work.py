"""Who works at a store, what waits for them, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from amends.errors import AmendsError
from amends.storage.letters import start_in
from amends.storage.ports import ClientRecords, unfinished
from amends.storage.rows import Letter
from amends.storage.shards import SHARDS
from amends.storage.working import EngineSeen, LettersSeen


class AtWork(NamedTuple):
    """The engines of a store, and the letters to them.

    Attributes:
        engines: in the order of their names.
        free: how many shards no engine has.
        letters: that wait; ``None`` where they cannot be read.
        why: why the oldest letter waits; empty where none does.
        left: definitions of sagas that are not final and that no engine which runs knows, with how many there are;
            nothing where engines do not tell what they know.
    """

    engines: Sequence[EngineSeen]
    free: int
    letters: LettersSeen | None
    why: str
    left: Mapping[str, int]


def at_work(records: ClientRecords) -> AtWork:
    """Who works at a store now.

    Raises:
        StoreError: the storage failed.
    """
    engines, letters = records.engines(), _letters(records)
    free = SHARDS - sum(len(engine.shards) for engine in engines)
    oldest = letters.oldest if letters else None
    return AtWork(engines, free, letters, why_it_waits(oldest, engines) if oldest else "", _left(records, engines))


def why_it_waits(letter: Letter, engines: Sequence[EngineSeen]) -> str:
    """What is in the way of a letter."""
    owner = next((engine for engine in engines if letter.shard in engine.shards), None)
    if all(engine.is_gone for engine in engines):
        return "no engine runs" if engines else "no engine is seen"
    if owner is None:
        return f"no engine has shard {letter.shard} yet: one that runs takes it in some seconds"
    if owner.is_gone:
        return f"{owner.name} is gone, which has shard {letter.shard}: another engine takes over"
    return _unknown(letter, owner, engines) or f"{owner.name} is to act on it, which has shard {letter.shard}"


def _unknown(letter: Letter, owner: EngineSeen, engines: Sequence[EngineSeen]) -> str:
    """What is in the way where the owner does not know what is to start; empty for nothing."""
    asked = start_in(letter)
    if asked is None or owner.knows is None or asked.definition in owner.knows:
        return ""
    able = [each.name for each in engines if asked.definition in (each.knows or ()) and not each.is_gone]
    if not able:
        return f"it starts {asked.definition}, which no engine that runs knows"
    return f"{owner.name} does not know {asked.definition}: shard {letter.shard} goes to {able[0]}, which does"


def _left(records: ClientRecords, engines: Sequence[EngineSeen]) -> Mapping[str, int]:
    running = [engine.knows for engine in engines if not engine.is_gone]
    told = [knows for knows in running if knows is not None]
    return unfinished(records.counts(), frozenset[str]().union(*told)) if told and len(told) == len(running) else {}


def _letters(records: ClientRecords) -> LettersSeen | None:
    try:
        return records.letters_waiting()
    except AmendsError:  # the mailbox beside a file that can be read alone
        return None
