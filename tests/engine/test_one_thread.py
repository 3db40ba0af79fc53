"""A thread that calls one function after the other goes on, whatever comes of each."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

from amends.engine.thread import OneThread

PATIENCE_S = 120.0  # a test that waits longer has failed


def test_what_no_loop_listens_to_any_more_keeps_nothing_from_going_on() -> None:
    """The answer of a call is told to an event loop that has ended three times at most; then comes the next call."""
    told: list[BaseException | None] = []
    done = SimpleQueue[Any]()

    def closed(error: BaseException | None, _answer: Any) -> None:
        told.append(error)
        if len(told) > 10:  # red, and no thread that keeps a processor busy for ever
            return
        raise RuntimeError("Event loop is closed")

    thread = OneThread("amends-test")
    thread.submit(lambda: 1, closed)
    thread.submit(lambda: 2, lambda _, answer: done.put(answer))
    assert done.get(timeout=PATIENCE_S) == 2
    thread.shutdown()
    assert [str(error or "") for error in told] == ["", "Event loop is closed", "Event loop is closed"]
