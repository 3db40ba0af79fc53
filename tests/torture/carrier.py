"""A carrier that takes a parcel at once and answers later, with a book that survives us."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from amends import Done, Later, Refused
from amends.core.messages import Call, Outcome
from tests.torture.shop import ANSWERS_WITHIN_S, UNLUCKY, Parcel

TAKEN: Final = "taken"
REFUSED: Final = "refused"
CANCELED: Final = "canceled"
TOLD: Final = "told"

Tell = Callable[[str, Outcome], Awaitable[None]]
Reach = Callable[[str], None]


class Carrier:
    """Takes and cancels parcels, each once for its key, and tells what became of them until somebody heard it.

    Attributes:
        book_of: saga to what happened to its parcel, in order.
    """

    def __init__(self, path: Path | None, reach: Reach | None = None) -> None:
        """Open the book, or begin it.

        Args:
            path: of the file; ``None`` for a book in memory.
            reach: told where it is.
        """
        self.book_of: dict[str, list[str]] = {}
        self._reach = reach or _nowhere
        for line in path.read_text().splitlines() if path and path.exists() else ():
            word, _, saga_id = line.partition(" ")
            self.book_of.setdefault(saga_id, []).append(word)
        # One write to the end of a file is there, or is not: a kill does not cut it in two.
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if path else -1

    async def book(self, parcel: Parcel, call: Call) -> Outcome:
        """Take a parcel, and say that an answer will come; or give the answer that was told."""
        saga_id = call.key.partition("/")[0]
        words = self.book_of.get(saga_id, [])
        if CANCELED in words:
            return Refused("canceled before it came")
        if not words:
            self._note(saga_id, REFUSED if parcel.pieces == UNLUCKY else TAKEN)
        return Later(ANSWERS_WITHIN_S) if TOLD not in words else self.answer_of(saga_id)

    async def cancel(self, call: Call) -> Outcome:
        """Give a parcel back, or see to it that it is never taken."""
        saga_id = call.key.partition("/")[0]
        if CANCELED not in self.book_of.get(saga_id, []):
            self._note(saga_id, CANCELED)
        return Done()

    def untold(self) -> list[str]:
        """Return the sagas that wait for an answer."""
        return [name for name, words in self.book_of.items() if TOLD not in words and words[0] != CANCELED]

    def answer_of(self, saga_id: str) -> Done | Refused:
        """Return what became of a parcel."""
        return Refused("too heavy") if self.book_of[saga_id][0] == REFUSED else Done({"parcel": saga_id})

    async def tell(self, saga_id: str, tell: Tell) -> None:
        """Tell a saga what became of its parcel; again and again, until somebody takes it."""
        self._reach("an answer comes from outside")
        await tell(f"{saga_id}/CARRIER_BOOKED/do", self.answer_of(saga_id))
        self._reach("an answer from outside was taken")
        if TOLD not in self.book_of[saga_id]:
            self._note(saga_id, TOLD)

    async def tell_all(self, tell: Tell) -> None:
        """Tell every saga, for ever."""
        while True:
            for saga_id in self.untold():
                await self.tell(saga_id, tell)
            await asyncio.sleep(0.004)

    def _note(self, saga_id: str, word: str) -> None:
        self.book_of.setdefault(saga_id, []).append(word)
        if self._file >= 0:
            os.write(self._file, f"{word} {saga_id}\n".encode())


def _nowhere(name: str) -> None:
    """Nobody wants to know."""
