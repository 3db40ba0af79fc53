"""What is wrong while an engine runs: calls that do not end and take every place at a participant, or its wire.

It is said in the log, and to people who look at the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from amends.engine.logger import log
from amends.storage.ports import Clock

AGAIN_MS: Final = 60_000  # until it is said again; twice as long every time
BLOCKED: Final = (
    "every place at %s is taken by calls that are over their time and do not end; %d requests wait for one, and only "
    "compensations and probes still go out: end its calls, give them a time limit, or start the engine anew"
)
FREE: Final = "there are places at %s again"


class Alarm:
    """Says which participants are blocked: when it begins, rarely while it lasts, and when it is over."""

    def __init__(self, clock: Clock, trouble: Callable[[], str] = str) -> None:
        """Say nothing yet.

        Args:
            clock: the engine's.
            trouble: what is wrong with its wire, in words, which is in the log already; empty for nothing.
        """
        self._clock, self._trouble, self._told = clock, trouble, ""
        self._again: dict[str, tuple[int, int]] = {}  # service to when to say it again, and how long after that

    def sound(self, blocked: Mapping[str, int]) -> str | None:
        """Say it in the log, where it is time to.

        Args:
            blocked: services to how many requests wait there.

        Returns:
            What to tell people who look at the store from now on, empty for nothing; ``None`` when nothing changed.
        """
        now_ms = self._clock.now_ms()
        for service in self._again.keys() - blocked.keys():
            del self._again[service]
            log.warning(FREE, service)
        for service, waiting in blocked.items():
            at_ms, pause_ms = self._again.get(service, (now_ms, AGAIN_MS))
            if now_ms >= at_ms:
                self._again[service] = now_ms + pause_ms, 2 * pause_ms
                log.error(BLOCKED, service, waiting)
        calls = f"calls that do not end take every place at {', '.join(sorted(self._again))}" if self._again else ""
        return self._tell("; ".join(filter(None, (calls, self._trouble()))))

    def end(self) -> str | None:
        """What to tell people once the engine runs no more: nothing, where they were told something."""
        return self._tell("")

    def _tell(self, warning: str) -> str | None:
        before, self._told = self._told, warning
        return None if warning == before else warning
