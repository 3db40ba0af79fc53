"""Telling alarms to a program of the operator's: its arguments are fixed, and the alarm is on its standard input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence

from amends.alarms.notices import AlarmNotice, NotTold


class CommandPlace:
    """Runs a program for each notice, never by a shell; it has been told once the program ends with 0."""

    name = "command"

    def __init__(self, command: Sequence[str], timeout_s: float) -> None:
        """Run nothing yet.

        Args:
            command: the program and its arguments; not empty.
            timeout_s: for how long it may run, with what it starts; then both are killed. Seconds, > 0.
        """
        self._command = command
        self._timeout_s = timeout_s

    async def tell(self, notice: AlarmNotice) -> None:
        """Run it.

        Raises:
            NotTold: it cannot be run, ran for too long, or ended with another code.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise NotTold(f"{self._command[0]} cannot be run: {getattr(error, 'strerror', None) or error}") from error
        try:
            async with asyncio.timeout(self._timeout_s):
                await process.communicate(notice.as_json())
        except TimeoutError:
            raise NotTold(f"{self._command[0]} had not ended after {self._timeout_s:g} s") from None
        finally:
            if process.returncode is None:
                await _ended(process)
        if process.returncode:
            raise NotTold(f"{self._command[0]} ended with code {process.returncode}")


async def _ended(process: Process) -> None:
    """End it, and all that it started: a session of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
