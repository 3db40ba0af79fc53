"""What a forked child must not keep of its parent's stores: a lock would outlive the parent that was killed.

A pool's workers, a daemon's second process: a fork copies every open file, and the store is not asked. What was
opened before is forgotten in the child; a child that wants a store opens one itself.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final, Protocol
from weakref import WeakSet


class Forgetful(Protocol):
    """Something that a process holds, and its children must not."""

    def forget(self) -> None:
        """Called in the child, right after the fork: drop it there, and leave the parent's alone."""


_held: Final = WeakSet[Forgetful]()


def forget_in_children(one: Forgetful) -> None:
    """Have this forgotten by every child that is forked while it exists."""
    _held.add(one)


def _forget() -> None:
    for one in list(_held):
        one.forget()


def leak(*things: object) -> None:
    """Have these never finalized: in a child, to close something may change what the parent goes on with."""
    for thing in things:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
