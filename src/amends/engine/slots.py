"""The slots of one participant: the calls that have one, those that are next, and those whose sagas wait for one.

A request that is to be sent is *ready*: its saga's row says that it is sent, and it may be sent at any moment. One that
finds no slot in its time is withdrawn; once that is committed it is *held*: its row says that it was not sent, so that
nothing that happens to the process makes it unknown. When there is a slot for it again, that is committed too, and it
is ready again. So what was not sent is known, and nothing is sent that was not committed as sent.

Compensations and probes come first, in a line of their own, and some slots are in reserve for them: no saga that goes
back waits for the actions of others. Where calls whose sagas wait for them no longer take every slot there is, a few
more are left for them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from amends.core.messages import Kind
from amends.core.waiting import milliseconds
from amends.engine.in_flight import AttemptId, Outgoing, attempt_id_of
from amends.engine.task import Task
from amends.engine.token_bucket import TokenBucket
from amends.engine.waking import ReturnUnsent, SendHeldBack
from amends.storage.budgets import Places, reserved_of
from amends.storage.ports import Clock

LATE_MAX: Final = 256  # calls of one participant that are still listened to after their time
ACTION: Final = Kind.DO.value
LATE_SHARE: Final = 4  # where late calls take every slot: so many more, by the slots there are, are left for these


class Line:
    """Requests that come one after the other.

    Attributes:
        ready: that may be sent at any moment.
        held: that wait for a slot, and were not sent.
        coming: that were held, and for which there is a slot, once that is committed.
        calls: that have a slot, each with when its time is over at the latest.
        share: how many slots they take at most.
        beyond: slots beyond the others that are theirs where late calls take all of these.
    """

    def __init__(self) -> None:
        self.share = self.beyond = 0
        self.ready: OrderedDict[AttemptId, Outgoing] = OrderedDict()
        self.held: OrderedDict[AttemptId, None] = OrderedDict()
        self.coming: dict[AttemptId, None] = {}
        self.calls: dict[AttemptId, int] = {}

    @property
    def next_up(self) -> int:
        """How many requests are sent as soon as they may be."""
        return len(self.ready) + len(self.coming)

    @property
    def wanted(self) -> int:
        """For how many requests a slot is wanted, those that have one among them."""
        return len(self.calls) + self.next_up + len(self.held)


class Slots:
    """The slots of one participant, and the requests that wait for one. It makes no call by itself.

    Attributes:
        amends: the compensations and probes.
        actions: all other requests.
        late: how many calls are over their time and have not come to an end.
    """

    def __init__(
        self,
        limit: int,
        clock: Clock,
        departed: dict[AttemptId, int],
        start: Callable[[AttemptId, Outgoing], None],
        tell: Callable[[Task], None],
        per_s: float | None = None,
    ) -> None:
        """All are free.

        Args:
            limit: how many there are; 0 where the engine has yet to get some of a budget.
            clock: the engine's.
            departed: when each attempt was really sent; see `amends.engine.in_flight.InFlight`.
            start: sends a request, now.
            tell: gets the tasks that are to be committed.
            per_s: how many calls a second may begin; ``None`` for any number.
        """
        self._clock = clock
        self._departed = departed
        self._start = start
        self._tell = tell
        self._bucket = TokenBucket(clock, per_s)
        self.amends, self.actions = self._lines = Line(), Line()
        self._withdrawn: dict[AttemptId, None] = {}
        self._left: dict[AttemptId, int] = {}  # calls of sagas that another engine has, each with when its time is over
        self._known: set[AttemptId] = set()
        self._is_open = True
        self.late = 0
        self._divide(Places(limit - reserved_of(limit), reserved_of(limit)) if limit else Places())

    @property
    def limit(self) -> int:
        """How many slots there are."""
        return self._limit

    @property
    def taken(self) -> int:
        """How many slots are taken by calls that are within their time."""
        return sum(len(line.calls) for line in self._lines)

    def __len__(self) -> int:
        """How many requests wait for a slot."""
        return len(self._withdrawn) + sum(len(line.ready) + len(line.held) + len(line.coming) for line in self._lines)

    @property
    def is_blocked(self) -> bool:
        """Whether calls that are over their time, and do not end, take every slot, while requests wait for one."""
        return self.late >= LATE_MAX and self.taken + self.late >= self._limit + LATE_MAX and len(self) > 0

    @property
    def next_ms(self) -> int | None:
        """When the rate, or the end of a call's time, may let a request go that waits; ``None`` where none waits."""
        times = (self._bucket.next_ms(), *self._left.values()) if len(self) else ()
        return min((at_ms for at_ms in times if at_ms is not None), default=None)

    def resize(self, places: Places, per_s: float | None) -> None:
        """Have other slots from now on. Calls that have one keep it, also where there are fewer now.

        Args:
            places: how many for requests of any kind, and for compensations and probes alone.
            per_s: how many calls a second may begin; ``None`` for any number.
        """
        self._divide(places)
        self._bucket.set_rate(per_s)
        self.fill()

    def send(self, outgoing: Outgoing) -> None:
        """Send a request as soon as there is a slot for it; those that wait for one are before it."""
        attempt_id = attempt_id_of(outgoing[1])
        line = self._line_of(attempt_id)
        had_slot = line.coming.pop(attempt_id, self) is None
        line.ready[attempt_id] = outgoing
        self._known.add(attempt_id)
        if not self._is_open or (line.held and not had_slot):
            self.recall(attempt_id)
        self.fill()

    def recall(self, attempt_id: AttemptId) -> None:
        """Do not send a request, if that was not done yet; it may have a slot since the last commit, or be next."""
        line = self._line_of(attempt_id)
        if line.ready.pop(attempt_id, None) is not None or line.coming.pop(attempt_id, self) is None:
            self._withdrawn[attempt_id] = None
            self._tell(ReturnUnsent(attempt_id))

    def hold(self, attempt_id: AttemptId) -> None:
        """Let a request wait for a slot: its saga's row says that it was not sent."""
        line = self._line_of(attempt_id)
        self._known.add(attempt_id)
        self._withdrawn.pop(attempt_id, None)
        if attempt_id not in line.coming:
            line.held.setdefault(attempt_id)
        self.fill()

    def drop(self, attempt_id: AttemptId) -> bool:
        """No saga waits for an attempt any more: if it has a slot here, that is free. Whether it is one of these."""
        if attempt_id not in self._known:
            return False
        self._known.remove(attempt_id)
        line = self._line_of(attempt_id)
        line.calls.pop(attempt_id, None)
        if self._departed.pop(attempt_id, None) is None:
            for waiting in (line.ready, line.held, line.coming, self._withdrawn):
                waiting.pop(attempt_id, None)
        return True

    def leave(self, attempt_id: AttemptId) -> bool:
        """Another engine has the saga of an attempt: if its call is under way, that keeps its slot while it is.

        Until `release` says that it is over, or its time is. Gives whether it is one of these.
        """
        line, is_known = self._line_of(attempt_id), attempt_id in self._known
        until_ms = line.calls.get(attempt_id) if is_known else None
        self.drop(attempt_id)
        if until_ms is not None:
            line.calls[attempt_id] = self._left[attempt_id] = until_ms
        return is_known

    def release(self, attempt_id: AttemptId) -> None:
        """A call is over whose saga another engine has: its slot is free."""
        if self._left.pop(attempt_id, None) is not None:
            self.give_back(attempt_id)

    def give_back(self, attempt_id: AttemptId) -> None:
        """A call is over: its slot is free."""
        self._line_of(attempt_id).calls.pop(attempt_id, None)
        self.fill()

    def unsent(self, attempt_id: AttemptId) -> None:
        """An attempt that had a slot was not sent, as its answer is going to say: its time does not run out before."""
        self._departed.pop(attempt_id, None)

    def stop(self) -> None:
        """Send nothing more: what was to be sent is withdrawn."""
        self._is_open = False
        for line in self._lines:
            for attempt_id in [*line.ready]:
                self.recall(attempt_id)

    def fill(self) -> None:
        """Send what is ready and has a slot, and ask for those next in line."""
        for attempt_id in self._left and [each for each, at_ms in self._left.items() if at_ms <= self._clock.now_ms()]:
            del self._left[attempt_id]
            self._line_of(attempt_id).calls.pop(attempt_id, None)
        if self.amends.ready or self.actions.ready:
            self._send_ready()
        if self.amends.held or self.actions.held:
            self._slot_held()

    def _divide(self, places: Places) -> None:
        self._limit = self.amends.share = sum(places)
        self.amends.beyond = max(1, self._limit // LATE_SHARE)
        self.actions.share = places.common

    def _send_ready(self) -> None:
        for line in self._lines:
            while line.ready and self._has_slot(line, self.taken, len(line.calls)) and self._bucket.take():
                attempt_id, outgoing = line.ready.popitem(last=False)
                now_ms = self._departed[attempt_id] = self._clock.now_ms()
                line.calls[attempt_id] = now_ms + milliseconds(outgoing[0].timeout_s)
                self._start(attempt_id, outgoing)

    def _slot_held(self) -> None:
        for line in self._lines:
            while line.held and self._is_open and self._is_next(line):
                attempt_id, _ = line.held.popitem(last=False)
                line.coming[attempt_id] = None
                self._tell(SendHeldBack(attempt_id))

    def _is_next(self, line: Line) -> bool:
        """Whether there is a slot for the next one that waits in a line, and no other request comes before it.

        An action comes after each compensation and probe that is to be sent, and these after no action.
        """
        before = self.amends.next_up + (line.next_up if line is self.actions else 0)
        has_slot = self._has_slot(line, self.taken + before, len(line.calls) + line.next_up)
        return has_slot and before < self._bucket.left()

    def _has_slot(self, line: Line, taken: int, of_line: int) -> bool:
        """Whether there is one, where so many are taken, and so many of these by the line's own calls."""
        is_free = taken < self._limit and of_line < line.share
        return is_free and (not self.late or taken + self.late < self._limit + LATE_MAX + line.beyond)

    def _line_of(self, attempt_id: AttemptId) -> Line:
        return self.actions if attempt_id[2] == ACTION else self.amends
