"""What an engine hosts for coordinators elsewhere: it hears their requests, and answers them after its commit.

A message is acknowledged once what local steps answered is posted: what is lost before that comes again, and is
answered by the inbox. Of external steps it is acknowledged once their calls have begun: what is lost then is asked
again when the step's time is over. What cannot be understood is parked, and what is good beside it is answered.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from amends.core.messages import Unknown
from amends.engine.hosted_calls import HostedCalls, packed
from amends.engine.logger import log
from amends.engine.serving import HostedRequest, ServeRequests, hosted_request
from amends.engine.task import Task
from amends.engine.wiring import Wiring
from amends.errors import AmendsError, MessageUnusable, UnusableInput
from amends.exceptions import raised
from amends.storage.codecs.sagas import SagaCodec
from amends.storage.packed import PackedAnswer, packed_answer, unpack_requests
from amends.storage.wire import Delivery, expect_reply_channel

MESSAGES_AT_ONCE: Final = 32  # taken together: 16 MB at most, and with small requests far more than a turn decides
TAKES_AT_ONCE: Final = 4  # of a service that are under way: while one commits, the next ones are read and queued


@dataclass(frozen=True, slots=True)
class HeardMessage:
    """A message of a coordinator, as far as it can be acted on.

    Attributes:
        delivery: as it came.
        reply_to: the channel of its coordinator.
        requests: those that can be acted on.
        faults: what is wrong with the others.
        answers: what is said to those of which it is known whose they are.
    """

    delivery: Delivery
    reply_to: str = ""
    requests: list[HostedRequest] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    answers: list[PackedAnswer] = field(default_factory=list)


class Hosting:
    """The hosts of an engine, one for each service that it answers for."""

    def __init__(
        self,
        wiring: Wiring,
        services: Collection[str],
        codecs: Mapping[str, SagaCodec],
        call: Callable[[Task], Awaitable[Any]],
        calls: HostedCalls,
        part_max: int,
    ) -> None:
        """Hear nothing yet.

        Args:
            wiring: the engine's end of the wire.
            services: those that it answers for.
            codecs: of the definitions that are known here, as rows have their names.
            call: has a task carried out in a turn, and gives its answer.
            calls: asks functions of the world outside.
            part_max: how many requests a task has at most.
        """
        self._wiring = wiring
        self._services = services
        self._codecs = codecs
        self._call = call
        self._calls = calls
        self._part_max = part_max
        self._takers: list[asyncio.Task[None]] = []
        self._serving: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin to hear."""
        self._takers = [self._wiring.keep_on(partial(self._host, service)) for service in self._services]

    def end(self) -> None:
        """Take nothing more."""
        for taker in self._takers:
            taker.cancel()

    async def drain(self) -> None:
        """Take nothing more, and wait until what was taken is answered, or its calls have begun."""
        self.end()
        if self._serving:
            await asyncio.wait(self._serving)

    async def _host(self, service: str) -> None:
        places = asyncio.Semaphore(TAKES_AT_ONCE)

        async def act(deliveries: Sequence[Delivery]) -> None:
            await places.acquire()
            serving = self._wiring.run(partial(self._serve, service, deliveries))
            self._serving.add(serving)
            serving.add_done_callback(self._serving.discard)
            serving.add_done_callback(lambda _: places.release())

        while True:
            await self._wiring.take(service, MESSAGES_AT_ONCE, act)

    async def _serve(self, service: str, deliveries: Sequence[Delivery]) -> None:
        """Answer messages; where the engine cannot, or the wire is away, they come again."""
        messages = [self._readable(service, delivery) for delivery in deliveries]
        try:
            await self._answer(messages)
        except AmendsError as error:
            log.warning("requests to %s are not answered, and come again: %s", service, raised(error))
            return
        answers: dict[str, list[PackedAnswer]] = defaultdict(list)
        for message in messages:
            answers[message.reply_to] += message.answers
        for reply_to, said in answers.items():
            if said and not await self._wiring.post(reply_to, packed(service, said)):
                return
        await self._wiring.acknowledge(service, [each.delivery for each in messages if not each.faults])
        for message in messages:
            if message.faults and not await self._wiring.park(service, message.delivery, "; ".join(message.faults)):
                return  # they come again; a broker that hangs is not waited for once for each

    def _readable(self, service: str, delivery: Delivery) -> HeardMessage:
        """What is in a message; one by which reading fails takes no other with it."""
        try:
            return self._read(service, delivery)
        except Exception as error:  # noqa: BLE001 - it would come again for ever, and those beside it too
            return HeardMessage(delivery, faults=[f"it cannot be read: {raised(error)}"])

    def _read(self, service: str, delivery: Delivery) -> HeardMessage:
        try:
            message, faults = unpack_requests(delivery.body)
            expect_reply_channel(message.reply_to)
        except UnusableInput as error:
            return HeardMessage(delivery, faults=[str(error)])
        heard = HeardMessage(delivery, message.reply_to, faults=[*faults])
        for request in message.requests:
            try:
                heard.requests.append(hosted_request(self._codecs, service, message.saga, request))
            except MessageUnusable as error:
                heard.faults.append(f"{request.saga_id:.120}: {error}")
                heard.answers.append(packed_answer(request, Unknown(str(error))))
        return heard

    async def _answer(self, messages: Sequence[HeardMessage]) -> None:
        """Answer what is about entities in turns; what is asked of functions outside is answered by itself."""
        pairs = [(message, hosted) for message in messages for hosted in message.requests]
        for message, hosted in pairs:
            if not hosted.step.is_local:
                self._calls.ask(hosted, message.reply_to)
        here = [(message, hosted) for message, hosted in pairs if hosted.step.is_local]
        asked, most = [hosted for _, hosted in here], self._part_max
        parts = [ServeRequests(asked[first : first + most], self._wiring.now_s) for first in range(0, len(asked), most)]
        outcomes = [outcome for part in await asyncio.gather(*map(self._call, parts)) for outcome in part]
        for (message, hosted), outcome in zip(here, outcomes, strict=True):
            message.answers.append(packed_answer(hosted.packed, outcome))
