"""What no client would send, over real sockets: each connection ends, and none keeps others out (promise P13)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from amends.entrypoints.cli.serve.listener import BoundedHead

pytestmark = pytest.mark.anyio

SOON_S: Final = 0.2  # the tests' bound of a head
END_S: Final = 60.0  # for what ends within a second, on a slow machine
WHOLE: Final = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HELLO: Final = b"hello"


class SoonBounded(BoundedHead):
    """With a bound that a test can wait for."""

    head_s = SOON_S


async def _hello(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": HELLO})


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server whose heads are bounded."""
    config = Config(_hello, http=SoonBounded, ws="none", lifespan="off", log_level="error")
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SoonBounded(config, state, {}), "127.0.0.1", 0)
    async with server, asyncio.timeout(END_S):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side closes."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def _trickle(writer: asyncio.StreamWriter, text: bytes) -> None:
    for each in text:
        writer.write(bytes([each]))
        await asyncio.sleep(SOON_S / 4)


async def test_a_silent_connection_is_closed() -> None:
    """It never says what it wants."""
    async with connection() as (reader, _):
        assert await _rest(reader) == b""


async def test_a_head_that_trickles_is_closed() -> None:
    """More bytes do not move the time at which it is due."""
    async with connection() as (reader, writer):
        trickling = asyncio.create_task(_trickle(writer, WHOLE[:-2] + b"X-Long: " + b"a" * 10_000))
        assert await _rest(reader) == b""
        trickling.cancel()


async def test_a_later_head_that_trickles_is_closed() -> None:
    """The first request is answered; the keep-alive of the server ends with the next one's first byte."""
    async with connection() as (reader, writer):
        writer.write(WHOLE)
        assert (await reader.readuntil(HELLO)).startswith(b"HTTP/1.1 200")
        trickling = asyncio.create_task(_trickle(writer, WHOLE[:-2] + b"X-Long: " + b"a" * 10_000))
        assert await _rest(reader) == b""
        trickling.cancel()


async def test_a_body_has_a_time_of_its_own() -> None:
    """The bound is the head's: a body that takes longer is answered."""
    async with connection() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n")
        await _trickle(writer, b"a" * 8)
        assert (await reader.readuntil(HELLO)).startswith(b"HTTP/1.1 200")


async def test_requests_in_one_piece_are_answered_each() -> None:
    """Pipelining: two answers, in order."""
    async with connection() as (reader, writer):
        writer.write(WHOLE * 2)
        for _ in range(2):
            assert (await reader.readuntil(HELLO)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Long: " + b"a" * 40_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\xa5",
    ],
    ids=["a header of 40 KB", "two lengths", "a length below 0", "no host", "TLS"],
)
async def test_what_is_no_request_is_refused(head: bytes) -> None:
    """With 400, and the connection is closed."""
    async with connection() as (reader, writer):
        writer.write(head)
        assert (await _rest(reader)).startswith(b"HTTP/1.1 400 ")
