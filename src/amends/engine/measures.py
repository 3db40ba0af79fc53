"""What an engine did since its process began, counted as it does it: calls, turns, and how sagas ended.

A count is a few dictionary entries, made where the thing happens; the figures are made when they are asked for, from
any thread. They say nothing of what others did on the same store: `amends.views.store_metrics`.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from amends.core.messages import Kind, Outcome, Unknown
from amends.core.state import Compensated
from amends.core.step import SagaInstance
from amends.engine.batch import BatchResult
from amends.lines import SECOND_MS
from amends.metrics import Distribution, Figure, FigureKind, Histogram, MetricFamily
from amends.views.store_metrics import cause_of

CALL_SECONDS: Final = "amends_engine_call_seconds"
SAGA_SECONDS: Final = "amends_engine_saga_seconds"
TURN_SECONDS: Final = "amends_engine_turn_seconds"
UNSENT: Final = "unsent"
"""The outcome of a call that was not made after all: its time was over, or there was no thread for it."""

Record = Callable[[str, float, Mapping[str, str]], None]
"""Hears of each duration: of which histogram, seconds, and labels."""
_END: Final[Callable[[SagaInstance], tuple[str, Any]]] = attrgetter("saga.name", "state.__class__")


class PlacesSeen(NamedTuple):
    """The calls of a participant at a moment.

    Attributes:
        service: the participant.
        places: how many calls it may have at a time, of this engine.
        used: how many are under way.
        queued: how many requests wait for a place.
        late: calls whose sagas wait for them no longer, and that have not come to an end.
    """

    service: str
    places: int
    used: int
    queued: int
    late: int


class EngineMeasures:
    """The counts of one engine.

    Attributes:
        record: hears of each duration as well; ``None`` for none.
    """

    def __init__(self) -> None:
        self.record: Record | None = None
        self._began_s = time.time()
        self._calls = Counter[tuple[str, ...]]()
        self._ended = Counter[tuple[str, ...]]()
        self._causes = Counter[tuple[str, ...]]()
        self._seconds = defaultdict[tuple[str, tuple[tuple[str, str], ...]], Histogram](Histogram)
        self._commits = self._letters = 0

    def called(self, service: str, kind: Kind, outcome: Outcome, seconds: float) -> None:
        """A call has come to an end, however late.

        Args:
            service: the participant.
            kind: what it was asked.
            outcome: what it said.
            seconds: from its begin.
        """
        is_unsent = isinstance(outcome, Unknown) and outcome.taken_back
        self._calls[service, kind.value, UNSENT if is_unsent else type(outcome).__name__.lower()] += 1
        self._observe(CALL_SECONDS, seconds, service=service, kind=kind.value)

    def turned(self, result: BatchResult, seconds: float) -> None:
        """A turn is over.

        Args:
            result: what became of it.
            seconds: that it took.
        """
        self._observe(TURN_SECONDS, seconds)
        self._commits += result.commits
        self._letters += result.letters
        if result.ended:
            self._end(result.ended.values(), result.lasted_ms)

    def _end(self, runs: Iterable[SagaInstance], lasted_ms: Sequence[int]) -> None:
        for ((name, kind), took_ms), sagas in Counter(zip(map(_END, runs), lasted_ms, strict=True)).items():
            self._ended[name, kind.__name__.lower()] += sagas
            self._observe(SAGA_SECONDS, took_ms / SECOND_MS, sagas, definition=name)
        for run in runs:
            if run.state.__class__ is Compensated:
                self._causes[run.saga.name, *cause_of((entry.event, entry.status.value) for entry in run.trail)] += 1

    def _observe(self, name: str, seconds: float, times: int = 1, **labels: str) -> None:
        self._seconds[name, (*labels.items(),)].observe(seconds, times)
        if self.record is not None:
            for _ in range(times):
                self.record(name, seconds, labels)

    def families(self) -> Iterator[MetricFamily]:
        """The figures so far."""
        yield _family("amends_engine_start_time_seconds", "gauge", "When the engine was opened.", [self._began_s])
        yield _counter("amends_engine_calls_total", "Calls of participants that came to an end.", _CALL, self._calls)
        yield _counter("amends_engine_sagas_ended_total", "Sagas that ended here.", _ENDED, self._ended)
        yield _counter(
            "amends_engine_sagas_compensated_total",
            "Sagas that were compensated here, by step and kind of cause.", _CAUSE, self._causes,
        )  # fmt: skip
        yield _family("amends_engine_commits_total", "counter", "Turns that committed something.", [self._commits])
        yield _family("amends_engine_letters_total", "counter", "Letters that were acted on.", [self._letters])
        yield self._histogram(CALL_SECONDS, "How long calls of participants took.")
        yield self._histogram(SAGA_SECONDS, "How long sagas took that ended here, from start to end.")
        yield self._histogram(TURN_SECONDS, "How long turns took, with their commits.")

    def _histogram(self, name: str, told: str) -> MetricFamily:
        found = [Distribution(each, dict(labels)) for (of, labels), each in [*self._seconds.items()] if of == name]
        return MetricFamily(name, "histogram", told, found)


_CALL: Final = ("service", "kind", "outcome")
_ENDED: Final = ("definition", "status")
_CAUSE: Final = ("definition", "step", "cause")


def places_families(seen: Sequence[PlacesSeen], elsewhere: Mapping[str, int], queued: int) -> Iterator[MetricFamily]:
    """The figures of this moment.

    Args:
        seen: the calls of each participant.
        elsewhere: service to how many requests over a wire wait for an answer.
        queued: how many tasks wait for a turn.
    """
    told = {
        "amends_engine_calls_places": "Calls that a participant may have at a time, of this engine.",
        "amends_engine_calls_used": "Calls that are under way.",
        "amends_engine_calls_queued": "Requests that wait for a place at their participant.",
        "amends_engine_calls_late": "Calls whose sagas wait for them no longer, and that have not come to an end.",
    }
    for name, words in told.items():
        found = [Figure(getattr(each, name.rpartition("_")[2]), {"service": each.service}) for each in seen]
        yield MetricFamily(name, "gauge", words, found)
    asked = [Figure(number, {"service": service}) for service, number in elsewhere.items()]
    yield MetricFamily("amends_engine_requests_elsewhere", "gauge", "Requests over a wire without an answer.", asked)
    yield _family("amends_engine_tasks_queued", "gauge", "Tasks that wait for a turn.", [queued])


def _family(name: str, kind: FigureKind, told: str, values: Sequence[float]) -> MetricFamily:
    return MetricFamily(name, kind, told, [*map(Figure, values)])


def _counter(name: str, told: str, labels: tuple[str, ...], counts: Mapping[tuple[str, ...], int]) -> MetricFamily:
    found = [Figure(count, dict(zip(labels, key, strict=True))) for key, count in [*counts.items()]]
    return MetricFamily(name, "counter", told, found)
