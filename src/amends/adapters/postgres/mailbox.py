"""Letters to the engines of a database: a table of it, from which the commit that acts on a letter takes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from amends.adapters.postgres.connection import CommitUnknown, PostgresConnection
from amends.adapters.postgres.reading import PostgresRecords
from amends.adapters.postgres.rows import columns_of
from amends.adapters.postgres.texts import opened, text_array
from amends.errors import Overloaded, StoreFailed
from amends.storage.ports import LETTERS_MAX
from amends.storage.rows import Letter


class PostgresMailbox:
    """See `amends.storage.ports.Mailbox`. It is used by one thread at a time."""

    def __init__(
        self,
        database: PostgresConnection,
        prepare: Callable[[], None] = lambda: None,
        *,
        letters_max: int = LETTERS_MAX,
    ) -> None:
        """Open nothing yet.

        Args:
            database: a connection beside that of the turns.
            prepare: makes the store, where a client may come before the first engine; called before the first use.
            letters_max: so many it takes, >= 1.
        """
        self._database = database
        self._prepare = prepare
        self._is_prepared = False
        self._letters_max = letters_max
        self._removed: dict[str, None] = {}  # that another transaction had locked: they are gone soon, or removed again

    def post(self, letters: Sequence[Letter]) -> None:
        """Write letters, all or none.

        Raises:
            Overloaded: there would be too many.
            StoreUnusable: there can be no mailbox.
            StoreFull, StoreBusy, StoreFailed: they could not be written.
        """
        if not letters:
            return
        database = self._opened()
        _, span = database.work(("post_letters", columns_of(letters)), ("span_of_letters", {}))
        if span.rows[0][0] > self._letters_max:
            self._refuse_if_full(database)
        try:
            database.commit()
        except CommitUnknown as error:  # posted once more, they are there once
            raise StoreFailed(f"whether the letters are posted is not known, post them again: {error}") from error

    def letters(self, shards: Collection[int], limit: int) -> Sequence[Letter]:
        """The letters to some shards, in the order in which they were posted; one that was damaged stays there.

        Raises:
            StoreUnusable: there can be no mailbox.
            StoreBusy, StoreFailed: they could not be read.
        """
        found = PostgresRecords(self._opened()).letters(shards, limit + len(self._removed))
        return [letter for letter in found if letter.letter_id not in self._removed][:limit]

    def remove(self, letter_ids: Collection[str]) -> None:
        """Remove letters that were acted on; those that another engine removes just now are left to it.

        Raises:
            StoreUnusable: there can be no mailbox.
            StoreFull, StoreBusy, StoreFailed: they are not removed yet.
        """
        self._removed |= dict.fromkeys(letter_ids)
        if self._removed:
            ids = {"ids": text_array([*self._removed])}
            _, left = self._opened().run(("remove_letters", ids), ("left_letters", ids))
            self._removed = dict.fromkeys(opened(letter_id) for (letter_id,) in left.rows)

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        self._database.close()

    def _opened(self) -> PostgresConnection:
        if not self._is_prepared:
            self._prepare()
            self._is_prepared = True
        return self._database

    def _refuse_if_full(self, database: PostgresConnection) -> None:
        there = database.read("count_letters")[0][0]
        if there > self._letters_max:
            database.abandon()
            raise Overloaded(f"the mailbox takes {self._letters_max} letters, and there would be {there}")
