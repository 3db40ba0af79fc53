"""The end of a wire that one process holds: before and after all that it does there it may be stopped, or wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from amends.checking.simulator.event_loop import SimulatedLoop
from amends.checking.simulator.surroundings import Surroundings
from amends.checking.simulator.view import DECODE
from amends.core.messages import Kind
from amends.core.walk import key_of
from amends.storage.packed import PackedAnswer, unpack_answers
from amends.storage.wire import ANSWERS_TO, Delivery, Parked, expect_channel, expect_size

STORED: Final = ("done", "refused")


class ProcessWire:
    """See `amends.storage.wire.Wire`."""

    def __init__(self, at: Surroundings, loop: SimulatedLoop, may_stop: Callable[[str], Awaitable[None]]) -> None:
        """Take nothing yet.

        Args:
            at: where the process runs.
            loop: its event loop.
            may_stop: waits, for ever where the process is stopped there.
        """
        self._at = at
        self._loop = loop
        self._may_stop = may_stop

    async def post(self, channel: str, messages: Sequence[bytes]) -> None:
        """Send messages."""
        expect_channel(channel)
        expect_size(messages)
        await self._may_stop("before a message is posted")
        if channel.startswith(ANSWERS_TO):
            self._must_be_stored(messages)
        self._at.broker.post(channel, messages)
        await self._may_stop("after a message was posted")

    async def take(self, channel: str, most: int) -> Sequence[Delivery]:
        """Wait until there are messages, and take some."""
        broker = self._at.broker
        broker.expect_there(channel)
        while not (deliveries := broker.take(channel, most)):
            arrived = self._loop.create_future()
            broker.channel(channel).takers.append(arrived)
            await arrived
        await self._may_stop("when an answer arrives" if channel.startswith(ANSWERS_TO) else "when a request arrives")
        return deliveries

    async def acknowledge(self, channel: str, deliveries: Sequence[Delivery]) -> None:
        """Let these come no more."""
        await self._may_stop("before messages are acknowledged")
        self._at.broker.acknowledge(channel, deliveries)

    async def park(self, channel: str, delivery: Delivery, reason: str) -> None:
        """Keep a message apart that no taker can act on."""
        await self._may_stop("before a message is parked")
        self._at.broker.park(channel, delivery, reason)

    async def parked(self, channel: str = "") -> Sequence[Parked]:
        """Those that were."""
        return self._at.broker.channel(channel).parked

    async def drop(self, parked: Parked) -> None:
        """Keep a parked message no longer."""
        self._at.broker.channel(parked.channel).parked.remove(parked)

    async def ping(self) -> None:
        """It is there."""

    async def durability(self) -> str:
        """It has no name here."""
        return "full"

    async def close(self) -> None:
        """Nothing is held."""

    def _must_be_stored(self, messages: Sequence[bytes]) -> None:
        """What a host answers about entities is in its store."""
        for answer in (answer for body in messages for answer in unpack_answers(body).message.answers):
            step = self._at.world.setting.steps.get(answer.step)
            if step is None or not step.is_local or answer.says not in STORED:
                continue
            row = self._at.site.view.keys.get(key_of(answer.saga_id, step, _kind(answer)))
            if row is None or DECODE(row.answer) != {answer.says: DECODE(answer.value)}:
                text = f"{answer.saga_id}: {answer.step}/{answer.kind.value} {answer.says} is answered"
                self._at.world.broke("V31", f"{text}, and what is stored is {row and row.answer}")


def _kind(answer: PackedAnswer) -> Kind:
    return Kind.DO if answer.kind is Kind.DO else Kind.UNDO
