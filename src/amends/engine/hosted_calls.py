"""Requests of coordinators elsewhere to functions of the world outside: each is called here, and its answer posted."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from amends.core.definition import Step
from amends.core.effects import Send
from amends.core.messages import Answered, Outcome, Unknown
from amends.core.waiting import SECOND_MS
from amends.engine.in_flight import AttemptId, attempt_id_of
from amends.engine.serving import TOO_LATE, HostedRequest
from amends.engine.task import Task
from amends.engine.tasks import Deliver
from amends.engine.tracing import Traces
from amends.engine.waking import ReturnUnsent
from amends.engine.wiring import LOOK_S, Wiring
from amends.errors import MessageTooBig
from amends.storage.codecs.values import opened_request
from amends.storage.packed import PackedAnswer, pack_answers, packed_answer

NO_PLACE: Final = (
    "it was not asked: there was no place for it here; raise concurrency= of its host, or start more hosts"
)
Address = tuple[str, str]
"""Which service answers, and to which channel."""


class HostedCalls:
    """The calls for coordinators elsewhere that are under way, beside those for sagas of this engine."""

    def __init__(
        self, wiring: Wiring, send: Callable[[Step, Send], None], drop: Callable[[AttemptId], None], traces: Traces
    ) -> None:
        """Call nothing yet.

        Args:
            wiring: the engine's end of the wire.
            send: has a request sent as soon as its participant has a place for it.
            drop: gives the place of an attempt free.
            traces: in which calls are.
        """
        self._wiring = wiring
        self._send = send
        self._drop = drop
        self._traces = traces
        self._asked: dict[AttemptId, tuple[HostedRequest, str]] = {}
        self._said: dict[Address, list[PackedAnswer]] = defaultdict(list)
        self._posting: asyncio.Task[None] | None = None

    def ask(self, hosted: HostedRequest, reply_to: str) -> None:
        """Call a function; a request that comes again while its call is under way is not called again."""
        request, deadline_s = opened_request(hosted.request), hosted.request.call.deadline
        send = Send(request, 0, round(deadline_s * SECOND_MS))
        attempt_id, left_s = attempt_id_of(send), deadline_s - self._wiring.now_s()
        if attempt_id in self._asked:
            return
        self._asked[attempt_id] = hosted, reply_to
        if left_s <= 0:
            self._answer(attempt_id, Unknown(TOO_LATE.format(-left_s)))
            return
        self._traces.ask(attempt_id, hosted.position)
        self._send(hosted.step, send)
        asyncio.get_running_loop().call_later(left_s, self._is_over, attempt_id)

    def take(self, task: Task) -> bool:
        """Take in what became of a call; whether it was one of these."""
        if isinstance(task, ReturnUnsent) and task.attempt_id in self._asked:
            self._answer(task.attempt_id, Unknown(NO_PLACE))
            return True
        if not (isinstance(task, Deliver) and isinstance(said := task.said, Answered)):
            return False
        attempt_id = task.saga_id, said.step, said.kind.value, said.attempt or 1
        if attempt_id not in self._asked:
            return False
        self._answer(attempt_id, said.outcome)
        return True

    async def posted(self) -> None:
        """Wait until what was answered is posted; for no longer than a broker may take."""
        if self._posting is not None:
            await asyncio.wait([self._posting], timeout=LOOK_S)

    def _is_over(self, attempt_id: AttemptId) -> None:
        """The answer to an attempt no longer counts: its place is free, though its call may be under way."""
        if self._asked.pop(attempt_id, None):
            self._traces.answer(attempt_id)
            self._drop(attempt_id)

    def _answer(self, attempt_id: AttemptId, outcome: Outcome) -> None:
        hosted, reply_to = self._asked.pop(attempt_id)
        self._traces.answer(attempt_id)
        self._drop(attempt_id)
        self._said[hosted.step.service, reply_to].append(packed_answer(hosted.packed, outcome))
        if self._posting is None or self._posting.done():
            self._posting = self._wiring.run(self._post)

    async def _post(self) -> None:
        while self._said:
            said, self._said = self._said, defaultdict(list)
            for (service, reply_to), answers in said.items():
                await self._wiring.post(reply_to, packed(service, answers))


def packed(service: str, answers: Sequence[PackedAnswer]) -> Sequence[bytes]:
    """The messages for what a service says to a coordinator; an answer that is too large says no more than that."""
    try:
        return pack_answers(service, answers)
    except MessageTooBig as error:
        if len(answers) > 1:
            return [message for answer in answers for message in packed(service, [answer])]
        return pack_answers(service, [packed_answer(answers[0], Unknown(str(error)))])
