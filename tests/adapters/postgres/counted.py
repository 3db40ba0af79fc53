"""A service that counts how many calls it has at once, and a process with an engine whose sagas call it.

``python -m tests.adapters.postgres.counted URL SOCKET NAME`` opens an engine, says ``open``, and runs until its input
ends.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from amends import Call, Done, Limit, Refused, Saga, external
from amends.adapters.clock import SystemClock
from amends.adapters.postgres import PostgresStore
from amends.engine.engine import Engine
from amends.engine.limits import Limits
from amends.engine.loop import EngineLoop

CALL_S = 0.02  # of the service, so that there is always one that waits for a place
REFUSED = 5  # one in so many is refused behind it, and undone
LIMIT = Limit(at_once=4, fleet=True)
LEASE_MS = 3_000  # a busy machine keeps it


class CountingService:
    """It takes any call.

    Attributes:
        at_once: by engine and kind, how many there are at this moment.
        most: how many there were at most, of all kinds; and of actions.
        calls: how many there were of each engine.
    """

    def __init__(self) -> None:
        self.at_once, self.calls = Counter[tuple[str, str]](), Counter[str]()
        self.most = self.most_actions = 0

    @asynccontextmanager
    async def listening(self, socket: Path) -> AsyncIterator[None]:
        """Listen at a socket."""
        async with await asyncio.start_unix_server(self._serve, socket):
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        engine, kind = (await reader.readline()).decode().split()
        self.at_once[engine, kind] += 1
        self.calls[engine] += 1
        self.most = max(self.most, sum(self.at_once.values()))
        self.most_actions = max(self.most_actions, sum(n for (_, of), n in self.at_once.items() if of == "do"))
        try:
            await asyncio.wait([asyncio.create_task(reader.read())], timeout=CALL_S)  # a caller that is killed is gone
        finally:
            self.at_once[engine, kind] -= 1
        writer.close()


class ServiceClient:
    """The way to it, of one engine."""

    def __init__(self, socket: str, engine: str) -> None:
        self._socket, self._engine = socket, engine

    async def call(self, kind: str) -> None:
        """Call it, and wait for its answer."""
        reader, writer = await asyncio.open_unix_connection(self._socket)
        writer.write(f"{self._engine} {kind}\n".encode())
        await reader.read()
        writer.close()


async def charge(client: ServiceClient, number: int, call: Call) -> Done:
    """CHARGED."""
    await client.call("do")
    return Done()


async def refund(client: ServiceClient, number: int, call: Call) -> None:
    """REFUNDED."""
    await client.call("undo")


def send(_: object, number: int, call: Call) -> Done | Refused:
    """SENT; one in five is refused."""
    return Refused("no") if number % REFUSED == 0 else Done()


CHARGED = external("CHARGED", charge, undo=refund, undone="REFUNDED", service="BANK")
# asked again after a kill, it says the same
SENT = external("SENT", send, pivot=True, remembers_refusals=True, service="CARRIER")
CHARGING = Saga("charging", int, [CHARGED, SENT])


async def main(url: str, socket: str, name: str) -> None:
    """Run an engine until the input ends."""
    loop = EngineLoop(
        partial(PostgresStore, url), SystemClock, name, sagas=[CHARGING], commands=(),
        clients={"BANK": ServiceClient(socket, name)}, limits=Limits({"BANK": LIMIT}, lease_ms=LEASE_MS),
    )  # fmt: skip
    async with Engine(loop):
        print("open", flush=True)  # noqa: T201 - the parent waits for it
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
