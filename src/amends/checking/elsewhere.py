"""Asks a function once more, elsewhere: at another moment, by another chance, at another attempt.

What it reads of these is seen while it runs. Only where it read some are they moved, for one further call, to see
whether its answer depends on them: a line in a log that has the time in it is nobody's business.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from amends.checking.blame import what_was_raised
from amends.checking.values import same, told

LATER_S: Final = 37_000_000  # 428 days, 5 hours and some: another year, month, weekday, hour and minute
ATTEMPTS: Final = (2, 3, 4, 1000)  # a second one, limits that people write, and one beyond every limit
SEED: Final = 4711
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

    Raises:
        Exception: whatever it raises.
    """
    reads, before = Reads(), sys.getprofile()
    sys.setprofile(reads.see)
    try:
        return ask(), reads
    finally:
        sys.setprofile(before)


def dependence(ask: Callable[[int], Any], first: Any, reads: Reads) -> str:
    """What an answer depends on that may be another at the next call; empty where it depends on nothing.

    Args:
        ask: by the number of the attempt.
        first: what it said at the first one.
        reads: what it read then.
    """
    if reads.words:
        with _elsewhere(reads.spaces):
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
def _elsewhere(spaces: list[dict[str, Any]]) -> Iterator[None]:
    """Another moment and another chance, for whoever reads them by these names."""
    moved = {id(was): now for was, now in _moved()}
    changed = []
    for space in (vars(time), vars(dt), vars(os), *spaces):
        for name, was in [*space.items()]:
            if id(was) in moved:
                changed.append((space, name, was))
                space[name] = moved[id(was)]
    state = random.getstate()
    random.seed(SEED)
    try:
        yield
    finally:
        random.setstate(state)
        for space, name, was in reversed(changed):
            space[name] = was


def _moved() -> Iterator[tuple[Any, Any]]:
    """What reads a moment or chance, and what does so elsewhere."""
    for name in CLOCKS:
        yield getattr(time, name), _later(getattr(time, name), LATER_S)
        yield getattr(time, f"{name}_ns"), _later(getattr(time, f"{name}_ns"), LATER_S * 10**9)
    yield time.localtime, _at_later(time.localtime, 0)
    yield time.gmtime, _at_later(time.gmtime, 0)
    yield time.ctime, _at_later(time.ctime, 0)
    yield dt.datetime, _LaterDatetime
    yield dt.date, _LaterDate
    yield os.urandom, lambda size: bytes((place * 37 + SEED) % 256 for place in range(size))


def _later(clock: Callable[[], Any], by: int) -> Callable[[], Any]:
    return lambda: clock() + by


def _at_later(function: Callable[..., Any], place: int) -> Callable[..., Any]:
    now = time.time
    return lambda *given: function(*given) if len(given) > place else function(now() + LATER_S)


class _Same(type):
    """Its classes stand for one of the standard library: what is of that one is of them."""

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, cls.__mro__[1])


class _LaterDatetime(dt.datetime, metaclass=_Same):
    """Makes what `datetime` makes, but for the moment."""

    def __new__(cls, *given: Any, **named: Any) -> Any:
        return _DATETIME(*given, **named)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return _DATETIME.now(tz) + dt.timedelta(seconds=LATER_S)

    @classmethod
    def utcnow(cls) -> Any:
        return _DATETIME.now(dt.UTC).replace(tzinfo=None) + dt.timedelta(seconds=LATER_S)

    @classmethod
    def today(cls) -> Any:
        return cls.now()


class _LaterDate(dt.date, metaclass=_Same):
    """Makes what `date` makes, but for the day."""

    def __new__(cls, *given: Any, **named: Any) -> Any:
        return _DATE(*given, **named)

    @classmethod
    def today(cls) -> Any:
        return _DATE.today() + dt.timedelta(seconds=LATER_S)


_DATETIME: Final = dt.datetime
_DATE: Final = dt.date
