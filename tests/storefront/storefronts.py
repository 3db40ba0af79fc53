"""Storefronts of every kind, and what is looked at when they have done their work."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from amends import Call, Kind, Refused, bootstrap
from amends.core.audit import GENESIS
from amends.shop import Session
from amends.shop.outside import BooksInFile, Providers, Temper
from amends.shop.payments import PAYMENT, Account
from amends.shop.purchase import Purchase
from amends.shop.unit import Given, Ledger
from amends.storage.blocks import head_after
from amends.storage.ports import SagaFilter
from amends.storefront import Storefront, open_storefront

KINDS = ("local in memory", "local in a file", "simulated in memory", "simulated in a file")
DURABLE = ("local in a file", "simulated in a file")
AT_ONCE = Temper(latency_ms=range(1))


def storefront_of(kind: str, folder: Path, **more: Any) -> AbstractContextManager[Storefront]:
    """Open a storefront of one of `KINDS`."""
    path = str(folder / "shop.db") if "file" in kind else ""
    return open_storefront(path, simulated=kind.startswith("simulated"), temper=AT_ONCE, **more)


class Broken(Exception):
    """The process is gone, as far as a test in this process can say so."""


class Closed:
    """Services that give nothing back, until they are mended.

    Attributes:
        why: they do not.
        is_mended: whether they do.
    """

    why = "the account is closed"
    is_mended = False


def refusing_refunds(monkeypatch: pytest.MonkeyPatch) -> type[Closed]:
    """Have the services outside refuse to undo anything, so that an order which turns back waits for an operator."""
    monkeypatch.setattr(Closed, "is_mended", False)
    ask: Any = Providers.ask

    async def refusing(self: Providers, purchase: Purchase, call: Call) -> Any:
        if call.key.endswith(Kind.UNDO.value) and not Closed.is_mended:
            return Refused(Closed.why)
        return await ask(self, purchase, call)

    monkeypatch.setattr(Providers, "ask", refusing)
    return Closed


class Breaking:
    """A ledger that breaks down at one of its transactions, just before it or just after."""

    def __init__(self, ledger: Ledger, at: int, *, after: bool) -> None:
        self.piece_max, self.entities = ledger.piece_max, ledger.entities
        self._ledger, self._left, self._after = ledger, at, after

    def transact(self, do: Callable[[Any], Given], keys: Sequence[str] = ()) -> Given:
        """Do it, or break down."""
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Broken
        given = self._ledger.transact(do, keys)
        if self._left == 0:
            raise Broken
        return given

    def wait_for(self, order_id: str) -> None:
        """Break down while an order is under way."""
        self._left -= 1
        if self._left == 0:
            raise Broken
        self._ledger.wait_for(order_id)


def breaking(storefront: Storefront, at: int, *, after: bool, limits: bool = False) -> Session:
    """Return a session that breaks down."""
    return Session(limits=limits, ledger=Breaking(storefront.session._ledger, at, after=after))


@contextmanager
def records_of(folder: Path) -> Iterator[Any]:
    """Open what a store file holds, to look at it."""
    records: Any = bootstrap.located(str(folder / "shop.db")).records()
    with closing(records):
        yield records


def assert_sound(folder: Path, orders: int) -> None:
    """The audit is whole; there is a saga for each order, and for nothing else; each is final."""
    with records_of(folder) as records:
        head = GENESIS
        for block in records.blocks():
            assert block.before == head
            head = head_after(head, block.records)
            assert block.head == head
        assert records.head().head == head
        sagas = [*records.listing(SagaFilter(limit=1_000_000))]
        assert len(sagas) == len({row.saga_id for row in sagas}) == orders
        assert {row.status for row in sagas} <= {"completed", "compensated"}


def accounts_of(folder: Path, customers: Sequence[str]) -> dict[str, Account]:
    """Return the accounts that the services outside keep beside a store."""
    with closing(BooksInFile(folder / "shop.db-outside")) as books:
        return {customer_id: books.entities[PAYMENT][customer_id] for customer_id in customers}


def change(folder: Path, sql: str) -> None:
    """Change a store behind its back."""
    with closing(sqlite3.connect(folder / "shop.db", isolation_level=None)) as connection:
        assert connection.execute(sql).rowcount == 1
