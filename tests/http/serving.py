"""`amends serve` as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

END_S = 120.0
"""For a process to end: some seconds on a machine ten times slower."""


class Served(NamedTuple):
    """A process that serves, and what it said until it did."""

    http: httpx.Client
    said: list[str]
    process: subprocess.Popen[str]

    @property
    def line(self) -> str:
        """Where it serves."""
        return self.said[-1]


@contextmanager
def serving(folder: Path, *options: str, code: str = "tests.http.api", is_open: bool = True) -> Iterator[Served]:
    """Run `amends serve` with some definitions, by default those of the tests, on a free port, until the end.

    Args:
        folder: where the store is; `AMENDS_E2E` tells the process.
        options: for it.
        code: the definitions, or ``--demo``.
        is_open: whether no key is asked for.
    """
    command = [sys.executable, "-m", "amends", "serve", code, "--port", "0", *["--open"] * is_open, *options]
    if "--db" not in options:
        command += ["--db", str(folder / "shop.db")]
    env = {**os.environ, "AMENDS_E2E": str(folder)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        while said[-1] and " is served on " not in said[-1]:
            said.append(process.stdout.readline())
        assert said[-1], process.communicate()[1]
        where = said[-1].partition(" is served on ")[2].partition(",")[0]
        with httpx.Client(base_url=where, timeout=60) as http:
            yield Served(http, said, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=END_S)
