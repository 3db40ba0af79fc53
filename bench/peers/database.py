"""A PostgreSQL for the engines that run on one: as it is by default, its data on the disk of the checkout."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final

import psycopg

from bench.peers.driving import DATABASE
from bench.peers.environment import CannotBeHadError
from bench.postgres.server import Measured, Written, measured
from tests.postgres import NoServer, url_of

OURS: Final = "ours"  # the schema of Amends, in the database of the server's own user
THEIRS: Final = "theirs"  # a database for any other engine


class PeersDatabase:
    """The server, started when it is first asked for."""

    def __init__(self, below: Path, ends: ExitStack) -> None:
        """Start nothing yet.

        Args:
            below: the folder in which its data are to be.
            ends: stops it.
        """
        self._below, self._ends = below, ends
        self._server: Measured | None = None

    def environment(self, *, is_ours: bool) -> dict[str, str]:
        """What tells a script where it is.

        Raises:
            CannotBeHadError: there is none here.
        """
        url = url_of(self._started().conninfo, OURS if is_ours else "")
        return {DATABASE: url if is_ours else url.replace("/postgres?", f"/{THEIRS}?")}

    def renew(self) -> None:
        """Leave nothing of the run before."""
        with psycopg.connect(self._started().conninfo, autocommit=True) as database:
            database.execute(f"DROP SCHEMA IF EXISTS {OURS} CASCADE".encode())
            database.execute(f"DROP DATABASE IF EXISTS {THEIRS} WITH (FORCE)".encode())
            database.execute(f"CREATE DATABASE {THEIRS}".encode())
            database.execute("CHECKPOINT")

    def written(self) -> Written:
        """What was written by now."""
        return self._started().written()

    def _started(self) -> Measured:
        if self._server is None:
            try:
                self._server = self._ends.enter_context(measured(self._below))
            except NoServer as reason:
                raise CannotBeHadError(str(reason)) from reason
        return self._server
