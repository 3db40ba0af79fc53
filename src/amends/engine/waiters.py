"""Callers that wait in an event loop, by what they wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Subject = TypeVar("Subject", bound=Hashable)
Answer = TypeVar("Answer")


class Waiters(dict[Subject, list[asyncio.Future[Answer]]]):
    """The futures of those that wait just now. What no caller waits for is not among the subjects."""

    @contextmanager
    def waiter(self, subject: Subject) -> Iterator[asyncio.Future[Answer]]:
        """A future for one caller, while it waits in here: it gets the answer, or an exception."""
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        waiters = self.setdefault(subject, [])
        waiters.append(waiter)
        try:
            yield waiter
        finally:
            waiters.remove(waiter)
            if not waiters:
                del self[subject]

    def waiting(self, subject: Subject) -> list[asyncio.Future[Answer]]:
        """Those that were told nothing yet, to be told the answer."""
        return [waiter for waiter in self.get(subject, ()) if not waiter.done()]

    def fail(self, subject: Subject, error: Exception) -> None:
        """Tell each caller why it waits in vain; where one has stopped waiting, that is no error."""
        for waiter in self.waiting(subject):
            waiter.set_exception(error)
            waiter.exception()
