"""The relay: moves the letters of an outbox to the mailbox of an engine's store, once they are committed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from amends.databases.kinds import database_of
from amends.engine.logger import log
from amends.outbox.rows import OutboxRow, number_at, read, refuse, remove
from amends.storage.ports import ClientStore
from amends.storage.rows import Letter
from amends.storage.whole_looks import WholeLooks

BATCH: Final = 200  # letters in memory at once, which may be large: some commits of a batch are not felt
STRAGGLERS_NS: Final = 10 * 10**9
"""How long ago looks begin: a transaction that took longer is found by the next look from the first row on."""


class OutboxRelay:
    """Moves the letters of one outbox. It is used by one thread.

    A letter is posted, and then removed. One that was posted before the relay was killed is posted again by the next
    one: its id is a client key, so that an engine acts on it once.
    """

    def __init__(self, name: str, connect: Callable[[], Any], open_store: Callable[[], ClientStore]) -> None:
        """Connect to nothing yet.

        Args:
            name: of the outbox, for the log.
            connect: gives a connection to the user's database, as for `amends.outbox.submit`, and none that is async.
            open_store: opens the engine's store, as a client has it.
        """
        self._name = name
        self._connect = connect
        self._open_store = open_store
        self._connection: Any = None
        self._store: ClientStore | None = None
        self._looks = WholeLooks()
        self._behind: str | None = None  # where the next look goes on, as the one before did not come to the end

    def move(self) -> int:
        """Move some letters that are committed; see `amends.engine.relays.Relay`."""
        try:
            return self._move()
        except BaseException:
            self.close()  # and connect anew next time: what was lost is not known
            raise

    def close(self) -> None:
        """Give everything back."""
        connection, self._connection = self._connection, None
        store, self._store = self._store, None
        self._looks, self._behind = WholeLooks(), None
        ends = [connection.close] if connection is not None else []
        ends += [store.mailbox.close, store.close] if store is not None else []
        for end in ends:
            with suppress(Exception):  # it is lost, maybe
                end()

    def _move(self) -> int:
        if self._connection is None:
            self._connection = self._connect()
        rows = self._read()
        if not rows:
            return 0
        letters = dict[OutboxRow, Letter]()
        faults = dict[OutboxRow, str]()
        for row in rows:
            try:
                letters[row] = row.letter()
            except ValueError as error:
                faults[row] = str(error)
        self._post([*letters.values()])
        self._settle([*letters], faults)
        return len(letters)

    def _read(self) -> list[OutboxRow]:
        """The next letters; no transaction of the user's database is open while they are posted."""
        is_whole = self._looks.begin() and self._behind is None
        since = "" if is_whole else self._behind or number_at(time.time_ns() - STRAGGLERS_NS)
        database = database_of(self._connection)
        with database.transaction():
            rows = [*read(database, since, BATCH)]
        if is_whole:
            self._looks.end()
        goes_on = len(rows) == BATCH and (is_whole or self._behind is not None)
        self._behind = rows[-1].number if goes_on else None
        return rows

    def _post(self, letters: list[Letter]) -> None:
        if self._store is None:
            self._store = self._open_store()
        self._store.mailbox.post(letters)

    def _settle(self, posted: list[OutboxRow], faults: dict[OutboxRow, str]) -> None:
        database = database_of(self._connection)
        with database.transaction():
            remove(database, posted)
            for row, why in faults.items():
                refuse(database, row, why)
        for row, why in faults.items():
            log.error("row %s of outbox %r is no letter, and stays there: %s", row.number, self._name, why)
