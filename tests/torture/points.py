"""The named points at which a process can be made to stop and wait for its end.

Nothing in the shipped code knows of them: they are reached by what is put around the store, the engine and the
participants.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Final

import apsw

from amends.adapters.sqlite.queries import QUERIES
from amends.adapters.sqlite.store import SqliteStore
from amends.engine.batch import BatchResult
from amends.engine.loop import EngineLoop
from amends.engine.task import Task
from amends.storage.rows import Changes

STATEMENTS: Final = (
    "begin",
    "insert_block",
    "insert_saga",
    "update_saga",
    "insert_entity",
    "update_entity",
    "insert_key",
    "insert_key_row",
    "put_key_slice",
    "insert_subject",
    "add_count",
    "commit",
)
"""Each is reached before its statement runs: so after the one before it."""
OPENING: Final = "opening"
TOLD: Final = "a client was told"
PROBES: Final = ("before probe", "after probe")
POINTS: Final = (
    OPENING,
    "a commit is asked for",
    *(f"before {name}" for name in STATEMENTS),
    "before a checkpoint",
    "committed",
    "committed, not sent",
    "sent and told",
    TOLD,
    "before do",
    "after do",
    "before undo",
    "after undo",
    *PROBES,
    "an answer is in hand",
    "an answer comes from outside",
    "an answer from outside was taken",
    "closing",
)

_NAMES: Final = {QUERIES[name]: name for name in STATEMENTS}


class Points:
    """Counts what is reached, and stops at one of it."""

    def __init__(self, name: str, nth: int, say: Callable[[str], None]) -> None:
        """Stop nowhere, or somewhere.

        Args:
            name: where to stop; empty for nowhere.
            nth: at which time.
            say: called there, with the name, before everything stops.
        """
        self._name = name
        self._left = nth
        self._say = say

    def reach(self, name: str) -> None:
        """Be somewhere; and stop there, when that is wanted, until somebody ends this process."""
        if name != self._name:
            return
        self._left -= 1
        if self._left == 0:
            self._say(name)
            os.kill(os.getpid(), signal.SIGSTOP)
            while True:  # the other threads stop a moment later than this one
                time.sleep(60)


class PointedStore(SqliteStore):
    """A store file, with points before every statement that writes."""

    def __init__(self, path: str, points: Points, checkpoint_pages: int) -> None:
        """Open it.

        Args:
            path: of the file.
            points: told what is reached.
            checkpoint_pages: the log is taken in when it is so long; fewer than in earnest, as files are small here.
        """
        self._points = points
        self._name = OPENING
        apsw.connection_hooks.append(self._watch)
        try:
            super().__init__(path)
        finally:
            apsw.connection_hooks.remove(self._watch)
        self._name = ""
        self._pages = checkpoint_pages
        self._database._connection.set_wal_hook(self._take_in)

    def commit(self, changes: Changes) -> None:
        """Commit."""
        self._points.reach("a commit is asked for")
        super().commit(changes)
        self._points.reach("committed")

    def close(self) -> None:
        """Close."""
        self._points.reach("closing")
        super().close()

    def _watch(self, connection: apsw.Connection) -> None:
        connection.exec_trace = self._statement

    def _statement(self, _cursor: Any, sql: str, _bindings: Any) -> bool:
        name = self._name or f"before {_NAMES.get(sql.strip().removesuffix(';'))}"
        self._points.reach(name)
        return True

    def _take_in(self, connection: apsw.Connection, _name: str, pages: int) -> int:
        if pages >= self._pages:
            self._points.reach("before a checkpoint")
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        return int(apsw.SQLITE_OK)


class PointedLoop(EngineLoop):
    """The loop of an engine, with points where its turns meet the world."""

    points: Points

    async def open(self) -> None:
        """Take over the store."""
        await super().open()
        give_out = self._taking._give_out

        def at_points(batch: Any, result: BatchResult) -> None:
            if result.sends:
                self.points.reach("committed, not sent")
            give_out(batch, result)
            self.points.reach("sent and told")

        self._taking._give_out = at_points  # type: ignore[method-assign]  # of this one, which opened just now

    def must_be_done(self, task: Task) -> None:
        """Take an answer in."""
        self.points.reach("an answer is in hand")
        super().must_be_done(task)


class Pointed:
    """A service outside, with points before and after what it does."""

    def __init__(self, service: Any, points: Points) -> None:
        self._service = service
        self._points = points

    async def ask(self, purchase: Any, call: Any) -> Any:
        """Do or undo a part of an order."""
        return await self._at(call.key.rpartition("/")[2], self._service.ask(purchase, call))

    async def look_up(self, call: Any) -> Any:
        """Look whether a part of an order was done."""
        return await self._at("probe", self._service.look_up(call))

    async def book(self, parcel: Any, call: Any) -> Any:
        """Take a parcel."""
        return await self._at("do", self._service.book(parcel, call))

    async def cancel(self, call: Any) -> Any:
        """Give a parcel back."""
        return await self._at("undo", self._service.cancel(call))

    async def _at(self, kind: str, answer: Any) -> Any:
        self._points.reach(f"before {kind}")
        said = await answer
        self._points.reach(f"after {kind}")
        return said
