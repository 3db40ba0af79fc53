"""What an engine asks of services that are elsewhere, and what it hears: a message for many requests, each way.

Nothing here is needed to be right, but for time: a request that is lost is asked again by its saga when it is over.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from amends.core.definition import Saga, Step, is_duration
from amends.core.effects import Send
from amends.core.messages import Answered, Kind, Later, Outcome, Refused, Unknown
from amends.core.waiting import SECOND_MS
from amends.engine.batch import BatchResult
from amends.engine.in_flight import AttemptId, Outgoing, attempt_id_of
from amends.engine.task import Task
from amends.engine.tasks import Deliver
from amends.engine.tracing import Traces
from amends.engine.waking import ReturnUnsent, SendHeldBack
from amends.engine.wiring import Wiring
from amends.errors import MessageTooBig, MessageUnusable, Overloaded
from amends.storage.packed import PackedAnswer, PackedRequest, pack_requests, packed_request, unpack_answers
from amends.storage.ports import Clock
from amends.storage.wire import Delivery

TAKEN_AT_ONCE: Final = 100
"""Messages that are taken at once at most: of a full turn's answers each, more than is decided in a second."""

NO_PROOF: Final = "it refused, and does not remember that: another copy of the request may come yet, and be done"

Route = tuple[str, str]
"""To which service, and of which definition."""


class Posting:
    """The requests to services that are elsewhere: those under way, and those to be posted."""

    def __init__(
        self,
        wiring: Wiring,
        asked_elsewhere: Mapping[Step, str],
        clock: Clock,
        departed: dict[AttemptId, int],
        tell: Callable[[Task], None],
        lease_left_s: Callable[[], float],
        has: Callable[[str], bool],
    ) -> None:
        """Ask nothing yet.

        Args:
            wiring: the engine's end of the wire.
            asked_elsewhere: the steps that go over it, each with its definition as rows have it.
            clock: the engine's.
            departed: when each attempt was really sent; see `amends.engine.in_flight.InFlight`.
            tell: gets the tasks that are to be committed.
            lease_left_s: for how many seconds answers count here; nothing is posted where that is not above 0.
            has: whether the engine moves a saga, by its id.
        """
        self._wiring = wiring
        self._asked = asked_elsewhere
        self._names = {(step.service, step.event) for step in asked_elsewhere}
        self._forgetful = {(step.service, step.event) for step in asked_elsewhere if not step.remembers_refusals}
        self._clock = clock
        self._departed = departed
        self._tell = tell
        self._lease_left_s = lease_left_s
        self._has = has
        self._under_way: dict[AttemptId, str] = {}
        self._of_service = Counter[str]()
        self._outgoing: dict[Route, list[PackedRequest]] = defaultdict(list)
        self._more = asyncio.Event()
        self._is_open = True

    def open(self) -> None:
        """Begin to post and to hear."""
        if self._asked:
            self._wiring.keep_on(self._post)
            self._wiring.keep_on(self._hear)

    def take(self, turn: BatchResult, traces: Traces) -> BatchResult:
        """Post what a turn asks elsewhere; gives what is left to be done after it.

        Args:
            turn: with its requests.
            traces: in which these are.
        """
        if not self._asked:
            return turn
        for step, attempt_id in turn.held:
            if step in self._asked and self._is_open:  # a wire has a place for any number
                self._tell(SendHeldBack(attempt_id))
        here: list[Outgoing] = []
        for step, send in turn.sends:
            if definition := self._asked.get(step):
                self._send((step.service, definition), step, send, traces)
            else:
                here.append((step, send))
        return turn._replace(sends=here, held=[held for held in turn.held if held[0] not in self._asked])

    def drop(self, attempt_id: AttemptId) -> bool:
        """No saga waits for an attempt any more. Whether it is one of these."""
        service = self._under_way.pop(attempt_id, None)
        if service is None:
            return False
        self._of_service[service] -= 1
        self._departed.pop(attempt_id, None)
        return True

    def expect_room(self, saga: Saga, most: int) -> None:
        """Refuse a saga one of whose services has very many requests to answer: better now than once it has begun.

        Raises:
            Overloaded: so many, or more, wait for an answer of one of them.
        """
        for service in {step.service for step in saga.every_step()}:
            if (waiting := self._of_service[service]) >= most:
                raise Overloaded(
                    f"{waiting} requests wait for an answer of {service}, which is elsewhere, and the engine asks no "
                    "more at a time (queue_max); try again later, or start more hosts of it"
                )

    def stop(self) -> None:
        """Post nothing more: what comes to be sent is withdrawn."""
        self._is_open = False

    @property
    def under_way(self) -> Mapping[str, int]:
        """Service to how many requests wait for its answer."""
        return self._of_service.copy()

    @property
    def are_under_way(self) -> bool:
        """Whether a request is, that is within its time."""
        return bool(self._under_way)

    def _send(self, route: Route, step: Step, send: Send, traces: Traces) -> None:
        attempt_id, left_s = attempt_id_of(send), self._lease_left_s()
        if not self._is_open:
            self._tell(ReturnUnsent(attempt_id))
            return
        if send.request.kind is not Kind.UNDO_LATE:  # for which no saga waits
            self._departed[attempt_id] = self._clock.now_ms()
            self._under_way[attempt_id] = step.service
            self._of_service[step.service] += 1
        if left_s > 0:
            until_s = self._wiring.now_s() + min(left_s, step.timeout_s)
            position = traces.of(attempt_id)
            self._outgoing[route].append(packed_request(send.request, round(until_s * SECOND_MS), *position))
            self._more.set()

    # The loops ------------------------------------------------------------------------------------------------

    async def _post(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            outgoing, self._outgoing = self._outgoing, defaultdict(list)
            for (service, definition), requests in outgoing.items():
                if messages := self._packed(definition, requests):
                    await self._wiring.post(service, messages)

    def _packed(self, definition: str, requests: Sequence[PackedRequest]) -> Sequence[bytes]:
        try:
            return pack_requests(self._wiring.reply_to, definition, requests)
        except MessageTooBig as error:
            if len(requests) > 1:
                return [message for each in requests for message in self._packed(definition, [each])]
            self._heard(_delivered(requests[0], Unknown(str(error), taken_back=True)))  # it was not sent
            return ()

    async def _hear(self) -> None:
        while True:
            await self._wiring.take(self._wiring.reply_to, TAKEN_AT_ONCE, self._take_in)

    async def _take_in(self, deliveries: Sequence[Delivery]) -> None:
        """Hand on the answers of messages; one in which something is wrong is parked, and what is good in it counts."""
        for delivery in deliveries:
            faults = [*self._faults_of(delivery.body)]
            if faults and not await self._wiring.park(self._wiring.reply_to, delivery, "; ".join(faults)):
                return  # all of them come again
        await self._wiring.acknowledge(self._wiring.reply_to, deliveries)

    def _faults_of(self, body: bytes) -> Iterator[str]:
        """Hand on what can be read of a message, and give what cannot."""
        try:
            message, faults = unpack_answers(body)
        except MessageUnusable as error:
            yield str(error)
            return
        yield from faults
        for answer in message.answers:
            try:
                for outcome in self._said(message.service, answer):
                    self._heard(_delivered(answer, outcome))
            except (MessageUnusable, msgspec.DecodeError, RecursionError) as error:
                yield f"{answer.saga_id}/{answer.step}: {error}"

    def _said(self, service: str, answer: PackedAnswer) -> Iterator[Outcome]:
        """What an answer says; of a refusal that its participant does not remember also that it is no proof."""
        outcome, is_action = self._outcome(service, answer), answer.kind is Kind.DO
        if is_action and isinstance(outcome, Refused) and (service, answer.step) in self._forgetful:
            yield Unknown(NO_PROOF)
        yield outcome

    def _outcome(self, service: str, answer: PackedAnswer) -> Outcome:
        if (service, answer.step) not in self._names:
            raise MessageUnusable(f"no step {answer.step!r} of {service!r} is asked over this wire")
        outcome = answer.outcome()
        if isinstance(outcome, Later) and not is_duration(outcome.within_s):
            raise MessageUnusable(f"later says when, in seconds above 0, and not {outcome.within_s!r}")
        return outcome

    def _heard(self, said: Deliver) -> None:
        if self._has(said.saga_id):  # else its saga is asked anew by the engine that has it now
            self._tell(said)


def _delivered(about: PackedRequest | PackedAnswer, outcome: Outcome) -> Deliver:
    return Deliver(about.saga_id, Answered(about.step, about.kind, outcome, about.attempt))
