"""An engine's looks at its store beside its turns: in a thread and on a connection of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from amends.engine.thread import OneThread
from amends.storage.ports import Reader, Records
from amends.views.sagas import AsOf

Answer = TypeVar("Answer")


class StoreReading:
    """Has functions read what is stored, one after the other. Nothing is opened before the first one."""

    def __init__(self, reader: Callable[[], Reader], now_ms: Callable[[], int]) -> None:
        """Open nothing yet.

        Args:
            reader: opens the store to be read.
            now_ms: the clock.
        """
        self._open_reader = reader
        self._now_ms = now_ms
        self._reader: Reader | None = None
        self._thread: OneThread | None = None

    async def look(self, look: Callable[[Records, AsOf], Answer]) -> Answer:
        """What a function gives, which reads what is stored, as it is at a moment."""
        if self._thread is None:
            self._thread = OneThread("amends-read")
        answer: Answer = await self._thread.call(self._looked, look)
        return answer

    def close(self) -> None:
        """Give everything back, once what is read now is read. A second call does nothing."""
        if self._thread is not None:
            self._thread.shutdown()
        if self._reader is not None:
            self._reader.close()

    def _looked(self, look: Callable[[Records, AsOf], Answer]) -> Answer:
        if self._reader is None:
            self._reader = self._open_reader()
        return look(self._reader, AsOf.of(self._reader, self._now_ms()))
