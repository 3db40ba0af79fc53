"""The tests' server ends with the process that started it, however that ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.adapters.postgres.test_two_engines import ROOT
from tests.postgres import server

BOUND_S = 60.0  # for what takes a tenth of a second on a machine at rest
STARTS = """
import sys
from tests.postgres import postgres

with postgres() as server:
    print((server.data / "postmaster.pid").read_text().split()[0], server.data, server.folder, flush=True)
    sys.stdin.read()
"""


def is_gone(process: int) -> bool:
    """Return whether there is no such process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until(is_so: Callable[[], bool]) -> None:
    """Look until something is so."""
    until = time.monotonic() + BOUND_S
    while not is_so():
        assert time.monotonic() < until, "it did not come in time"
        time.sleep(0.02)


def test_a_server_ends_with_a_process_that_is_killed() -> None:
    """And leaves nothing in the folders that it had."""
    server()  # which skips where none can be had
    words = [sys.executable, "-c", STARTS]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        postmaster, *folders = parent.stdout.readline().split()
        parent.kill()
    data, socket = map(Path, folders)
    wait_until(lambda: is_gone(int(postmaster)))
    wait_until(lambda: not (data.parent.exists() or socket.exists()))
