"""A turn that does not end: said in the log, with where it is, since no client is answered before it ends."""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import Final, Self

from amends.engine.logger import log

STALL_S: Final = 10.0  # until it is said; twice as long every time: a full turn takes a tenth of a second, a disk a few
FRAMES_MAX: Final = 20  # of where it is, the innermost
STALLED: Final = (
    "a turn has not ended for %.0f s, and nobody is answered before it does: a local step, a command or a transaction "
    "that waits for something belongs outside. It is at\n%s"
)


class Watch:
    """Looks at one turn after the other: ``with watch: ...`` is around each."""

    def __init__(self, thread_id: int) -> None:
        """Look at none yet.

        Args:
            thread_id: where turns are taken.
        """
        self._thread_id = thread_id
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        """A turn begins."""
        self._expect(STALL_S, STALL_S)
        return self

    def __exit__(self, *_: object) -> None:
        """It ended."""
        assert self._timer is not None, "it began"
        self._timer.cancel()

    def _expect(self, pause_s: float, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(pause_s, self._say, seconds)

    def _say(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - documented, in spite of its name
        where = traceback.format_stack(frame)[-FRAMES_MAX:] if frame else []
        log.warning(STALLED, seconds, "".join(where))
        self._expect(seconds, 2 * seconds)
