"""What is served: definitions, a store, the engine that is to run beside it, and the order shop where that is it."""

from __future__ import annotations

from typing import Final, NamedTuple

from amends.bootstrap import LEAVE, DeployedCode, Opening, open  # noqa: A004 - it opens, as `amends.open`
from amends.client.client import Client
from amends.core.definition import Saga
from amends.entrypoints.cli.databases import named
from amends.entrypoints.cli.definitions import SHOP, load_code
from amends.entrypoints.http.operations import BATCH_SAGAS
from amends.errors import UnusableInput
from amends.shop.outside import Providers, Temper
from amends.shop.payments import PAYMENT
from amends.shop.shipping import SHIPPING
from amends.storage.location import SQLITE, LastingLocation
from amends.storefront import COMMANDS
from amends.storefront.apart import SAGAS, LimitWanted, OfferWanted
from amends.storefront.web import OF_WEB, OF_WEB_OUTSIDE, ShopSagas

NOTHING: Final = DeployedCode([], [], {})
SLOWLY: Final = Temper(latency_ms=range(600, 900))
"""Of the demo's payments and shipments: slow enough to watch, and within what the saga waits for."""
DEMO_WITHIN_S: Final = 60.0  # for customers and products to be there: some commits
DEMO_CUSTOMERS: Final = {"ada": 5_000, "ben": 500}
DEMO_PRODUCTS: Final = {"lamp": (40, 120), "desk": (3, 900), "pen": (1_000, 3)}
"""Stock and price of each."""


class Offering(NamedTuple):
    """What is served.

    Attributes:
        given: the definitions.
        at: the store.
        opening: the engine that is to run here; ``None`` for none.
        shop: the sagas of the order shop; ``None`` where that is not served.
    """

    given: DeployedCode
    at: LastingLocation
    opening: Opening | None
    shop: ShopSagas | None = None


def offering_of(code: str, db: str, has_engine: bool | None) -> Offering:
    """What options ask for.

    Args:
        code: the definitions, or what `amends.open` gave; empty for none.
        db: the store; empty for that of the engine that `code` names.
        has_engine: whether an engine is to run here; ``None`` for where definitions are given, on a file that no engine
            has.

    Raises:
        UnusableInput: there is no such code or store.
    """
    if code == SHOP:
        given, at = DeployedCode(_shop_sagas(), COMMANDS, {}), named(db)
        return Offering(given, at, _opening(given, given, at, has_engine), OF_WEB)
    found = load_code(code) if code else NOTHING
    given, url = (found.given, found.url) if isinstance(found, Opening) else (found, "")
    at = named(db or url)
    return Offering(given, at, _opening(found, given, at, has_engine))


def demo_offering(path: str) -> Offering:
    """The order shop with slow payments and shipments, on a file that no engine has.

    Raises:
        UnusableInput: an engine has it.
    """
    at, providers = named(path), Providers(temper=SLOWLY)
    if at.has_engine():
        raise UnusableInput(f"{at.shown}: an engine runs on it, and the demo has one of its own: leave --db out")
    sagas, clients = OF_WEB_OUTSIDE.all, dict.fromkeys((PAYMENT, SHIPPING), providers)
    opening = open(at.url, sagas=sagas, clients=clients, store_wait_s=0)
    return Offering(DeployedCode(sagas, [], {}), at, opening, OF_WEB_OUTSIDE)


async def stock_demo(client: Client) -> None:
    """Have customers and products in the demo's shop."""
    wanted = [(OF_WEB_OUTSIDE.limit, LimitWanted(*each)) for each in DEMO_CUSTOMERS.items()]
    offers = [(OF_WEB_OUTSIDE.offer, OfferWanted(name, *offer)) for name, offer in DEMO_PRODUCTS.items()]
    handles = [await client.submit(saga, request) for saga, request in (*wanted, *offers)]
    for handle in handles:
        await handle.result(DEMO_WITHIN_S)


def _shop_sagas() -> list[Saga]:
    return [*OF_WEB.all, *(saga for saga in SAGAS if saga not in OF_WEB.all), *BATCH_SAGAS]


def _opening(
    found: Opening | DeployedCode, given: DeployedCode, at: LastingLocation, has_engine: bool | None
) -> Opening | None:
    """The engine that is to run here; ``None`` for none."""
    is_wanted = bool(given.sagas) and at.url.startswith(SQLITE) and not at.has_engine()
    if not (is_wanted if has_engine is None else has_engine):
        return None
    if isinstance(found, Opening):
        return found
    return open(
        at.url, sagas=given.sagas, commands=given.commands, upcasts=given.upcasts, orphans=LEAVE, store_wait_s=0
    )
