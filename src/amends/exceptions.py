"""Whose an exception is, and how it is told: what a user's function raises is that function's, of any class."""

from __future__ import annotations

import signal
import threading
import traceback
from typing import Final

import msgspec

from amends.core.messages import worded
from amends.errors import ParticipantError, StoreError

WORDS_ALONE: Final = frozenset((TypeError, ValueError, msgspec.ValidationError, msgspec.DecodeError))


def is_interrupt(error: BaseException) -> bool:
    """Whether it is an order to the process, and no participant's: Ctrl-C, or what a signal's handler raised.

    Handlers run in the main thread, between any two lines of what runs there: a participant's, in an async program.
    Turns are not taken there, but by a simulation. `asyncio.run` handles Ctrl-C itself: it cancels its main task.
    """
    if not isinstance(error, KeyboardInterrupt | SystemExit):
        return False
    if threading.current_thread() is not threading.main_thread():
        return False
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    if isinstance(error, KeyboardInterrupt) and signal.default_int_handler in handlers:
        return True
    codes = {getattr(handler, "__code__", None) for handler in handlers}
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))


def raised(error: BaseException) -> str:
    """An exception in words that can be stored: its class and its text, if it has one."""
    name = type(error).__name__
    try:
        words = worded(error)
    except BaseException as other:
        if is_interrupt(other):
            raise
        words = f"its text raises {type(other).__name__}"
    return f"{name}: {words}" if words else name


def complaint(error: BaseException) -> str:
    """What a value's own code, or a library, says of it: the words of a library alone, and the class of anything else.

    Raises:
        KeyboardInterrupt: it was none of a value's.
    """
    if is_interrupt(error):
        raise error
    return worded(error) if type(error) in WORDS_ALONE else raised(error)


def answerable(error: BaseException) -> Exception:
    """What a client is told of an exception of one of its functions: that itself, where it ends the call alone.

    Raised in a coroutine, `SystemExit` and `KeyboardInterrupt` would end its loop, and `CancelledError` its task; and
    what a function says of a storage is no word of ours.

    Raises:
        KeyboardInterrupt: it was none of a function's.
    """
    if is_interrupt(error):
        raise error
    if isinstance(error, Exception) and not isinstance(error, StoreError):
        return error
    told = ParticipantError(f"a function raised {raised(error)}")
    told.__cause__ = error
    return told
