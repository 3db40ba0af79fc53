"""Health over a port: two paths, and whatever else a stranger sends does no harm."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from amends.engine.health import Health
from amends.health import server
from amends.health.report import report_in, report_of
from amends.health.server import CONNECTIONS_MAX, HealthServer

READY, WAITING, STOPPED = Health("ready"), Health("not ready", reasons=("no lease",)), Health("stopped")
BOUND_S = 60


def served(health: Health, test: Callable[[int], Awaitable[None]]) -> None:
    """Tell something over a port while a test lasts."""

    async def within() -> None:
        answering = HealthServer(lambda: report_of(health))
        there = await asyncio.start_server(answering.connected, "127.0.0.1", 0, limit=server.REQUEST_BYTES_MAX)
        async with there, asyncio.timeout(BOUND_S):
            await test(there.sockets[0].getsockname()[1])
            assert answering._connections == 0

    asyncio.run(within())


async def answer(port: int, sent: bytes, *, ends: bool = False) -> bytes:
    """Send something, and return all that comes until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    if ends:
        writer.write_eof()
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def status(port: int, method: str, path: str) -> int:
    """Return the code that is answered."""
    return int((await answer(port, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())).split()[1])


@pytest.mark.parametrize(("health", "live", "ready"), [(READY, 200, 200), (WAITING, 200, 503), (STOPPED, 503, 503)])
def test_live_and_ready(health: Health, live: int, ready: int) -> None:
    """One that is not ready is left alone; one that stopped is started anew. The body says why."""

    async def test(port: int) -> None:
        assert await status(port, "GET", "/live") == live
        assert await status(port, "HEAD", "/ready?x=1") == ready
        head, _, body = (await answer(port, b"GET /ready HTTP/1.1\r\n\r\n")).partition(b"\r\n\r\n")
        assert f"{ready} ".encode() in head
        assert report_in(body).health == health
        assert f"Content-Length: {len(body)}\r\n".encode() in head

    served(health, test)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("GET", "/", 404), ("GET", "/../etc/passwd", 404), ("POST", "/ready", 405), ("BREW", "/live", 405), ("", "", 405)],
)
def test_nothing_else_is_answered(method: str, path: str, code: int) -> None:
    """By its code."""

    async def test(port: int) -> None:
        assert await status(port, method, path) == code

    served(READY, test)


@pytest.mark.parametrize(
    ("sent", "ends"),
    [
        (b"", True),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", True),
        (b"GET /ready HTTP/1.1\r\n" + b"X: y\r\n" * 10_000, False),
        (b"\r\n" * 100_000, False),
        (b"GET " + b"/" * 1_000_000, False),
        (b"\0" * 65_536 + b"\r\n\r\n", False),
        (b"\xff\xfe \xff \xff\r\n\r\n", False),
    ],
)
def test_what_is_no_request_is_cut_off_or_refused(sent: bytes, ends: bool) -> None:
    """Within its bounds; the next one is answered."""

    async def test(port: int) -> None:
        assert b" 200 " not in await answer(port, sent, ends=ends)
        assert await status(port, "GET", "/ready") == 200

    served(READY, test)


def test_one_who_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, also one who says a little."""
    monkeypatch.setattr(server, "REQUEST_S", 0.05)

    async def test(port: int) -> None:
        assert await answer(port, b"GET /ready HTT") == b""

    served(READY, test)


def test_too_many_at_a_time_are_cut_off() -> None:
    """At once, so that files and memory last; when they have gone, the next one is answered."""

    async def test(port: int) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
        assert await answer(port, b"GET /ready HTTP/1.1\r\n\r\n") == b""
        for _, writer in silent:
            writer.close()
        for reader, _ in silent:
            assert await reader.read() == b""
        assert await status(port, "GET", "/ready") == 200

    served(READY, test)


def test_one_who_hangs_up_in_the_middle_harms_nothing() -> None:
    """Neither before the request is whole nor before the answer is taken."""

    async def test(port: int) -> None:
        for sent in (b"GET /re", b"GET /ready HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port)) as rude:
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # hang up by a reset
                rude.sendall(sent)
        assert await status(port, "GET", "/ready") == 200
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.01)

    served(READY, test)
