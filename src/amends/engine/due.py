"""Which sagas a turn looks at by itself: those that are due, and those that a process before this one left waiting."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from amends.engine.owned_shards import OwnedShards
from amends.engine.turn_io import ReadDue, Turn
from amends.errors import StoreBusy, StoreConflict
from amends.storage.rows import WAITS_FOR_OPERATOR, SagaRow

PAGE: Final = 500  # sagas looked at in one turn because of the time: clients wait some 0.1 s (bench/takeover.py)

DueAt = tuple[int, str]
"""When a saga is due, in milliseconds since 1970, and its id."""


class DueSagas:
    """The sagas that are due, in their order, a page at a time."""

    def __init__(self, definitions: Collection[str], immovable: Mapping[str, str], shards: OwnedShards) -> None:
        """Every saga is to be looked at once: what it waits for may never have been sent.

        Args:
            definitions: those that the engine knows, as rows name them.
            immovable: sagas that were set aside; nothing can move them.
            shards: whose sagas the engine moves.
        """
        self._definitions = definitions
        self._immovable = immovable
        self._shards = shards
        self._gained: Collection[int] = {*shards.all}  # of which not every saga was looked at
        self._left_off: DueAt | None = (0, "")  # of the sagas that another process left waiting in these
        self._first_ms = 0  # no saga is due before it; the first one may be later
        self._page: list[DueAt] = []
        self._is_due = False

    def page(self, now_ms: int) -> Turn[list[DueAt]]:
        """The sagas to look at in this turn."""
        self._is_due = self._first_ms <= now_ms
        self._page = yield from self._left_waiting()
        return self._page or ((yield from self._due(now_ms, PAGE, self._shards.all)) if self._is_due else [])

    def looked_at(self, number: int, now_ms: int) -> Turn[int | None]:
        """The turn is over.

        Args:
            number: how many of its page were looked at.
            now_ms: the clock.

        Returns:
            When the next turn is to be taken at the latest; ``None`` when nothing waits for the time.
        """
        left = self._page
        if number or not left:
            self._left_off = left[number - 1] if len(left) == PAGE or number < len(left) else None
        if self._is_due:  # else what was committed said it: a look at the store takes as long as deciding a saga
            self._first_ms = now_ms if self._left_off else (yield from self._next_ms(now_ms))
        return self._first_ms if self._first_ms < WAITS_FOR_OPERATOR else None

    def gain(self, shards: Collection[int]) -> None:
        """Look at every saga of more shards once."""
        self._gained = {*shards} if self._left_off is None else {*self._gained, *shards}
        self._left_off, self._first_ms = (0, ""), 0

    def note(self, rows: Iterable[SagaRow]) -> None:
        """Take in when the sagas are due that were committed."""
        self._first_ms = min([self._first_ms, *(row.due_ms for row in rows if row.due_ms is not None)])

    def reread(self) -> None:
        """Look at the store again: another process wrote to it."""
        self._first_ms = 0

    def _left_waiting(self) -> Turn[list[DueAt]]:
        """A page of the sagas that a process before this one left waiting.

        Each of them has to be looked at once: what it waits for may never have been sent, or was answered to a process
        that is gone.
        """
        if self._left_off is None:
            return []
        gained = [shard for shard in self._shards.all if shard in self._gained]  # some may be gone again
        return (yield from self._due(WAITS_FOR_OPERATOR - 1, PAGE, gained, self._left_off))

    def _next_ms(self, now_ms: int) -> Turn[int]:
        try:
            due = yield from self._due(WAITS_FOR_OPERATOR - 1, 1, self._shards.all)
        except (StoreBusy, StoreConflict):  # the turn is committed, and has to be told
            return now_ms
        return due[0][0] if due else WAITS_FOR_OPERATOR

    def _due(self, until_ms: int, limit: int, shards: Collection[int], after: DueAt = (0, "")) -> Turn[list[DueAt]]:
        """Sagas that are due, but for those that were set aside."""
        found: list[DueAt] = []
        while True:
            page = yield ReadDue(self._definitions, until_ms, limit, after, shards)
            found += [entry for entry in page if entry[1] not in self._immovable]
            if len(page) < limit or len(found) >= limit:
                return found[:limit]
            after = page[-1]
