"""A store as a client has it: read, with the mailbox, which it makes where it comes before the first engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.reading import MemoryReader
from amends.adapters.postgres.address import Address
from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.mailbox import PostgresMailbox
from amends.adapters.postgres.migrations import NoSchemaYet
from amends.adapters.postgres.opening import prepare
from amends.adapters.postgres.reader import PostgresReader
from amends.adapters.postgres.rights import CLIENT
from amends.adapters.postgres.settings import OF_TURNS
from amends.adapters.postgres.wakeup import PostgresWakeup
from amends.errors import StoreAway, StoreBusy

NOTHING_STORED: Final = MemoryReader(MemoryDatabase())


class PostgresClientStore:
    """See `amends.storage.ports.ClientStore`.

    Attributes:
        mailbox: the letters to its engines.
        wakeup: of this client by the engines, and of them by it.
    """

    def __init__(self, address: Address) -> None:
        """Open nothing yet.

        Args:
            address: of the database.
        """
        self._address = address
        self._reader: PostgresReader | None = None
        self.mailbox = PostgresMailbox(PostgresConnection(address, OF_TURNS), self._prepare)
        self.wakeup = PostgresWakeup(address, is_engine=False)

    def records(self) -> PostgresReader | MemoryReader:
        """What reads the store; of an empty one while none is there.

        Raises:
            StoreUnusable: it is no store that this version can read; one line says why.
            StoreBusy: the server is away.
        """
        if self._reader is not None and self._reader.has_failed:
            self._reader = None
        if self._reader is None:
            try:
                with _named_when_away():
                    self._reader = PostgresReader(self._address)
            except NoSchemaYet:
                return NOTHING_STORED
        return self._reader

    def _prepare(self) -> None:
        with _named_when_away():
            prepare(self._address, CLIENT)

    def close(self) -> None:
        """Give back what is read; the mailbox is closed by the thread that uses it. A second call does nothing."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


@contextmanager
def _named_when_away() -> Iterator[None]:
    """Have a caller told that it is to try again later."""
    try:
        yield
    except StoreAway as error:
        raise StoreBusy(f"the database is away: {error}") from error
