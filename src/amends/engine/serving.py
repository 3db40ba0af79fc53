"""Requests of coordinators elsewhere, as tasks of a host's turn: answered once, by the inbox rule of the core.

What was answered is kept under the request's idempotency key, in the commit that changes the entity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from amends.core.definition import Step
from amends.core.messages import Call, Kind, Outcome, Request, Unknown
from amends.core.waiting import SECOND_MS
from amends.core.walk import key_of
from amends.engine.recording import NOTHING
from amends.engine.task import Task, Unfinished
from amends.engine.tracing import TracePosition, spanned
from amends.engine.turn_io import EntityName, NotAtHand
from amends.engine.unit_of_work import UnitOfWork
from amends.errors import MessageUnusable
from amends.exceptions import is_interrupt, raised
from amends.storage.causes import cause_text
from amends.storage.codecs.hints import answer_codec
from amends.storage.codecs.sagas import SagaCodec
from amends.storage.codecs.values import PLAIN, encode, opened, opened_request
from amends.storage.inbox import answer_kept, kept_answer
from amends.storage.packed import NULL, PackedRequest
from amends.storage.records import RequestServed

ASKED: Final = "asked over a wire"
"""In the place of a digest: what is asked under an idempotency key is the same each time."""
TOO_LATE: Final = "it came after its time: {:.3g} s after the end of this attempt; compare clocks, or raise timeout_s"


class HostedRequest(NamedTuple):
    """A request that a host can act on.

    Attributes:
        codec: of the saga's definition.
        step: which step is asked.
        request: what is asked, with its values as they are kept.
        packed: the same, as it came.
        keys: the idempotency keys of the step's action and of its undo.
    """

    codec: SagaCodec
    step: Step
    request: Request
    packed: PackedRequest
    keys: tuple[str, str]

    @property
    def position(self) -> TracePosition:
        """Where it is in a trace."""
        return TracePosition(self.packed.traceparent, self.packed.tracestate)

    @property
    def entity(self) -> EntityName:
        """The entity that it is about.

        Raises:
            Exception: what the definition's function raises.
        """
        assert self.step.entity is not None, "its entities are kept here"
        return self.step.service, self.step.entity(opened(self.request.body))


def hosted_request(
    codecs: Mapping[str, SagaCodec], service: str, definition: str, packed: PackedRequest
) -> HostedRequest:
    """Read what a host of a service is asked.

    Args:
        codecs: of the definitions that are known here, as rows have their names.
        service: whose host this is.
        definition: of the saga.
        packed: the request.

    Raises:
        MessageUnusable: it is about something that is not known here, or cannot be read as it.
    """
    codec = codecs.get(definition)
    if codec is None:
        raise MessageUnusable(f"the definition {definition} is not known here: give it to this host, too")
    step = codec.steps.get(packed.step)
    if step is None:
        raise MessageUnusable(f"{definition} has no step {packed.step!r:.120}: deploy the same definitions here")
    if step.service != service:
        raise MessageUnusable(f"step {step.event} of {definition} is {step.service}'s, and this is a host of {service}")
    if step.function(packed.kind) is None:
        raise MessageUnusable(f"step {step.event} of {definition} has no {packed.kind.value}")
    if not packed.saga_id or "/" in packed.saga_id or not packed.saga_id.isprintable():
        raise MessageUnusable(f"{packed.saga_id!r:.120} is no id of a saga")
    try:
        keys = key_of(packed.saga_id, step, Kind.DO), key_of(packed.saga_id, step, Kind.UNDO)
        return HostedRequest(codec, step, _read(codec, step, packed), packed, keys)
    except (ArithmeticError, ValueError, RecursionError) as error:  # a number may be beyond all that is computed with
        raise MessageUnusable(f"the request to {step.event}/{packed.kind.value} cannot be read: {error}") from error


def _read(codec: SagaCodec, step: Step, packed: PackedRequest) -> Request:
    answers = {event: codec.answers.get(event, PLAIN).read(_text(raw)) for event, raw in packed.answers.items()}
    answer = None if bytes(packed.answer) == bytes(NULL) else answer_codec(step).read(_text(packed.answer))
    deadline_s = packed.deadline_ms / SECOND_MS
    call = Call(packed.key, packed.attempt, answers, answer, packed.reason, deadline_s)
    return Request(packed.saga_id, step.event, packed.kind, codec.request.read(_text(packed.body)), call)


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()


@dataclass(frozen=True, slots=True)
class ServeRequests(Task):
    """Answer requests about entities that are kept here.

    Attributes:
        requests: in order.
        now_s: the time by which their deadlines are told: seconds since 1970 (UTC).
        before: the answers to those that came before these.
    """

    requests: Sequence[HostedRequest]
    now_s: Callable[[], float]
    before: Sequence[Any] = ()

    @property
    def size(self) -> int:  # type: ignore[override]  # it is read, and never written
        """How many requests."""
        return len(self.requests)

    @property
    def keys(self) -> Sequence[str]:  # type: ignore[override]  # it is read, and never written
        """Those of each action and of its undo."""
        return [key for hosted in self.requests for key in hosted.keys]

    @property
    def entities(self) -> Iterable[EntityName]:  # type: ignore[override]  # it is read, and never written
        """Those that the requests name."""
        for hosted in self.requests:
            try:
                yield hosted.entity
            except Exception:  # noqa: BLE001, S112 - it is that request's answer, when it is carried out
                continue

    def carry_out(self, work: UnitOfWork) -> list[Outcome]:
        """The outcome of each."""
        outcomes: list[Outcome] = [*self.before]
        for done, hosted in enumerate(self.requests):
            work.room.expect(done)
            try:
                outcomes.append(_served(work, hosted, self.now_s()))
            except NotAtHand:  # all of them are decided again
                outcomes.append(Unknown())
            except BaseException as error:
                if is_interrupt(error):
                    raise
                outcomes.append(Unknown(raised(error)))
        return outcomes

    def parts(self) -> Sequence[Task]:
        """One request each."""
        return [ServeRequests([hosted], self.now_s) for hosted in self.requests]

    def joined(self, answers: Sequence[Any]) -> Any:
        """One list; a request that cannot be stored has an unknown outcome."""
        outcomes = [Unknown(raised(each)) if isinstance(each, Exception) else each[0] for each in answers]
        told, number = [*self.before, *outcomes], len(answers)
        return told if number == self.size else Unfinished(replace(self, requests=self.requests[number:], before=told))


def _served(work: UnitOfWork, hosted: HostedRequest, now_s: float) -> Outcome:
    """Answer a request, and keep the answer; what was answered before is answered again."""
    step, request = hosted.step, hosted.request
    kind = Kind.DO if request.kind is Kind.DO else Kind.UNDO  # an undo that is late is the same undo, if asked again
    kept = [(key, work.keys.recall(key, ASKED)) for key in hosted.keys]
    inbox = {key: answer_kept(text, answer_codec(step)) for key, text in kept if text is not None}
    key = hosted.keys[kind is Kind.UNDO]
    if key in inbox:
        return inbox[key]
    if request.call.deadline <= now_s:
        return Unknown(TOO_LATE.format(now_s - request.call.deadline))
    own, packed = opened_request(request), hosted.packed
    with spanned(hosted.position, step.service, request) as tell:
        asked = own if own.kind is kind else replace(own, kind=kind)
        entity_id, answer = work.participants.receive(inbox, step, asked)
        tell(answer)
    work.keys.keep(key, ASKED, kept_answer(answer), packed.saga_id)  # so it stays as long as that may ask
    cause = _cause_text(step.service, hosted.codec.definition, step.event, kind)
    value = encode([packed.saga_id, packed.body, packed.answers, packed.reason]).decode()
    work.recording.write(f"{step.service}/{entity_id}", 0, cause, NOTHING, value)
    return answer


@lru_cache(maxsize=1000)  # of each step that is known here, its action and its undo
def _cause_text(service: str, definition: str, event: str, kind: Kind) -> str:
    return cause_text(RequestServed(service, definition, event, kind))
