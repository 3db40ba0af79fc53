"""Letters to the engines of a database in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from itertools import filterfalse, islice

from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.reading import MemoryReader
from amends.storage.letters import expect_room, is_start
from amends.storage.ports import ALL
from amends.storage.rows import Letter


class MemoryMailbox:
    """The letters of a database; a commit removes those that it acts on, and adds its own.

    See `amends.storage.ports.Mailbox`.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        """Open the mailbox of a database.

        Args:
            database: of one engine or several.
        """
        self._database = database

    def post(self, letters: Sequence[Letter]) -> None:
        """Write letters, all or none.

        Raises:
            Overloaded: there would be too many.
        """
        with self._database.changed:
            there = self._database.letters
            new = {letter.letter_id: letter for letter in reversed(letters) if letter.letter_id not in there}
            if len(there) + len(new) > self._database.letters_max:
                bodies = [letter.body for letter in (*there.values(), *new.values()) if is_start(letter)]
                number = partial(_holding, bodies)
                expect_room(self._database.letters_max, len(bodies), len(there) + len(new), letters, number)
            there.update(reversed(new.items()))

    def letters(self, shards: Collection[int], limit: int, starts: int | None = None) -> Sequence[Letter]:
        """The letters to some shards, answers and verbs first, each kind in the order in which it was posted."""
        there = MemoryReader(self._database).letters(shards, ALL)
        return [*islice(filterfalse(is_start, there), limit), *islice(filter(is_start, there), starts or limit)]

    def remove(self, letter_ids: Collection[str]) -> None:
        """Remove letters that were acted on."""
        with self._database.changed:
            for letter_id in letter_ids:
                self._database.letters.pop(letter_id, None)

    def close(self) -> None:
        """There is nothing to give back."""


def _holding(bodies: Sequence[str], text: str) -> int:
    return sum(text in body for body in bodies)
