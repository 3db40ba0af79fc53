"""A process of the shop: an `amends` command that says when it runs, in a log of its own."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from amends.entrypoints.spread.tied import TiedProcess
from amends.errors import EngineStopped

READY_WITHIN_S: Final = 60.0  # to connect and to make its definitions; on a machine that is busy it takes some seconds
LOOK_PAUSE_S: Final = 0.05  # a process takes a second to start
LOG_LINES: Final = 3  # that are shown of one which did not start


class ShopProcess:
    """A process that is started, ended, and started anew where it died.

    Attributes:
        name: for people.
        db: the URL of its store.
        pid: of its process; 0 before the first.
    """

    def __init__(self, name: str, db: str, words: Sequence[str], folder: Path) -> None:
        """Start nothing yet.

        Args:
            name: for people, and for its log.
            db: the URL of its store.
            words: of the `amends` command.
            folder: where it runs, and has its log.
        """
        self.name, self.db, self.pid = name, db, 0
        self._words, self._folder = words, folder
        self._log = folder / f"{name}.log"
        self._tied: TiedProcess | None = None

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._tied is not None and self._tied.process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether it takes requests, as its log says."""
        return self.runs and f", process {self.pid}\n" in self._said()

    def start(self) -> None:
        """Start a process; one that died before is forgotten. It ends with this one, killed or not."""
        self.wait(None)
        with self._log.open("ab") as log:
            self._tied = TiedProcess([sys.executable, "-m", "amends", *self._words], log, cwd=self._folder)
        self.pid = self._tied.process.pid

    def send(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.runs:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self.send(signal.SIGKILL)
        self.wait(None)

    def wait(self, within_s: float | None) -> None:
        """Wait for its end, and kill it where that takes longer.

        Args:
            within_s: for how long to wait, in seconds; ``None`` for as long as it takes.
        """
        if self._tied is not None:
            self._tied.wait(within_s)
            self._tied = None

    def last_lines(self) -> str:
        """The last that it said."""
        return " / ".join(self._said().splitlines()[-LOG_LINES:])

    def _said(self) -> str:
        return self._log.read_text("utf-8", errors="replace")


def start_all(processes: Sequence[ShopProcess], is_told: Callable[[], bool]) -> None:
    """Start those that do not run, and wait until all take requests.

    Args:
        processes: to be started.
        is_told: whether to wait no longer.

    Raises:
        EngineStopped: one does not start; with the last that it said.
    """
    for process in processes:
        if not process.runs:
            process.start()
    until = time.monotonic() + READY_WITHIN_S
    while not is_told():
        late = [process for process in processes if not process.is_ready]
        if not late:
            return
        if time.monotonic() > until or not all(process.runs for process in late):
            failed = next((process for process in late if not process.runs), late[0])
            raise EngineStopped(f"{failed.name} does not start: {failed.last_lines()}")
        time.sleep(LOOK_PAUSE_S)


def end_all(processes: Sequence[ShopProcess], within_s: float) -> None:
    """Tell processes to end in order, all at once, and kill what takes longer.

    Args:
        processes: of which some may have ended.
        within_s: for how long to wait for each, in seconds.
    """
    for process in processes:
        process.send(signal.SIGTERM)
    for process in processes:
        process.wait(within_s)
