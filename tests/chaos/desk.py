"""A desk that serves a few at a time, whichever engine they come from, and counts its calls where they arrive.

As docs/postgres.md has it, a call counts until it is over, or until its deadline, whoever has its saga by then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from amends import Call, Done, Limit, Refused
from amends.core.messages import Kind
from amends.storage.budgets import reserved_of

PLACES: Final = Limit(at_once=4, fleet=True)
SERVING_S: Final = 0.05  # of a call: long enough that sagas wait for a place
UNLUCKY: Final = 5  # one visit in so many is not confirmed


class Visit(NamedTuple):
    """The request of a visit's saga."""

    number: int

    @property
    def is_unlucky(self) -> bool:
        """Whether the desk does not confirm it, however often it is asked."""
        return self.number % UNLUCKY == 0


class MostAtOnce(NamedTuple):
    """How many calls there were at the same time, at most.

    Attributes:
        calls: of any kind.
        actions: that were no compensations.
    """

    calls: int = 0
    actions: int = 0

    @property
    def is_within(self) -> bool:
        """Whether `PLACES` allows so many."""
        return self.calls <= PLACES.at_once and self.actions <= PLACES.at_once - reserved_of(PLACES.at_once)


class Desk:
    """It does what it is asked, once for each key.

    Attributes:
        book_of: saga to what was done for it, as ``EVENT/kind``.
        most: calls that it had at once.
    """

    def __init__(self) -> None:
        """Nobody has come."""
        self.book_of: dict[str, set[str]] = {}
        self.most = MostAtOnce()
        self._served = list[Call]()

    async def serve(self, visit: Visit, call: Call) -> Done | Refused:
        """Do what a key says."""
        saga_id, _, what = call.key.partition("/")
        with self._place(call):
            await asyncio.sleep(SERVING_S)
        if what == "VISIT_CONFIRMED/do" and visit.is_unlucky:
            return Refused("it is closed today")
        self.book_of.setdefault(saga_id, set()).add(what)
        return Done()

    @contextmanager
    def _place(self, call: Call) -> Iterator[None]:
        now = time.time()
        self._served = [*(each for each in self._served if each.deadline > now), call]
        actions = [each for each in self._served if each.key.endswith(f"/{Kind.DO.value}")]
        self.most = MostAtOnce(max(self.most.calls, len(self._served)), max(self.most.actions, len(actions)))
        try:
            yield
        finally:
            self._served = [each for each in self._served if each is not call]
