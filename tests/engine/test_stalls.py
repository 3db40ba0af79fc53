"""A turn that does not end is told in the log, with where it is; and a log that raises ends no engine."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

import amends
from amends import Compensated, Completed, Done, Saga, external, local
from amends.engine import stalls
from tests.engine.giving_up import given_up
from tests.engine.test_engine import PATIENCE_S


class Heard(logging.Handler):
    """Says when something was told that has certain words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
        self.texts: list[str] = []
        self.has_heard = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what is told."""
        self.texts.append(record.getMessage())
        if self.words in self.texts[-1]:
            self.has_heard.set()


class Broken(logging.Handler):
    """Raises."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise."""
        raise RuntimeError("no log today")


@pytest.fixture
def log() -> Any:
    """Give the engine's log, and take off afterwards what was put on it."""
    logger = logging.getLogger("amends")
    before = [*logger.handlers]
    yield logger
    logger.handlers[:] = before


def test_a_step_that_does_not_return_is_told_with_where_it_is(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it goes on being told; a turn that ends is not."""
    monkeypatch.setattr(stalls, "STALL_S", 0.02)
    heard = Heard("a_step_that_waits")  # on a machine under load another turn may be told of before
    log.addHandler(heard)

    def a_step_that_waits(before: int | None, asked: int) -> int:
        if asked:
            heard.has_heard.wait(PATIENCE_S)
        return 1

    saga = Saga("waits", int, [local("A_DONE", a_step_that_waits, entity=str, pivot=True)])
    with amends.open("memory:", sagas=[saga]) as engine:
        assert isinstance(engine.submit(saga, 1).result(PATIENCE_S).state, Completed)
    assert any("a turn has not ended" in text and "a_step_that_waits" in text for text in heard.texts)


class Traceless(Exception):
    """An exception that cannot be told with its traceback."""

    @property
    def __traceback__(self) -> Any:  # type: ignore[override]
        raise SystemExit("no traceback")


@pytest.mark.parametrize("raised", [ZeroDivisionError, Traceless])
def test_a_log_that_raises_ends_no_engine(log: Any, capsys: pytest.CaptureFixture[str], raised: Any) -> None:
    """Its handler's exception goes to standard error; whoever waits is answered."""
    if raised is ZeroDivisionError:
        log.addHandler(Broken())

    def fail(*_: Any) -> None:
        raise raised

    saga = Saga("fails", int, [external("A_DONE", fail, undo=lambda *_: Done(), undone="A_UNDONE")])
    assert isinstance(given_up(saga).state, Compensated)
    assert ("no log today" if raised is ZeroDivisionError else "no traceback") in capsys.readouterr().err
