"""Opening the order system on an engine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from amends import bootstrap
from amends.core.definition import Saga
from amends.engine.blocking import BlockingEngine
from amends.engine.transaction import Transaction
from amends.errors import UnusableInput
from amends.shop import Session
from amends.shop.inventory import STOCK_SET
from amends.shop.orders import NUMBERS_TAKEN
from amends.shop.outside import CUSTOMER_KNOWN, EVEN, Books, BooksInFile, Providers, Temper
from amends.shop.payments import CREDIT_LIMIT_SET, PAYMENT
from amends.shop.shipping import SHIPPING
from amends.storage.location import MEMORY, SQLITE, LastingLocation
from amends.storage.shards import SHARDS
from amends.storefront.ledger import AT_HOME, AWAY, OPERATIONS_MAX, EngineLedger

COMMANDS: Final = (CREDIT_LIMIT_SET, STOCK_SET, NUMBERS_TAKEN, CUSTOMER_KNOWN)
OUTSIDE_SUFFIX: Final = "-outside"

KIND_KEY: Final = "desk/participants"  # as it is in stores that were written before the storefront had its name
KIND_DIGEST: Final = "which participants orders go to"
ALONE_WITHIN_S: Final = 10.0
"""Two leases and more: of engines that were killed, the sagas are taken over meanwhile."""
LOOK_PAUSE_S: Final = 0.05  # between two looks at who has which sagas
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
    db: str = "",
    *,
    simulated: bool = False,
    limits: bool = False,
    piece_max: int = OPERATIONS_MAX,
    temper: Temper = EVEN,
) -> Iterator[Storefront]:
    """Open the order system.

    Args:
        db: the path of the store's file, or the URL of a store in a PostgreSQL, which no other engine may use
            meanwhile; empty for one in memory. The simulated services outside keep their books beside the file, in one
            of this name and ``-outside``, which is no part of the store.
        simulated: whether PAYMENT and SHIPPING are the simulated services outside. Set it to see orders survive lost
            messages and slow answers; a store has one kind of participants for good.
        limits: whether each batch has the three count limits of the function.
        piece_max: how many operations are one transaction at most, >= 1. Lower it in a test that kills between them.
        temper: how the simulated services behave: how often they lose, double or delay a message.

    Raises:
        StoreUnusable: the store cannot be used; one line says why.
        UnusableInput: its orders go to the other kind of participants, or no books can be kept beside it.
    """
    at = bootstrap.located(db) if db else None
    with _opened(at, temper if simulated else None) as (engine, outside):
        if at:
            _expect_alone(at)
        _settle_kind(engine, at.shown if at else "", KINDS[simulated])
        ledger = EngineLedger(engine, outside, piece_max=piece_max)
        yield Storefront(Session(limits=limits, ledger=ledger), ledger, engine)


@contextmanager
def _opened(at: LastingLocation | None, temper: Temper | None) -> Iterator[tuple[BlockingEngine, Providers | None]]:
    url = at.url if at else MEMORY
    if temper is None:
        with _engine(url, AT_HOME) as engine:
            yield engine, None
        return
    with _books(at) as books:
        outside = Providers(books, temper=temper)
        with _engine(url, AWAY, dict.fromkeys((PAYMENT, SHIPPING), outside)) as engine:
            yield engine, outside


def _engine(url: str, sagas: Sequence[Saga], clients: Mapping[str, Any] | None = None) -> bootstrap.Opening:
    """An engine on a store that may hold sagas of others, and orders of the other kind, which are told apart later."""
    return bootstrap.open(url, sagas=sagas, commands=COMMANDS, clients=clients, orphans=bootstrap.LEAVE, store_wait_s=0)


@contextmanager
def _books(at: LastingLocation | None) -> Iterator[Books]:
    if at is None:
        yield Books()
        return
    if not at.url.startswith(SQLITE):
        raise UnusableInput(
            f"{at.shown}: simulated services keep their books in a file beside the store's: give a file"
        )
    file = Path(f"{at.shown}{OUTSIDE_SUFFIX}")
    if not file.exists():
        with _engine(at.url, ()) as engine:  # books are begun beside a store that takes such orders
            _settle_kind(engine, at.shown, KINDS[True])
    with closing(BooksInFile(file)) as books:
        yield books


def _expect_alone(at: LastingLocation) -> None:
    """Wait until the engine has every shard: an order's saga has the order's id, and so a shard that is given.

    Raises:
        UnusableInput: other engines go on.
    """
    until = time.monotonic() + ALONE_WITHIN_S
    with closing(at.records()) as store:
        while [len(engine.shards) for engine in store.engines()] != [SHARDS]:
            if time.monotonic() > until:
                raise UnusableInput(f"{at.shown}: other engines have a part of its sagas: end them, or name a ?schema=")
            time.sleep(LOOK_PAUSE_S)


def _settle_kind(engine: BlockingEngine, name: str, kind: str) -> None:
    """An account that is kept here is unknown outside, and the other way round: a store has one kind for good."""
    before: str = engine.transact(lambda transaction: _kind_of(transaction, kind), [KIND_KEY])
    if before != kind:
        raise UnusableInput(f"{name}: the orders of this store go to {before} participants: --participants {before}")


def _kind_of(transaction: Transaction, kind: str) -> str:
    """The kind that a store has; of a new one, from now on, the kind that is given."""
    known = transaction.recall(KIND_KEY, KIND_DIGEST)
    if known is None:
        transaction.remember(KIND_KEY, KIND_DIGEST, kind)
        return kind
    return str(known)
