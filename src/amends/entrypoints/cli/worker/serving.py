"""Running an engine in a process of its own, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

from amends.bootstrap import Opening
from amends.engine.engine import Engine
from amends.entrypoints.cli.logs import LogForm, set_up_log
from amends.health.places import taken_places
from amends.storage.ports import REDUCED

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def serve(
    opening: Opening, name: str, wait_s: float | None, health: Sequence[str] | None = None, log: LogForm | None = None
) -> int:
    """Run an engine until the process is told to end. Returns 0 then, 1 where the engine stopped by itself.

    Args:
        opening: the engine.
        name: what to call it in the line that says that it runs.
        wait_s: how long to wait for an engine before it; ``None`` for as long as it was opened with.
        health: where it tells how it does; ``None`` for where it was opened with.
        log: how its log is written.

    Raises:
        UnusableInput: its store cannot be used.
    """
    if wait_s is not None:
        opening.store_wait_s = wait_s
    if health:
        opening.health = taken_places(health)
    set_up_log(log)
    return asyncio.run(_ended(opening, name))


async def _ended(opening: Opening, name: str) -> int:
    """Run it; told to end again once the store is given back, the process ends at once, and as it would."""
    code = await _served(opening, name)
    await opening.__aexit__()
    for number in SIGNALS:
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, lambda *_: os._exit(code))
    return code


async def _served(opening: Opening, name: str) -> int:
    told = EndSignal()
    entering = asyncio.create_task(opening.__aenter__())
    await told.or_done(entering)
    if not entering.done():  # another engine was waited for
        entering.cancel()
        await asyncio.wait([entering])
        return 0
    engine = await entering
    durability = engine.wire_durability
    reduced = f", durability {durability}" if durability.startswith(REDUCED) else ""
    sys.stdout.write(f"amends: {name} runs on {opening.url}{reduced}, process {os.getpid()}\n")
    sys.stdout.flush()
    stopping = asyncio.create_task(engine.stopped())
    await told.or_done(stopping)
    if stopping.done():
        sys.stderr.write(f"amends: {await stopping}\n")
        await engine.close(0)
        return 1
    stopping.cancel()
    await _closed(engine, told)
    return 0


async def _closed(engine: Engine, told: EndSignal) -> None:
    """Close an engine; told once more, it waits for no call any longer."""
    closing = asyncio.create_task(engine.close())
    await told.or_done(closing)
    if not closing.done():
        await engine.close(0)
    await closing


class EndSignal:
    """Whether the process was told to end, by a signal; it is made in the event loop that runs."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        for number in SIGNALS:
            with contextlib.suppress(NotImplementedError):  # Windows, where Ctrl-C cancels what runs
                asyncio.get_running_loop().add_signal_handler(number, self._event.set)

    async def or_done(self, task: asyncio.Task[object]) -> None:
        """Wait until it is told to, once more, or a task is done."""
        self._event.clear()
        told = asyncio.create_task(self._event.wait())
        await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
