"""A store as others see it: read while its engine writes, or when it has none."""

from __future__ import annotations

import os
from collections.abc import Iterator

from amends.adapters.sqlite.check import problems
from amends.adapters.sqlite.database import Connection
from amends.adapters.sqlite.opening import checked_path, open_reader
from amends.adapters.sqlite.reading import RecordReader


class SqliteReader:
    """See `amends.storage.ports.Records`, whose promises these are: the methods are `RecordReader`'s."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a store that an engine has opened before.

        Args:
            path: of the file.

        Raises:
            StoreUnusable: there is no store that this version can read; one line says why.
        """
        self._database = Connection(open_reader(checked_path(path)))
        reading = RecordReader(self._database)
        self.saga, self.entity, self.listing = reading.saga, reading.entity, reading.listing
        self.all_entities, self.all_keys = reading.all_entities, reading.all_keys
        self.counts, self.set_aside = reading.counts, reading.set_aside
        self.oldest_waiting_ms, self.due = reading.oldest_waiting_ms, reading.due
        self.chains, self.head = reading.chains, reading.head
        self.blocks, self.blocks_about = reading.blocks, reading.blocks_about
        self.durability, self.warning = reading.durability, reading.warning
        self._reading = reading

    def problems(self, *, with_sagas: bool = True) -> Iterator[str]:
        """What is wrong with the file and its rows, a line each; see `amends.adapters.sqlite.check`."""
        return problems(self._database, self._reading, with_sagas=with_sagas)

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        self._database.close()
