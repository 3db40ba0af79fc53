"""How long an engine that is opened waits for a store that is not to be had yet."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final

from amends.engine.logger import log
from amends.errors import StoreAway, StoreBusy, StoreConflict, StoreError, StoreInUse, StoreUnusable

IN_USE_PAUSE_S: Final = 0.05  # between two looks at whether another engine has given a store back
AWAY_PAUSE_S: Final = 1.0  # between two tries to connect: many processes may wait for a server that starts


class StoreWait:
    """Tries to open a store, each in a ``with``, after which one pauses and tries again.

    What the store is waited for is told once, in the log. Any other failure is raised, such as a damaged page or a
    limit of the system, as `StoreUnusable`.

    Attributes:
        pause_s: how long to pause before the next try, in seconds.
        reason: why the last one failed.
    """

    pause_s = 0.0
    reason = ""

    def __init__(self, url: str, wait_s: float) -> None:
        """Begin to wait.

        Args:
            url: of the store, for people.
            wait_s: for how long, in seconds, >= 0; infinite for as long as it takes.
        """
        self._url, self._wait_s = url, wait_s
        self._until_s = time.monotonic() + wait_s
        self._is_told = False

    def __enter__(self) -> None:
        """Try once."""

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        """Whether it failed, and is to be tried again.

        Raises:
            StoreInUse, StoreAway: it was waited for long enough.
            StoreUnusable: it cannot be opened.
        """
        if not isinstance(error, StoreUnusable | StoreError | OSError):
            return False
        unusable = self._unusable(error)
        if not isinstance(unusable, StoreInUse | StoreAway):
            raise unusable from error
        self._wait(unusable)
        return True

    def _unusable(self, error: StoreUnusable | StoreError | OSError) -> StoreUnusable:
        if isinstance(error, StoreUnusable):
            return error
        kind = StoreAway if isinstance(error, StoreBusy | StoreConflict) else StoreUnusable
        return kind(f"{self._url}: {getattr(error, 'strerror', None) or error}")

    def _wait(self, error: StoreInUse | StoreAway) -> None:
        self.reason = str(error)
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise type(error)(f"{error}; waited {self._wait_s:g} s for it") if self._wait_s else error
        if not self._is_told:
            log.warning("%s; waiting for it", error)
            self._is_told = True
        self.pause_s = min(left_s, AWAY_PAUSE_S if isinstance(error, StoreAway) else IN_USE_PAUSE_S)
