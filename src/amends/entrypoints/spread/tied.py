"""Processes that end with this one, also where it is killed: a watcher sees the end of a pipe then."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, Final

# The shell becomes the command, under its own pid, and leaves a watcher behind.
WITH_US: Final = 'exec 3<&0 0</dev/null; (read _ <&3 || kill -TERM $$) & exec "$@" 3<&-'
ONCE_WE_ARE_GONE: Final = 'read _ || exec "$@"'


class TiedProcess:
    """A process that is told to end (SIGTERM) when this one ends.

    Attributes:
        process: it.
    """

    def __init__(self, command: Sequence[object], output: IO[bytes], **options: Any) -> None:
        """Start it. A ctrl-C in the terminal does not reach it: who started it ends it.

        Args:
            command: with its words.
            output: takes what it says.
            options: more for ``subprocess.Popen``.
        """
        self.process = _watched(WITH_US, command, stdout=output, stderr=output, **options)

    def wait(self, within_s: float | None) -> None:
        """Wait for its end, and kill it where that takes longer.

        Args:
            within_s: for how long to wait, in seconds; ``None`` for as long as it takes.
        """
        try:
            self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        release(self.process)


def once_we_are_gone(command: Sequence[object], **options: Any) -> subprocess.Popen[bytes]:
    """Have a command run once this process is gone, unless it is released before.

    Args:
        command: with its words.
        options: more for ``subprocess.Popen``.
    """
    none = subprocess.DEVNULL
    return _watched(ONCE_WE_ARE_GONE, command, stdout=none, stderr=none, **options)


def release(process: subprocess.Popen[bytes]) -> None:
    """Let the watcher of a process go."""
    assert process.stdin is not None
    with suppress(OSError), process.stdin as pipe:  # it may have been killed
        pipe.write(b"\n")


def _watched(script: str, command: Sequence[object], **options: Any) -> subprocess.Popen[bytes]:
    words = ["sh", "-c", script, "sh", *map(str, command)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True, **options)  # noqa: S603 - of ours
