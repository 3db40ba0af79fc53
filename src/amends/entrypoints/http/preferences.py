"""What a request prefers (RFC 7240), under which key it is safe to repeat, and which state it knows (RFC 9110)."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Final

from litestar import Request

from amends.entrypoints.http.problems import Problem

WAIT_MAX_S: Final = 60  # most proxies end a request that has had no answer for so long
KEY_MAX: Final = 255  # characters (draft-ietf-httpapi-idempotency-key-header, and promise I9)
KEY: Final = re.compile(r'"?([!#-\[\]-~]{1,255})"?')
"""The draft's string, also without its quotes, as most clients send it."""
WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?", re.IGNORECASE)


def wait_of(request: Request[Any, Any, Any]) -> int:
    """For how long the caller wants the end to be waited for, in seconds, 0 to `WAIT_MAX_S`; a longer wait is cut."""
    found = WAIT.search(request.headers.get("prefer", ""))
    return min(int(found[1]), WAIT_MAX_S) if found else 0


def idempotency_key_of(request: Request[Any, Any, Any]) -> str:
    """The key under which a request is carried out once, however often it comes.

    Raises:
        Problem: there is none, or it is none.
    """
    given = request.headers.get("idempotency-key")
    rule = f"1 to {KEY_MAX} printable ASCII characters without spaces; a new one for each new request, as a UUID"
    if given is None:
        raise Problem(HTTPStatus.BAD_REQUEST, "Idempotency-Key is missing", field="Idempotency-Key", rule=rule)
    found = KEY.fullmatch(given.strip())
    if found is None:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "Idempotency-Key is no such key", field="Idempotency-Key", value=given, rule=rule
        )
    return found[1]


def is_known(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the caller has a representation of this tag already."""
    given = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return etag in tags or "*" in tags
