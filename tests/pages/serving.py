"""The processes of a page, started by the words of its shell block: an engine, and a server or a pool of workers."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.pages.project import PATIENCE_S, commands_of, copy_of, surroundings

PORT: Final = "8000"  # as the pages say
LOOK_S: Final = 0.05
ENDS_WITHIN_S: Final = 20.0  # twice what an engine waits for calls


class Answer(NamedTuple):
    """What a server answered; status 0 where there was none."""

    status: int
    body: Any


class Site:
    """A page in a folder, whose processes run.

    Attributes:
        folder: where they run.
        worker: the command that runs the engine.
    """

    def __init__(self, page: str, folder: Path, environment: dict[str, str]) -> None:
        """Start none yet.

        Args:
            page: whose files and commands these are.
            folder: where they are to run.
            environment: what they find there beside the usual.
        """
        self.folder = copy_of(page, folder)
        self.commands = [line.removesuffix("&").strip() for line in commands_of(page)]
        self.worker = next(command for command in self.commands if command.startswith("amends worker"))
        self._port = free_port()
        self._environment = surroundings() | {"NO_COLOR": "1", "COLUMNS": "200"} | environment
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, command: str) -> None:
        """Start a command, in a group of processes of its own."""
        with (self.folder / "processes.log").open("ab") as log:
            process = subprocess.Popen(
                self._words(command),
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.append((command, process))

    def kill(self, command: str) -> None:
        """End a command, the first one where there are several, as `kill -9` does."""
        running = next(running for running in self._running if running[0] == command)
        self._running.remove(running)
        process = running[1]
        process.kill()
        process.wait(PATIENCE_S)

    def end(self) -> None:
        """End what runs as a supervisor does: what is told to end, and does not, is killed."""
        for _, process in self._running:
            process.terminate()
        for _, process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(ENDS_WITHIN_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE_S)

    def shell(self, command: str, given: str = "") -> str:
        """Run a command to its end, which is to be good; what it printed.

        Args:
            command: as a person types it.
            given: what the person types when it asks.
        """
        ran = subprocess.run(
            self._words(command),
            cwd=self.folder,
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def log(self) -> str:
        """Return what the processes have printed so far."""
        return (self.folder / "processes.log").read_text("utf-8", "replace")

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request to the server."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"} | headers,
            method=method,
        )
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as got:  # noqa: S310 - loopback
                return Answer(got.status, json.load(got))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())
        except OSError:  # it is not up yet
            return Answer(0, "")

    def _words(self, command: str) -> Sequence[str]:
        """A command as this Python runs it, on the port that is free here."""
        first, *words = shlex.split(command.replace(PORT, str(self._port)).replace("localhost", "127.0.0.1"))
        return [sys.executable, *words] if first == "python" else [sys.executable, "-m", first, *words]


@contextmanager
def served(page: str, folder: Path, **environment: str) -> Iterator[Site]:
    """Copy a page, and run all that its shell block starts; see `running`."""
    with running(Site(page, folder, environment)) as site:
        yield site


@contextmanager
def running(site: Site) -> Iterator[Site]:
    """Start all that the shell block starts, and end it in any case; what it printed goes with what fails."""
    try:
        for command in site.commands:
            site.start(command)
        yield site
    except BaseException as error:
        error.add_note(site.log())
        raise
    finally:
        site.end()


def until(look: Callable[[], bool], what: str) -> None:
    """Look until it is so."""
    ends = time.monotonic() + PATIENCE_S
    while not look():
        assert time.monotonic() < ends, f"{what}: not within {PATIENCE_S} s"
        time.sleep(LOOK_S)


def free_port() -> int:
    """Return a port of loopback that the system has free."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
