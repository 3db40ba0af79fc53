"""The places of one participant: who has one, who is next, and who waits for one as its saga's row says.

A request that is to be sent is *ready*: its saga's row says that it is sent, and it may be sent at any moment. One that
finds no place in its time is withdrawn; once that is committed it is *held*: its row says that it was not sent, so that
nothing that happens to the process makes it unknown. When there is a place for it again, that is committed too, and it
is ready again. So what was not sent is known, and nothing is sent that was not committed as sent.

Compensations and probes come first, in a line of their own; and where calls that nobody waits for any more take every
place there is, a few are left for them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from amends.core.messages import Kind
from amends.engine.in_flight import AttemptId, Outgoing, flight_of
from amends.engine.tasks import ReturnUnsent, SendHeldBack, Task
from amends.storage.ports import Clock

LATE_MAX: Final = 256  # calls of one participant that are still listened to after their time
ACTION: Final = Kind.DO.value
SHARE: Final = 4  # of the places one in so many is in reserve for compensations and probes


class Line:
    """Requests that come one after the other.

    Attributes:
        ready: that may be sent at any moment.
        held: that wait for a place, and were not sent.
        coming: that were held, and for which there is a place, once that is committed.
        reserve: places beyond the others that are theirs.
    """

    def __init__(self, reserve: int) -> None:
        self.ready: OrderedDict[AttemptId, Outgoing] = OrderedDict()
        self.held: OrderedDict[AttemptId, None] = OrderedDict()
        self.coming: dict[AttemptId, None] = {}
        self.reserve = reserve


class Places:
    """The places of one participant, and who waits for one. It calls nobody by itself."""

    def __init__(
        self,
        limit: int,
        clock: Clock,
        departed: dict[AttemptId, int],
        start: Callable[[AttemptId, Outgoing], None],
        tell: Callable[[Task], None],
    ) -> None:
        """All are free.

        Args:
            limit: how many there are.
            clock: the engine's.
            departed: when each attempt was really sent; see `amends.engine.in_flight.InFlight`.
            start: sends a request, now.
            tell: is told what is to be committed.
        """
        self._limit = limit
        self._clock = clock
        self._departed = departed
        self._start = start
        self._tell = tell
        self._amends, self._actions = self._lines = Line(max(1, limit // SHARE)), Line(0)
        self._withdrawn: dict[AttemptId, None] = {}
        self._known: set[AttemptId] = set()
        self._is_open = True
        self.calls: dict[AttemptId, None] = {}
        self.late = 0

    def __len__(self) -> int:
        """How many requests wait for a place."""
        return len(self._withdrawn) + sum(len(line.ready) + len(line.held) + len(line.coming) for line in self._lines)

    @property
    def is_blocked(self) -> bool:
        """Whether calls that are over their time, and do not end, take every place, while somebody waits for one."""
        return self.late >= LATE_MAX and len(self.calls) + self.late >= self._limit + LATE_MAX and len(self) > 0

    def send(self, asking: Outgoing) -> None:
        """Send a request as soon as there is a place for it; those that wait for one are before it."""
        flight = flight_of(asking[1])
        line = self._line_of(flight)
        had_place = line.coming.pop(flight, self) is None
        line.ready[flight] = asking
        self._known.add(flight)
        if not self._is_open or (line.held and not had_place):
            self.recall(flight)
        self.fill()

    def recall(self, flight: AttemptId) -> None:
        """Do not send a request, if that was not done yet."""
        if self._line_of(flight).ready.pop(flight, None) is not None:
            self._withdrawn[flight] = None
            self._tell(ReturnUnsent(flight))

    def hold(self, flight: AttemptId) -> None:
        """Let a request wait for a place: its saga's row says that it was not sent."""
        line = self._line_of(flight)
        self._known.add(flight)
        self._withdrawn.pop(flight, None)
        if flight not in line.coming:
            line.held.setdefault(flight)
        self.fill()

    def drop(self, flight: AttemptId) -> bool:
        """Nobody waits for an attempt any more: if it has a place here, that is free. Whether it is one of these."""
        if flight not in self._known:
            return False
        self._known.remove(flight)
        self.calls.pop(flight, None)
        if self._departed.pop(flight, None) is None:
            line = self._line_of(flight)
            for waiting in (line.ready, line.held, line.coming, self._withdrawn):
                waiting.pop(flight, None)
        return True

    def stop(self) -> None:
        """Send nothing more: what was to be sent is withdrawn."""
        self._is_open = False
        for line in self._lines:
            for flight in [*line.ready]:
                self.recall(flight)

    def fill(self) -> None:
        """Send what is ready and has a place, and ask for those next in line."""
        amends, actions = self._lines
        if amends.ready or actions.ready:
            self._send_ready()
        if amends.held or actions.held:
            self._place_held()

    def _send_ready(self) -> None:
        for line in self._lines:
            while line.ready and self._has_place(line):
                flight, asking = line.ready.popitem(last=False)
                self._departed[flight] = self._clock.now_ms()
                self.calls[flight] = None
                self._start(flight, asking)

    def _place_held(self) -> None:
        for line in self._lines:
            while line.held and self._is_open and self._is_next(line):
                flight, _ = line.held.popitem(last=False)
                line.coming[flight] = None
                self._tell(SendHeldBack(flight))

    def _has_place(self, line: Line) -> bool:
        taken = len(self.calls)
        return taken < self._limit and taken + self.late < self._limit + LATE_MAX + line.reserve

    def _is_next(self, line: Line) -> bool:
        """Whether there is a place for who waits, and nobody comes before."""
        taken = len(self.calls) + sum(len(each.ready) + len(each.coming) for each in self._lines)
        return taken < self._limit and taken + self.late < self._limit + LATE_MAX + line.reserve

    def _line_of(self, flight: AttemptId) -> Line:
        return self._actions if flight[2] == ACTION else self._amends
