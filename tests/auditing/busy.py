"""An engine that does something all the time, for a process of its own."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Final

from tests.auditing.history import STOCK, TICKETS, Buy, opened

ROUNDS_MAX: Final = 100_000  # should nobody ever say that it is enough


async def main(path: str) -> None:
    """Run sagas until a line, or the end, comes in; say when it begins, and at the end how many there were."""
    sagas = 0
    async with opened(Path(path)) as engine:
        await engine.carry_out(STOCK, "Hamlet", 10**9)
        say("running")
        enough = threading.Event()
        threading.Thread(target=_heed, args=[enough], daemon=True).start()
        for _ in range(ROUNDS_MAX):
            if enough.is_set():
                break
            handles = await engine.submit_many(TICKETS, [Buy("Hamlet", how) for how in ("well", "poor", "flaky")] * 3)
            for handle in handles:
                await handle.result(20)
            sagas += len(handles)
    say(str(sagas))


def _heed(enough: threading.Event) -> None:
    sys.stdin.readline()  # or its end: whoever started us is gone
    enough.set()


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
