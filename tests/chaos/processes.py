"""Processes that are started fast, said something to, killed and stopped.

A server process, which has loaded everything and has no threads, forks them; each costs little more than it lives. One
whose line to its parent is closed ends by itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

CONTEXT: Final = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.chaos.lives"])
END_S: Final = 30.0  # within which a process that was killed has ended

Line = list[Any]
Main = Callable[[Connection, Any], None]


class ChaosProcess:
    """A process, and the line to it.

    Attributes:
        name: for people.
    """

    def __init__(self, name: str, main: Main, life: Any, log: Path) -> None:
        """Start it.

        Args:
            name: for people.
            main: what it does, with its end of the line, and its life.
            life: how it goes.
            log: a file to which it adds what it complains of.
        """
        self.name = name
        self._link, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_live, args=(main, theirs, life, log), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def exit_code(self) -> int | None:
        """With what it ended; ``None`` while it runs."""
        return self._process.exitcode

    @property
    def link(self) -> Connection:
        """Its line, to be waited for."""
        return self._link

    def hear(self) -> list[Line]:
        """What it has said by now."""
        lines = list[Line]()
        with suppress(EOFError, OSError):  # it has ended, maybe in the middle of a line
            while self._link.poll():
                lines.append(self._link.recv())
        return lines

    def say(self, *words: Any) -> None:
        """Tell it something; one that has ended hears nothing."""
        with suppress(OSError):
            self._link.send([*words])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing, to one that has ended."""
        if self.exit_code is None and self._process.pid:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def wait(self, seconds: float = END_S) -> int | None:
        """Wait for its end; its exit code, ``None`` if it did not end."""
        self._process.join(seconds)
        return self.exit_code

    def end(self) -> None:
        """Kill it, if it still runs."""
        self.signal(signal.SIGKILL)
        self.wait()
        self._link.close()


def _live(main: Main, link: Connection, life: Any, log: Path) -> None:
    """Be the process."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        main(link, life)
    except BaseException:  # noqa: BLE001 - it is told as an exit code
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


async def until_closed(link: Connection, hear: Callable[[Line], None] = lambda _: None) -> None:
    """Wait until the parent has gone, or closed the line; hear what it says meanwhile."""
    loop, closed = asyncio.get_running_loop(), asyncio.Event()

    def listen() -> None:
        try:
            while link.poll():
                hear(link.recv())
        except (EOFError, OSError):
            loop.remove_reader(link.fileno())
            closed.set()

    loop.add_reader(link.fileno(), listen)
    await closed.wait()
