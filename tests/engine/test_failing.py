"""Participants that fail without end: what the log tells of them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from amends import Backoff, Done, Saga, Unknown, external, local
from amends.adapters.memory import MemoryStore
from tests.engine.test_engine import engine, run
from tests.engine.world import START_MS, Life, nothing

ATTEMPTS = 22
TOLD = (1, 10, 20)  # of the attempts that fail, those with a traceback
SOON = Backoff(first_s=0.001, cap_s=0.001)


class Textless(Exception):
    """An exception that cannot be told in words."""

    def __str__(self) -> str:
        raise ValueError("not even this")


def failing(error: BaseException | type[BaseException], until: int, *, is_async: bool = False) -> Any:
    """Return an external function that raises until an attempt."""

    def charge(client: Any, body: int, call: Any) -> Done:
        if call.attempt < until:
            raise error
        return Done()

    async def charge_later(client: Any, body: int, call: Any) -> Done:
        return charge(client, body, call)

    return charge_later if is_async else charge


def outside(function: Any) -> Saga:
    """Return a saga that tries its only step for as long as it takes."""
    return Saga("one", int, [external("CARD_CHARGED", function, pivot=True, backoff=SOON)])


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the engine's log has for people."""
    return [r.getMessage() for r in caplog.records if r.name == "amends" and r.levelno >= logging.WARNING]


@pytest.mark.parametrize("is_async", [False, True])
def test_the_first_failure_and_every_tenth_are_told_with_their_traceback(
    caplog: pytest.LogCaptureFixture, is_async: bool
) -> None:
    """Each with saga, step, what was asked, and where it was raised, once; the others are there for who wants them."""

    async def test() -> None:
        saga = outside(failing(KeyError("id"), ATTEMPTS, is_async=is_async))
        async with engine(MemoryStore(), saga) as running:
            await (await running.submit(saga, 1)).result()

    with caplog.at_level(logging.INFO, "amends"):
        run(test())
    said = "saga a-1: CARD_CHARGED/do failed, attempt {}: KeyError: 'id'"
    assert told(caplog) == [said.format(attempt) for attempt in TOLD]
    failures = [record for record in caplog.records if record.name == "amends"]
    assert [record.getMessage() for record in failures] == [said.format(attempt) for attempt in range(1, ATTEMPTS)]
    for record in failures:
        assert bool(record.exc_info) is (record.levelno == logging.WARNING)
    assert caplog.text.count("Traceback (most recent call last)") == len(TOLD), "one error, and none around it"
    assert "raise error" in caplog.text, "the line of the participant that raised"


def test_a_participant_writes_no_lines_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """What it raises may hold what a stranger wrote: it stays on the line of its entry."""
    forged = "no\nsaga a-2 waits for an operator: CARD_CHARGED/do:\r\nsaid nobody"

    async def test() -> None:
        saga = outside(failing(ValueError(forged), 2))
        async with engine(MemoryStore(), saga) as running:
            await (await running.submit(saga, 1)).result()

    run(test())
    words = "no saga a-2 waits for an operator: CARD_CHARGED/do: said nobody"
    assert told(caplog) == [f"saga a-1: CARD_CHARGED/do failed, attempt 1: ValueError: {words}"]


def test_a_local_step_that_raises_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    """It is retried without end after the pivot, and was heard of by nobody."""
    attempts = 0

    def settle(before: int | None, body: int) -> int:
        nonlocal attempts
        attempts += 1
        if attempts < 2 * ATTEMPTS:  # each is carried out twice: in the batch, and by itself
            raise ZeroDivisionError("by nothing")
        return body

    saga = Saga("local", int, [local("SETTLED", settle, entity=lambda _: "e", pivot=True, backoff=SOON)])

    async def test() -> None:
        async with engine(MemoryStore(), saga) as running:
            await (await running.submit(saga, 1)).result()

    with caplog.at_level(logging.WARNING, "amends"):
        run(test())
    assert told(caplog)[:3] == [
        f"saga a-1: SETTLED/do failed, attempt {attempt}: ZeroDivisionError: by nothing" for attempt in TOLD
    ]
    assert "in settle" in caplog.text
    assert caplog.text.count("Traceback (most recent call last)") == len(told(caplog))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("id"), "KeyError: 'id'"),
        (StopIteration(3), "StopIteration: 3"),
        (SystemExit(2), "SystemExit: 2"),
        (Textless(), "Textless: its text raises ValueError"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_exception_is_told_once_as_its_own_class(
    caplog: pytest.LogCaptureFixture, error: BaseException, words: str
) -> None:
    """And not as that of whoever carried it here, whatever its text is."""

    async def test() -> None:
        saga = outside(failing(error, 2))
        async with engine(MemoryStore(), saga) as running:
            await (await running.submit(saga, 1)).result()

    with caplog.at_level(logging.WARNING, "amends"):
        run(test())
    assert told(caplog) == [f"saga a-1: CARD_CHARGED/do failed, attempt 1: {words}"]


def test_silence_is_told_too() -> None:
    """An answer that does not come in time; but not one that a restart lost: that is no failure of its participant."""
    saga = Saga("one", int, [external("CARD_CHARGED", nothing, pivot=True, timeout_s=10)])
    life = Life(MemoryStore(), saga)
    life.begin(1)
    (failure,) = life.turn(after_ms=11_000).failures
    assert (failure.saga_id, failure.step, failure.attempt) == ("a-1", "CARD_CHARGED", 1)
    assert failure.error == "no answer came in time"
    again = Life(life.store, saga, prefix="b", now_ms=START_MS + 12_000)
    assert not again.turn().failures


def test_a_late_failure_is_not_told() -> None:
    """It changes nothing any more: that attempt was given up, and told, before."""
    saga = Saga("one", int, [external("CARD_CHARGED", nothing, pivot=True, timeout_s=10)])
    life = Life(MemoryStore(), saga)
    (asking,) = life.begin(1).sends
    life.turn(after_ms=11_000)
    assert not life.answer(asking, Unknown("late")).failures
