"""What is sent, bounded and read strictly: JSON in UTF-8, each key once, no deeper than it need be.

The limits are those of the OWASP API list (API4) as the promises take them: docs/serve.md, "Limits".
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request

from amends.entrypoints.http.problems import Problem, where_of

BODY_BYTES_MAX: Final = 256 * 1024  # docs/serve.md, "Limits"
BODY_S: Final = 30.0  # within which a body is sent: 256 KiB over a bad line
DEPTH_MAX: Final = 32  # of objects and lists within each other
SAFE_INTEGER: Final = 2**53 - 1  # above it JavaScript's numbers are no longer exact


async def expect_body(request: Request[Any, Any, Any]) -> None:
    """Read the body of a request, and see that it is none that would be read wrongly.

    Raises:
        Problem: it is too large, too slow, compressed, of another type, or no strict JSON.
    """
    if request.method in ("GET", "HEAD", "DELETE", "OPTIONS"):
        return
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is compressed; send it as it is")
    _expect_length(request.headers.get("content-length"))
    try:
        async with asyncio.timeout(BODY_S):
            body = await request.body()
    except TimeoutError as error:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, f"the body did not come within {BODY_S:g} s") from error
    if body:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is no application/json", value=kind)
        expect_strict_json(body, with_fractions=not request.route_handler.opt.get("whole_numbers", False))


def _expect_length(length: str | None) -> None:
    if length is not None and length.isdecimal() and int(length) > BODY_BYTES_MAX:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has {length} bytes; {BODY_BYTES_MAX} are the most"
        )


def expect_strict_json(body: bytes, *, with_fractions: bool = True) -> None:
    """See that bytes are JSON that every reader reads alike.

    Args:
        body: what was sent.
        with_fractions: whether a number may be written with a fraction or an exponent, as ``1.0``.

    Raises:
        Problem: they are not, and why.
    """
    try:
        msgspec.json.decode(body)
        found = json.loads(
            body.decode(), object_pairs_hook=_each_once, parse_float=float if with_fractions else _refuse
        )
        expect_depth(found)
    except Problem:
        raise
    except (ValueError, RecursionError) as error:  # msgspec's errors are of ValueError
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {str(error) or 'it is too deep'}") from error


def _refuse(number: str) -> float:
    rule = "numbers are whole here, and written so"
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{number}: {rule}", value=number, rule=rule)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body has the key {twice!r:.100} twice in one object")
    return found


def expect_depth(value: Any, depth: int = 1) -> None:
    """See that a value is no deeper than `DEPTH_MAX`, and holds no number or text that others read differently.

    Raises:
        Problem: it does.
    """
    if depth > DEPTH_MAX:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is deeper than {DEPTH_MAX} objects and lists")
    if isinstance(value, str):
        _expect_text(value)
    elif type(value) is int and not -SAFE_INTEGER <= value <= SAFE_INTEGER:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "a number is beyond 2**53 - 1", value=value)
    elif isinstance(value, dict):
        for name, each in value.items():
            _expect_text(name)
            expect_depth(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            expect_depth(each, depth + 1)


def _expect_text(text: str) -> None:
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Problem(HTTPStatus.BAD_REQUEST, "the body holds half of a surrogate pair", value=text)


def read_as(kind: Any, value: Any, field: str = "") -> Any:
    """Plain values as a type.

    Args:
        kind: the type.
        value: as JSON holds it.
        field: the part of the request that it is.

    Raises:
        Problem: it is none of the type.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        where, rule = where_of(error)
        at = ".".join(filter(None, (field, where)))
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{at}: {rule}", field=at, rule=rule) from error
