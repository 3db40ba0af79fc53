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
    """The process in which an engine was opened, or a client connected."""

    def __init__(self, elsewhere: str = OTHER_PROCESS) -> None:
        """It is this one.

        Args:
            elsewhere: what a caller in a forked child is told, with room for the number of this process, of the child,
                and of this process again.
        """
        self._pid = os.getpid()
        self._elsewhere = elsewhere

    @property
    def is_here(self) -> bool:
        """Whether this is the process; in a forked child nothing of it runs."""
        return os.getpid() == self._pid

    def expect_process(self) -> None:
        """Refuse a call in a forked child.

        Raises:
            EngineMisused: this is one.
        """
        if os.getpid() != self._pid:
            raise EngineMisused(self._elsewhere % (self._pid, os.getpid(), self._pid))
