"""The removal of letters that an engine has acted on, in a thread of its own.

It needs the write lock of the mailbox, which any client may have, also one that was stopped in the middle of its
transaction. No turn of an engine waits for that: a letter that is still there is known by its id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import closing
from typing import Final

import apsw

from amends.adapters.sqlite.database import Connection
from amends.adapters.sqlite.settings import put_in_force
from amends.engine.thread import OneThread
from amends.errors import StoreError, StoreUnusable
from amends.storage.forks import forget_in_children

AGAIN_MAX_S: Final = 0.02  # between two looks whether the mailbox is free: a commit or some of clients
LAST_S: Final = 1.0  # at the end of an engine, for letters that the next one would have to act on again
PAUSE_S: Final = 1.0  # before it is tried again after the storage failed


class LetterRemoval:
    """Removes letters by and by.

    Attributes:
        pending: the ids of letters that are acted on, and may still be there. Those that are gone are left out of a new
            one: who reads letters meanwhile goes by what was pending before.
    """

    def __init__(self, opened: Callable[[], apsw.Connection]) -> None:
        """Remove none yet.

        Args:
            opened: opens the mailbox.
        """
        self.pending: dict[str, None] = {}
        self._opened = opened
        self._lock = threading.Lock()
        self._thread: OneThread | None = None
        self._is_idle, self._is_over = threading.Event(), threading.Event()
        self._is_idle.set()
        self._trouble: StoreError | StoreUnusable | None = None
        forget_in_children(self)

    def add(self, letter_ids: Collection[str]) -> None:
        """Remove some soon.

        Raises:
            StoreError, StoreUnusable: why those before are not removed yet; it is tried on.
        """
        with self._lock:
            self.pending |= dict.fromkeys(letter_ids)
            if self._is_idle.is_set():
                self._is_idle.clear()
                self._thread = self._thread or OneThread("amends-letters")
                self._thread.submit(self._work, lambda *_: self._is_idle.set())
            trouble, self._trouble = self._trouble, None
        if trouble:
            raise trouble

    def close(self) -> None:
        """Remove what can be removed at once, and end. A second call does nothing."""
        if self._thread is not None:
            self._is_idle.wait(LAST_S)
            self._is_over.set()
            self._thread.shutdown()
            self._thread = None

    def forget(self) -> None:
        """In a child: the thread is the parent's."""
        self._thread = None

    def _work(self) -> None:
        while self.pending and not self._is_over.is_set():
            try:
                with closing(Connection(self._connected())) as database:
                    self._remove_all(database)
            except (StoreError, StoreUnusable) as error:
                self._trouble = error
                self._is_over.wait(PAUSE_S)

    def _connected(self) -> apsw.Connection:
        connection = self._opened()
        put_in_force(connection, {"synchronous": 1})  # what a power cut brings back is removed once more
        connection.set_busy_handler(self._is_to_wait)
        return connection

    def _remove_all(self, database: Connection) -> None:
        while ids := [*self.pending]:
            with database.transaction():
                database.write("remove_letter", [(letter_id,) for letter_id in ids])
            gone = frozenset(ids)
            with self._lock:
                self.pending = {letter_id: None for letter_id in self.pending if letter_id not in gone}

    def _is_to_wait(self, tries: int) -> bool:
        """Whether the lock is to be tried again, after a pause."""
        return not self._is_over.wait(min(0.001 * 2 ** min(tries, 10), AGAIN_MAX_S))
