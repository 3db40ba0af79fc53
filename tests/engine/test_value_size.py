"""How large one value may be: what is larger is refused where it is met, in words that say which and how large."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import amends
from amends import (
    Abandon,
    Backoff,
    Command,
    Compensated,
    Completed,
    Done,
    Later,
    ParticipantError,
    Refused,
    RequestRefused,
    Saga,
    UnusableInput,
    external,
    local,
)

MOST = 1000
FITS, LARGE = "x" * (MOST - 2), "x" * (MOST - 1)  # JSON has two quotation marks more
WIDE = "é" * (MOST // 2)  # fewer characters than bytes
WORDS = rf"it has {MOST + 1} bytes, and the engine takes {MOST}: .*value_bytes_max"


def run(saga: Saga, test: Callable[[Any], Awaitable[None]]) -> None:
    """Run a test on an engine in memory that takes values of a thousand bytes, and still works afterwards."""

    async def on_engine() -> None:
        async with amends.open("memory:", sagas=[saga], value_bytes_max=MOST) as engine:
            await asyncio.wait_for(test(engine), 60)
            await engine.carry_out(Command("A", "S", lambda *_: 1), "last", 1)
            assert await engine.entity("S", "last") == 1

    asyncio.run(on_engine())


def kept(keep: Callable[[Any, str], Any], **more: Any) -> Saga:
    """Return a saga of one local step, and a pivot outside."""
    steps = [
        local("KEPT", keep, undo=lambda before, _: before, undone="DROPPED", entity=lambda _: "one"),
        external("SENT", lambda client, text, call: Done(), pivot=True),
    ]
    return Saga("kept", str, steps, **more)


def test_a_request_has_a_size() -> None:
    """One byte more is refused, alone and among others; what prepare makes of it counts."""
    saga = kept(lambda before, text: 1, prepare=lambda _, __, asked: asked * 2 if asked == FITS else asked)

    async def test(engine: Any) -> None:
        assert isinstance((await (await engine.submit(saga, FITS[1:])).result()).state, Completed)
        for asked, words in ((LARGE, WORDS), (WIDE, "it has 1002 bytes"), (FITS, "it has 1998 bytes")):
            with pytest.raises(RequestRefused, match=f"kept: the request that prepare gave cannot be stored: {words}"):
                await engine.submit(saga, asked)
        refused = await engine.submit_many(saga, [LARGE, "fits", WIDE])
        assert [isinstance(one, RequestRefused) for one in refused] == [True, False, True]

    run(saga, test)


def test_a_command_s_body_and_its_entity_have_a_size() -> None:
    """The body is a request; an entity that is too large is its function's fault, and was not changed."""
    add = Command("ADDED", "S", lambda before, body: (before or "") + body)

    async def test(engine: Any) -> None:
        with pytest.raises(RequestRefused, match=f"ADDED: the request cannot be stored: {WORDS}"):
            await engine.carry_out(add, "e", LARGE)
        await engine.carry_out(add, "e", FITS)
        with pytest.raises(ParticipantError, match=f"ADDED: the entity S/e cannot be stored: {WORDS}"):
            await engine.carry_out(add, "e", "y", key="k")
        with pytest.raises(ParticipantError, match="the entity S/e cannot be stored"):
            await engine.transact(lambda work: work.entities["S"].__setitem__("e", LARGE))
        assert await engine.entity("S", "e") == FITS

    run(kept(lambda *_: 1), test)


@pytest.mark.parametrize("value", [LARGE, {"a": LARGE}, ["é" * 999]])
def test_an_entity_of_a_saga_has_a_size(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Its function counts as having raised; the sagas that start in the same batch know nothing of it."""
    steps = [
        local("KEPT", lambda _, text: value if text == "large" else text, undo=lambda *_: 1, undone="X", entity=str,
              limit_s=0.2, backoff=Backoff(0.01, 0.01)),
        external("SENT", lambda *_: Done(), pivot=True),
    ]  # fmt: skip
    saga = Saga("kept", str, steps)

    async def test(engine: Any) -> None:
        handles = await engine.submit_many(saga, ["first", "large", "last"])
        ends = [type((await handle.result()).state) for handle in handles]
        assert ends == [Completed, Compensated, Completed]
        assert await engine.entity("KEPT", "large") is None
        assert "the entity KEPT/large cannot be stored: it has" in caplog.text

    run(saga, test)


def answering(answer: Any, *, is_local: bool, limit_s: float = 0.2) -> Saga:
    """Return a saga whose second step answers, and is given up soon when that is not taken."""
    soon: dict[str, Any] = {"backoff": Backoff(0.01, 0.01), "limit_s": limit_s}
    second = (
        local("TOLD", lambda *_: amends.Changed(1, answer), undo=lambda *_: 1, undone="X", entity=str, **soon)
        if is_local
        else external("TOLD", lambda *_: Done(answer), undo=lambda *_: Done(), undone="X", timeout_s=limit_s, **soon)
    )
    return Saga("telling", str, [external("ASKED", lambda *_: Done(), undo=lambda *_: Done(), undone="Y"), second])


@pytest.mark.parametrize("is_local", [False, True])
@pytest.mark.parametrize("answer", [LARGE, {"a": LARGE}, [LARGE], WIDE + "éé"])
def test_an_answer_has_a_size(answer: Any, is_local: bool) -> None:
    """One that is too large says nothing: its step is unknown, with the reason, asked again, and undone in the end."""
    saga = answering(answer, is_local=is_local)

    async def test(engine: Any) -> None:
        result = await (await engine.submit(saga, "text")).result()
        assert isinstance(result.state, Compensated)
        assert "TOLD" not in result.answers

    run(saga, test)


def test_what_fits_is_answered() -> None:
    """To the last byte."""

    async def test(engine: Any) -> None:
        assert (await (await engine.submit(saga, "text")).result()).answers == {"TOLD": FITS}

    saga = answering(FITS, is_local=False, limit_s=60)
    run(saga, test)


def test_an_answer_from_outside_is_refused_to_who_brings_it() -> None:
    """By a webhook and by an operator: the saga goes on waiting for one that can be stored."""
    saga = Saga("later", str, [external("ASKED", lambda *_: Later(3600), pivot=True)])

    async def test(engine: Any) -> None:
        handle = await engine.submit(saga, "text")
        for outcome in (Done(LARGE), Done([LARGE])):
            with pytest.raises(RequestRefused, match="ASKED: the answer cannot be stored: it has 10"):
                await engine.answer(f"{handle.saga_id}/ASKED/do", outcome)
        await engine.answer(f"{handle.saga_id}/ASKED/do", Done(FITS))
        assert (await handle.result()).answers == {"ASKED": FITS}

    run(saga, test)


def test_a_reason_is_cut() -> None:
    """It is for a person, who is told how long it was."""
    saga = Saga("refusing", str, [external("ASKED", lambda *_: Refused("n" * 10**6), pivot=True)])

    async def test(engine: Any) -> None:
        result = await (await engine.submit(saga, "text")).result()
        assert result.reason == f"{'n' * 19_901}... (1000000 characters)"
        handle = await engine.submit(later, "text")
        await engine.tell(handle.saga_id, Abandon("w" * 10**6))

    later = saga
    run(saga, test)


@pytest.mark.parametrize("value", [0, -1, 2**28 + 1, 1.5, "16", None, True])
def test_the_limit_is_a_number_of_bytes(value: Any) -> None:
    """Up to what a record can quote."""
    with pytest.raises(UnusableInput, match=r"value_bytes_max is .*; give a number of bytes, 1 to 268435456"):
        amends.open("memory:", sagas=[], value_bytes_max=value)
