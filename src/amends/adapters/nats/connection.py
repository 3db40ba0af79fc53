"""A connection to a NATS server, which comes back by itself once there is one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from amends.adapters.nats.address import NatsAddress
from amends.errors import WireAway, WireUnusable

ANSWER_S: Final = 4.5  # within which a server answers, or counts as away: as a PostgreSQL does
PING_S: Final = 2
PINGS_MAX: Final = 3
"""Unanswered: of a server that vanished in silence, it is known after some 8 s, as of a PostgreSQL."""
RECONNECT_S: Final = 1  # between two attempts, as to a PostgreSQL
REFUSED: Final = re.compile("authorization|authentication|user", re.IGNORECASE)
"""Words of a server that no waiting makes it take back."""


class Connected(NamedTuple):
    """A server that one is connected to.

    Attributes:
        client: the connection, which comes back by itself.
        streams: its JetStream.
        said: what the server said last that is no answer to anything, such as that a subject may not be used.
    """

    client: Client
    streams: JetStreamContext
    said: list[Exception]

    def why(self, error: BaseException) -> str:
        """Why something failed, on one line; told once, what the server said is with it."""
        said = [self.said.pop()] if self.said else []
        return "; the server said: ".join(map(line_of, (error, *said)))


async def connected(address: NatsAddress, again: Callable[[], Awaitable[None]]) -> Connected:
    """Connect to a server.

    Args:
        address: of the server.
        again: called each time the connection has come back.

    Raises:
        WireAway: there is none now.
        WireUnusable: it refuses this user.
    """
    client, said, refusals = Client(), list[Exception](), list[Exception]()

    async def hear(error: Exception) -> None:
        said[:] = [error]
        if REFUSED.search(str(error)):
            refusals[:] = [error]

    try:
        async with asyncio.timeout(ANSWER_S):
            await client.connect(
                address.server, name="amends", connect_timeout=2, reconnect_time_wait=0, max_reconnect_attempts=1,
                ping_interval=PING_S, max_outstanding_pings=PINGS_MAX, error_cb=hear, reconnected_cb=again,
            )  # fmt: skip
    except (NatsError, OSError, TimeoutError) as error:
        await client.close()
        why = (*refusals, *said, error)[0]  # it closes when it refuses: another attempt may hear of that alone
        if REFUSED.search(str(why)):
            raise WireUnusable(f"{address}: the server refuses: {line_of(why)}") from error
        raise WireAway(f"{address}: the server is away: {line_of(why)}") from error
    client.options |= {"reconnect_time_wait": RECONNECT_S, "max_reconnect_attempts": -1}  # from now on
    said.clear()
    return Connected(client, client.jetstream(timeout=ANSWER_S), said)


def line_of(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
