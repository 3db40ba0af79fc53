"""The trace that a saga belongs to, which goes with its requests: of OpenTelemetry, where the program uses it.

A program that is in a trace has imported its API before; so where that was not imported, there is none, and nothing is
imported here. A trace is for people alone: no decision, row or record depends on it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, NamedTuple

from amends.core.messages import Outcome, Request, Unknown
from amends.engine.in_flight import AttemptId
from amends.engine.logger import log

if TYPE_CHECKING:
    from opentelemetry.trace import Span

API: Final = "opentelemetry.trace"
PARTS: Final = 4  # of a ``traceparent``: version, trace, span, flags
KEPT_MAX: Final = 100_000  # sagas of which it is known, some 30 MB: more than an engine moves at a time
STATE_MAX: Final = 512  # characters of a state that goes on: as many as W3C Trace Context asks for


class TracePosition(NamedTuple):
    """Where something is in a trace, as W3C Trace Context writes it.

    Attributes:
        parent: the header ``traceparent``; empty for no trace.
        state: the header ``tracestate``, which belongs to it.
    """

    parent: str = ""
    state: str = ""

    def ids(self) -> dict[str, str]:
        """The ids of the trace and of the span, as a log has them; empty for no trace."""
        _, trace_id, span_id, _ = self.parent.split("-") if self.parent.count("-") == PARTS - 1 else [""] * PARTS
        return {"trace_id": trace_id, "span_id": span_id}


UNTRACED: Final = TracePosition()


def current_position() -> TracePosition:
    """Where the caller is."""
    if API not in sys.modules:
        return UNTRACED
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - an extra

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    state = headers.get("tracestate", "")
    return TracePosition(headers.get("traceparent", ""), state if len(state) <= STATE_MAX else "")


class Traces:
    """Where the sagas of an engine are in traces, and what it was asked by others."""

    def __init__(self) -> None:
        self._of_sagas: dict[str, TracePosition] = {}
        self._of_attempts: dict[AttemptId, TracePosition] = {}

    def of(self, attempt_id: AttemptId) -> TracePosition:
        """Where a request belongs."""
        return self._of_attempts.get(attempt_id) or self._of_sagas.get(attempt_id[0], UNTRACED)

    def begin(self, saga_ids: Iterable[str], position: TracePosition) -> None:
        """Keep where sagas began."""
        for saga_id in saga_ids:
            self._of_sagas[saga_id] = position
            if len(self._of_sagas) > KEPT_MAX:
                del self._of_sagas[next(iter(self._of_sagas))]

    def end(self, saga_ids: Iterable[str]) -> None:
        """Sagas have ended."""
        for saga_id in saga_ids if self._of_sagas else ():
            self._of_sagas.pop(saga_id, None)

    def ask(self, attempt_id: AttemptId, position: TracePosition) -> None:
        """Keep where a request of another engine belongs."""
        if position.parent:
            self._of_attempts[attempt_id] = position

    def answer(self, attempt_id: AttemptId) -> None:
        """Such a request is answered, or over."""
        self._of_attempts.pop(attempt_id, None)


Tell = Callable[[Outcome], None]
"""Is told the outcome of what a span is about."""


def spanned(position: TracePosition, service: str, request: Request) -> AbstractContextManager[Tell]:
    """Have a participant's function run in the trace of its saga, in a span of its own.

    What goes wrong with the trace is said in the log, and is nothing to the function.

    Args:
        position: where the request belongs; nothing is done where that is in no trace.
        service: who is asked.
        request: what is asked.
    """
    is_traced = position.parent and API in sys.modules
    return _spanned(position, service, request) if is_traced else NO_SPAN


@contextmanager
def _spanned(position: TracePosition, service: str, request: Request) -> Iterator[Tell]:
    scope = ExitStack()
    tell: Tell = _ignored
    try:
        tell = _telling(scope.enter_context(_span(position, service, request)))
    except Exception:  # noqa: BLE001 - of an SDK, or a sampler of the program's
        log.exception("%s/%s is in no trace", request.saga_id, request.step)
    try:
        yield tell
    finally:
        try:
            scope.close()
        except Exception:  # noqa: BLE001 - as above
            log.exception("a span of %s/%s has not ended", request.saga_id, request.step)


@contextmanager
def _span(position: TracePosition, service: str, request: Request) -> Iterator[Span]:
    from opentelemetry import trace  # noqa: PLC0415 - as above
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    kind, attempt = request.kind.value, request.call.attempt
    headers = {"traceparent": position.parent, "tracestate": position.state}
    said = {"amends.saga_id": request.saga_id, "amends.service": service, "amends.step": request.step}
    with trace.get_tracer("amends").start_as_current_span(
        f"{request.step} {kind}",
        context=TraceContextTextMapPropagator().extract(headers),
        kind=trace.SpanKind.CONSUMER,
        attributes={**said, "amends.kind": kind, "amends.attempt": attempt},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


def _telling(span: Span) -> Tell:
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - as above

    def tell(outcome: Outcome) -> None:
        span.set_attribute("amends.outcome", type(outcome).__name__.lower())
        if isinstance(outcome, Unknown):
            span.set_status(Status(StatusCode.ERROR, outcome.error))

    return tell


def _ignored(_: Outcome) -> None:
    """Tell it to no trace."""


NO_SPAN: Final = nullcontext[Tell](_ignored)
"""For what is in no trace, which costs nothing: most programs have none."""
