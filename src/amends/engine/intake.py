"""Requests, inputs and commands' bodies are taken in as they are stored and would be read back, if they can be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from amends.core.definition import Saga
from amends.core.messages import Answered, Done, Input, Kind, Outcome, Resolve, Unknown, Verb, worded
from amends.errors import ParticipantError, RequestRefused
from amends.exceptions import complaint
from amends.storage.codecs.entities import Unstorable
from amends.storage.codecs.hints import answer_codec
from amends.storage.codecs.sagas import SagaCodec
from amends.storage.codecs.values import (
    UTF_8_MAX,
    encode,
    heard,
    is_bare,
    of_a_request,
    own,
    refuse_large_answers,
    refuse_too_large,
    shown,
    text_of,
)


def take_request(codec: SagaCodec, request: Any, bytes_max: int) -> tuple[str, Any]:
    """A saga's request as JSON, and as it is kept.

    Args:
        codec: of the saga's definition.
        request: as the client or `Saga.prepare` gave it.
        bytes_max: what one value may have.

    Raises:
        RequestRefused: it cannot be stored, would come back as another one, or is too large.
    """
    is_closed = codec.request.is_closed(request)
    try:
        text = encode(request).decode() if is_closed else text_of(request)
        kept = request if is_closed else codec.request.keep(request, text)
    except (TypeError, ValueError) as error:
        remedy = of_a_request(codec.saga.request, request)
        raise RequestRefused(f"{_what(codec)} cannot be stored: {error}; {remedy}") from error
    if UTF_8_MAX * len(text) > bytes_max:
        try:
            refuse_too_large(text, bytes_max)
        except ValueError as error:
            raise RequestRefused(f"{_what(codec)} cannot be stored: {error}") from error
    return text, kept


def take_asked(codec: SagaCodec, asked: Any, bytes_max: int) -> str:
    """What a saga is asked for by a letter, as JSON: its request, or what `Saga.prepare` gets.

    Raises:
        RequestRefused: it cannot be stored, would come back as another one, or is too large.
    """
    if codec.saga.prepare is None:
        return take_request(codec, asked, bytes_max)[0]
    return take_body(asked, codec.saga.name, bytes_max)


def _what(codec: SagaCodec) -> str:
    return f"{codec.saga.name}: the request{' that prepare gave' if codec.saga.prepare else ''}"


def take_body(body: Any, event: str, bytes_max: int) -> str:
    """The body of a command as JSON.

    Raises:
        RequestRefused: it cannot be stored, or is too large.
    """
    try:
        text = text_of(body)
        refuse_too_large(text, bytes_max)
    except (TypeError, ValueError) as error:
        raise RequestRefused(f"{event}: the request cannot be stored: {error}") from error
    else:
        return text


def take_input(saga: Saga, input_: Input, bytes_max: int) -> Input:
    """An input of a saga as it is kept; an answer that is too large says no more than that there was one.

    Args:
        saga: the definition.
        input_: an answer, an operator's or client's verb, or a time that ran out.
        bytes_max: what one answer may have.

    Raises:
        RequestRefused: its answer cannot be stored, or is too large and comes from outside, where it can be refused.
    """
    if input_.__class__ is Answered and is_bare(input_.outcome):
        return input_
    input_ = _with_kept_answer(saga, input_)
    if isinstance(input_, Answered | Resolve):
        try:
            refuse_large_answer(input_.outcome, input_.step, bytes_max)
        except ParticipantError as error:
            if not (isinstance(input_, Answered) and input_.attempt):
                raise RequestRefused(str(error)) from error
            return replace(input_, outcome=Unknown(str(error), cause=error))
    return replace(input_, why=worded(input_.why)) if isinstance(input_, Verb) else input_


def _with_kept_answer(saga: Saga, input_: Input) -> Input:
    """An input, with its answer as it is kept. That an attempt left nothing is the engine's own word by now."""
    if not isinstance(input_, Answered | Resolve) or isinstance(input_.outcome, Unknown):
        return input_
    kind = input_.kind if isinstance(input_, Answered) else Kind.DO
    try:
        outcome: Any = heard(input_.outcome, input_.step, answer_codec(saga.step(input_.step), kind))
    except ValueError as error:
        raise RequestRefused(str(error)) from error
    return input_ if outcome is input_.outcome else replace(input_, outcome=outcome)


def answer_in(input_: Input) -> Any:
    """The answer that an input brings; ``None`` when it brings none."""
    outcome = input_.outcome if isinstance(input_, Answered | Resolve) else None
    return outcome.answer if isinstance(outcome, Done) else None


def refuse_large_answer(outcome: Outcome, event: str, bytes_max: int) -> None:
    """Look how large an outcome's answer is.

    Raises:
        ParticipantError: it is too large.
    """
    if isinstance(outcome, Done):
        try:
            refuse_large_answers((outcome.answer,), bytes_max)
        except ValueError as error:
            raise ParticipantError(f"{event}: the answer cannot be stored: {error}") from error


def refuse_large_entity(name: str, text: str, bytes_max: int) -> None:
    """Look how large an entity is.

    Args:
        name: ``SERVICE/entity id``, for the error.
        text: its JSON.
        bytes_max: what it may have.

    Raises:
        Unstorable: it is too large.
    """
    try:
        refuse_too_large(text, bytes_max)
    except ValueError as error:
        raise Unstorable(f"the entity {name} cannot be stored: {error}") from error


def copy_of(given: Any, what: str) -> Any:
    """A copy of what a client gave, for a function that may change it.

    Raises:
        RequestRefused: it cannot be copied.
    """
    try:
        return own(given)
    except BaseException as error:
        raise RequestRefused(f"{what}: {shown(given)} cannot be copied: {complaint(error)}") from error
