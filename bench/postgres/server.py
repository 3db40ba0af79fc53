"""The PostgreSQL that is measured: as it is by default, its data on the disk of the checkout."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from tests.postgres import postgres_at, url_of

SCHEMAS: Final = count(1)


class Written(NamedTuple):
    """What a server has written since its start.

    Attributes:
        wal_bytes: of its log.
        syncs: of its log.
    """

    wal_bytes: int
    syncs: int


class Measured:
    """A server, with a schema for each measurement.

    Attributes:
        conninfo: what to connect with.
        data: where its data are.
    """

    def __init__(self, conninfo: str, data: Path) -> None:
        self.conninfo, self.data = conninfo, data

    @contextmanager
    def schema(self) -> Iterator[str]:
        """Give the URL of a schema of its own, which is gone at the end, and let the server rest before."""
        name = f"bench_{os.getpid()}_{next(SCHEMAS)}"
        with psycopg.connect(self.conninfo, autocommit=True) as database:
            database.execute("CHECKPOINT")  # else one of what was measured before falls into this
            try:
                yield url_of(self.conninfo, name)
            finally:
                database.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())

    def written(self) -> Written:
        """What was written by now."""
        with psycopg.connect(self.conninfo, autocommit=True) as database:
            (wal_bytes,) = database.execute("SELECT wal_bytes FROM pg_stat_wal").fetchone() or (0,)
            is_new = database.info.server_version >= 180_000  # since then syncs are counted elsewhere
            query = (
                b"SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"
                if is_new
                else b"SELECT wal_sync FROM pg_stat_wal"
            )
            (syncs,) = database.execute(query).fetchone() or (0,)
            return Written(int(wal_bytes), int(syncs))


@contextmanager
def measured(below: Path) -> Iterator[Measured]:
    """Start a server whose data are below a folder, on its disk.

    Raises:
        NoServer: none can be had here.
    """
    with tempfile.TemporaryDirectory(dir=below) as place, postgres_at(Path(place)) as server:
        yield Measured(server.conninfo, server.data)
