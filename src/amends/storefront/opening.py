"""Opening the order system on an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from amends import bootstrap
from amends.engine.blocking import BlockingEngine
from amends.engine.transaction import Transaction
from amends.errors import UnusableInput
from amends.shop import Session
from amends.shop.inventory import STOCK_SET
from amends.shop.orders import NUMBERS_TAKEN
from amends.shop.outside import CUSTOMER_KNOWN, EVEN, Books, BooksInFile, Providers, Temper
from amends.shop.payments import CREDIT_LIMIT_SET, PAYMENT
from amends.shop.shipping import SHIPPING
from amends.storefront.ledger import AT_HOME, AWAY, OPERATIONS_MAX, EngineLedger

COMMANDS: Final = (CREDIT_LIMIT_SET, STOCK_SET, NUMBERS_TAKEN, CUSTOMER_KNOWN)
OUTSIDE_SUFFIX: Final = "-outside"

KIND_KEY: Final = "desk/participants"  # as it is in stores that were written before the storefront had its name
KIND_DIGEST: Final = "which participants orders go to"
KINDS: Final = {False: "local", True: "simulated"}


class Storefront(NamedTuple):
    """The order system on an engine.

    Attributes:
        session: takes batches of operations, and reports on each.
        ledger: where it keeps everything.
        engine: the ledger's; an operator's decision on an order is for `Engine.tell`, under the order's id.
    """

    session: Session
    ledger: EngineLedger
    engine: BlockingEngine


@contextmanager
def open_storefront(
    path: str = "",
    *,
    simulated: bool = False,
    limits: bool = False,
    piece_max: int = OPERATIONS_MAX,
    temper: Temper = EVEN,
) -> Iterator[Storefront]:
    """Open the order system.

    Args:
        path: of the store's file; empty for one in memory. The simulated services outside keep their books beside it,
            in the file of this name and ``-outside``, which is no part of the store.
        simulated: whether PAYMENT and SHIPPING are the simulated services outside. Set it to see orders survive lost
            messages and slow answers; a store has one kind of participants for good.
        limits: whether each batch has the three count limits of the function.
        piece_max: how many operations are one transaction at most, >= 1. Lower it in a test that kills between them.
        temper: how the simulated services behave: how often they lose, double or delay a message.

    Raises:
        StoreUnusable: the store cannot be used; one line says why.
        UnusableInput: its orders go to the other kind of participants, or no books can be kept beside it.
    """
    with _opened(path, temper if simulated else None) as (engine, outside):
        _settle_kind(engine, path, KINDS[simulated])
        ledger = EngineLedger(engine, outside, piece_max=piece_max)
        yield Storefront(Session(limits=limits, ledger=ledger), ledger, engine)


@contextmanager
def _opened(path: str, temper: Temper | None) -> Iterator[tuple[BlockingEngine, Providers | None]]:
    if temper is None:
        with bootstrap.open(_url(path), sagas=AT_HOME, commands=COMMANDS) as engine:
            yield engine, None
        return
    with _books(path) as books:
        outside = Providers(books, temper=temper)
        clients = dict.fromkeys((PAYMENT, SHIPPING), outside)
        with bootstrap.open(_url(path), sagas=AWAY, commands=COMMANDS, clients=clients) as engine:
            yield engine, outside


def _url(path: str) -> str:
    return f"{bootstrap.SQLITE}{path}" if path else bootstrap.MEMORY


@contextmanager
def _books(path: str) -> Iterator[Books]:
    if not path:
        yield Books()
        return
    file = Path(f"{path}{OUTSIDE_SUFFIX}")
    if not file.exists():
        with bootstrap.open(_url(path), sagas=()) as engine:  # books are begun beside a store that takes such orders
            _settle_kind(engine, path, KINDS[True])
    with closing(BooksInFile(file)) as books:
        yield books


def _settle_kind(engine: BlockingEngine, path: str, kind: str) -> None:
    """An account that is kept here is unknown outside, and the other way round: a store has one kind for good."""
    before: str = engine.transact(lambda transaction: _kind_of(transaction, kind), [KIND_KEY])
    if before != kind:
        raise UnusableInput(f"{path}: the orders of this store go to {before} participants: --participants {before}")


def _kind_of(transaction: Transaction, kind: str) -> str:
    """The kind that a store has; of a new one, from now on, the kind that is given."""
    known = transaction.recall(KIND_KEY, KIND_DIGEST)
    if known is None:
        transaction.remember(KIND_KEY, KIND_DIGEST, kind)
        return kind
    return str(known)
