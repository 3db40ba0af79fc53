"""What is owed: what sagas hold by what their compensations would put back, what is unsettled, and the books."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import amends
from amends import Done, Later, Refused, Saga, external, local
from amends.engine.names import new_name


class Account(NamedTuple):
    """A customer's credit."""

    limit: int
    used: int


class Stock(NamedTuple):
    """A product's stock."""

    free: int
    reserved: int


class Order(NamedTuple):
    """So many of a product, for so much."""

    many: int
    cents: int


def take(account: Account | None, order: Order) -> Account:
    """CREDIT_TAKEN."""
    limit, used = account or (1000, 0)
    return Account(limit, used + order.cents)


def give(account: Account, order: Order) -> Account:
    """CREDIT_GIVEN."""
    return Account(account.limit, account.used - order.cents)


def reserve(stock: Stock | None, order: Order) -> Stock:
    """STOCK_RESERVED."""
    free, reserved = stock or (10, 0)
    return Stock(free - order.many, reserved + order.many)


def release(stock: Stock, order: Order) -> Stock:
    """STOCK_RELEASED."""
    return Stock(stock.free + order.many, stock.reserved - order.many)


def settle(stock: Stock, order: Order) -> Stock:
    """STOCK_SETTLED."""
    return Stock(stock.free, stock.reserved - order.many)


def later(_client: None, _order: Order, _call: object) -> Later:
    """PARCEL_SENT: the answer comes by a webhook."""
    return Later(3600)


def never_back(_client: None, _order: Order, _call: object) -> Refused:
    """TAX_PAID back: it is not given back."""
    return Refused("paid is paid")


def pay(_client: None, _order: Order, _call: object) -> Done:
    """TAX_PAID."""
    return Done()


ORDER = Saga(
    "order",
    Order,
    [
        local("CREDIT_TAKEN", take, undo=give, undone="CREDIT_GIVEN", entity=lambda _: "ann"),
        local(
            "STOCK_RESERVED",
            reserve,
            undo=release,
            undone="STOCK_RELEASED",
            entity=lambda _: "pen",
            holds=["reserved"],
        ),
        external("PARCEL_SENT", later, pivot=True, at_least_once=True),
        local("STOCK_SETTLED", settle, entity=lambda _: "pen"),
        external("MAIL_SENT", later, at_least_once=True),
    ],
)
STUCK = Saga(
    "stuck",
    Order,
    [external("TAX_PAID", pay, undo=never_back, undone="TAX_BACK"), external("CAR_SENT", never_back, pivot=True)],
)


def test_what_sagas_hold_is_told_while_they_do() -> None:
    """In their own units, until it is settled; then nothing is held, and the books say the same."""

    async def run() -> None:
        url = f"memory:{new_name(8)}"
        async with amends.open(url, sagas=[ORDER]) as engine, amends.connect(url, sagas=[ORDER]) as client:
            handles = [await engine.submit(ORDER, Order(many, 100)) for many in (2, 3)]
            while len(await engine.pending()) < len(handles):
                await asyncio.sleep(0.01)
            ledger = await client.owed(with_books=True)
            assert [(total.kind, total.service, total.what, total.amount, total.sagas) for total in ledger.totals] == [
                ("held", "CREDIT", "used", 200, 2),
                ("held", "STOCK", "reserved", 5, 2),
                ("unanswered", "PARCEL", "PARCEL_SENT", None, 2),
            ]
            assert {entry.is_declared for entry in ledger.entries if entry.service == "STOCK"} == {True}
            assert (ledger.differences, ledger.is_exact, ledger.is_cut) == ((), True, False)
            for handle in handles:
                await engine.answer(f"{handle.saga_id}/PARCEL_SENT/do", Done())
            while len(await engine.pending()) < len(handles):
                await asyncio.sleep(0.01)
            held = [total for total in (await engine.owed(with_books=True)).totals if total.service == "STOCK"]
            assert held == []

    asyncio.run(run())


def test_what_waits_for_an_operator_is_owed() -> None:
    """An undo that was refused, with why."""

    async def run() -> None:
        url = f"memory:{new_name(8)}"
        async with amends.open(url, sagas=[STUCK]) as engine:
            handle = await engine.submit(STUCK, Order(1, 1))
            while (await engine.describe(handle.saga_id)).status != "needs operator":
                await asyncio.sleep(0.01)
            (entry,) = [entry for entry in (await engine.owed()).entries if entry.kind == "not undone"]
            assert (entry.service, entry.step, entry.why) == ("TAX", "TAX_PAID", "paid is paid")
            await engine.abandon(handle.saga_id, by="ann", reason="written off")
            (entry,) = (await engine.owed()).entries
            assert (entry.kind, entry.step) == ("not undone", "TAX_PAID")

    asyncio.run(run())


def test_books_that_differ_are_told(tmp_path: Path) -> None:
    """By the client and by the command, which ends with 1."""
    db = tmp_path / "shop.db"
    with amends.open(f"sqlite:///{db}", sagas=[ORDER]) as engine:
        engine.transact(lambda transaction: transaction.entities["STOCK"].__setitem__("ink", Stock(4, 6)))
        (difference,) = engine.owed(with_books=True).differences
        assert difference.in_words() == "STOCK/ink.reserved is 6, and sagas hold 0 of it"
        assert engine.owed().differences == ()
    command = [sys.executable, "-m", "amends", "owed", "tests.views.test_owed", "--db", str(db)]
    told = subprocess.run([*command, "--books"], capture_output=True, text=True, check=False)
    assert (told.returncode, "STOCK/ink.reserved is 6" in told.stdout) == (1, True), told.stderr
    equal = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert (equal.returncode, '"differences": []' in equal.stdout) == (0, True), equal.stderr
