"""What may differ between two calls does: the moment, chance, the attempt. Whoever depends on one is told which."""

from __future__ import annotations

import datetime as dt
import gc
import logging
import os
import random
import re
import time
import uuid
from collections.abc import Callable
from datetime import date, datetime
from time import time as clock
from typing import Any

import pytest

from amends import Call, Refused, check
from amends.checking import CheckFailed, explore
from tests.checking.planted.participant_bugs import Buy, Shelf, give_back, shelf, ship, small, take

LOG = logging.getLogger(__name__)
BIRTHDAY = datetime(2024, 2, 29)  # noqa: DTZ001 - a day
HOUR = datetime.now(dt.UTC).hour
DAY = date.today()  # noqa: DTZ011
RULE = "what differs between two calls does not matter"


def on_this_day(now: Callable[[], Any]) -> Callable[[Shelf, Buy], Shelf | Refused]:
    """Return a decider that gives a rebate on the day of the check, and not some 400 days later."""
    day = now()

    def take_with_rebate(kept: Shelf, buy: Buy) -> Shelf | Refused:
        after = take(kept, buy)
        return after if isinstance(after, Refused) or now() != day else after._replace(price=9)

    return take_with_rebate


def by_attempt(limit: int) -> Callable[[Shelf, Buy, Call], Shelf | Refused]:
    """Return a decider that gives up after so many attempts."""

    def take_at_first(kept: Shelf, buy: Buy, call: Call) -> Shelf | Refused:
        return take(kept, buy) if call.attempt <= limit else Refused("too often")

    return take_at_first


def by_chance(kept: Shelf, buy: Buy) -> Shelf | Refused:
    """Take pieces, and name the shelf by chance, which is the same for a while."""
    return kept._replace(stock=kept.stock - buy.pieces, price=random.Random(f"{int(clock()) // 10**9}").randint(1, 9))


def hidden(read: Callable[[], Any]) -> Callable[[Shelf, Buy], Shelf]:
    """Return a decider whose answer has something of what it reads in it."""
    return lambda kept, buy: kept._replace(stock=kept.stock - buy.pieces, price=read())


def at_some_hour(kept: Shelf, buy: Buy) -> Shelf | Refused:
    """Take pieces, with a rebate in two hours of the day, about half a day from the check."""
    after = take(kept, buy)
    is_happy = datetime.now(dt.UTC).hour in {(HOUR + hours) % 24 for hours in (12, 13)}
    return after._replace(price=9) if is_happy and isinstance(after, Shelf) else after


def until_a_day(kept: Shelf, buy: Buy) -> Shelf | Refused:
    """Take pieces until a day that is some years ahead."""
    return take(kept, buy) if (date.today() - DAY).days < 365 * 5 else Refused("no longer sold")  # noqa: DTZ011


DEPENDS = {
    "date": (on_this_day(date.today), r"reads the clock \(date.today\)"),
    "datetime": (on_this_day(lambda: datetime.now().year), r"reads the clock \(datetime.now\)"),  # noqa: DTZ005
    "datetime of its module": (on_this_day(lambda: dt.datetime.now().year), r"the clock \(datetime.now\)"),  # noqa: DTZ005
    "with a zone": (on_this_day(lambda: datetime.now(dt.UTC).year), r"reads the clock \(datetime.now\)"),
    "time": (on_this_day(lambda: int(time.time()) // 10**7), r"reads the clock \(time.time\)"),
    "time by its name": (on_this_day(lambda: int(clock()) // 10**7), r"reads the clock \(time.time\)"),
    "time in nanoseconds": (on_this_day(lambda: time.time_ns() // 10**16), r"reads the clock \(time.time_ns\)"),
    "local time": (on_this_day(lambda: time.localtime().tm_year), r"reads the clock \(time.localtime\)"),
    "monotonic": (on_this_day(lambda: int(time.monotonic()) // 10**7), r"reads the clock \(time.monotonic\)"),
    "an hour": (at_some_hour, r"reads the clock \(datetime.now\)"),
    "a day to come": (until_a_day, r"reads the clock \(date.today\)"),
    "attempt 2": (by_attempt(1), r"reads call.attempt: it gave .* and at attempt 2 "),
    "attempt 5": (by_attempt(4), r"reads call.attempt: it gave .* and at attempt 1000 "),
}


@pytest.mark.parametrize("what", DEPENDS)
def test_whoever_depends_on_it_is_told_which(what: str) -> None:
    """By the name of what is read; both answers are told."""
    action, text = DEPENDS[what]
    found = explore(small(shelf(action, give_back), ship()), faults=1).counterexample
    assert found is not None
    assert found.broken.rule == RULE
    with pytest.raises(CheckFailed):
        check(small(shelf(action, give_back), ship()), faults=1)
    assert re.search(text, found.broken.text), found.broken.text


@pytest.mark.parametrize(
    ("read", "word"),
    [
        (lambda: random.randint(1, 10**9), "it reads chance (random)"),
        (lambda: int(uuid.uuid4()), "it reads chance (os.urandom)"),
        (lambda: os.urandom(9).hex(), "it reads chance (os.urandom)"),
    ],
)
def test_what_is_another_at_each_call_is_named(read: Callable[[], Any], word: str) -> None:
    """It shows at the second call already; what was read says why."""
    found = explore(small(shelf(hidden(read), give_back), ship()), faults=1).counterexample
    assert found is not None
    assert found.broken.rule == "a decider is deterministic"
    assert found.broken.text.endswith(word)


def test_what_the_collector_reads_is_not_read_by_a_function() -> None:
    """Its callbacks, and finalizers, run in the midst of any function: tools measure there how long it takes."""
    read = []

    def measured(*_: Any) -> None:
        read.append(time.perf_counter())

    def littering(kept: Shelf, buy: Buy) -> Shelf:
        circles: list[Any] = [[] for _ in range(3 * gc.get_threshold()[0])]
        return kept._replace(stock=kept.stock - buy.pieces, price=len(circles) and int(os.urandom(4).hex(), 16))

    gc.callbacks.append(measured)
    try:
        found = explore(small(shelf(littering, give_back), ship()), faults=1).counterexample
    finally:
        gc.callbacks.remove(measured)
    assert found is not None
    assert found.broken.text.endswith("it reads chance (os.urandom)")
    assert gc.isenabled()


def test_who_reads_a_clock_and_does_not_depend_on_it_is_not_broken() -> None:
    """A line in a log has the time in it; days are compared with days that the standard library makes."""

    def logged(kept: Shelf, buy: Buy, call: Call) -> Shelf | Refused:
        LOG.warning("asked at attempt %s, %s", call.attempt, time.time())
        assert isinstance(BIRTHDAY, datetime)
        assert datetime(2024, 2, 29) == BIRTHDAY  # noqa: DTZ001
        assert datetime.now() > BIRTHDAY  # noqa: DTZ005
        assert type(date(2024, 1, 1)) is type(dt.date(2024, 1, 2))
        return take(kept, buy)

    assert explore(small(shelf(logged, give_back), ship()), faults=1).held


def test_an_undo_is_asked_elsewhere_too() -> None:
    """It has the same world around it as an action."""

    def back_today(kept: Shelf, buy: Buy, call: Call) -> Shelf:
        return give_back(kept, buy)._replace(taken=int(call.attempt > 2))

    found = explore(small(shelf(take, back_today), ship()), faults=1).counterexample
    assert found is not None
    assert found.broken.rule == RULE
    assert "SHELF_TAKEN/undo (back_today) reads call.attempt" in found.broken.text


def test_everything_is_put_back() -> None:
    """Clocks, chance and the profile of whoever measures."""
    before = (time.time, dt.datetime, datetime, date, os.urandom, random.getstate())
    explore(small(shelf(DEPENDS["date"][0], give_back), ship()), faults=0)
    explore(small(shelf(hidden(lambda: int(time.time()) // 10**9), give_back), ship()), faults=0)
    assert (time.time, dt.datetime, datetime, date, os.urandom, random.getstate()) == before
