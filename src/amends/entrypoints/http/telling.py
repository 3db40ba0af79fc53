"""Verbs and answers: what a person tells a saga. Who says it is the caller; why, the body says."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.params import JSONBody, PathParameter, QueryParameter

from amends.client.client import Client
from amends.core.messages import Done, Refused
from amends.entrypoints.cli.verbs.orders import Order, VerbGiven
from amends.entrypoints.http.documents import TheClient, saga_document
from amends.entrypoints.http.looking import SagaId, described
from amends.entrypoints.http.problems import RETRY, Problem, documented
from amends.entrypoints.http.scopes import Scope, caller_of
from amends.errors import RequestRefused, UnusableInput

ACTED_WITHIN_S: Final = 10.0  # as for a start
REASON_MAX: Final = 1000  # characters
LATER: Final = "no engine has acted on it within {:g} s; it stays, and an engine acts on it once one runs"
REFUSED_HERE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)

Reason = Annotated[str, msgspec.Meta(max_length=REASON_MAX)]
GivenReason = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_MAX)]
Preview = Annotated[bool, QueryParameter(required=False, description="tell the effect, and do nothing")]


class OutcomeGiven(msgspec.Struct, forbid_unknown_fields=True):
    """What became of a step: one of the two.

    Attributes:
        done: its answer, where it took effect; ``null`` for none.
        refused: why it did not.
    """

    done: Any | msgspec.UnsetType = msgspec.UNSET
    refused: Reason | msgspec.UnsetType = msgspec.UNSET

    def outcome(self) -> Done | Refused:
        """As the engine takes it.

        Raises:
            Problem: it is neither, or both.
        """
        if (self.done is msgspec.UNSET) == (self.refused is msgspec.UNSET):
            rule = "give done or refused, and not both"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"outcome: {rule}", field="outcome", rule=rule)
        return Done(self.done) if isinstance(self.refused, msgspec.UnsetType) else Refused(self.refused)


class CancelWanted(msgspec.Struct, forbid_unknown_fields=True):
    """Why a saga is to be undone.

    Attributes:
        reason: for the record, and for participants that undo.
    """

    reason: GivenReason


class VerbWanted(msgspec.Struct, forbid_unknown_fields=True):
    """What a saga is to be told.

    Attributes:
        reason: why, for the record.
        step: the step that it is about; empty for the one that it can be.
        outcome: of ``resolve`` alone.
    """

    reason: GivenReason
    step: str = ""
    outcome: OutcomeGiven | None = None


class AnswerWanted(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to a question.

    Attributes:
        key: of the question.
        outcome: what became of it.
        reason: from where that is known, for the record.
    """

    key: str
    outcome: OutcomeGiven
    reason: Reason = ""


class OperatorVerb(StrEnum):
    """What an operator tells a saga."""

    retry = "retry"
    resolve = "resolve"
    abandon = "abandon"
    undo = "undo"


class VerbEffect(msgspec.Struct):
    """What a verb does to a saga, before it is done, or once it was.

    Attributes:
        saga_id: of the saga.
        verb: its name.
        step: that it is about; empty for the whole saga.
        effect: in words.
        is_done: whether it was done, and not only looked at.
        saga: as it stands.
    """

    saga_id: str
    verb: str
    step: str
    effect: str
    is_done: bool
    saga: dict[str, Any]


@post(
    "/sagas/{saga_id:str}/cancel",
    scope=Scope.cancel,
    status_code=HTTPStatus.OK,
    summary="have a saga undone",
    responses=documented(*REFUSED_HERE),
)
async def cancel_saga(
    request: Request[Any, Any, State],
    client: TheClient,
    saga_id: SagaId,
    data: JSONBody[CancelWanted],
    preview: Preview = False,
) -> VerbEffect:
    """Have a saga undone. It is taken until the pivot's request is committed."""
    said = VerbGiven("cancel", caller_of(request).name, data.reason)
    return await told(client, saga_id, said, preview=preview)


@post(
    "/sagas/{saga_id:str}/{verb:str}",
    scope=Scope.operate,
    status_code=HTTPStatus.OK,
    summary="tell a saga what to do",
    responses=documented(*REFUSED_HERE),
)
async def tell_saga(
    request: Request[Any, Any, State],
    client: TheClient,
    saga_id: SagaId,
    verb: Annotated[OperatorVerb, PathParameter()],
    data: JSONBody[VerbWanted],
    preview: Preview = False,
) -> VerbEffect:
    """Retry a step, resolve it, undo what is owed of it, or abandon the saga."""
    if (data.outcome is None) == (verb is OperatorVerb.resolve):
        rule = "resolve needs an outcome, and nothing else has one"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"outcome: {rule}", field="outcome", rule=rule)
    outcome = data.outcome.outcome() if data.outcome else None
    said = VerbGiven(verb.value, caller_of(request).name, data.reason, data.step, outcome)
    return await told(client, saga_id, said, preview=preview)


@post(
    "/answers",
    scope=Scope.operate,
    status_code=HTTPStatus.NO_CONTENT,
    summary="answer a question",
    responses=documented(*REFUSED_HERE),
)
async def answer_question(request: Request[Any, Any, State], client: TheClient, data: JSONBody[AnswerWanted]) -> None:
    """Answer a step that waits for a person, or for a participant that took its request."""
    outcome = data.outcome.outcome()
    try:
        await client.answer(data.key, outcome, by=caller_of(request).name, reason=data.reason, timeout=ACTED_WITHIN_S)
    except RequestRefused as refused:
        raise Problem(HTTPStatus.CONFLICT, str(refused), field="key", value=data.key) from refused
    except TimeoutError as error:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, LATER.format(ACTED_WITHIN_S), headers=RETRY) from error


async def told(client: Client, saga_id: str, said: VerbGiven, *, preview: bool) -> VerbEffect:
    """Tell a saga something, or what that would do.

    Raises:
        Problem: there is no such saga, or it does not take it.
    """
    order = order_of(said, await described(client, saga_id))
    if not preview:
        try:
            await order.say(client, ACTED_WITHIN_S)
        except RequestRefused as refused:
            raise Problem(HTTPStatus.CONFLICT, str(refused)) from refused
        except TimeoutError as error:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, LATER.format(ACTED_WITHIN_S), headers=RETRY) from error
    saga = await described(client, saga_id)
    effect = f"is to {order.effect()}"
    return VerbEffect(saga_id, said.verb, order.step, effect, not preview, saga_document(saga))


def order_of(said: VerbGiven, saga: Any) -> Order:
    """What is said to a saga.

    Raises:
        Problem: it cannot be said to it as it stands.
    """
    try:
        return said.of(saga)
    except UnusableInput as error:
        raise Problem(HTTPStatus.CONFLICT, str(error), field="step" if said.step else "") from error
