"""Who may call what: every route, with every kind of caller."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

import amends
from amends import Caller
from amends.entrypoints.cli.serve.offering import _shop_sagas
from amends.entrypoints.http.access.gate import CSRF, Access, is_loopback
from amends.entrypoints.http.access.keys import KeyFile
from amends.entrypoints.http.access.rates import RequestRates
from amends.entrypoints.http.access.sessions import Sessions
from amends.entrypoints.http.app import application
from amends.entrypoints.http.scopes import GRANTED, Scope
from amends.storefront.web import OF_WEB
from tests.http.api import OPEN, SAGAS, Api, served

HOUR_MS = 3_600_000


def routes(app: Litestar) -> list[tuple[str, str, Scope | None]]:
    """Every route: its method, its path and its scope."""
    found = list[tuple[str, str, Scope | None]]()
    for route in app.routes:
        assert isinstance(route, HTTPRoute)
        for handler in route.route_handlers:
            methods = handler.http_methods - {"OPTIONS"}
            found += [(str(method), str(route.path_format), handler.opt.get("scope")) for method in sorted(methods)]
    return found


ROUTES = routes(application(amends.connect("memory:routes")._make(), OPEN, OF_WEB))
CLOSED = [(method, path, scope) for method, path, scope in ROUTES if scope is not Scope.public]


def on_keys(test: Callable[[Api, KeyFile], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """A test of the API with keys, in an event loop of its own."""

    async def run(folder: Path) -> None:
        keys = KeyFile(folder / "keys")
        async with served((*_shop_sagas(), *SAGAS), Access(keys=keys), OF_WEB) as api:
            await test(api, keys)

    def plain(tmp_path: Path) -> None:
        asyncio.run(run(tmp_path))

    plain.__name__, plain.__doc__ = test.__name__, test.__doc__
    return plain


def bearer(shown: str) -> dict[str, str]:
    """The header of a key."""
    return {"Authorization": f"Bearer {shown}"}


def test_every_route_has_a_scope() -> None:
    """One without would be closed to all; here it fails the build. Those that are public are few, and known."""
    assert [(method, path) for method, path, scope in ROUTES if scope is None] == []
    public = {(method, path) for method, path, scope in ROUTES if scope is Scope.public}
    assert public <= PUBLIC


PUBLIC = {
    ("GET", "/session"), ("POST", "/session"), ("DELETE", "/session"), ("GET", "/live"), ("GET", "/ready"),
    ("POST", "/webhooks/{service}"), ("GET", "/"), ("GET", "/assets/{path}"), ("GET", "/docs"), ("GET", "/docs/{path}"),
    ("GET", "/docs/openapi.json"),
}  # fmt: skip


@on_keys
async def test_every_route_refuses_who_may_not(api: Api, keys: KeyFile) -> None:
    """No key, one that is none, expired, revoked, of another scope; and lets in who may (W1)."""
    _, expired = keys.add("expired", sorted(GRANTED), 1)
    revoked_key, revoked = keys.add("revoked", sorted(GRANTED))
    keys.end(revoked_key.key_id, 1)
    of_scope = {scope: keys.add(f"for {scope}", [scope])[1] for scope in GRANTED}
    bad = "amends_" + "0" * 12 + "_" + "x" * 43
    refused = [{}, bearer(bad), bearer(expired), bearer(revoked), {"Authorization": "Basic eDp5"}, bearer("")]
    for method, path, scope in CLOSED:
        where = re.sub(r"\{[^}]*\}", "x", path)
        for headers in refused:
            answer = await api.http.request(method, where, headers=headers)
            assert answer.status_code in (401, 429), (method, path, headers)
            assert answer.status_code == 429 or "WWW-Authenticate" in answer.headers
        for other, shown in of_scope.items():
            if not is_stream(path):
                answer = await api.http.request(method, where, headers=bearer(shown))
                assert (answer.status_code == 403) is (other is not scope), (method, path, other, answer.text)


def is_stream(path: str) -> bool:
    """Whether a route answers for ever."""
    return path == "/events"


@on_keys
async def test_what_a_person_tells_is_recorded_by_name(api: Api, keys: KeyFile) -> None:
    """The name of the key, from end to end."""
    _, shown = keys.add("ann", [Scope.start, Scope.cancel, Scope.read])
    key = {**bearer(shown), "Idempotency-Key": "a"}
    body = {"definition": "charged tickets", "request": 1}
    where = (await api.http.post("/sagas", json=body, headers=key)).headers["location"]
    await api.http.post(f"{where}/cancel", json={"reason": "why"}, headers=bearer(shown))
    seen = (await api.http.get(where, headers=bearer(shown))).json()
    assert [(verb["verb"], verb["by"]) for verb in seen["verbs"]] == [("cancel", "ann")]


@on_keys
async def test_two_callers_never_meet_in_one_key(api: Api, keys: KeyFile) -> None:
    """An Idempotency-Key is its caller's own (I9)."""
    body = {"definition": "tickets", "request": 1}
    found = set()
    for name in ("ann", "bob"):
        _, shown = keys.add(name, [Scope.start])
        answer = await api.http.post("/sagas", json=body, headers={**bearer(shown), "Idempotency-Key": "a"})
        found.add(answer.json()["saga_id"])
    assert len(found) == 2


@on_keys
async def test_a_person_logs_in_with_a_key(api: Api, keys: KeyFile) -> None:
    """A cookie stands for it; what changes something needs the session's word, from a page of ours (W2)."""
    key, shown = keys.add("ann", [Scope.read, Scope.audit])
    assert (await api.http.get("/session")).json()["name"] == ""
    assert (await api.http.post("/session", json={"key": shown[:-1] + "?"})).status_code == 401
    logged_in = await api.http.post("/session", json={"key": shown})
    cookie = logged_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    csrf = logged_in.json()["csrf"]
    assert (await api.http.get("/sagas")).status_code == 200
    assert (await api.http.get("/session")).json() == logged_in.json()
    forged = [{}, {CSRF: "x"}, {CSRF: csrf, "Sec-Fetch-Site": "cross-site"}, {CSRF: csrf, "Origin": "http://evil.test"}]
    for headers in forged:
        assert (await api.http.post("/audit/verify", headers=headers)).status_code == 403
    ours = {CSRF: csrf, "Sec-Fetch-Site": "same-origin"}
    assert (await api.http.post("/audit/verify", headers=ours)).status_code == 200
    keys.end(key.key_id, 1)
    assert (await api.http.get("/sagas")).status_code == 401


@on_keys
async def test_a_person_logs_out(api: Api, keys: KeyFile) -> None:
    """The cookie is nothing then."""
    _, shown = keys.add("ann", [Scope.read])
    await api.http.post("/session", json={"key": shown})
    token = dict(api.http.cookies)
    assert (await api.http.delete("/session")).json()["name"] == ""
    async with httpx.AsyncClient(transport=api.http._transport, base_url="http://localhost", cookies=token) as other:
        assert (await other.get("/sagas")).status_code == 401


def test_elsewhere_than_on_loopback_the_cookie_is_for_the_host_alone(tmp_path: Path) -> None:
    """With its prefix, and over TLS alone."""

    async def run() -> None:
        keys = KeyFile(tmp_path / "keys")
        _, shown = keys.add("ann", [Scope.read])
        async with served(access=Access(keys=keys)) as api:
            answer = await api.http.post("/session", json={"key": shown}, headers={"Host": "shop.test"})
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-amends-session=")
            assert "secure" in cookie.lower()

    asyncio.run(run())


def test_keys_that_are_guessed_are_slowed_down(tmp_path: Path) -> None:
    """After some failures of an address it waits; a right key works meanwhile."""

    async def run() -> None:
        keys = KeyFile(tmp_path / "keys")
        _, shown = keys.add("ann", [Scope.read])
        async with served(access=Access(keys=keys, failures=RequestRates(0.001, 3))) as api:
            codes = [(await api.http.get("/sagas", headers=bearer("x"))).status_code for _ in range(5)]
            assert codes == [401, 401, 401, 429, 429]
            assert (await api.http.get("/sagas", headers=bearer(shown))).status_code == 200

    asyncio.run(run())


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    """429 with Retry-After; one caller's rate is not another's."""

    async def run() -> None:
        async with served(access=Access(is_open=True, rates=RequestRates(0.5, 2))) as api:
            answers = [await api.http.get("/sagas") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]
            assert int(answers[-1].headers["retry-after"]) >= 1

    asyncio.run(run())
    rates = RequestRates(0.5, 1)
    assert (rates.wait_s("ann"), rates.wait_s("bob"), rates.wait_s("ann")) == (0, 0, 2)


def test_a_program_that_mounts_it_decides_itself() -> None:
    """By the headers, as a plain function or a coroutine function."""

    async def decide(headers: Any) -> Caller | None:
        return Caller("bob", frozenset({Scope.read})) if headers.get("x-user") == "bob" else None

    async def run() -> None:
        async with served(access=Access(decide=decide)) as api:
            assert (await api.http.get("/sagas")).status_code == 401
            assert (await api.http.get("/sagas", headers={"X-User": "bob"})).status_code == 200
            refused = await api.http.post("/audit/verify", headers={"X-User": "bob"})
            assert refused.status_code == 403

    asyncio.run(run())


def test_an_open_server_is_this_machines_alone() -> None:
    """Neither a page of elsewhere, nor a name that a page gave this machine, may ask it (DNS rebinding)."""

    async def run() -> None:
        async with served() as api:
            assert (await api.http.get("/sagas", headers={"Host": "evil.test"})).status_code == 403
            forged = await api.http.post("/audit/verify", headers={"Sec-Fetch-Site": "cross-site"})
            assert forged.status_code == 403
            assert (await api.http.get("/session")).json()["is_open"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost:80", True),
        ("127.0.0.1", True),
        ("[::1]:80", True),
        ("10.0.0.1", False),
        ("a.localhost.evil", False),
        ("", False),
        ("[", False),
    ],
)  # fmt: skip
def test_what_is_loopback(host: str, *, expected: bool) -> None:
    """By name or address, as a Host header has it."""
    assert is_loopback(host) is expected


def test_every_answer_has_the_headers_of_safety() -> None:
    """No code inline, no frame, no guessing of types, no cache."""

    async def run() -> None:
        async with served() as api:
            headers = (await api.http.get("/sagas")).headers
            assert "script-src 'self'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"

    asyncio.run(run())


def test_a_key_is_kept_as_a_hash(tmp_path: Path) -> None:
    """The file has no secret, is its owner's alone, and a second program sees what the first one changes (W9)."""
    keys, other = KeyFile(tmp_path / "keys"), KeyFile(tmp_path / "keys")
    key, shown = keys.add("ann", [Scope.read], time.time_ns() // 1_000_000 + HOUR_MS)
    text = (tmp_path / "keys").read_text()
    assert shown not in text
    assert shown.rpartition("_")[2] not in text
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    found = other.found(shown)
    assert found is not None
    assert found.caller == Caller("ann", frozenset({Scope.read}))
    assert "secret" not in repr(found)
    keys.end(key.key_id, 1)
    other._looked = float("-inf")
    assert other.found(shown) is None


def test_a_session_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it was not used for long, and after a day's work in any case."""
    now = [0.0]
    monkeypatch.setattr("amends.entrypoints.http.access.sessions.time.monotonic", lambda: now[0])
    sessions = Sessions()
    idle, _ = sessions.begin("k")
    now[0] = 1801.0
    assert sessions.found(idle) is None
    used, _ = sessions.begin("k")
    for _ in range(30):
        now[0] += 1500.0
        last = sessions.found(used)
    assert last is None
