"""The gate: who calls is known, and may, before anything of a request is read. What has no scope is closed."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from inspect import isawaitable
from typing import Final
from urllib.parse import urlsplit

from litestar.datastructures import Headers
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Send
from litestar.types import Scope as AsgiScope

from amends.entrypoints.http.access.keys import KeyFile
from amends.entrypoints.http.access.rates import RequestRates
from amends.entrypoints.http.access.sessions import PersonSession, Sessions, is_same
from amends.entrypoints.http.problems import RETRY, Problem
from amends.entrypoints.http.scopes import ANYONE, Caller, Scope

Decide = Callable[[Mapping[str, str]], "Caller | Awaitable[Caller | None] | None"]
"""Who calls, by the headers of a request, whose names are in small letters; ``None`` for who may not."""

COOKIE: Final = "__Host-amends-session"
COOKIE_OF_LOOPBACK: Final = "amends-session"
"""Browsers take no ``__Host-`` cookie over plain HTTP, and nothing but this machine hears loopback."""
CSRF: Final = "x-amends-csrf"
BEARER: Final = "bearer "
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="amends"'}
RATE_PER_S: Final = 1_000.0  # requests of one caller: some ten times what a busy shop's service has
BURST: Final = 2_000  # two seconds of these
FAILURES_PER_S: Final = 0.1  # of one address, with keys that are none: a person's typing, and no search
FAILURES_BURST: Final = 20  # at once: some programs that have not heard of a new key
IN_FLIGHT_MAX: Final = 512  # requests that are worked at; those that come above it are told to come again
LOOPBACK_NAMES: Final = frozenset(("localhost",))
SECURITY_HEADERS: Final = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
            "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }.items()
)


@dataclass
class Access:
    """Who may call an application: by keys, by what a program decides, or from this machine.

    Attributes:
        keys: that are known; ``None`` for none.
        decide: of a program that knows its callers itself; ``None`` for none.
        is_open: whether any program of this machine may do everything.
        webhooks: by service, what it signs its answers with.
        sessions: of people.
        rates: of callers.
        failures: of addresses, with keys that are none.
    """

    keys: KeyFile | None = None
    decide: Decide | None = None
    is_open: bool = False
    webhooks: Mapping[str, bytes] = field(default_factory=dict)
    sessions: Sessions = field(default_factory=Sessions)
    rates: RequestRates = field(default_factory=lambda: RequestRates(RATE_PER_S, BURST))
    failures: RequestRates = field(default_factory=lambda: RequestRates(FAILURES_PER_S, FAILURES_BURST))

    async def caller(self, headers: Headers, method: str, address: str) -> Caller:
        """Who makes a request.

        Raises:
            Problem: that is not known, or it may not be made like that.
        """
        if self.decide is not None:
            decided = self.decide({name.lower(): value for name, value in headers.items()})
            caller = await decided if isawaitable(decided) else decided
            if caller is None:
                raise unknown("the program that serves this does not let you in")
            return caller
        if self.is_open:
            expect_this_machine(headers, method)
            return ANYONE
        given = headers.get("authorization", "")
        if given:
            return self.bearer(given, address)
        return self._person(headers, method)

    def bearer(self, given: str, address: str) -> Caller:
        """Who has a key.

        Raises:
            Problem: it is none, or has ended.
        """
        key = self.keys.found(given[len(BEARER) :]) if self.keys and given[: len(BEARER)].lower() == BEARER else None
        if key is None:
            if wait_s := self.failures.wait_s(address):
                raise too_many(wait_s)
            raise unknown("the key is none, or has ended")
        return key.caller

    def _person(self, headers: Headers, method: str) -> Caller:
        token, session = self.session(headers)
        key = self.keys.named(session.key_id) if session and self.keys else None
        if session is None or key is None:
            self.sessions.end(token)
            raise unknown("give a key: Authorization: Bearer amends_..., or log in")
        if method not in SAFE:
            expect_same_origin(headers)
            if not is_same(headers.get(CSRF, ""), session.csrf):
                raise Problem(HTTPStatus.FORBIDDEN, f"the header {CSRF} is not that of the session", field=CSRF)
        return key.caller

    def session(self, headers: Headers) -> tuple[str, PersonSession | None]:
        """What the cookie of a request holds, and its session; empty and ``None`` for none."""
        cookies = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return "", None
        found = cookies.get(cookie_name(headers))
        token = found.value if found else ""
        return token, self.sessions.found(token) if token else None


SAFE: Final = ("GET", "HEAD", "OPTIONS")


def unknown(detail: str) -> Problem:
    """The answer to a caller who is not known."""
    return Problem(HTTPStatus.UNAUTHORIZED, detail, headers=CHALLENGE)


def too_many(wait_s: int) -> Problem:
    """The answer to a caller who asks too often."""
    headers = {"Retry-After": str(wait_s), "RateLimit": f'"requests";r=0;t={wait_s}'}
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, f"too many requests: ask again in {wait_s} s", headers=headers)


def cookie_name(headers: Headers) -> str:
    """The name of the cookie, which depends on the address that the browser has."""
    return COOKIE_OF_LOOPBACK if is_loopback(headers.get("host", "")) else COOKIE


def is_loopback(host: str) -> bool:
    """Whether a host with its port, as of a header, is this machine by one of the names that only it has."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in LOOPBACK_NAMES or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def expect_this_machine(headers: Headers, method: str) -> None:
    """See that a request comes from a program or page of this machine, and not from a page of elsewhere in a browser.

    Raises:
        Problem: it may come from elsewhere.
    """
    if not is_loopback(headers.get("host", "")):
        raise Problem(HTTPStatus.FORBIDDEN, "this server is open to its own machine alone: ask it by 127.0.0.1")
    if method not in SAFE:
        expect_same_origin(headers)


def expect_same_origin(headers: Headers) -> None:
    """See that a page of ours makes a request, where a browser says whose page does.

    Raises:
        Problem: another page does.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        is_ours = site in ("same-origin", "none")
    else:
        is_ours = origin is None or urlsplit(origin).netloc == headers.get("host")
    if not is_ours:
        raise Problem(HTTPStatus.FORBIDDEN, "a page of another origin asks for this", field="Sec-Fetch-Site")


def gate(access: Access) -> Callable[[ASGIApp], ASGIApp]:
    """What stands before all routes of an application.

    Args:
        access: who may call it.
    """
    in_flight = 0

    def standing_before(app: ASGIApp) -> ASGIApp:
        async def call(scope: AsgiScope, receive: Receive, send: Send) -> None:
            nonlocal in_flight
            await _admit(scope, access)
            if in_flight >= IN_FLIGHT_MAX:
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too much is asked at once: ask again", headers=RETRY)
            is_counted = not scope["route_handler"].opt.get("is_stream", False)
            in_flight += is_counted
            try:
                await app(scope, receive, _with_headers(send))
            finally:
                in_flight -= is_counted

        return call

    return standing_before


async def _admit(scope: AsgiScope, access: Access) -> None:
    """See that a request may be made.

    Raises:
        Problem: it may not.
    """
    wanted = scope["route_handler"].opt.get("scope")
    headers, client = Headers.from_scope(scope), scope.get("client")
    address = client[0] if client else ""
    if wanted is Scope.public:
        scope["user"] = None
        return
    if wanted is None:
        raise Problem(HTTPStatus.FORBIDDEN, "this route is closed")
    caller = await access.caller(headers, str(scope.get("method", "GET")), address)
    if wait_s := access.rates.wait_s(caller.name):
        raise too_many(wait_s)
    if wanted not in caller.scopes:
        raise Problem(HTTPStatus.FORBIDDEN, f"this needs a key with the scope {wanted.value}", rule=wanted.value)
    scope["user"] = caller


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            _add_headers(message)
        await send(message)

    return sending


def _add_headers(message: HTTPResponseStartEvent) -> None:
    there = {name.lower() for name, _ in message["headers"]}
    more = [*SECURITY_HEADERS, (b"cache-control", b"no-store")]
    message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in there)]
