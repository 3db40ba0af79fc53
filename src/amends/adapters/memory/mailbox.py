"""Letters to the engines of a database in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.reading import MemoryReader
from amends.errors import Overloaded
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
                most, number = self._database.letters_max, len(there) + len(new)
                raise Overloaded(f"the mailbox takes {most} letters, and there would be {number}")
            there.update(reversed(new.items()))

    def letters(self, shards: Collection[int], limit: int) -> Sequence[Letter]:
        """The letters to some shards, in the order in which they were posted."""
        return MemoryReader(self._database).letters(shards, limit)

    def remove(self, letter_ids: Collection[str]) -> None:
        """Remove letters that were acted on."""
        with self._database.changed:
            for letter_id in letter_ids:
                self._database.letters.pop(letter_id, None)

    def close(self) -> None:
        """There is nothing to give back."""
