"""``/session``: a person gives a key once, and gets a cookie; and who one is."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency
from litestar.params import JSONBody

from amends.entrypoints.http.access.gate import BEARER, COOKIE, Access, cookie_name, expect_same_origin, unknown
from amends.entrypoints.http.access.sessions import LASTS_S
from amends.entrypoints.http.documents import OPEN_TO_ALL
from amends.entrypoints.http.problems import Problem, documented
from amends.entrypoints.http.scopes import Scope

KEY_MAX: Final = 200  # characters: twice what a key has
TheAccess = NamedDependency[Access]


class KeyGiven(msgspec.Struct, forbid_unknown_fields=True):
    """Who wants to log in.

    Attributes:
        key: an access key, as it was shown.
    """

    key: Annotated[str, msgspec.Meta(max_length=KEY_MAX)]


class SessionSeen(msgspec.Struct):
    """Who one is.

    Attributes:
        name: as it stands in the records of sagas; empty for who has not logged in.
        scopes: what one may do.
        csrf: what a request that changes something has to say as X-Amends-CSRF; empty where that is not needed.
        is_open: whether any program of this machine may do everything.
    """

    name: str
    scopes: list[str]
    csrf: str = ""
    is_open: bool = False


@post(
    "/session",
    scope=Scope.public,
    security=OPEN_TO_ALL,
    status_code=HTTPStatus.OK,
    summary="log in",
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def log_in(
    request: Request[Any, Any, State], access: TheAccess, data: JSONBody[KeyGiven]
) -> Response[SessionSeen]:
    """Begin a session by an access key. It ends after half an hour without a request, and with its key."""
    expect_same_origin(request.headers)
    if access.keys is None:
        raise Problem(HTTPStatus.FORBIDDEN, "there is no log-in here")
    address = request.client.host if request.client else ""
    caller = access.bearer(f"{BEARER}{data.key}", address)
    key = access.keys.found(data.key)
    if key is None:
        raise unknown("the key has ended")
    token, session = access.sessions.begin(key.key_id)
    name = cookie_name(request.headers)
    cookie = Cookie(name, value=token, secure=name == COOKIE, httponly=True, samesite="strict", max_age=int(LASTS_S))
    seen = SessionSeen(caller.name, sorted(caller.scopes), session.csrf)
    return Response(seen, status_code=HTTPStatus.OK, cookies=[cookie])


@get("/session", scope=Scope.public, security=OPEN_TO_ALL, summary="see who one is", responses=documented())
async def see_session(request: Request[Any, Any, State], access: TheAccess) -> SessionSeen:
    """The name and the scopes of the caller; empty for who has not logged in."""
    address = request.client.host if request.client else ""
    try:
        caller = await access.caller(request.headers, "GET", address)
    except Problem as problem:
        if problem.document.status != HTTPStatus.UNAUTHORIZED:
            raise
        return SessionSeen("", [])
    _, session = access.session(request.headers)
    return SessionSeen(caller.name, sorted(caller.scopes), session.csrf if session else "", access.is_open)


@delete(
    "/session", scope=Scope.public, security=OPEN_TO_ALL, status_code=HTTPStatus.OK, summary="log out",
    responses=documented(),
)  # fmt: skip
async def log_out(request: Request[Any, Any, State], access: TheAccess) -> Response[SessionSeen]:
    """End the session, if there is one."""
    expect_same_origin(request.headers)
    token, _ = access.session(request.headers)
    access.sessions.end(token)
    response = Response(SessionSeen("", []), status_code=HTTPStatus.OK)
    response.delete_cookie(cookie_name(request.headers), path="/")
    return response
