"""A store file as a client has it: read, and never written, with the mailbox beside it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Final

from amends.adapters.in_force import move_mark
from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.reading import MemoryReader
from amends.adapters.sqlite.mailbox import SqliteMailbox
from amends.adapters.sqlite.opening import EarlierStore, FileId, NoStoreYet, checked_path, file_id
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.wakeup import WakeupClient
from amends.errors import StoreUnusable

LOOKS: Final = 40  # with the pauses two seconds: an engine makes a store in a tenth of one
LOOK_PAUSE_S: Final = 0.05  # between two looks at a store that an engine makes: some commits to a disk
NOTHING_STORED: Final = MemoryReader(MemoryDatabase(is_shared=False))


class SqliteClientStore:
    """See `amends.storage.ports.ClientStore`.

    Attributes:
        mailbox: the letters to its engine.
        wakeup: of this client by the engine, and of that by it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open nothing yet: the file need not be there, but its directory.

        Args:
            path: of the store.

        Raises:
            StoreUnusable: no store can be there.
        """
        self._file = checked_path(path)
        self._reader: SqliteReader | None = None
        self._opened: FileId | None = None
        self.mailbox, self.wakeup = SqliteMailbox(self._file), WakeupClient(self._file)

    def records(self) -> SqliteReader | MemoryReader:
        """The reader of the file that is there now; of an empty store while no engine has made one.

        A file that is in the place of another one, as after a restored backup, is opened anew.

        Raises:
            StoreUnusable: it is no store that this version can read, or its shop has moved; one line says which.
        """
        there = file_id(self._file)
        if self._reader is not None and (there != self._opened or self._reader.has_failed):
            self.close()
        if self._reader is None and there is not None:
            try:
                self._reader, self._opened = self._made(), there
            except NoStoreYet:
                return NOTHING_STORED
        if self._reader is None:
            return NOTHING_STORED
        if (mark := move_mark(self._reader.in_force())) and mark.is_over:
            raise StoreUnusable(f"{self._file}: {mark.refusal}")
        return self._reader

    def _made(self) -> SqliteReader:
        """A reader, once an engine that makes the store, or brings it up to date, has done so."""
        for _ in range(LOOKS):
            with suppress(EarlierStore):
                return SqliteReader(self._file)
            time.sleep(LOOK_PAUSE_S)
        return SqliteReader(self._file)

    def close(self) -> None:
        """Give back what is read; the mailbox is closed by the thread that uses it. A second call does nothing."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
