"""Databases in memory that have a name: what an engine and clients of one process share, in a test say."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Final

from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.mailbox import MemoryMailbox
from amends.adapters.memory.reading import MemoryReader
from amends.adapters.memory.store import MemoryStore
from amends.adapters.memory.wakeup import MemoryWakeup
from amends.engine.home import Home
from amends.errors import StoreInUse
from amends.storage.shards import ALL_SHARDS
from amends.storage.working import EngineSeen


class NamedDatabase(MemoryDatabase):
    """A database that lasts as long as its process.

    Attributes:
        name: by which it is found.
        home: the process in which it is: a forked child has a copy, in which no engine runs.
        has_engine: whether one runs on it.
    """

    def __init__(self, name: str) -> None:
        super().__init__(is_shared=False)
        self.name = name
        self.home = Home()
        self.has_engine = False


_known: Final[dict[str, NamedDatabase]] = {}
_lock: Final = Lock()


def named(name: str) -> NamedDatabase:
    """The database of a name: it is made when it is first named."""
    with _lock:
        return _known.setdefault(name, NamedDatabase(name))


class NamedStore(MemoryStore):
    """The store of the one engine on a named database."""

    database: NamedDatabase

    def __init__(self, database: NamedDatabase) -> None:
        """Open it.

        Raises:
            StoreInUse: another engine has it.
        """
        with _lock:
            if database.has_engine:
                raise StoreInUse(f"memory:{database.name}: in use by another engine of this process")
            database.has_engine = self._is_open = True
        super().__init__(database)

    def close(self) -> None:
        """Give it back. A second call does nothing."""
        super().close()
        if self._is_open:
            self.database.has_engine = self._is_open = False


class NamedReader(MemoryReader):
    """What clients read of a named database."""

    database: NamedDatabase

    def engines(self) -> Sequence[EngineSeen]:
        """The one engine, where it runs."""
        return [EngineSeen("this process", None, None, sorted(ALL_SHARDS))] if self.database.has_engine else []


class MemoryClientStore:
    """What clients have of a named database; see `amends.storage.ports.ClientStore`.

    Attributes:
        mailbox: the letters to its engine.
        wakeup: of this client by the engine, and of that by it.
    """

    def __init__(self, database: NamedDatabase) -> None:
        """Open it without an engine.

        Raises:
            EngineMisused: this is a forked child of the process in which it is.
        """
        database.home.expect_process()
        self.mailbox, self.wakeup = MemoryMailbox(database), MemoryWakeup(database, is_engine=False)
        self._reader = NamedReader(database)

    def records(self) -> NamedReader:
        """It is there as soon as it is named."""
        return self._reader

    def close(self) -> None:
        """There is nothing to give back."""
