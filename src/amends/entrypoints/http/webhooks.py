"""``POST /webhooks/{service}``: a participant answers a step that waits, and signs what it says.

The signature is that of Standard Webhooks (https://www.standardwebhooks.com): HMAC with SHA-256 of id, time and body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Request, post
from litestar.datastructures import State
from litestar.params import HeaderParameter, JSONBody, PathParameter

from amends.client.client import Client
from amends.entrypoints.http.access.session_routes import TheAccess
from amends.entrypoints.http.documents import OPEN_TO_ALL, TheClient
from amends.entrypoints.http.looking import ID_MAX
from amends.entrypoints.http.problems import RETRY, Problem, documented
from amends.entrypoints.http.scopes import Scope
from amends.entrypoints.http.telling import ACTED_WITHIN_S, LATER, AnswerWanted
from amends.errors import RequestRefused

TOLERANCE_S: Final = 300
"""By which the clock of who signs may differ; so long what was recorded could be sent again (Standard Webhooks)."""
VERSION: Final = "v1"

ServiceName = Annotated[str, PathParameter(min_length=1, max_length=ID_MAX, description="that answers")]
WebhookId = Annotated[str | None, HeaderParameter(name="webhook-id", required=False, description="of the message")]
WebhookTimestamp = Annotated[
    str | None, HeaderParameter(name="webhook-timestamp", required=False, description="seconds since 1970")
]
WebhookSignature = Annotated[
    str | None, HeaderParameter(name="webhook-signature", required=False, description="v1,BASE64 of the HMAC")
]


@post(
    "/webhooks/{service:str}",
    scope=Scope.public,
    security=OPEN_TO_ALL,
    status_code=HTTPStatus.NO_CONTENT,
    summary="answer a step that waits, with a signature",
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def hear_webhook(
    request: Request[Any, Any, State],
    client: TheClient,
    access: TheAccess,
    service: ServiceName,
    data: JSONBody[AnswerWanted],
    webhook_id: WebhookId = None,
    webhook_timestamp: WebhookTimestamp = None,
    webhook_signature: WebhookSignature = None,
) -> None:
    """Answer a step of this service that waits. The same message twice does no harm: the first one counts."""
    secret = access.webhooks.get(service)
    signed = f"{webhook_id}.{webhook_timestamp}.".encode() + await request.body()
    at, given = webhook_timestamp or "", webhook_signature or ""
    expect_signature(secret or b"", signed, at, given, is_known=secret is not None)
    outcome = data.outcome.outcome()
    await _expect_own(client, service, data.key)
    try:
        await client.answer(data.key, outcome, by=f"webhook of {service}", reason=data.reason, timeout=ACTED_WITHIN_S)
    except RequestRefused as refused:
        raise Problem(HTTPStatus.CONFLICT, str(refused), field="key", value=data.key) from refused
    except TimeoutError as error:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, LATER.format(ACTED_WITHIN_S), headers=RETRY) from error


def signature_of(secret: bytes, signed: bytes) -> str:
    """How a message is signed: its id, a dot, its time in seconds, a dot, and its body."""
    return f"{VERSION},{base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()}"


def expect_signature(secret: bytes, signed: bytes, at: str, given: str, *, is_known: bool) -> None:
    """See that a message is of who has the secret, and of now.

    Args:
        secret: of the service.
        signed: what is signed.
        at: the time that it says, in seconds since 1970.
        given: its signatures, with spaces between them: while a secret is changed there are two.
        is_known: whether the service has a secret.

    Raises:
        Problem: it is not; whether the service is known is not told.
    """
    right = signature_of(secret, signed)
    is_right = any(hmac.compare_digest(each.encode(), right.encode()) for each in given.split(" "))
    is_now = at.isascii() and at.isdecimal() and abs(time.time() - int(at[: len(str(2**63))])) <= TOLERANCE_S
    if not (is_known and is_right and is_now):
        raise Problem(HTTPStatus.UNAUTHORIZED, "the signature is none, or is too old: see docs/serve.md, Webhooks")


async def _expect_own(client: Client, service: str, key: str) -> None:
    """See that a request is of the service that answers it.

    Raises:
        Problem: it waits for another one, or is not waited for.
    """
    saga_id = key.partition("/")[0]
    try:
        saga = await client.describe(saga_id)
    except RequestRefused as refused:
        raise Problem(HTTPStatus.NOT_FOUND, f"no step waits under {key!r:.100}", field="key") from refused
    if not any(key == f"{saga_id}/{asked.step}/{asked.kind}" and asked.service == service for asked in saga.questions):
        raise Problem(HTTPStatus.CONFLICT, f"{service} is not waited for under {key!r:.100}", field="key")
