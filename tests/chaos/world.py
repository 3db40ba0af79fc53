"""A world: a shop in a schema of a server, its services, engines and clients, and who looks at it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from amends import Overloaded
from amends.adapters.postgres import address_of
from amends.adapters.postgres.reader import PostgresReader
from amends.errors import StoreError, StoreUnusable
from amends.storage.rows import FINAL
from tests.chaos.checks import check
from tests.chaos.engine import EngineLife, engine_of
from tests.chaos.fleet import Fleet
from tests.chaos.lives import run_engine, run_proxy, run_services
from tests.chaos.processes import ChaosProcess, Line
from tests.chaos.proxy import ProxyLife
from tests.chaos.services import ServicesLife, written
from tests.chaos.takeovers import TakeoverWatch
from tests.postgres import Server, drop, url_of
from tests.torture.broken import BrokenPromise, demand
from tests.torture.shop import opening

REST_S: Final = 120.0  # within which everything comes to rest: some seconds on a machine at rest
READY_S: Final = 30.0
SCHEMAS: Final = count(1)  # of all worlds of a run


class Seen(NamedTuple):
    """What a world came to.

    Attributes:
        sagas: how many ran.
        answers: how many answers clients were told.
        taken_s: how long each takeover took.
        stopped: how many engines ended by themselves, as another one had taken over.
    """

    sagas: int
    answers: int
    taken_s: list[float]
    stopped: int


class Wanted(Protocol):
    """Of what a world is made; `Phase` is one."""

    @property
    def engines(self) -> int:
        """How many there are."""

    @property
    def clients(self) -> int:
        """How many there are."""

    @property
    def kinds(self) -> Mapping[str, int]:
        """What these ask for, and how much of each."""

    @property
    def is_proxied(self) -> bool:
        """Whether they come to the server by way of a proxy."""

    @property
    def disk(self) -> object:
        """What makes the server's disk, which fails; ``None`` for one that does not."""

    @property
    def has_server(self) -> bool:
        """Whether there is a server at all times."""


class Shop:
    """See the module.

    Attributes:
        server: of its database.
        fleet: its engines and clients.
        watch: who owns what.
        proxy: between fleet and server; ``None`` for none.
        prints_once: whether no label may be asked for twice.
    """

    def __init__(self, server: Server, fleet: Fleet, watch: TakeoverWatch, proxy: ChaosProcess | None) -> None:
        self.server = server
        self.fleet = fleet
        self.watch = watch
        self.proxy = proxy
        self.prints_once = False

    def tend(self, seconds: float) -> None:
        """Let it run for a time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.fleet.tend(min(left, 0.05))

    def tend_until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Let it run until something is so; whether it was, in time."""
        until = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > until:
                return False
            self.fleet.tend()
        return True

    def falls_silent(self, process: ChaosProcess) -> None:
        """Measure from now on until an engine's shards are another one's; nothing of a client."""
        self.watch.died(self.fleet.names.get(process, ""))

    def await_ready(self) -> None:
        """Let it run until every engine and client has begun."""
        fleet = self.fleet
        demand(
            self.tend_until(lambda: all(process in fleet.names for process in fleet.engines.values()), READY_S),
            "an engine does not come up",
        )


@contextmanager
def world(folder: Path, server: Server, seed: int, wanted: Wanted) -> Iterator[tuple[Shop, Callable[[], Seen]]]:
    """Have a shop on a server; gives it, and what lets it come to rest and checks it.

    Args:
        folder: for its files.
        server: of its database.
        seed: of what is asked, and of the services' chance.
        wanted: of what it is made.
    """
    folder.mkdir(parents=True)
    schema, socket = f"chaos_{next(SCHEMAS)}", str(folder / "services")
    url = url_of(server.conninfo, schema)
    with ExitStack() as ends:
        services = started(
            ends, ChaosProcess("services", run_services, ServicesLife(socket, seed), folder / "stderr.txt")
        )
        heard(services, "serves")
        ends.callback(drop, server.conninfo, schema)
        asyncio.run(_opened(url, socket))
        proxy, theirs = None, url
        if wanted.is_proxied:
            life = ProxyLife(f"{server.folder}/.s.PGSQL.5432")
            proxy = started(ends, ChaosProcess("proxy", run_proxy, life, folder / "stderr.txt"))
            theirs = f"postgresql://postgres@127.0.0.1:{heard(proxy, 'port')[1]}/postgres?schema={schema}"
        roles = {f"engine {number}": (run_engine, EngineLife(theirs, socket)) for number in range(wanted.engines)}
        fleet = Fleet(folder, roles, theirs, socket, seed, wanted.kinds)
        fleet.has_server, fleet.has_disk = wanted.has_server, wanted.disk is None
        ends.callback(fleet.end)
        watch = TakeoverWatch(server.conninfo, schema)
        ends.callback(watch.close)
        fleet.start(wanted.clients)
        shop = Shop(server, fleet, watch, proxy)
        shop.await_ready()
        yield shop, lambda: settled(shop, url, partial(_checked, shop, url, socket))


def started(ends: ExitStack, process: ChaosProcess) -> ChaosProcess:
    """Have a process end with others."""
    ends.callback(process.end)
    return process


def heard(process: ChaosProcess, word: str) -> Line:
    """Wait until a process says what it has to say first."""
    demand(process.link.poll(READY_S), f"{process.name} does not come up")
    (line,) = process.hear()
    demand(line[0] == word, f"{process.name} says {line}")
    return line


async def _opened(url: str, services: str) -> None:
    """Do what is to be done before anybody orders."""
    async with engine_of(url, services, "opening") as engine:
        for asked in opening():
            assert asked.command is not None
            while True:
                try:
                    await engine.carry_out(asked.command, asked.entity_id, asked.asked, key=asked.key)
                    break
                except Overloaded:  # it has no shard yet
                    await asyncio.sleep(0.05)


def settled(shop: Shop, url: str, check_rest: Callable[[], int]) -> Seen:
    """Let it come to rest, and check it.

    Args:
        shop: where nothing new is to be asked.
        url: of the store of its sagas.
        check_rest: what has to hold then; how many sagas there are.

    Raises:
        BrokenPromise: something does not hold.
    """
    fleet = shop.fleet
    fleet.rest()
    is_at_rest = shop.tend_until(lambda: fleet.is_at_rest and _has_ended(url), REST_S)
    demand(is_at_rest, f"stuck: it came not to rest within {REST_S:.0f} s; {_outstanding(url)}")
    for process in [*fleet.engines.values()]:
        fleet.retire(process)
    fleet.end()
    shop.watch.close()
    return Seen(check_rest(), len(fleet.journal.answers), shop.watch.taken_s, fleet.counted["stopped"])


def _checked(shop: Shop, url: str, services: str) -> int:
    with closing(PostgresReader(address_of(url))) as records:
        return check(records, written(services), shop.fleet.journal, prints_once=shop.prints_once)


def _has_ended(url: str) -> bool:
    """Whether every saga has, and no letter waits."""
    try:
        with closing(PostgresReader(address_of(url))) as records:
            return all(status in FINAL for _, status in records.counts()) and not records.letters(range(64), 1)
    except (StoreError, StoreUnusable):
        return False


def _outstanding(url: str) -> str:
    try:
        with closing(PostgresReader(address_of(url))) as records:
            return f"{dict(records.counts())}, letters: {[*records.letters(range(64), 3)]}"
    except (StoreError, StoreUnusable) as error:
        return str(error)


__all__ = ["BrokenPromise", "Seen", "Shop", "world"]
