"""What an engine counts: its calls, turns and ends; as text, over its health port, and for OpenTelemetry."""

from __future__ import annotations

import asyncio
import gc
import socket
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from opentelemetry import metrics as otel
from prometheus_client.samples import Sample

import amends
from amends import GONE, Done, Engine, Refused, Saga, external, local, wait_for
from amends.metrics import LABELS
from amends.testing import ManualClock
from tests.metrics import parsed

BOUND_S = 60


async def charge(_client: None, cents: int, _call: object) -> Done | Refused:
    """CHARGED: more than a hundred is refused, of thirteen nothing is heard."""
    if cents == 13:
        raise ConnectionError("the bank is away")
    return Refused(f"{cents} are too much") if cents > 100 else Done(f"receipt of {cents}")


def undo(_client: None, _cents: int, _call: object) -> None:
    """UNCHARGED."""


PAID = Saga(
    "paid",
    int,
    [
        local("HELD", lambda _, cents: cents, undo=lambda *_: GONE, undone="LET_GO", entity=str, service="SHELF"),
        external("CHARGED", charge, undo=undo, undone="UNCHARGED", service="BANK", timeout_s=5),
    ],
)


def values(text: str, name: str, *labels: str) -> Mapping[Any, float]:
    """By its labels, each figure of a family but the parts of histograms."""
    return {tuple(each.labels[label] for label in labels): each.value for each in parsed(text)[name]}


async def ended(engine: Engine, *requests: int) -> None:
    """Run sagas to their ends."""
    for handle in await engine.submit_many(PAID, requests):
        assert not isinstance(handle, amends.AmendsError)
        await handle.result(timeout=BOUND_S)


def test_calls_ends_and_causes_are_counted() -> None:
    """Each once, under labels that are known from the definition."""

    async def run() -> None:
        async with amends.open("memory:", sagas=[PAID], clients={"BANK": None}, concurrency={"BANK": 7}) as engine:
            await ended(engine, 1, 2, 3, 101, 102)
            text = engine.metrics()
        assert values(text, "amends_engine_calls", "service", "kind", "outcome") == {
            ("BANK", "do", "done"): 3,
            ("BANK", "do", "refused"): 2,
        }
        assert values(text, "amends_engine_sagas_ended", "definition", "status") == {
            ("paid", "completed"): 3,
            ("paid", "compensated"): 2,
        }
        assert values(text, "amends_engine_sagas_compensated", "definition", "step", "cause") == {
            ("paid", "CHARGED", "refused"): 2
        }
        assert values(text, "amends_engine_calls_places", "service") == {("BANK",): 7}
        assert values(text, "amends_engine_calls_used", "service") == {("BANK",): 0}
        assert count(parsed(text)["amends_engine_call_seconds"]) == 5
        assert count(parsed(text)["amends_engine_saga_seconds"]) == 5
        turns, commits = count(parsed(text)["amends_engine_turn_seconds"]), values(text, "amends_engine_commits")[()]
        assert 1 < commits <= turns
        every = [sample for samples in parsed(text).values() for sample in samples]
        assert {label for sample in every for label in sample.labels} <= LABELS | {"le"}

    asyncio.run(run())


def count(samples: Sequence[Sample]) -> float:
    """How much a histogram with one set of labels has counted."""
    return next(sample.value for sample in samples if sample.name.endswith("_count"))


def test_a_saga_is_measured_from_its_start_to_its_end() -> None:
    """Not from its last turn: by the clock of its engine."""
    asking = Saga("asking", int, [wait_for("APPROVED", assignee="the chef", limit_s=3600)])
    clock = ManualClock()
    with amends.open("memory:", sagas=[asking], clock=clock) as engine:
        handle = engine.submit(asking, 1)
        clock.advance(seconds=90)
        engine.answer(engine.pending()[0].key, Done())
        handle.result(timeout=BOUND_S)
        samples = parsed(engine.metrics())["amends_engine_saga_seconds"]
    assert [sample.value for sample in samples if sample.name.endswith("_sum")] == [90]


def test_a_call_that_fails_is_counted_as_unknown() -> None:
    """And again at each attempt."""

    async def run() -> None:
        async with amends.open("memory:", sagas=[PAID], clients={"BANK": None}) as engine:
            handle = await engine.submit(PAID, 13)
            for _ in range(BOUND_S * 50):
                if values(engine.metrics(), "amends_engine_calls", "outcome").get(("unknown",), 0) >= 2:
                    break
                await asyncio.sleep(0.02)
            else:
                raise AssertionError("it is asked once only")
            await engine.cancel(handle.saga_id)

    asyncio.run(run())


def test_before_it_is_open_an_engine_has_no_figures() -> None:
    """And after its end those that it had, also for a caller in another thread."""

    async def run() -> None:
        opening = amends.open("memory:", sagas=[PAID], clients={"BANK": None})
        assert opening._make().metrics() == ""
        async with opening as engine:
            await ended(engine, 1)
            assert await asyncio.to_thread(engine.metrics)
        assert "amends_engine_sagas_ended_total" in engine.metrics()

    asyncio.run(run())


def test_figures_are_told_over_the_health_port() -> None:
    """Beside `/live` and `/ready`, as Prometheus reads them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with amends.open("memory:", sagas=[PAID], clients={"BANK": None}, health=port) as engine:
        engine.submit(PAID, 1).result(timeout=BOUND_S)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=BOUND_S) as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            text = answer.read().decode()
    assert values(text, "amends_engine_sagas_ended", "definition", "status") == {("paid", "completed"): 1}


class FakeMeter:
    """What an SDK of OpenTelemetry is to us: it remembers its instruments, and asks them."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Any] = {}
        self.recorded: list[tuple[str, float, dict[str, str]]] = []

    def create_histogram(self, name: str, unit: str, told: str, **_: object) -> Any:
        """Make a histogram."""
        recorded = self.recorded

        class Recording:
            def record(self, seconds: float, labels: dict[str, str]) -> None:
                recorded.append((name, seconds, labels))

        return Recording()

    def create_observable_counter(self, name: str, callbacks: Any, unit: str, told: str) -> None:
        """Make a counter."""
        self.callbacks[name] = callbacks[0]

    create_observable_gauge = create_observable_counter

    def collected(self, name: str) -> list[tuple[float, Mapping[str, Any]]]:
        """Ask an instrument."""
        return [(each.value, each.attributes) for each in self.callbacks[name](otel.CallbackOptions())]


def test_a_program_with_metrics_of_opentelemetry_has_instruments(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same figures; after the engine's end they are not kept alive."""
    made = FakeMeter()
    monkeypatch.setattr(otel, "get_meter", lambda _: made)

    async def run() -> None:
        async with amends.open("memory:", sagas=[PAID], clients={"BANK": None}) as engine:
            await ended(engine, 1, 101)
        assert made.collected("amends.engine.calls") == [
            (1, {"service": "BANK", "kind": "do", "outcome": "done"}),
            (1, {"service": "BANK", "kind": "do", "outcome": "refused"}),
        ]
        calls = [labels for name, _, labels in made.recorded if name == "amends.engine.call"]
        assert calls == [{"service": "BANK", "kind": "do"}] * 2

    asyncio.run(run())
    gc.collect()
    assert made.collected("amends.engine.calls") == []


def test_an_sdk_that_raises_harms_no_engine(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It is said in the log."""

    def broken(_: str) -> None:
        raise ValueError("no meter")

    monkeypatch.setattr(otel, "get_meter", broken)

    async def run() -> None:
        async with amends.open("memory:", sagas=[PAID], clients={"BANK": None}) as engine:
            await ended(engine, 1)

    asyncio.run(run())
    assert "no instruments of OpenTelemetry" in caplog.text
