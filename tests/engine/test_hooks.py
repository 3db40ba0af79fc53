"""What a program hears of its sagas: ends, what waits for an operator, what is failing; and what a hook cannot do."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

import amends
from amends import Backoff, Compensated, Completed, Done, OperatorNeeded, Refused, Saga, UnusableInput, external
from amends.engine import hooks
from amends.engine.hooks import EventHooks, HookCaller
from amends.views.trouble import Failing, Stuck
from tests.acceptance.command import amends as command
from tests.engine.test_engine import PATIENCE_S
from tests.engine.test_verbs import ORDER, Bank

CLIENTS = {"CARD": Bank(), "PARCEL": None}


def ask(client: Any, cents: int, call: Any) -> Done | Refused:
    """CARD_CHARGED."""
    return Done() if cents > 0 else Refused("no money")


SALE = Saga("sale", int, [external("CARD_CHARGED", ask, pivot=True)])


def test_each_end_is_heard_after_its_commit_by_a_plain_function(tmp_path: Path) -> None:
    """In a thread that is none of the engine's, before the engine is closed."""
    heard, threads = list[amends.Result](), set[str]()

    def on_end(result: amends.Result) -> None:
        heard.append(result)
        threads.add(threading.current_thread().name)

    with amends.open(f"sqlite:///{tmp_path / 'sale.db'}", sagas=[SALE], on_end=on_end) as engine:
        ids = [handle.saga_id for handle in engine.submit_many(SALE, [5, 0, 7])]  # type: ignore[union-attr]  # none is refused
        for saga_id in ids:
            engine.result(saga_id, PATIENCE_S)
    assert sorted(result.saga_id for result in heard) == sorted(ids)
    assert sorted(type(result.state).__name__ for result in heard) == [Compensated.__name__, *[Completed.__name__] * 2]
    assert threads == {"amends-hooks"}


def test_who_waits_for_an_operator_is_heard_by_a_coroutine_function() -> None:
    """With what is owed and why, in the engine's loop."""
    heard = list[Stuck]()

    async def page(stuck: Stuck) -> None:
        await asyncio.sleep(0)
        heard.append(stuck)

    async def test() -> None:
        async with amends.open("memory:", sagas=[ORDER], clients=CLIENTS, on_needs_operator=page) as engine:
            handle = await engine.submit(ORDER, 42)
            with pytest.raises(OperatorNeeded):
                await handle.result(PATIENCE_S)
        assert heard == [Stuck(handle.saga_id, ("CARD_CHARGED/undo",), "the account is closed")]

    asyncio.run(test())


def test_a_step_that_fails_for_long_is_heard_once(tmp_path: Path) -> None:
    """And again by the next engine; who looks from outside sees it by the same measure."""
    broken, heard, told = [True], list[Failing](), threading.Event()

    def charge(client: Any, cents: int, call: Any) -> Done:
        if broken:
            raise ConnectionError("no route")
        return Done()

    def on_failing(step: Failing) -> None:
        heard.append(step)
        told.set()

    soon = Backoff(first_s=0.01, cap_s=0.01)
    saga = Saga("sale", int, [external("CARD_CHARGED", charge, pivot=True, backoff=soon)])
    url = f"sqlite:///{tmp_path / 'sale.db'}"
    with amends.open(url, sagas=[saga], worried_after_s=0.05, on_failing=on_failing) as engine:
        saga_id = engine.submit(saga, 1).saga_id
        assert told.wait(PATIENCE_S)
        assert engine.describe(saga_id).is_failing
        assert [found.saga_id for found in engine.list(status="failing").sagas] == [saga_id]
        listed = command("sagas", "--status", "failing", "--db", tmp_path / "sale.db")
        assert saga_id in listed.out
        assert "failing         1 step, the oldest for " in command("status", "--db", tmp_path / "sale.db").out
        broken.clear()
        assert isinstance(engine.result(saga_id, PATIENCE_S).state, Completed)
    assert [(step.saga_id, step.step, step.kind, step.error) for step in heard] == [
        (saga_id, "CARD_CHARGED", "do", "ConnectionError: no route")
    ]


def test_a_hook_that_raises_or_blocks_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is told in the log; those behind it wait for it, and no saga does."""
    gate, heard = threading.Event(), list[str]()

    def on_end(result: amends.Result) -> None:
        heard.append(result.saga_id)
        if len(heard) == 1:
            raise LookupError("no such page")
        gate.wait(PATIENCE_S)

    with amends.open("memory:", sagas=[SALE], on_end=on_end) as engine, caplog.at_level(logging.ERROR, "amends"):
        handles = [engine.submit(SALE, 1) for _ in range(4)]
        for handle in handles:
            assert isinstance(handle.result(PATIENCE_S).state, Completed)
        gate.set()
    assert heard == [handle.saga_id for handle in handles]
    (record,) = caplog.records
    assert record.getMessage().startswith("on_end raised LookupError: no such page; what it was to hear of is lost")


def test_a_hook_that_never_returns_keeps_no_engine_open(caplog: pytest.LogCaptureFixture) -> None:
    """What it was not told is counted in the log."""
    gate = threading.Event()
    with amends.open("memory:", sagas=[SALE], on_end=lambda _: gate.wait(PATIENCE_S), drain_s=0.05) as engine:
        for _ in range(3):
            engine.submit(SALE, 1).result(PATIENCE_S)
    gate.set()
    assert "hooks have not heard of " in caplog.text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"on_end": "page"}, "on_end is 'page'; give a function, or None"),
        ({"on_failing": 5}, "on_failing is 5; give a function, or None"),
        ({"worried_after_s": -1}, "worried_after_s is -1; give seconds"),
        ({"worried_after_s": "soon"}, "worried_after_s is 'soon'; give seconds"),
    ],
)
def test_what_is_no_hook_is_refused(given: dict[str, Any], words: str) -> None:
    """Before anything is opened."""
    with pytest.raises(UnusableInput) as refused:
        amends.open("memory:", sagas=[SALE], **given)
    assert words in str(refused.value)


def test_a_look_that_fails_ends_none_of_those_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whatever class its exception is: what is failing is told once a look succeeds."""
    monkeypatch.setattr(hooks, "LOOK_S", 0.01)
    step = Failing("1", "CARD_CHARGED", "do", 3, 0, "no answer")

    async def test() -> None:
        heard, looks = asyncio.Event(), list[int]()

        async def look(_: Any) -> list[Failing]:
            looks.append(1)
            if len(looks) < 3:
                raise MemoryError
            return [step]

        caller = HookCaller(EventHooks(on_failing=lambda _: heard_by.call_soon_threadsafe(heard.set)))
        heard_by = asyncio.get_running_loop()
        caller.open(look)
        await asyncio.wait_for(heard.wait(), PATIENCE_S)
        await caller.close(PATIENCE_S)

    asyncio.run(test())
