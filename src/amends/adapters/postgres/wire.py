"""A wire in a schema of a PostgreSQL, which holds nothing but messages; see `amends.storage.wire`.

What is done in the database are functions of that schema (`wire_schema.sql`). Here is what is around them: one
connection in a thread of its own, and a bell, by which takers are woken soon; without it they look by themselves.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.bell import PostgresBell
from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.pipeline import Answer, Statement, Values
from amends.adapters.postgres.queries import OF_WIRES
from amends.adapters.postgres.settings import OF_TURNS
from amends.adapters.postgres.texts import number_array, opened, stored
from amends.adapters.postgres.wakeup import in_loop
from amends.adapters.postgres.wire_schema import prepare_wire
from amends.errors import StoreError, StoreFailed, WireAway
from amends.storage.wire import AGAIN_S, Delivery, Parked, expect_channel, expect_size

LOOK_EVERY_S: Final = 0.5  # where nobody rings: as engines look for letters
SWEEP_EVERY_S: Final = 1.0
"""Between two looks at whether the partitions are full: at the fastest, one is after some seconds."""
PARKED_MAX: Final = 1_000  # that are shown: more than a person reads
NAME_DIGITS: Final = 12
"""Of the name that is rung for a channel: 60 bytes it has with the longest schema, and PostgreSQL takes 63. Channels
of one name would wake each other for nothing."""
WITH_SYNC: Final[Statement] = ("with_sync", {})
DURABILITY: Final = "full, but for what was posted in the last second before a crash of its server"
CLOSED: Final = "the wire is closed"
SECOND_US: Final = 1_000_000


class PostgresWire:
    """The end of one coordinator or host, in the thread of one event loop."""

    def __init__(self, address: Address, *, again_s: float = AGAIN_S) -> None:
        """Open nothing yet.

        Args:
            address: of the database, and its schema.
            again_s: what was taken and is not acknowledged comes again after so many seconds of the database's time,
                > 0; more where the work on one message takes longer.
        """
        self._address, self._within_us = address, round(again_s * SECOND_US)
        self._connection = PostgresConnection(address, OF_TURNS, OF_WIRES)
        self._thread = ThreadPoolExecutor(1, "amends-wire")
        self._bell = PostgresBell(address)
        self._rung: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._untaken: defaultdict[str, list[Delivery]] = defaultdict(list)  # of takes that were cancelled
        self._is_prepared = self._is_closed = False
        self._swept_s = 0.0

    async def post(self, channel: str, messages: Sequence[bytes]) -> None:
        """Append messages.

        Raises:
            MessageTooBig, UnusableInput: none was.
            WireAway: whether they were is not known.
            WireUnusable: there is no wire that this one can use.
        """
        expect_channel(channel)
        expect_size(messages)
        if messages:
            await self._run(("post_messages", {"channel": channel, "bodies": [*messages]}))
            self._bell.ring(self._name_of(channel))
            if channel in self._rung:
                self._rung[channel].set()

    async def take(self, channel: str, most: int) -> Sequence[Delivery]:
        """Wait for messages, and take some.

        Raises:
            WireAway: take again, later.
            WireUnusable: there is no wire that this one can use.
        """
        expect_channel(channel)
        rung = self._rung[channel]
        self._bell.listen(self._name_of(channel), in_loop(asyncio.get_running_loop(), rung.set))
        while True:
            rung.clear()
            if found := await self._taken(channel, most):
                return found
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await rung.wait()

    async def acknowledge(self, channel: str, deliveries: Sequence[Delivery]) -> None:
        """Let these come no more.

        Raises:
            WireAway: they may.
        """
        if deliveries:
            positions = number_array([delivery.token for delivery in deliveries])
            await self._run(("acknowledge_messages", {"channel": channel, "positions": positions}))

    async def park(self, channel: str, delivery: Delivery, reason: str) -> None:
        """Keep a message apart, and let it come no more.

        Raises:
            WireAway: it may come again.
        """
        parked = {"channel": channel, "position": delivery.token, "body": delivery.body, "reason": _storable(reason)}
        await self._run(WITH_SYNC, ("park_message", parked))

    async def parked(self, channel: str = "") -> Sequence[Parked]:
        """The latest of the messages that are kept apart, of a channel or of all, the oldest first.

        Raises:
            WireAway: they cannot be read now.
        """
        found = await self._run(("parked_messages", {"channel": channel, "most": PARKED_MAX}))
        return [Parked(name, position, body, opened(reason), at_ms) for name, position, body, reason, at_ms in found]

    async def drop(self, parked: Parked) -> None:
        """Keep a parked message no longer.

        Raises:
            WireAway: whether it is gone is not known.
            WireUnusable: this role is not the owner's.
        """
        await self._run(WITH_SYNC, ("drop_parked", {"channel": parked.channel, "position": parked.number}))

    async def ping(self) -> None:
        """See that the schema is there, and can be read.

        Raises:
            WireAway: it cannot.
            WireUnusable: there is no wire that this one can use.
        """
        await self._run(("ping_wire", {}))

    async def durability(self) -> str:
        """All but the last moment: its commits do not wait for the disk (docs/adr/0036-postgresql-as-a-wire.md).

        Raises:
            WireAway: the database is not to be had now.
            WireUnusable: there is no wire that this one can use.
        """
        await self.ping()
        return DURABILITY

    async def close(self) -> None:
        """Give everything back. A second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._bell.close()
            for rung in self._rung.values():
                rung.set()
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
            self._thread.shutdown(wait=False)

    # In the database ------------------------------------------------------------------------------------------

    async def _taken(self, channel: str, most: int) -> Sequence[Delivery]:
        """What there is now, at most so many; those first that a cancelled take would have given."""
        if untaken := self._untaken[channel]:
            self._untaken[channel] = untaken[most:]
            return untaken[:most]
        await self._sweep()
        taking = asyncio.ensure_future(self._take(channel, most))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(lambda done: self._keep(channel, done))
            raise

    async def _take(self, channel: str, most: int) -> Sequence[Delivery]:
        wanted = {"channel": channel, "most": most, "within_us": self._within_us}
        return [Delivery(body, position) for position, body in await self._run(("take_messages", wanted))]

    def _keep(self, channel: str, done: asyncio.Future[Sequence[Delivery]]) -> None:
        if not done.cancelled() and not done.exception():
            self._untaken[channel] += done.result()

    async def _sweep(self) -> None:
        if time.monotonic() > self._swept_s + SWEEP_EVERY_S:
            with suppress(WireAway):  # a program that reads is in the way
                await self._run(("sweep_messages", {}))
            self._swept_s = time.monotonic()

    async def _run(self, *statements: Statement) -> Sequence[Values]:
        """What the last statement gives, in a transaction of their own.

        Raises:
            WireAway: whether they were carried out is not known.
            WireUnusable: there is no wire that this one can use.
        """
        if self._is_closed:
            raise WireAway(f"{self._address.shown}: {CLOSED}")
        self._bell.open()
        answers = await asyncio.get_running_loop().run_in_executor(self._thread, self._carry_out, statements)
        return answers[-1].rows

    def _carry_out(self, statements: Sequence[Statement]) -> list[Answer]:
        """In the thread."""
        if not self._is_prepared:
            prepare_wire(self._address)
            self._is_prepared = True
        try:
            return self._connection.run(*statements)
        except StoreError as error:
            self._is_prepared = not isinstance(error, StoreFailed)  # somebody may have dropped the schema
            raise WireAway(f"{self._address.shown}: {error}") from error

    def _name_of(self, channel: str) -> str:
        """What is rung for a channel."""
        return f"amends_{self._address.schema}_{hashlib.sha256(channel.encode()).hexdigest()[:NAME_DIGITS]}"


def _storable(text: str) -> str:
    """A text as the database takes it: it may quote what no text can hold."""
    return stored(text.encode("utf-8", "backslashreplace").decode())
