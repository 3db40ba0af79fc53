"""Packed messages: many requests to one service, or many answers to one coordinator, as JSON (`docs/wire.md`).

Who sends packs all that a turn has for a service, so that what one costs is shared by many. Who hears unpacks what it
can: what is wrong with one request says nothing of those beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

import msgspec

from amends.core.messages import Done, Kind, Outcome, Refused, Request, Unknown
from amends.errors import MessageTooBig, MessageUnusable
from amends.storage.codecs.values import json_of, opened
from amends.storage.outcomes import OutcomeWord, outcome_in
from amends.storage.wire import MESSAGE_BYTES_MAX

VERSION: Final = 1
"""Of the format. A host of another version of Amends reads the same one, or parks the message."""
NULL: Final = msgspec.Raw(b"null")


class PackedRequest(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What one participant is asked for one saga.

    Attributes:
        saga_id: whose request it is.
        step: event name of the step.
        kind: ``do``, ``undo``, ``probe``; ``undo-late`` of what an operator has undone once it was given up.
        attempt: from 1, for the answer to repeat.
        key: the idempotency key, the same at every attempt.
        deadline_ms: until when the answer counts, by the coordinator's clock: milliseconds since 1970 (UTC).
        body: the saga's request, as it is stored.
        answers: what the steps of earlier groups answered, by event name.
        answer: for an undo, what its action answered, or what the probe found.
        reason: on the way back, why the saga turned back.
        traceparent: where it is in a trace, as W3C Trace Context writes it; empty for none. Nothing depends on it.
        tracestate: belongs to that.
    """

    saga_id: str
    step: str
    kind: Kind
    attempt: int
    key: str
    deadline_ms: int
    body: msgspec.Raw
    answers: dict[str, msgspec.Raw] = {}
    answer: msgspec.Raw = NULL
    reason: str = ""
    traceparent: str = ""
    tracestate: str = ""


class PackedRequests(msgspec.Struct, frozen=True, gc=False):
    """A message to the hosts of a service.

    Attributes:
        v: the version of the format.
        reply_to: the channel of the coordinator that waits for the answers.
        saga: the definition of all these sagas, as ``name/version/fingerprint``.
        requests: what is asked, in order.
    """

    v: Literal[1]
    reply_to: str
    saga: str
    requests: list[PackedRequest]


class PackedAnswer(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a participant says to one request.

    Attributes:
        saga_id: of the request, as the three that follow.
        step: event name of the step.
        kind: what it was asked.
        attempt: which attempt.
        says: which outcome it is.
        value: the answer of what is done; the reason of a refusal, the error of what is unknown; for how many seconds
            to wait for what comes later. Of no attempt it can be certain that it left nothing: another copy of its
            message may come yet.
    """

    saga_id: str
    step: str
    kind: Kind
    attempt: int
    says: OutcomeWord
    value: msgspec.Raw = NULL

    def outcome(self) -> Outcome:
        """What it says.

        Raises:
            msgspec.ValidationError: its value is none that this outcome can have.
        """
        return outcome_in(self.says, self.value)


class PackedAnswers(msgspec.Struct, frozen=True, gc=False):
    """A message to a coordinator.

    Attributes:
        v: the version of the format.
        service: who answers.
        answers: what it says, in order.
    """

    v: Literal[1]
    service: str
    answers: list[PackedAnswer]


Message = TypeVar("Message", PackedRequests, PackedAnswers)
Part = TypeVar("Part", PackedRequest, PackedAnswer)


class Unpacked(NamedTuple, Generic[Message]):
    """What can be read of a message.

    Attributes:
        message: with those of its requests or answers that can be read.
        faults: what is wrong with the others, in words.
    """

    message: Message
    faults: Sequence[str]


_ENCODER: Final = msgspec.json.Encoder()
_REQUESTS: Final = msgspec.json.Decoder(PackedRequests)
_ANSWERS: Final = msgspec.json.Decoder(PackedAnswers)


def packed_request(request: Request, deadline_ms: int, traceparent: str = "", tracestate: str = "") -> PackedRequest:
    """A request as it goes over a wire.

    Args:
        request: what is asked.
        deadline_ms: until when the answer counts; see `PackedRequest`.
        traceparent: where it is in a trace.
        tracestate: belongs to that.
    """
    saga_id, step, kind, body, call = request.saga_id, request.step, request.kind, request.body, request.call
    answers = {event: _raw(answer) for event, answer in call.answers.items()}
    answer = NULL if call.answer is None else _raw(call.answer)
    return PackedRequest(
        saga_id, step, kind, call.attempt, call.key, deadline_ms, _raw(body), answers, answer, call.reason,
        traceparent, tracestate,
    )  # fmt: skip


def packed_answer(request: PackedRequest | PackedAnswer, outcome: Outcome) -> PackedAnswer:
    """What a participant says to a request, or in place of another answer, as it goes over a wire."""
    says, value = _said(outcome)
    return PackedAnswer(request.saga_id, request.step, request.kind, request.attempt, says, value)


def _said(outcome: Outcome) -> tuple[OutcomeWord, msgspec.Raw]:
    match outcome:
        case Done(answer):
            return "done", NULL if answer is None else _raw(opened(answer))
        case Refused(reason):
            return "refused", _raw(reason)
        case Unknown(error):
            return "unknown", _raw(error)
    return "later", _raw(outcome.within_s)


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json_of(value).encode())


def unpack_requests(body: bytes) -> Unpacked[PackedRequests]:
    """Read a message to the hosts of a service.

    Raises:
        MessageUnusable: nothing of it can be read; the error says what is wrong, and where.
    """
    return _unpack(body, _REQUESTS, "requests", PackedRequest)


def unpack_answers(body: bytes) -> Unpacked[PackedAnswers]:
    """Read a message to a coordinator.

    Raises:
        MessageUnusable: nothing of it can be read; the error says what is wrong, and where.
    """
    return _unpack(body, _ANSWERS, "answers", PackedAnswer)


def pack_requests(reply_to: str, saga: str, requests: Sequence[PackedRequest]) -> Sequence[bytes]:
    """The messages for what the sagas of a definition ask of a service, in order: one, or several where it is much.

    Args:
        reply_to: the channel of the coordinator.
        saga: the definition, as ``name/version/fingerprint``.
        requests: what is asked.

    Raises:
        MessageTooBig: one request alone is larger than a message may be.
    """
    return [*_packed(requests, lambda part: PackedRequests(VERSION, reply_to, saga, [*part]))]


def pack_answers(service: str, answers: Sequence[PackedAnswer]) -> Sequence[bytes]:
    """The messages for what a service says to a coordinator, in order: one, or several where it is much.

    Args:
        service: who answers.
        answers: what it says.

    Raises:
        MessageTooBig: one answer alone is larger than a message may be.
    """
    return [*_packed(answers, lambda part: PackedAnswers(VERSION, service, [*part]))]


def _packed(parts: Sequence[Part], message_of: Callable[[Sequence[Part]], Any]) -> Iterator[bytes]:
    """One message, or those of both halves where it is too large."""
    message = _ENCODER.encode(message_of(parts))
    if len(message) <= MESSAGE_BYTES_MAX:
        yield message
    elif len(parts) == 1:
        raise MessageTooBig(
            f"saga {parts[0].saga_id}: {parts[0].step}/{parts[0].kind.value} makes a message of {len(message)} bytes, "
            f"and a wire takes {MESSAGE_BYTES_MAX} at most: keep what is large elsewhere, and send a reference to it"
        )
    else:
        middle = len(parts) // 2
        yield from _packed(parts[:middle], message_of)
        yield from _packed(parts[middle:], message_of)


def _unpack(body: bytes, decoder: Any, name: str, part: type[Part]) -> Unpacked[Any]:
    """Read a message at once; where that fails, each of its parts by itself."""
    try:
        return Unpacked(decoder.decode(body), ())
    except (msgspec.DecodeError, RecursionError) as error:
        return _salvaged(body, decoder, name, part, error)


def _salvaged(body: bytes, decoder: Any, name: str, part: type[Part], why: Exception) -> Unpacked[Any]:
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        raws = msgspec.json.decode(fields[name], type=list[msgspec.Raw])
        empty = decoder.decode(_ENCODER.encode({**fields, name: []}))
    except (msgspec.DecodeError, RecursionError, KeyError):
        raise MessageUnusable(f"no message of version {VERSION} with {name}: {why}") from why
    parts, faults = [], []
    for number, raw in enumerate(raws):
        try:
            parts.append(msgspec.json.decode(raw, type=part))
        except (msgspec.DecodeError, RecursionError) as error:
            faults.append(f"{name}[{number}]: {error}")
    return Unpacked(msgspec.structs.replace(empty, **{name: parts}), faults)
