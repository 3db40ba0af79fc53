"""A trace goes with a saga: to participants here and elsewhere, there and back; without one nothing is imported."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from itertools import count
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

import amends
from amends import Call, Completed, Done, Refused, Saga, external, local
from amends.adapters.memory.wire import memory_wire
from amends.engine import tracing
from amends.engine.tracing import KEPT_MAX, TracePosition, Traces, current_position
from amends.storage.packed import unpack_requests
from tests.acceptance.command import ROOT, environment

BOUND_S = 60
TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
PARENT = f"00-{TRACE:032x}-{SPAN:016x}-01"
NAMES = count(1)


def trace_here() -> int:
    """Return the trace that is current: 0 for none."""
    return trace.get_current_span().get_span_context().trace_id


@contextmanager
def in_trace(state: TraceState | None = None) -> Iterator[None]:
    """Be in a trace, as a program that handles a request is."""
    with trace.use_span(
        NonRecordingSpan(SpanContext(TRACE, SPAN, is_remote=False, trace_flags=TraceFlags(1), trace_state=state))
    ):
        yield


def hold(seen: int | None, _: int) -> int:
    """Remember the trace as the entity."""
    return trace_here()


def let_go(seen: int, _: int) -> int:
    """Keep it."""
    return seen


async def charge(seen: list[Any], cents: int, call: Call) -> Done:
    """Say in which trace it is."""
    seen.append(("charge", trace_here()))
    return Done()


def ship(seen: list[Any], cents: int, call: Call) -> Done | Refused:
    """Say the same in a thread."""
    seen.append(("ship", trace_here()))
    return Done() if cents else Refused("nothing to ship")


def refund(seen: list[Any], cents: int, call: Call) -> None:
    """Say it on the way back."""
    seen.append(("refund", trace_here()))


ORDER = Saga(
    "order",
    int,
    [
        local("HELD", hold, undo=let_go, undone="FREED", entity=lambda _: "hall"),
        external("CHARGED", charge, undo=refund, undone="REFUNDED"),
        external("SHIPPED", ship, pivot=True, remembers_refusals=True),
    ],
)
SERVICES = ["HELD", "CHARGED", "SHIPPED"]


async def ordered(seen: list[Any], cents: int, *, is_spread: bool) -> tuple[amends.Result, Any]:
    """Run an order, with all services here or all elsewhere; give its end, and the entity."""
    wire, clients = f"memory:traces-{next(NAMES)}", dict.fromkeys(["CHARGED", "SHIPPED"], seen)
    async with AsyncExitStack() as stack:
        if is_spread:
            host = amends.open("memory:", sagas=[ORDER], wire=wire, hosts=SERVICES, clients=clients)
            keeper = await stack.enter_async_context(host)
            engine = await stack.enter_async_context(
                amends.open("memory:", sagas=[ORDER], wire=wire, elsewhere=SERVICES)
            )
        else:
            engine = keeper = await stack.enter_async_context(amends.open("memory:", sagas=[ORDER], clients=clients))
        with in_trace():
            handle = await engine.submit(ORDER, cents)
        ended = await handle.result(BOUND_S), await keeper.entity("HELD", "hall")
        assert keeper._loop.calls.traces._of_attempts == {}
        return ended


@pytest.mark.parametrize("is_spread", [False, True])
def test_participants_are_called_in_the_trace_in_which_a_saga_was_submitted(*, is_spread: bool) -> None:
    """Whether they are coroutines or plain functions, here or elsewhere, on the way there or back."""
    seen = list[Any]()
    ended, _ = asyncio.run(ordered(seen, 0, is_spread=is_spread))
    assert ended.reason == "nothing to ship"
    assert seen == [("charge", TRACE), ("ship", TRACE), ("refund", TRACE)]
    assert trace_here() == 0


def test_deciders_of_a_host_run_in_it_too() -> None:
    """Its entity holds what the decider saw, so a test can see it; a decider of yours had better not."""
    ended, entity = asyncio.run(ordered([], 5, is_spread=True))
    assert (type(ended.state), entity) == (Completed, TRACE)


def test_a_blocking_engine_takes_the_trace_of_its_caller() -> None:
    """Many sagas of one call are in one trace; one that is submitted outside is in none."""
    seen = list[Any]()
    with amends.open("memory:", sagas=[ORDER], clients=dict.fromkeys(["CHARGED", "SHIPPED"], seen)) as engine:
        with in_trace():
            handles = engine.submit_many(ORDER, [1, 2])
        for handle in handles:
            assert isinstance(handle, amends.engine.blocking.BlockingHandle)
            handle.result(BOUND_S)
        assert {found for _, found in seen} == {TRACE}
        seen.clear()
        engine.submit(ORDER, 1).result(BOUND_S)
        assert {found for _, found in seen} == {0}
        assert engine._engine._loop.calls.traces._of_sagas == {}


def asked_over_a_wire(state: TraceState | None) -> tuple[str, str]:
    """Return what a request says of the trace."""

    async def test() -> tuple[str, str]:
        wire = f"memory:traces-{next(NAMES)}"
        async with amends.open("memory:", sagas=[ORDER], wire=wire, elsewhere=SERVICES, drain_s=0) as engine:
            with in_trace(state):
                await engine.submit(ORDER, 1)
            (delivery,) = await memory_wire(wire)().take("HELD", 1)
            (request,) = unpack_requests(delivery.body).message.requests
            return request.traceparent, request.tracestate

    return asyncio.run(asyncio.wait_for(test(), BOUND_S))


@pytest.mark.parametrize(
    ("state", "sent"),
    [(None, ""), (TraceState([("a", "b")]), "a=b"), (TraceState([(f"k{n}", "v" * 250) for n in range(3)]), "")],
)
def test_a_request_says_where_it_is_in_a_trace(state: TraceState | None, sent: str) -> None:
    """As W3C Trace Context writes it; a state that is too long stays here."""
    assert asked_over_a_wire(state) == (PARENT, sent)


class Recorder:
    """A tracer of an SDK, as far as it is used: it keeps what it was told, or fails."""

    def __init__(self, *, fails: str = "") -> None:
        self.spans: list[dict[str, Any]] = []
        self.fails = fails

    @contextmanager
    def start_as_current_span(self, name: str, **given: Any) -> Iterator[Any]:
        """Keep it, or fail."""
        if self.fails == "start":
            raise RuntimeError("no sampler")
        self.spans.append({"name": name, **given["attributes"]})
        yield self
        if self.fails == "end":
            raise RuntimeError("no exporter")

    def set_attribute(self, name: str, value: object) -> None:
        """Keep it."""
        self.spans[-1][name] = value

    def set_status(self, status: trace.Status) -> None:
        """Keep it."""
        self.spans[-1]["status"] = (status.status_code.name, status.description)


def test_each_request_has_a_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the one who acts on it: with the saga, the step, the attempt and the outcome; no request's body is in it."""
    recorder = Recorder()
    monkeypatch.setattr(trace, "get_tracer", lambda _: recorder)
    ended, _ = asyncio.run(ordered([], 0, is_spread=True))
    over = [span for span in recorder.spans if "amends.outcome" in span]  # else an entity had to be read first
    told = [(span["name"], span["amends.service"], span["amends.outcome"]) for span in over]
    assert told == [
        ("HELD do", "HELD", "done"), ("CHARGED do", "CHARGED", "done"), ("SHIPPED do", "SHIPPED", "refused"),
        ("CHARGED undo", "CHARGED", "done"), ("HELD undo", "HELD", "done"),
    ]  # fmt: skip
    assert {(span["amends.saga_id"], span["amends.attempt"]) for span in recorder.spans} == {(ended.saga_id, 1)}


def test_what_is_unknown_is_an_error_of_its_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is none: it is an answer."""
    recorder = Recorder()
    monkeypatch.setattr(trace, "get_tracer", lambda _: recorder)

    async def test() -> None:
        async with amends.open("memory:", sagas=[ORDER], clients={"CHARGED": None, "SHIPPED": []}) as engine:
            with in_trace():
                await engine.submit(ORDER, 1)
            while not recorder.spans or "status" not in recorder.spans[0]:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(test(), BOUND_S))
    (code, error), span = recorder.spans[0]["status"], recorder.spans[0]
    assert (code, span["amends.outcome"]) == ("ERROR", "unknown")
    assert "AttributeError" in error


@pytest.mark.parametrize(("fails", "said"), [("start", "is in no trace"), ("end", "has not ended")])
@pytest.mark.parametrize("is_spread", [False, True])
def test_tracing_that_fails_harms_no_saga(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fails: str, said: str, *, is_spread: bool
) -> None:
    """The log says it."""
    monkeypatch.setattr(trace, "get_tracer", lambda _: Recorder(fails=fails))
    ended, _ = asyncio.run(ordered([], 5, is_spread=is_spread))
    assert isinstance(ended.state, Completed)
    assert said in caplog.text


@pytest.mark.parametrize("parent", ["x", f"00-{0:032x}-{0:016x}-01", "\0", "00" * 100_000, f"{PARENT}-x"])
def test_what_is_no_trace_is_ignored(parent: str) -> None:
    """Whoever may post may write anything there."""
    request = amends.Request("s-1", "HELD", amends.Kind.DO, 1, Call("k"))
    with tracing.spanned(TracePosition(parent, "=,=;\n"), "HELD", request):
        assert trace_here() == 0


def test_so_many_traces_are_kept() -> None:
    """The first ones go, as they would with a restart."""
    traces, position = Traces(), TracePosition(PARENT)
    traces.begin(map(str, range(KEPT_MAX + 2)), position)
    assert traces.of(("1", "HELD", "do", 1)) == TracePosition()
    assert traces.of(("2", "HELD", "do", 1)) == position
    traces.end(["2", "none"])
    assert traces.of(("2", "HELD", "do", 1)) == TracePosition()


WITHOUT = """
import asyncio, sys
import amends
from amends import Done, Saga, external

async def charge(bank, cents, call):
    return Done()

order = Saga("order", int, [external("CHARGED", charge, pivot=True)])

async def main():
    async with (
        amends.open("memory:", sagas=[order], wire="memory:w", hosts=["CHARGED"]),
        amends.open("memory:", sagas=[order], wire="memory:w", elsewhere=["CHARGED"]) as engine,
    ):
        print(type((await (await engine.submit(order, 1)).result(60)).state).__name__)

asyncio.run(main())
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_a_program_without_it_imports_nothing_of_it() -> None:
    """Also where it is installed."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT], cwd=ROOT, env=environment(), capture_output=True, text=True,
        timeout=BOUND_S, check=False,
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("Completed\n[]\n", "")


def test_one_in_no_trace_has_no_position() -> None:
    """Though the API is imported."""
    assert current_position() == TracePosition()
