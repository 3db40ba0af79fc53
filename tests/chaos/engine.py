"""A process with an engine, which runs until it is asked to end, is killed, or loses its lease."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

from amends.adapters.clock import SystemClock
from amends.adapters.postgres import PostgresStore
from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.pipeline import Statement
from amends.adapters.postgres.queries import QUERIES
from amends.adapters.postgres.settings import Timeouts
from amends.engine.engine import Engine
from amends.engine.limits import Limits
from amends.engine.loop import EngineLoop
from amends.shop.payments import PAYMENT
from amends.shop.shipping import SHIPPING
from tests.chaos.desk import PLACES
from tests.chaos.processes import Line, until_closed
from tests.chaos.services import RemoteServices
from tests.chaos.wishes import DESK, KINDS, PRINTER, SAGAS
from tests.torture.shop import CARRIER, COMMANDS

LEASE_MS: Final = 1_000
DRAIN_S: Final = 5.0
TERMINATE: Final = "terminate"
BEHIND_COMMIT: Final = "behind commit"


class EngineLife(NamedTuple):
    """How the process goes.

    Attributes:
        url: of its store.
        services: the socket of the services.
    """

    url: str
    services: str


def engine_of(url: str, services: str, name: str) -> Engine:
    """An engine on a database, with a lease that is short."""
    remote = RemoteServices(services)
    timeouts = Timeouts(*[LEASE_MS // 3] * len(Timeouts._fields))
    loop = EngineLoop(
        partial(PostgresStore, url, timeouts), SystemClock, name,
        sagas=[SAGAS[kind] for kind in KINDS], commands=COMMANDS,
        clients=dict.fromkeys((PAYMENT, SHIPPING, CARRIER, PRINTER, DESK), remote),
        limits=Limits({DESK: PLACES}, drain_s=DRAIN_S, lease_ms=LEASE_MS),
    )  # fmt: skip
    return Engine(loop)


def run(link: Connection, life: EngineLife) -> None:
    """Be the process."""
    live(link, partial(engine_of, life.url, life.services))


def live(link: Connection, opened: Callable[[str], Engine]) -> None:
    """Run an engine until it is asked to end, or stops.

    Args:
        link: to be told by, and to say how it goes.
        opened: gives an engine of a name.
    """
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(process)d %(message)s")
    asyncio.run(_live(link, opened))


async def _live(link: Connection, opened: Callable[[str], Engine]) -> None:
    name, stop = secrets.token_hex(5), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    severed = Severed(link)
    async with opened(name) as engine:
        link.send(["runs", name])
        ends = [asyncio.create_task(end) for end in (stop.wait(), engine.stopped(), until_closed(link, severed.hear))]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if ends[1].done():
            link.send(["stopped", name, ends[1].result()])
        for end in ends:
            end.cancel()
    link.send(["closed", name])


class Severed:
    """Ends the engine's own session in the server, at a statement of a turn that it was told of.

    The server ends it in the middle of the round trip: all before the statement was carried out, nothing after it.
    """

    def __init__(self, link: Connection) -> None:
        """Be ready to."""
        self._link = link
        self._at = ""
        QUERIES.setdefault(TERMINATE, b"SELECT pg_terminate_backend(pg_backend_pid())")
        self._piped = PostgresConnection._piped

    def hear(self, line: Line) -> None:
        """Be told of a statement."""
        word, self._at = line
        assert word == TERMINATE, word
        severed = self

        def piped(connection: PostgresConnection, statements: Iterable[Statement]) -> Any:
            return severed._piped(connection, severed._changed([*statements]))

        PostgresConnection._piped = piped  # type: ignore[method-assign,assignment]

    def _changed(self, statements: list[Statement]) -> list[Statement]:
        names = [name for name, _ in statements]
        at = self._at.removeprefix("behind ")
        if not at or at not in names:
            return statements
        place = names.index(at) + (self._at == BEHIND_COMMIT)
        self._link.send(["severed", self._at])
        self._at = ""
        PostgresConnection._piped = self._piped  # type: ignore[method-assign]
        return [*statements[:place], (TERMINATE, {}), *statements[place:]]
