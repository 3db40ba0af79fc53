"""A world of the spread shop: coordinators, hosts with databases of their own, a wire between them, and clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from amends import Command
from amends.adapters.postgres import address_of
from amends.adapters.postgres.reader import PostgresReader
from amends.entrypoints.spread.local_shop import DATABASES, DESK, ROLES
from amends.entrypoints.spread.shop import COORDINATOR
from amends.shop.inventory import STOCK_SET
from amends.shop.payments import CREDIT_LIMIT_SET
from tests.chaos.apart import check_apart
from tests.chaos.bases import Base
from tests.chaos.fleet import Fleet
from tests.chaos.lives import run_part, run_proxy
from tests.chaos.part import PartLife, part_of, wire_at
from tests.chaos.processes import ChaosProcess
from tests.chaos.proxy import ProxyLife
from tests.chaos.takeovers import TakeoverWatch
from tests.chaos.wires import ShopWire, WireOf
from tests.chaos.world import SCHEMAS, Seen, Shop, Wanted, heard, settled, started
from tests.postgres import Server
from tests.torture.broken import demand
from tests.torture.shop import CUSTOMERS, PRODUCTS

HOSTED: Final = {
    "ORDER": "ORDER", "PAYMENT 1": "PAYMENT", "PAYMENT 2": "PAYMENT", "INVENTORY": "INVENTORY", "SHIPPING": "SHIPPING",
    "coordinator 1": "", "coordinator 2": "",
}  # fmt: skip
"""By process, the service that it hosts: one of them has two."""


class Links(NamedTuple):
    """What processes are connected by, where they are by proxies.

    Attributes:
        stores: between one process, or the clients, and its store.
        wires: between one process and the wire.
    """

    stores: list[ChaosProcess]
    wires: list[ChaosProcess]


class SpreadShop(Shop):
    """See the module.

    Attributes:
        wire: the broker.
        links: to stores and wire; none where there are no proxies.
    """

    def __init__(self, server: Server, fleet: Fleet, watch: TakeoverWatch, wire: ShopWire, links: Links) -> None:
        super().__init__(server, fleet, watch, None)
        self.wire = wire
        self.links = links

    def falls_silent(self, process: ChaosProcess) -> None:
        """See `Shop`; nothing is measured where no other coordinator is there that could take over."""
        super().falls_silent(process)
        coordinators = [each for name, each in self.fleet.engines.items() if not HOSTED[name]]
        if not any(self.fleet.is_up(each) for each in coordinators if each is not process):
            self.watch.forget()


@contextmanager
def spread_world(
    folder: Path, server: Server, seed: int, wanted: Wanted, *, wire: WireOf, copies: int = 0
) -> Iterator[tuple[SpreadShop, Callable[[], Seen]]]:
    """Have a spread shop; see `tests.chaos.world.world`.

    Args:
        folder: for its files.
        server: of its databases.
        seed: of what is asked.
        wanted: of what it is made; its engines are those of `HOSTED`.
        wire: has its broker.
        copies: see `PartLife`.
    """
    folder.mkdir(parents=True)
    base = Base(server, f"chaos_{next(SCHEMAS)}")
    with ExitStack() as ends:
        base.make_stores()
        ends.callback(base.drop)
        broker = ends.enter_context(wire(base, [*ROLES.values()]))
        asyncio.run(_opened(base, broker))
        links = Links([], [])
        proxied = _Proxied(ends, folder, links) if wanted.is_proxied else _unproxied
        roles = {
            name: (run_part, _life_of(service or COORDINATOR, base, broker, copies, proxied, links))
            for name, service in HOSTED.items()
        }
        desk = base.url(DESK, DATABASES[COORDINATOR], proxied(base.socket, links.stores))
        fleet = Fleet(folder, roles, desk, "", seed, wanted.kinds)
        fleet.has_server = wanted.has_server
        ends.callback(fleet.end)
        watch = TakeoverWatch(base.conninfo(DATABASES[COORDINATOR]), base.schema)
        ends.callback(watch.close)
        fleet.start(wanted.clients)
        shop = SpreadShop(server, fleet, watch, broker, links)
        shop.await_ready()
        yield shop, lambda: settled(shop, _read_url(base, COORDINATOR), partial(_checked, shop, base))


Proxy = Callable[[str, list[ChaosProcess]], int]
"""Gives the port of a proxy to a server, 0 for none, and adds it to links."""


def _unproxied(_server: str, _links: list[ChaosProcess]) -> int:
    return 0


class _Proxied:
    """Starts a proxy for each who is connected."""

    def __init__(self, ends: ExitStack, folder: Path, links: Links) -> None:
        self._ends, self._log, self._links = ends, folder / "stderr.txt", links

    def __call__(self, server: str, links: list[ChaosProcess]) -> int:
        link = started(self._ends, ChaosProcess("proxy", run_proxy, ProxyLife(server), self._log))
        links.append(link)
        return int(heard(link, "port")[1])


def _life_of(name: str, base: Base, broker: ShopWire, copies: int, proxied: Proxy, links: Links) -> PartLife:
    db = base.store(name, proxied(base.socket, links.stores))
    wire = broker.url(ROLES[name], proxied(broker.server, links.wires))
    return PartLife(name.replace(COORDINATOR, ""), db, wire, copies)


async def _opened(base: Base, broker: ShopWire) -> None:
    """Give credit and stock, each in the database of its service, before anybody orders."""
    given: list[tuple[Command, Mapping[str, Any]]] = [(CREDIT_LIMIT_SET, CUSTOMERS), (STOCK_SET, PRODUCTS)]
    for command, bodies in given:
        life = PartLife(command.service, base.store(command.service), broker.url(ROLES[command.service]), 0)
        async with part_of(life, "opening") as engine:
            for name, body in bodies.items():
                await engine.carry_out(command, name, body)


def _checked(shop: SpreadShop, base: Base) -> int:
    """Whether everything holds; how many sagas there are.

    Raises:
        BrokenPromise: something does not.
    """
    base.expect_apart()
    asyncio.run(_expect_none_parked(shop.wire.url(ROLES[COORDINATOR])))
    with ExitStack() as open_stores:
        stores = {name: open_stores.enter_context(closing(_reader(base, name))) for name in ROLES}
        return check_apart(stores, shop.fleet.journal)


async def _expect_none_parked(url: str) -> None:
    wire = wire_at(url)
    try:
        for service in DATABASES:
            parked = [] if service == COORDINATOR else await wire.parked(service)
            demand(not parked, f"{service}: parked {[one.reason for one in parked]}")
    finally:
        await wire.close()


def _reader(base: Base, name: str) -> PostgresReader:
    return PostgresReader(address_of(_read_url(base, name)))


def _read_url(base: Base, name: str) -> str:
    return base.url("postgres", DATABASES[name])
