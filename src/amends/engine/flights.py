"""Which requests are under way: sent by this process, or to be sent, or lost with a process before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from amends.core.definition import Step
from amends.core.messages import Kind, Send, TimedOut
from amends.core.state import Backward, asked, underway
from amends.core.step import Run
from amends.core.waiting import Waiting, milliseconds
from amends.stored import WAITS_FOR_OPERATOR

Flight = tuple[str, str, str, int]
"""One attempt of one request: saga id, step, kind, attempt."""

Asking = tuple[Step, Send]
"""A request that is to be sent, and the step that it is about."""


NONE: Final[tuple[Flight, ...]] = ()


class Flights:
    """The attempts that this process knows of."""

    def __init__(self, since_ms: int) -> None:
        """Know of none.

        Args:
            since_ms: when this process took over. What was to be sent by then may have been sent by another one.
        """
        self._since_ms = since_ms
        self._flights: dict[str, tuple[Flight, ...]] = {}  # in order, so that all that follows is (promise P17)

    def lost(self, run: Run) -> list[TimedOut]:
        """Requests that a process before this one may have sent, and to which nobody can hear the answer any more.

        What a participant took is not among them: its answer comes from outside.
        """
        known = self._flights.get(run.saga_id, NONE)
        return [
            TimedOut(step.event, kind, waiting.attempt)
            for step, kind, waiting in asked_of(run)
            if not step.is_local
            and not waiting.taken
            and waiting.at_ms <= self._since_ms
            and (run.saga_id, step.event, kind.value, waiting.attempt) not in known
        ]

    def settling(self, run: Run) -> Run:
        """The run, with what a process before this one sent taken for sent until this one took over, and not before.

        It was; and by how much the clock of that process differed from ours, nobody knows. So what a request may still
        do, it may do for `Step.settles_within_s` from then on, and no probe is sent earlier.
        """
        at = underway(run.state)
        steps = run.saga.groups[at.group] if at else ()
        waiting = tuple(_settling(*pair, self._since_ms) for pair in zip(steps, run.waiting, strict=False))
        return run if waiting == run.waiting else run._replace(waiting=waiting)

    def take_off(
        self, runs: Iterable[Run], asked: Mapping[Flight, Send], now_ms: int
    ) -> tuple[list[Asking], list[Flight]]:
        """What is to be sent now that these runs are committed, and which attempts nobody waits for any more.

        Args:
            runs: the sagas that a batch looked at.
            asked: the requests that came up in it; others were held back until their time.
            now_ms: the clock.
        """
        sends: list[Asking] = []
        dropped: list[Flight] = []
        for run in runs:
            before = self._flights.pop(run.saga_id, NONE)
            if not run.waiting and not before:
                continue
            after = []
            goes_back = isinstance(underway(run.state), Backward)
            for step, kind, waiting in asked_of(run):
                flight = run.saga_id, step.event, kind.value, waiting.attempt
                if flight in before:
                    after.append(flight)
                elif goes_back and kind is Kind.DO:
                    continue  # the saga turned back in the very batch in which it asked
                elif self._since_ms < waiting.at_ms <= now_ms and not step.is_local:
                    send = asked.get(flight) or _held_back(run, flight)
                    if send is not None:
                        sends.append((step, send))
                        after.append(flight)
            dropped += [flight for flight in before if flight not in after]
            if after:
                self._flights[run.saga_id] = tuple(after)
        return sends, dropped


def _settling(step: Step, waiting: Waiting, since_ms: int) -> Waiting:
    if step.settles_within_s is None or waiting.acted_ms >= since_ms:
        return waiting
    if waiting.kind is not Kind.PROBE:
        return waiting._replace(acted_ms=since_ms)
    at_ms = max(waiting.at_ms, since_ms + milliseconds(step.settles_within_s))
    return waiting._replace(acted_ms=since_ms, at_ms=at_ms, due_ms=at_ms + milliseconds(step.timeout_s))


def _held_back(run: Run, flight: Flight) -> Send | None:
    """A request whose time has come; ``None`` when it is not wanted any more."""
    sends = (send for send in run.requests() if flight_of(send) == flight and run.wants(send))
    return next(sends, None)


def asked_of(run: Run) -> Iterator[tuple[Step, Kind, Waiting]]:
    """What a run waits for: step, what it was asked, and the attempt's times."""
    at = underway(run.state)
    for member, kind in asked(run.state):
        assert at is not None, "only a saga that is under way has asked anybody"
        yield run.saga.groups[at.group][member], kind, run.waiting[member]


def due_of(run: Run, now_ms: int) -> int | None:
    """When a saga is to be looked at again: a request's time to be sent, or to be given up, or its deadline.

    Returns:
        Milliseconds since 1970 (UTC); `WAITS_FOR_OPERATOR`; ``None`` once it is final.
    """
    if underway(run.state) is None:
        return None
    due_ms = run.due_ms()
    held = [
        waiting.at_ms
        for step, _, waiting in asked_of(run)
        if waiting.at_ms > now_ms or step.is_local  # which is asked in a batch, never sent
    ]
    return min(held + ([] if due_ms is None else [due_ms]), default=WAITS_FOR_OPERATOR)


def flight_of(send: Send) -> Flight:
    """The attempt that a request is sent as."""
    request = send.request
    return request.saga_id, request.step, request.kind.value, request.call.attempt
