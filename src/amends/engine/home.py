"""Where an engine runs: it can be asked in one process and one event loop, and in no other."""

from __future__ import annotations

import os
from typing import Final

from amends.errors import EngineMisused

OTHER_PROCESS: Final = (
    "this engine was opened by process %d, and this is process %d, a child of it, in which nothing of it runs: ask "
    "process %d, or open an engine here, after the fork, on a store of its own"
)
OTHER_LOOP: Final = (
    "this engine was opened in another event loop, and would never be heard here: await it there, with "
    "asyncio.run_coroutine_threadsafe from another thread; open one in each asyncio.run; or use the blocking engine, "
    "a plain `with amends.open(...)`, from whatever thread"
)


class Home:
    """The process in which an engine was opened."""

    def __init__(self) -> None:
        """It is this one."""
        self._pid = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is the process; in a forked child nothing of the engine runs."""
        return os.getpid() == self._pid

    def expect_process(self) -> None:
        """Refuse a call in a forked child.

        Raises:
            EngineMisused: this is one.
        """
        if os.getpid() != self._pid:
            raise EngineMisused(OTHER_PROCESS % (self._pid, os.getpid(), self._pid))
