"""What a forked child must not keep of its parent's stores: a lock would outlive the parent that was killed.

A pool's workers, a daemon's second process: a fork copies every open file, and the store is not asked. What was
opened before is forgotten in the child; a child that wants a store opens one itself. What is in the middle of something
is waited for before: a copy of that would be in the middle of it for ever.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from typing import Final, Protocol
from weakref import WeakKeyDictionary

REST_WITHIN_S: Final = 5.0  # for what is in use to come to rest before a fork: some commits to a slow disk


class Forgetful(Protocol):
    """Something that a process holds, and its children must not."""

    def forget(self) -> None:
        """Called in the child, right after the fork: drop it there, and leave the parent's alone."""


class Use:
    """Whether something is in use just now; its thread enters it for as long, and a fork waits for the end.

    Attributes:
        is_over: while a process forks, and in the child then, whether it is at rest.
    """

    def __init__(self) -> None:
        """It is at rest."""
        self.is_over = False
        self._lock = threading.RLock()
        self._depth = 0
        self._is_held = False

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        self._lock.release()

    def rest(self, seconds: float) -> None:
        """Wait for its end, so long at most; who would begin meanwhile waits until `go_on`."""
        self._is_held = self._lock.acquire(timeout=seconds)
        self.is_over = self._is_held and not self._depth  # else the thread that forks uses it itself

    def go_on(self) -> None:
        """Let others use it again."""
        if self._is_held:
            self.is_over = self._is_held = False
            self._lock.release()


_held: Final = WeakKeyDictionary[Forgetful, Use | None]()
_fork: Final = threading.RLock()  # two threads may fork at once


def forget_in_children(one: Forgetful, use: Use | None = None) -> None:
    """Have this forgotten by every child that is forked while it exists.

    Args:
        one: that is to be forgotten.
        use: what a fork waits for; ``None`` where it may be copied at any moment.
    """
    _held[one] = use


def _uses() -> list[Use]:
    return [use for use in list(_held.values()) if use is not None]


def _rest() -> None:
    _fork.acquire()
    until = time.monotonic() + REST_WITHIN_S
    for use in _uses():
        use.rest(max(0.0, until - time.monotonic()))


def _go_on() -> None:
    for use in _uses():
        use.go_on()
    _fork.release()


def _forget() -> None:
    for one in list(_held):
        one.forget()
    _go_on()


def leak(*things: object) -> None:
    """Have these never finalized: in a child, to close something may change what the parent goes on with."""
    for thing in things:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_rest, after_in_parent=_go_on, after_in_child=_forget)
