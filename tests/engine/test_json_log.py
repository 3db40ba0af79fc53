"""The log for programs: fields in place of words, and nothing of what participants and clients said."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import amends
from amends import Done, Refused, Saga, external, local
from amends.engine.logger import log
from amends.entrypoints.cli.json_log import JsonFormatter

PLANTED = "x7q-4111111111111111"
BOUND_S = 60


class Card(Exception):
    """An error of a client, with values in its words."""


def charge(_client: None, request: str, _call: object) -> Done:
    """CHARGED: it fails, once."""
    raise Card(f"card {request} of {PLANTED} is declined")


def keep(_client: None, _request: str, _call: object) -> Refused:
    """KEPT: behind the pivot it refuses, which an operator has to see."""
    return Refused(f"no room for {PLANTED}")


PAID = Saga("paid", str, [external("CHARGED", charge, undo=lambda *_: None, undone="UNCHARGED", timeout_s=5)])
KEPT = Saga(
    "kept",
    str,
    [
        local("HELD", lambda _, request: request, entity=str, pivot=True),
        external("KEPT", keep),
    ],
)


@pytest.fixture
def lines() -> Iterator[Any]:
    """The log of a test, as a program reads it: each call gives the lines so far."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("amends")
    logger.addHandler(handler)
    try:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        logger.removeHandler(handler)
    assert PLANTED not in stream.getvalue()


def hook(_: object) -> None:
    """A hook that fails."""
    raise ValueError(PLANTED)


def test_a_failed_attempt_has_its_saga_step_and_trace_and_no_value(lines: Any) -> None:
    """Its error by its type and place; so has a saga that waits for an operator, and a hook that raised."""

    async def run() -> None:
        context = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1))
        opening = amends.open("memory:", sagas=[PAID, KEPT], clients=None, on_needs_operator=hook)
        async with opening as engine:
            with trace.use_span(NonRecordingSpan(context)):
                failing = await engine.submit(PAID, f"request {PLANTED}", key=PLANTED)
                stuck = await engine.submit(KEPT, f"request {PLANTED}")
            for _ in range(BOUND_S * 100):
                if {"an attempt failed", "a saga waits for an operator"} <= {line["event"] for line in lines()}:
                    break
                await asyncio.sleep(0.01)
            await engine.cancel(failing.saga_id, reason=PLANTED)
            found = {line["event"]: line for line in lines()}
            failed, waits = found["an attempt failed"], found["a saga waits for an operator"]
            assert (failed["saga"], failed["definition"], failed["step"]) == (failing.saga_id, "paid", "CHARGED")
            assert (failed["kind"], failed["attempt"], failed["error_type"]) == ("do", 1, "Card")
            assert (failed["level"], failed["logger"]) == ("warning", "amends")
            assert failed["error_at"][-1].endswith(" charge")
            assert failed["trace_id"] == waits["trace_id"] == f"{0xABC:032x}"
            assert (waits["saga"], waits["level"]) == (stuck.saga_id, "error")
        assert "on_needs_operator raised" in {line["event"] for line in lines()}

    asyncio.run(run())


def test_an_entry_that_is_about_no_saga_keeps_its_words(lines: Any) -> None:
    """In one line, whatever is in them."""
    log.warning("the wire is away:\n%s", "no such host")
    (line,) = lines()
    assert line["event"] == "the wire is away:\nno such host"
    assert {*line} == {"time", "level", "logger", "event"}


def test_of_an_exception_no_message_is_told(lines: Any) -> None:
    """Its type, and where it was raised."""
    try:
        charge(None, PLANTED, None)
    except Card:
        log.exception("something failed")
    (line,) = lines()
    assert (line["event"], line["error_type"], len(line["error_at"])) == ("something failed", "Card", 2)
