"""An engine that does something all the time, for a process of its own."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.auditing.history import STOCK, TICKETS, Buy, opened


async def main(path: str, seconds: float) -> None:
    """Run sagas for some seconds; say when it begins, and at the end how many there were."""
    sagas = 0
    async with opened(Path(path)) as engine:
        await engine.carry_out(STOCK, "Hamlet", 10**9)
        say("running")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            handles = await engine.submit_many(TICKETS, [Buy("Hamlet", how) for how in ("well", "poor", "flaky")] * 3)
            for handle in handles:
                await handle.result(20)
            sagas += len(handles)
    say(str(sagas))


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
