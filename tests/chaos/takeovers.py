"""How long sagas of an engine that died wait for another owner, as seen in the database."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Final

import psycopg
from psycopg import sql

LOOK_S: Final = 0.02


class TakeoverWatch:
    """Looks who owns shards, all the time, from a thread and by a connection of its own.

    Attributes:
        taken_s: how long each takeover took, from the kill to the first look at which nothing was the dead engine's.
    """

    def __init__(self, conninfo: str, schema: str) -> None:
        """Begin to look."""
        self.taken_s: list[float] = []
        self._conninfo = conninfo
        self._query = sql.SQL("SELECT DISTINCT engine FROM {}.owners").format(sql.Identifier(schema))
        self._owners = set[str]()
        self._died: dict[str, float] = {}
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def died(self, engine: str) -> None:
        """An engine was killed just now; one that has no shards needs no taker."""
        if engine in self._owners:
            self._died[engine] = time.monotonic()

    def woke(self, engine: str) -> None:
        """An engine that stood still goes on: nobody needs to take over from it any more."""
        self._died.pop(engine, None)

    def forget(self) -> None:
        """Measure no takeover that is under way: nobody is there who could take over, or no server."""
        self._died.clear()

    @property
    def is_settled(self) -> bool:
        """Whether every engine that died has no shards any more."""
        return not self._died

    def close(self) -> None:
        """Look no more."""
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ends.wait(LOOK_S):
            with suppress(psycopg.Error), psycopg.connect(self._conninfo, autocommit=True) as database:
                while not self._ends.wait(LOOK_S):
                    self._owners = {engine for (engine,) in database.execute(self._query).fetchall()}
                    self._see()

    def _see(self) -> None:
        now = time.monotonic()
        for engine, since in [*self._died.items()]:
            if engine not in self._owners:
                self.taken_s.append(now - since)
                self._died.pop(engine, None)
