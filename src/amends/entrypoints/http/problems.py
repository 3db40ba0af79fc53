"""What goes wrong, as problem documents (RFC 9457): what is wrong, where, with which value, and which rule says so."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from amends.engine.logger import about
from amends.errors import (
    AmendsError,
    EngineStopped,
    KeyReused,
    MessageTooBig,
    OperatorNeeded,
    Overloaded,
    RequestRefused,
    StoreError,
    StoreUnusable,
    UnusableInput,
)
from amends.exceptions import raised
from amends.storage.location import without_password

PROBLEM_JSON: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
"""Seconds after which a refused request is tried again: an engine that is restarted, or a full mailbox, takes less."""
VALUE_MAX: Final = 200  # characters of a wrong value that are told
BLANK: Final = "about:blank"
BODY: Final = "data"  # what Litestar calls the body
WHERE: Final = re.compile(r"(?P<rule>.*?) - at `\$(?P<path>.*)`$", re.DOTALL)
"""How msgspec says where a value is wrong."""
log: Final = logging.getLogger("amends.http")


class ProblemDocument(msgspec.Struct, omit_defaults=True):
    """A problem document (RFC 9457).

    Attributes:
        title: the words of the status.
        status: of the response.
        detail: what was wrong, in words.
        field: the part of the request that was wrong; empty for the whole.
        value: what it was; empty where that is not told.
        rule: what would have been right.
        type: tells kinds of problems apart; ``about:blank`` where the status does.
    """

    title: str
    status: int
    detail: str
    field: str = ""
    value: str = ""
    rule: str = ""
    type: str = BLANK


class Problem(Exception):
    """A request is answered with a problem document."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        field: str = "",
        value: object = None,
        rule: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say what was wrong.

        Args:
            status: of the response, 400 to 599.
            detail: what was wrong, in words.
            field: the part of the request that was wrong.
            value: what it was.
            rule: what would have been right.
            headers: of the response.
        """
        super().__init__(detail)
        told = "" if value is None else repr(value)[:VALUE_MAX]
        self.document = ProblemDocument(status.phrase, status.value, detail, field, told, rule)
        self.headers = dict(headers or {})


RETRY: Final = {"Retry-After": str(RETRY_AFTER_S)}
STATUSES: Final[Mapping[type[AmendsError], tuple[HTTPStatus, Mapping[str, str]]]] = {
    KeyReused: (HTTPStatus.UNPROCESSABLE_ENTITY, {}),
    RequestRefused: (HTTPStatus.CONFLICT, {}),
    Overloaded: (HTTPStatus.TOO_MANY_REQUESTS, RETRY),
    MessageTooBig: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {}),
    StoreUnusable: (HTTPStatus.SERVICE_UNAVAILABLE, RETRY),
    UnusableInput: (HTTPStatus.UNPROCESSABLE_ENTITY, {}),
    StoreError: (HTTPStatus.SERVICE_UNAVAILABLE, RETRY),
    OperatorNeeded: (HTTPStatus.CONFLICT, {}),
    EngineStopped: (HTTPStatus.SERVICE_UNAVAILABLE, RETRY),
}
"""What each error means to who asks; the first class that fits counts."""


def problem_of(error: Exception) -> Problem:
    """What an exception means to who asks."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, AmendsError):
        found = next((given for kind, given in STATUSES.items() if isinstance(error, kind)), None)
        status, headers = found or (HTTPStatus.INTERNAL_SERVER_ERROR, {})
        return Problem(status, without_password(str(error)), headers=headers)
    if isinstance(error, ValidationException):
        return _validation(error)
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        headers = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
        return Problem(status, f"{status.phrase}: {error.detail}" if error.detail else status.phrase, headers=headers)
    log.error("a request failed: %s", raised(error), exc_info=error, extra=about("a request failed"))
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log says why")


def _validation(error: ValidationException) -> Problem:
    extra: Any = error.extra or [{}]
    first = extra[0] if isinstance(extra[0], dict) else {"message": str(extra[0])}
    rule, field = str(first.get("message", error.detail)), str(first.get("key", ""))
    named = WHERE.match(rule)
    if named:
        field, rule = named["path"].lstrip("."), named["rule"]
    field = "" if field == BODY else field.removeprefix(f"{BODY}.")
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field or 'the body'}: {rule}", field=field, rule=rule)


def where_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """The field that is wrong, and the rule that says so."""
    found = WHERE.match(str(error))
    return (found["path"].lstrip("."), found["rule"]) if found else ("", str(error))


def answer_problem(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The response to a request that went wrong."""
    problem = problem_of(error)
    return Response(
        msgspec.json.encode(problem.document),
        status_code=problem.document.status,
        headers={**problem.headers, "Cache-Control": "no-store"},
        media_type=PROBLEM_JSON,
    )


def documented(*statuses: HTTPStatus) -> dict[int, ResponseSpec]:
    """These problems in the OpenAPI document of a route, beside those that each route can answer."""
    each = (*statuses, *EVERYWHERE)
    return {
        status.value: ResponseSpec(
            ProblemDocument,
            generate_examples=False,
            description=status.phrase,
            media_type=PROBLEM_JSON,
        )
        for status in each
    }


EVERYWHERE: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What any request may be answered."""
