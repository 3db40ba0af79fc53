"""Calls that do not end and take every place: the log and the store say so, and an undo gets through all the same."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import amends
from amends import Backoff, Compensated, Done, Handle, Refused, Saga, external
from amends.adapters.sqlite.reader import SqliteReader
from amends.engine.alarm import AGAIN_MS, Alarm
from tests.engine.test_engine import PATIENCE_S, run


def warning(path: Path) -> str:
    """Return what whoever looks at the store is told."""
    with closing(SqliteReader(path)) as seen:
        return seen.warning()


class Ticking:
    """A clock that is set by hand."""

    now = 0

    def now_ms(self) -> int:
        """Return the time."""
        return self.now


def test_it_is_said_at_once_and_then_ever_more_rarely(caplog: pytest.LogCaptureFixture) -> None:
    """And that it is over, once."""
    clock = Ticking()
    alarm = Alarm(clock)
    assert alarm.sound({}) is None
    said = []
    for _ in range(64):
        told = alarm.sound({"CARD": 5})
        said.append(told)
        clock.now += AGAIN_MS // 4
    assert said == ["calls that do not end take every place at CARD"] + [None] * 63
    assert len(caplog.records) == 5
    assert alarm.sound({"CARD": 5, "MAIL": 1}) == "calls that do not end take every place at CARD, MAIL"
    assert alarm.sound({}) == ""
    assert "there are places at CARD again" in caplog.messages
    assert alarm.sound({}) is None


def test_calls_that_hang_are_told_and_an_undo_gets_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every place is taken by threads that nobody can end; when they do, the sagas go on."""
    monkeypatch.setattr("amends.engine.slots.LATE_MAX", 3)
    monkeypatch.setattr("amends.engine.calls.LATE_MAX", 3)
    caplog.set_level(logging.ERROR, "amends")
    hangs, stuck, undone = threading.Event(), threading.Semaphore(0), Counter[str]()

    def charge(client: Any, n: int, call: Any) -> Done:
        if n == 0:
            return Done()
        stuck.release()
        hangs.wait(PATIENCE_S)
        return Done()

    def refund(client: Any, n: int, call: Any) -> Done:
        undone[call.key] += 1
        return Done()

    async def confirm(client: Any, n: int, call: Any) -> Any:
        while n == 0 and "CARD" not in warning(path):
            await asyncio.sleep(0.01)
        return Refused("sold out") if n == 0 else Done()

    path = tmp_path / "a.db"
    steps = [
        external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED", timeout_s=0.05, limit_s=60,
                 backoff=Backoff(0.001, 0.002)),
        external("SEAT_TAKEN", confirm, pivot=True, timeout_s=PATIENCE_S, limit_s=PATIENCE_S),
    ]  # fmt: skip

    async def test() -> None:
        saga = Saga("s", int, steps)
        async with amends.open(f"sqlite:///{path}", sagas=[saga], concurrency={"CARD": 2}, drain_s=0) as running:
            first = await running.submit(saga, 0)
            others = await running.submit_many(saga, [1] * 20)
            assert isinstance((await first.result(PATIENCE_S)).state, Compensated)
            assert undone == {f"{first.saga_id}/CARD_CHARGED/undo": 1}
            hangs.set()
            for handle in others:
                assert isinstance(handle, Handle)
                await handle.result(PATIENCE_S)

    run(test())
    assert any("every place at CARD" in line for line in caplog.messages)
    assert warning(path) == ""
