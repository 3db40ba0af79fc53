"""Letters to the engines of a database: a table of it, from which the commit that acts on a letter takes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Final

from amends.adapters.postgres.connection import CommitUnknown, PostgresConnection
from amends.adapters.postgres.rows import columns_of, letter_of
from amends.adapters.postgres.texts import number_array, opened, stored, text_array
from amends.errors import Overloaded, StoreBusy, StoreConflict, StoreFailed
from amends.storage.letters import expect_room
from amends.storage.ports import LETTERS_MAX
from amends.storage.rows import Letter
from amends.storage.whole_looks import WholeLooks

COUNT_EVERY_S: Final = 1.0
"""Between two counts of the letters that are there, of one client that posts: other clients post meanwhile."""
STRAGGLERS: Final = 2_000
"""Numbers before the first letter, where one may come up whose transaction took longer than those after it: as many as
are posted in a second or two. Each look walks over them while another program's transaction keeps them. One that took
longer still is found by the next look from the first number on."""


class FirstNumber:
    """From which number on letters are looked at: close to the first that was there; at times from the very first."""

    def __init__(self) -> None:
        """Begin with the very first."""
        self._looks, self._is_whole, self._since = WholeLooks(), True, 0

    def since(self) -> int:
        """Where the look begins that comes now."""
        self._is_whole = self._looks.begin()
        return 0 if self._is_whole else self._since

    def seen(self, first: int | None) -> None:
        """Note the number of the first letter that the look found; ``None`` where there was none."""
        if self._is_whole:
            self._looks.end()
        if first is not None:
            since = max(0, first - STRAGGLERS)
            self._since = since if self._is_whole else max(self._since, since)


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
            letters_max: so many that start sagas it takes, >= 1.
        """
        self._database = database
        self._prepare = prepare
        self._is_prepared = False
        self._letters_max = letters_max
        self._room, self._counted_s = 0, 0.0  # how many more it takes of any kind, as counted then
        self._first = {False: FirstNumber(), True: FirstNumber()}  # of answers and verbs, and of starts
        self._first_counted = FirstNumber()
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
        try:
            database.work([("post_letters", columns_of(letters))])
            self._room -= len(letters)
            if self._room < 0 or time.monotonic() > self._counted_s + COUNT_EVERY_S:
                self._count(database, letters)
            database.commit()
        except StoreConflict as ended:
            raise StoreBusy(f"no letter is posted: {ended}") from ended
        except CommitUnknown as error:  # posted once more, they are there once
            raise StoreFailed(f"whether the letters are posted is not known, post them again: {error}") from error

    def letters(self, shards: Collection[int], limit: int, starts: int | None = None) -> Sequence[Letter]:
        """The letters to some shards, answers and verbs first; one that was damaged stays there.

        Raises:
            StoreUnusable: there can be no mailbox.
            StoreBusy, StoreFailed: they could not be read.
        """
        inputs = self._of_kind(shards, limit, is_start=False)  # first: see the port
        return [*inputs, *self._of_kind(shards, starts or limit, is_start=True)]

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

    def _of_kind(self, shards: Collection[int], limit: int, *, is_start: bool) -> Sequence[Letter]:
        first = self._first[is_start]
        wanted = {"shards": number_array(sorted(shards)), "limit": limit + len(self._removed), "is_start": is_start}
        found = self._opened().read("letters_of_kind", since=first.since(), **wanted)
        first.seen(found[0][0] if found else None)
        letters = (letter for _, *values in found if (letter := letter_of(tuple(values))))
        return [*islice((letter for letter in letters if letter.letter_id not in self._removed), limit)]

    def _count(self, database: PostgresConnection, posted: Sequence[Letter]) -> None:
        starts, there, first = database.read("count_letters", since=self._first_counted.since())[0]
        self._first_counted.seen(first)
        self._room, self._counted_s = self._letters_max - there, time.monotonic()
        try:
            expect_room(self._letters_max, starts, there, posted, self._holding)
        except Overloaded:
            database.abandon()
            raise

    def _holding(self, text: str) -> int:
        number: int = self._database.read("count_starts_with", text=stored(text))[0][0]
        return number
