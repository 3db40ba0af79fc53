"""Asks a function once more, elsewhere: at other moments, by another chance, at another attempt.

What it reads of these is seen while it runs. Only where it read some are they moved, for a few further calls, to see
whether its answer depends on them: a line in a log that has the time in it does no harm.
"""

from __future__ import annotations

import datetime as dt
import gc
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from amends.checking.exceptions import what_was_raised
from amends.checking.values import same, told

LATER_S: Final = 34_340_677  # 397 days, 11 hours and some: another year, month, weekday, day, hour and minute
MOMENTS: Final = 12  # each so much later than the one before: all months and weekdays, and a moment in every two hours
ATTEMPTS: Final = (2, 3, 4, 1000)  # a second one, limits that people write, and one beyond every limit
SEED: Final = 4711  # any number will do: chance goes on from another place than before
CLOCKS: Final = ("time", "monotonic", "perf_counter", "process_time")
DATES: Final = ("now", "utcnow", "today")
OF_NOW: Final = ("localtime", "gmtime", "strftime", "ctime")  # they read the clock where they get no time


class Reads:
    """What a function read that may be another the next time, and from where.

    Attributes:
        words: each in words, once.
        spaces: the names of the modules that read it.
    """

    def __init__(self) -> None:
        self.words: dict[str, None] = {}
        self.spaces: list[dict[str, Any]] = []

    def see(self, frame: FrameType, event: str, called: Any) -> None:
        """What the interpreter tells of each call: `sys.setprofile`."""
        if event == "c_call" and (word := _word_for(called)):
            self.words[word] = None
            self.spaces.append(frame.f_globals)

    def __str__(self) -> str:
        return " and ".join(self.words)


def reading(ask: Callable[[], Any]) -> tuple[Any, Reads]:
    """What a function says, and what it read on the way.

    No garbage is collected meanwhile: what finalizers and callbacks of the collector read is not read by the function.

    Raises:
        Exception: an exception of the function.
    """
    reads, before, collects = Reads(), sys.getprofile(), gc.isenabled()
    gc.disable()
    sys.setprofile(reads.see)
    try:
        return ask(), reads
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()


def dependence(ask: Callable[[int], Any], first: Any, reads: Reads) -> str:
    """What an answer depends on that may be another at the next call; empty where it depends on nothing.

    Args:
        ask: by the number of the attempt.
        first: what it said at the first one.
        reads: what it read then.
    """
    for moment in range(1, MOMENTS + 1) if reads.words else ():
        with _elsewhere(reads.spaces, moment):
            other = _answer(ask, 1)
        if not same(first, other):
            return f"reads {reads}: it gave {told(first)}, and elsewhere {told(other)}"
    for attempt in ATTEMPTS:
        if not same(first, other := _answer(ask, attempt)):
            return f"reads call.attempt: it gave {told(first)}, and at attempt {attempt} {told(other)}"
    return ""


def _answer(ask: Callable[[int], Any], attempt: int) -> Any:
    try:
        return ask(attempt)
    except Exception as error:  # noqa: BLE001 - it did not raise before: that is what is told
        return f"raised {what_was_raised(error)}"


def _word_for(called: Any) -> str:
    """What a function of C reads, in words; empty for what is the same at each call."""
    name, owner = getattr(called, "__name__", ""), getattr(called, "__self__", None)
    if owner is time and name.removesuffix("_ns") in (*CLOCKS, *OF_NOW):
        return f"the clock (time.{name})"
    if name in DATES and isinstance(owner, type) and issubclass(owner, dt.date):
        return f"the clock ({owner.__name__}.{name})"
    if isinstance(owner, random.Random):
        return "chance (random)"
    return "chance (os.urandom)" if called is os.urandom else ""


@contextmanager
def _elsewhere(spaces: list[dict[str, Any]], moment: int) -> Iterator[None]:
    """Another moment and another chance, for functions that read them by these names."""
    moved = {id(was): now for was, now in _moved(moment * LATER_S, SEED + moment)}
    changed = []
    for space in (vars(time), vars(dt), vars(os), *spaces):
        for name, was in [*space.items()]:
            if id(was) in moved:
                changed.append((space, name, was))
                space[name] = moved[id(was)]
    state = random.getstate()
    random.seed(SEED + moment)
    try:
        yield
    finally:
        random.setstate(state)
        for space, name, was in reversed(changed):
            space[name] = was


def _moved(by_s: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """What reads a moment or chance, and what does so elsewhere."""
    for name in CLOCKS:
        yield getattr(time, name), _later(getattr(time, name), by_s)
        yield getattr(time, f"{name}_ns"), _later(getattr(time, f"{name}_ns"), by_s * 10**9)
    yield time.localtime, _at_later(time.localtime, by_s)
    yield time.gmtime, _at_later(time.gmtime, by_s)
    yield time.ctime, _at_later(time.ctime, by_s)
    yield from _dates(dt.timedelta(seconds=by_s))
    yield os.urandom, lambda size: bytes((place * 37 + seed) % 256 for place in range(size))


def _later(clock: Callable[[], Any], by: int) -> Callable[[], Any]:
    return lambda: clock() + by


def _at_later(function: Callable[..., Any], by_s: int) -> Callable[..., Any]:
    now = time.time
    return lambda *given: function(*given) if given else function(now() + by_s)


class _Same(type):
    """Its classes stand for one of the standard library: what is of that one is of them."""

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, cls.__mro__[1])


def _dates(by: dt.timedelta) -> Iterator[tuple[type, type]]:
    """The classes that know the moment, and such as know a later one, and make what the first ones make."""

    class Datetime(dt.datetime, metaclass=_Same):
        def __new__(cls, *given: Any, **named: Any) -> Any:
            return _DATETIME(*given, **named)

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return _DATETIME.now(tz) + by

        @classmethod
        def utcnow(cls) -> Any:
            return _DATETIME.now(dt.UTC).replace(tzinfo=None) + by

        @classmethod
        def today(cls) -> Any:
            return cls.now()

    class Date(dt.date, metaclass=_Same):
        def __new__(cls, *given: Any, **named: Any) -> Any:
            return _DATE(*given, **named)

        @classmethod
        def today(cls) -> Any:
            return (_DATETIME.now() + by).date()

    yield _DATETIME, Datetime
    yield _DATE, Date


_DATETIME: Final = dt.datetime
_DATE: Final = dt.date
