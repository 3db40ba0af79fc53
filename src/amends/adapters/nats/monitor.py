"""What a server says at its monitoring port of how it is set: a client cannot ask for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

ANSWER_S: Final = 3.0  # for all of it: a server that does not say it soon is not set up for it
ANSWER_BYTES_MAX: Final = 1024 * 1024  # it has some 3 kB
FOUND: Final = b" 200 "
END_OF_HEADERS: Final = b"\r\n\r\n"
HTTPS: Final = "https"
PORTS: Final = {"http": 80, HTTPS: 443}


class _Config(msgspec.Struct):
    sync_always: bool = False
    store_dir: str = ""


class _JetStream(msgspec.Struct):
    config: _Config = msgspec.field(default_factory=_Config)


class _Varz(msgspec.Struct):
    server_name: str
    jetstream: _JetStream = msgspec.field(default_factory=_JetStream)


class ServerSettings(NamedTuple):
    """How a server is set, as far as messages may be lost by it.

    Attributes:
        name: the server's; of one that has none its id.
        syncs_always: whether a message is on its disk before the server says so.
        store_dir: where its files are.
    """

    name: str
    syncs_always: bool
    store_dir: str


class SettingsHidden(Exception):
    """A server does not say how it is set. The message says where it was asked, and why not."""


def is_monitor(url: str) -> bool:
    """Whether a URL can be one of a monitoring port."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0 and not (parts.query or parts.username)
        )
    except ValueError:
        return False


async def settings_at(monitor: str) -> ServerSettings:
    """How the server is set whose monitoring port this is.

    Args:
        monitor: ``http://host:8222``, with the path before ``/varz`` if there is one; or ``https://``.

    Raises:
        SettingsHidden: it does not say so.
    """
    try:
        async with asyncio.timeout(ANSWER_S):
            found = msgspec.json.decode(await _body(f"{monitor.rstrip('/')}/varz"), type=_Varz)
    except (OSError, TimeoutError, ValueError, msgspec.MsgspecError) as error:
        why = " ".join(str(error).split()) or f"no answer within {ANSWER_S:g} s"
        raise SettingsHidden(f"{monitor}: {why}") from error
    config = found.jetstream.config
    return ServerSettings(found.server_name, config.sync_always, config.store_dir)


async def _body(url: str) -> bytes:
    """What is at a URL, by the plainest of HTTP: what follows the headers, until the connection is closed.

    Raises:
        OSError, ValueError: nothing.
    """
    parts = urlsplit(url)
    port, secure = parts.port or PORTS[parts.scheme], parts.scheme == HTTPS
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure or None)
    try:
        writer.write(f"GET {parts.path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
        answer = b""
        while len(answer) < ANSWER_BYTES_MAX and (more := await reader.read(ANSWER_BYTES_MAX)):
            answer += more
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    head, _, body = answer.partition(END_OF_HEADERS)
    status = head.partition(b"\r\n")[0]
    if FOUND not in status + b" ":
        raise ValueError(f"it answers {status.decode(errors='replace')!r:.100}")
    return body
