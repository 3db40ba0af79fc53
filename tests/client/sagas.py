"""What the tests of clients share: sagas, engines in this process and in others, and a client that is one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

from amends import Call, Done, Later, Refused, Saga, external, local
from tests.engine.world import Buy, hold, let_go

PATIENCE_S = 120.0  # a test that waits longer has failed; none of them asserts a time


def issue(_: int | None, buy: Buy) -> int:
    """TICKET_ISSUED."""
    return buy.seats


LOCAL = Saga(
    "tickets",
    Buy,
    [
        local("SEATS_HELD", hold, undo=let_go, undone="SEATS_FREED", entity=lambda buy: buy.show),
        local("TICKET_ISSUED", issue, entity=lambda buy: f"t-{buy.show}", pivot=True),
    ],
)


def count(sold: int | None, buy: Buy) -> int:
    """TICKETS_SOLD."""
    return (sold or 0) + buy.seats


COUNTED = Saga("counted", Buy, [local("TICKETS_SOLD", count, service="SOLD", entity=lambda buy: buy.show, pivot=True)])


async def later(_: object, __: Buy, ___: Call) -> Later:
    """APPROVED, by a person."""
    return Later(3600)


async def back(_: object, __: Buy, ___: Call) -> Done:
    """WITHDRAWN."""
    return Done()


ASKED = Saga(
    "asked",
    Buy,
    [
        external("APPROVED", later, undo=back, undone="WITHDRAWN", limit_s=3600),
        local("TICKET_ISSUED", issue, entity=lambda buy: f"a-{buy.show}", pivot=True),
    ],
)


def prepare(_: Any, saga_id: str, wanted: Any) -> Buy | Refused:
    """Make a request of plain JSON: three seats are the most."""
    show, seats = wanted
    return Buy(show, seats) if seats <= 3 else Refused("three at most")


PREPARED = Saga("prepared", Buy, [local("TICKET_ISSUED", issue, entity=lambda buy: f"p-{buy.show}", pivot=True)],
                prepare=prepare)  # fmt: skip
SAGAS = [LOCAL, ASKED, PREPARED, COUNTED]


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test of a coroutine function, which has an event loop of its own."""

    @wraps(test)
    def runs(*args: Any, **named: Any) -> None:
        asyncio.run(test(*args, **named))

    return runs


def url_of(folder: Path) -> str:
    """Return the address of a store in a folder."""
    return f"sqlite:///{folder / 'shop.db'}"


async def python(code: str, *given: str) -> str:
    """Run a program, and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    told, wrong = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0, wrong.decode()
    return told.decode()
