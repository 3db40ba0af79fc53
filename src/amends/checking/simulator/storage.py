"""A store that fails: no space, a commit of which it is unknown whether it took effect, a crash before or after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from amends.adapters.memory import MemoryStore
from amends.errors import StoreFailed, StoreFull
from amends.storage.rows import Changes

DISK_FAILED: Final = "the disk failed"
FULL: Final = 1
FAILED_BEFORE: Final = 2
FAILED_AFTER: Final = 3


class ProcessKilled(BaseException):
    """The process is gone; nothing that it could still catch."""


class Hooks(NamedTuple):
    """What a store tells the world, and asks of it.

    Attributes:
        io: told before something that a crash can come before; raises `ProcessKilled` when one does.
        fate: `FULL`, `FAILED_BEFORE`, `FAILED_AFTER`, or 0 when a commit goes well.
        committed: told what has just been written.
        failed: told that a commit failed, and whether it is written.
    """

    io: Callable[[str], None]
    fate: Callable[[], int]
    committed: Callable[[Changes], None]
    failed: Callable[[bool], None]


class FailingStore(MemoryStore):
    """A store in memory that outlives every process of its schedule.

    Attributes:
        hooks: to the world; ``None`` before the world is built.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hooks: Hooks | None = None

    def commit(self, changes: Changes) -> None:
        """See `amends.storage.ports.Store.commit`."""
        if self.hooks is None:
            super().commit(changes)
            return
        self.hooks.io("before a commit")
        fate = self.hooks.fate()
        if fate == FULL:
            raise StoreFull("there is no space")
        if fate == FAILED_BEFORE:
            self.hooks.failed(False)
            raise StoreFailed(DISK_FAILED)
        super().commit(changes)
        self.hooks.committed(changes)
        if fate == FAILED_AFTER:
            self.hooks.failed(True)
            raise StoreFailed(DISK_FAILED)
        self.hooks.io("after a commit")
