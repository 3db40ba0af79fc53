"""A clock that a test moves by hand: a deadline of a week is over in milliseconds."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from amends.core.definition import is_duration
from amends.core.waiting import SECOND_MS
from amends.errors import EngineMisused, UnusableInput

if TYPE_CHECKING:
    from amends.engine.loop import EngineLoop

START: Final = datetime(2030, 1, 1, tzinfo=UTC)  # any day would do; one that is the same in each run shows what changed
HANGS_AFTER_S: Final = 0.25  # what a stand-in in a test takes is a thousandth of that
OWN_LOOP: Final = (
    "the clock is moved in an event loop, which would stand still meanwhile; move it from a thread: "
    "await asyncio.to_thread(clock.advance, days=7)"
)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


class ManualClock:
    """The time of an engine in a test; it stands still until the test moves it.

    Give it to `amends.open(..., clock=clock)`. All that an engine does when it is time is done by it: deadlines, limits
    of steps, pauses before retries, waits for answers from outside. What a caller waits for (`result(timeout=...)`) and
    `Call.deadline` stay seconds of the machine.
    """

    def __init__(self, start: datetime = START, *, hangs_after_s: float = HANGS_AFTER_S) -> None:
        """Stand at a moment.

        Args:
            start: the moment, with a time zone.
            hangs_after_s: a call that has not returned after so many real seconds counts as one that hangs, and time
                goes on without its answer; > 0. Raise it where a participant of the test really takes longer.

        Raises:
            UnusableInput: one of these is not what it has to be.
        """
        if start.tzinfo is None:
            raise UnusableInput(f"start is {start!r}; give a datetime with a time zone")
        if not is_duration(hangs_after_s):
            raise UnusableInput(f"hangs_after_s is {hangs_after_s!r}; give a number of seconds above 0")
        self._now_ms = (start - EPOCH) // MILLISECOND
        self._hangs_after_s = hangs_after_s
        self._takes_over = False
        self._engines: list[EngineLoop] = []

    def now(self) -> datetime:
        """The time, UTC."""
        return EPOCH + self._now_ms * MILLISECOND

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Move the time on, from one moment at which something is due to the next; at each, what is due is done.

        It returns once the engine rests: all that could be done by then is stored, and every call has returned, or
        hangs. With nothing given it only waits for that.

        Args:
            days: how long, together with the others.
            hours: of 60 minutes.
            minutes: of 60 seconds.
            seconds: a thousandth is the least that counts.

        Raises:
            UnusableInput: these are no numbers, or time would run backwards.
            EngineMisused: it is called in an event loop, which has to go on meanwhile.
            EngineStopped: the engine has stopped by itself, and why.
        """
        if _is_in_event_loop():
            raise EngineMisused(OWN_LOOP)
        try:
            stretch_ms = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds) // MILLISECOND
            until_ms = self._now_ms + stretch_ms
            EPOCH + until_ms * MILLISECOND  # which raises, where no date is so late
        except (TypeError, ValueError, OverflowError) as error:
            raise UnusableInput(f"the clock cannot be moved so far: {error}") from error
        if stretch_ms < 0:
            raise UnusableInput(f"the clock cannot be moved back, by {-stretch_ms / SECOND_MS:g} s")
        while (due_ms := self._next_due_ms()) is not None and self._now_ms < due_ms <= until_ms:
            self._now_ms = due_ms
        self._now_ms = until_ms
        self._next_due_ms()

    # For the engine -------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """See `amends.storage.ports.Clock`. An engine takes over a moment before: from the next one on it acts."""
        takes_over, self._takes_over = self._takes_over, False
        return self._now_ms - takes_over

    def elapsed_ms(self) -> int:
        """The machine's: how often an engine looks for letters has nothing to do with sagas' time."""
        return time.monotonic_ns() // 1_000_000

    def begin(self, last_ms: int) -> ManualClock:
        """The clock for a store that an engine takes over, and that was written last at a time."""
        self._now_ms = max(self._now_ms, last_ms + 1)
        self._takes_over = True
        return self

    def move(self, engine: EngineLoop) -> None:
        """Move this engine, too, whenever it is open."""
        self._engines.append(engine)

    def _next_due_ms(self) -> int | None:
        """When something is due next, once all is done that is due by now; ``None`` where nothing waits for a time."""
        due_ms = [engine.rest(self._hangs_after_s) for engine in self._engines if engine.stopped is None]
        return min((each for each in due_ms if each is not None), default=None)


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
