"""A small store with everything in it, written by a real engine in three sittings, and the older copies of it."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import amends
from amends import Abandon, Backoff, Command, Done, Later, Refused, Saga, external, local, parallel
from amends.adapters.sqlite.reader import SqliteReader
from amends.auditing.chain import head_text
from amends.storage.ports import SagaFilter
from amends.storage.rows import NEEDS_OPERATOR, SagaRow

QUICK = Backoff(first_s=0.001, cap_s=0.002)


class Buy(NamedTuple):
    """What a ticket saga is asked: a show, and how it is to go."""

    show: str
    how: str = "well"


def hold(free: int | None, buy: Buy) -> int | Refused:
    """Hold a seat."""
    return free - 1 if free else Refused("sold out")


def let_go(free: int, buy: Buy) -> int:
    """Give it back."""
    return free + 1


async def charge(bank: dict[str, int], buy: Buy, call: Any) -> Any:
    """Charge a card, as the request says that it goes."""
    tries = bank[call.key] = bank.get(call.key, 0) + 1
    if buy.how == "flaky" and tries == 1:
        raise OSError("no route to host \x1b[31m<b>")
    return {"poor": Refused("no money"), "later": Later(3600)}.get(buy.how, Done({"receipt": call.key}))


async def refund(bank: dict[str, int], buy: Buy, call: Any) -> Any:
    """Give the money back, unless the account is closed."""
    return Refused("the account is closed") if buy.how in ("stuck", "given up") else None


async def issue(printer: Any, buy: Buy, call: Any) -> Any:
    """Print the ticket."""
    return Done() if buy.how in ("well", "flaky") else Refused("the printer is on fire")


def sell(free: int, buy: Buy) -> int:
    """Keep the seat: it is held already."""
    return free


TICKETS = Saga(
    "tickets for all",
    Buy,
    [
        local("SEAT_HELD", hold, undo=let_go, undone="SEAT_FREED", entity=lambda buy: buy.show),
        parallel(
            external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED", backoff=QUICK),
            external("TAX_PAID", charge, undo=charge, undone="TAX_BACK", backoff=QUICK),
        ),
        external("TICKET_ISSUED", issue, pivot=True),
        local("SEAT_SOLD", sell, entity=lambda buy: buy.show),
    ],
)
STOCK = Command("SHOW_PLANNED", "SEAT", lambda _, seats: seats)
HOWS = ("well", "flaky", "poor", "stuck", "later", "given up")
ENDS = {"well", "flaky", "poor"}  # by themselves


class Copy(NamedTuple):
    """A store as it was at a moment, and the head that somebody kept then."""

    path: Path
    head: str


def written(folder: Path) -> list[Copy]:
    """Write a store in three sittings; give the copies that were made after each, the last one last."""
    path = folder / "shop.db"
    copies = []
    for sitting in range(3):
        asyncio.run(sit(path, sitting))
        with closing(SqliteReader(path)) as store:
            copies.append(Copy(folder / f"copy-{sitting}.db", head_text(store.head())))
        shutil.copy(path, copies[-1].path)
    return copies


def opened(path: Path) -> Any:
    """An engine on a file, to be used with ``async with``."""
    clients: dict[str, Any] = {"CARD": {}, "TAX": {}, "TICKET": None}
    return amends.open(f"sqlite:///{path}", sagas=[TICKETS], commands=[STOCK], clients=clients)


async def sit(path: Path, sitting: int) -> None:
    """Run some sagas; those that can end do."""
    show = f"Hamlet {sitting}"
    async with opened(path) as engine:
        await engine.carry_out(STOCK, show, 5, key=f"stock {sitting}")
        handles = [await engine.submit(TICKETS, Buy(show, how), key=f"{sitting}.{how}") for how in HOWS]
        handles += await engine.submit_many(TICKETS, [Buy("Nothing"), Buy(show, "flaky")])
        for handle, how in zip(handles, (*HOWS, "well", "well"), strict=True):
            if how in ENDS:
                await handle.result(20)
        while len(list(waiting(path, NEEDS_OPERATOR))) < 2 + sitting:
            await asyncio.sleep(0.01)
        await engine.tell(handles[HOWS.index("given up")].saga_id, Abandon("the bank is gone"))


def waiting(path: Path, status: str) -> list[str]:
    """The ids of the sagas of a status, newest first."""
    with closing(SqliteReader(path)) as store:
        return [row.saga_id for row in store.listing(SagaFilter((status,))) if isinstance(row, SagaRow)]
