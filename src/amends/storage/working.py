"""Who works at a store, and what waits for them, as it is seen from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from amends.storage.budgets import BudgetShare
from amends.storage.rows import Letter


class EngineSeen(NamedTuple):
    """An engine that has shards of a store, or may get some.

    Attributes:
        name: of the engine and of its chain; of a store in a file, its process.
        since_ms: when its first commit was, milliseconds since 1970 (UTC); ``None`` where there is none, and of a file.
        left_ms: how long its lease lasts if it is not renewed, milliseconds; 0 and less where it ran out, ``None``
            where it does not.
        shards: that it has.
        knows: the definitions that it was given, as ``name/version/fingerprint``; ``None`` where that is not told.
        places: what it has of the budgets of participants whose limit is for all engines together.
    """

    name: str
    since_ms: int | None
    left_ms: int | None
    shards: Sequence[int]
    knows: frozenset[str] | None = None
    places: Sequence[BudgetShare] = ()

    @property
    def is_gone(self) -> bool:
        """Whether its lease ran out, so that another engine may take over."""
        return self.left_ms is not None and self.left_ms <= 0


class LettersSeen(NamedTuple):
    """The letters that wait for an engine.

    Attributes:
        starts: how many of them start sagas.
        number: how many there are.
        oldest: the one that was posted first; ``None`` where none waits, or that one is damaged.
    """

    starts: int
    number: int
    oldest: Letter | None


class WorkReader(Protocol):
    """Reads who works at a store."""

    def engines(self) -> Sequence[EngineSeen]:
        """The engines, in the order of their names; of a file, the one that can be seen from here."""

    def letters_waiting(self) -> LettersSeen:
        """The letters that no engine has acted on yet.

        Raises:
            StoreUnusable: they cannot be read here.
        """
