"""Telling health, in a thread of its own: so it is told also while the program's event loop stands still."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final, Self

from amends.engine.engine import Engine
from amends.engine.health import STARTING, Health
from amends.engine.logger import log
from amends.engine.thread import begin
from amends.errors import UnusableInput
from amends.health.places import HealthFile, HealthPlace, HealthPort
from amends.health.report import report_of
from amends.health.server import serving

LOOK_S: Final = 2.0  # between two looks: often enough for whoever sends work, and a statement each
ANSWER_S: Final = 5.0  # within which an event loop answers that runs: more than a store and a wire are given
NO_LOOP: Final = "its event loop is closed"
STANDS_STILL: Final = f"its event loop has not answered for {ANSWER_S:g} s: something in the program holds it up"


class HealthTeller:
    """Tells how a process does, for as long as a ``with`` lasts."""

    def __init__(self, places: Sequence[HealthPlace]) -> None:
        """Tell nothing yet.

        Args:
            places: where it is told; nothing is done where there are none.
        """
        self._ports = [place for place in places if isinstance(place, HealthPort)]
        self._files = [place.path for place in places if isinstance(place, HealthFile)]
        self._ask: Callable[[], Awaitable[Health]] | None = None
        self._metrics: Callable[[], str] = str
        self._report = report_of(STARTING)
        self._began = Future[asyncio.AbstractEventLoop]()
        self._over = asyncio.Event()
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="amends-health", daemon=True)

    def __enter__(self) -> Self:
        """Begin to tell that it starts.

        Raises:
            UnusableInput: a port cannot be had, or a file cannot be written.
            NoThread: the system gives no thread.
        """
        if self._ports or self._files:
            begin(self._thread)
            self._loop = self._began.result()
        return self

    def __exit__(self, *_: object) -> None:
        """Tell nothing any more; the files are gone."""
        if self._thread.is_alive():
            with suppress(RuntimeError):  # its loop has failed, and was closed
                self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join()

    def tell(self, health: Health) -> None:
        """Tell this from now on."""

        async def ask() -> Health:
            return health

        self._ask = ask

    def watch(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        """Tell how an engine does, from now on, and over a port its figures.

        Args:
            engine: that is open.
            loop: in which it is.
        """
        self._ask, self._metrics = lambda: _asked(engine, loop), engine.metrics

    # In the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - it is raised where it was begun, or told
            if self._began.done():
                log.error("health is told no longer", exc_info=error)
            else:
                self._began.set_exception(error)

    async def _serve(self) -> None:
        async with AsyncExitStack() as open_ports:
            for place in self._ports:
                await open_ports.enter_async_context(serving(place, lambda: self._report, self._figures))
            for path in self._files:
                _expect_writable(path, self._report.as_json())
            self._began.set_result(asyncio.get_running_loop())
            telling, over = asyncio.create_task(self._go_on()), asyncio.create_task(self._over.wait())
            await asyncio.wait([telling, over], return_when=asyncio.FIRST_COMPLETED)
            telling.cancel()  # also in the middle of a look: the loop that it waits for waits for this thread now
            for path in self._files:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            with suppress(asyncio.CancelledError):
                await telling

    def _figures(self) -> str:
        return self._metrics()

    async def _go_on(self) -> None:
        while True:
            self._report = report_of(await self._look(), self._report)
            self._write()
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> Health:
        if self._ask is None:
            return STARTING
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._ask()
        except TimeoutError:
            return Health("not ready", reasons=(STANDS_STILL,))

    def _write(self) -> None:
        """Write the files; one that cannot be written gets old, as a reader sees."""
        for path in self._files:
            try:
                _write(path, self._report.as_json())
                self._trouble = ""
            except OSError as error:
                if self._trouble != str(error):
                    self._trouble = str(error)
                    log.warning("health is not told in %s for now: %s", path, error.strerror)


async def _asked(engine: Engine, loop: asyncio.AbstractEventLoop) -> Health:
    asking = engine.health()
    try:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asking, loop))
    except RuntimeError:
        asking.close()
        return Health("stopped", reasons=(NO_LOOP,))


def _expect_writable(path: Path, told: bytes) -> None:
    try:
        _write(path, told)
    except (OSError, ValueError) as error:
        raise UnusableInput(f"health cannot be told in {path}: {getattr(error, 'strerror', None) or error}") from error


def _write(path: Path, told: bytes) -> None:
    """Write a file at once: who reads it meanwhile has the one before."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(told)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
