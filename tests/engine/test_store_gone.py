"""The files of a store are taken away while its engine runs: whoever asks is told, and nothing is answered."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import amends
from amends import Call, Cancel, Command, Completed, Done, EngineStopped, Later, Saga, external, local
from amends.engine.blocking import BlockingEngine


def wait(_client: None, _number: int, _call: Call) -> Later:
    """Take a request, and leave the answer to the test."""
    return Later(3600)


KEPT = Saga(
    "kept",
    int,
    [
        local("NOTED", lambda old, number: number, undo=lambda old, number: amends.GONE, undone="UNNOTED", entity=str),
        external("SENT", wait, undo=lambda *_: Done(), undone="UNSENT"),
    ],
)
PUT = Command("THING_PUT", "THINGS", lambda old, number: number)

ASK: dict[str, Callable[[BlockingEngine, str], Any]] = {
    "submit": lambda engine, _: engine.submit(KEPT, 2),
    "submit_many": lambda engine, _: engine.submit_many(KEPT, [2, 3]),
    "carry_out": lambda engine, _: engine.carry_out(PUT, "E1", 1),
    "transact": lambda engine, _: engine.transact(lambda work: work.remember("key", "what", 1), ["key"]),
    "answer": lambda engine, saga_id: engine.answer(f"{saga_id}/SENT/do", Done()),
    "tell": lambda engine, saga_id: engine.tell(saga_id, Cancel()),
}


def deleted(file: Path) -> None:
    """The file is."""
    file.unlink()


def folder_deleted(file: Path) -> None:
    """With all that is in it."""
    shutil.rmtree(file.parent)


def log_deleted(file: Path) -> None:
    """The log is."""
    file.with_name(f"{file.name}-wal").unlink()


def replaced(file: Path) -> None:
    """By a copy of itself."""
    Path(shutil.copy(file, file.with_name("copy.db"))).replace(file)


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize("happens", [deleted, folder_deleted, log_deleted, replaced], ids=lambda one: one.__name__)
def test_whoever_asks_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, ask: str, happens: Callable[[Path], None]
) -> None:
    """In one line, by the first request and by all that follow; no file is made anew."""
    caplog.set_level(logging.CRITICAL)
    file = tmp_path / "data" / "store.db"
    file.parent.mkdir()
    with amends.open(f"sqlite:///{file}", sagas=[KEPT], commands=[PUT]) as engine:
        saga_id = engine.submit(KEPT, 1).saga_id
        happens(file)
        before = {*tmp_path.rglob("*")}
        for _ in range(2):
            with pytest.raises(EngineStopped, match=r"store\.db(-wal|\.lock)?: .*, while the engine runs") as stopped:
                ASK[ask](engine, saga_id)
        assert "\n" not in str(stopped.value)
    assert {*tmp_path.rglob("*")} <= before


def test_whoever_waits_is_told(tmp_path: Path) -> None:
    """That its saga's end will not be heard here."""
    file = tmp_path / "store.db"
    with amends.open(f"sqlite:///{file}", sagas=[KEPT]) as engine:
        handle = engine.submit(KEPT, 1)
        deleted(file)
        with pytest.raises(EngineStopped, match="it is gone"):
            engine.answer(f"{handle.saga_id}/SENT/do", Done())
        with pytest.raises(EngineStopped, match="it is gone"):
            handle.result(timeout=60)


def test_what_was_answered_before_its_log_was_deleted_is_there(tmp_path: Path) -> None:
    """The engine that stops saves it, and the next one goes on."""
    file = tmp_path / "store.db"
    with amends.open(f"sqlite:///{file}", sagas=[KEPT]) as engine:
        saga_id = engine.submit(KEPT, 1).saga_id
        log_deleted(file)
        with pytest.raises(EngineStopped):
            engine.submit(KEPT, 2)
    with amends.open(f"sqlite:///{file}", sagas=[KEPT]) as engine:
        engine.answer(f"{saga_id}/SENT/do", Done())
        assert isinstance(engine.result(saga_id, timeout=60).state, Completed)
        assert (engine.entity("NOTED", "1"), engine.entity("NOTED", "2")) == (1, None)
