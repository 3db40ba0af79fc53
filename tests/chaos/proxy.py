"""A process between those who ask and a server: it delays, cuts, swallows one direction, and cuts in a COMMIT."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

from tests.chaos.processes import Line, until_closed

CHUNK: Final = 1 << 16
COMMIT: Final = b"\nCOMMIT\0"
UP, DOWN = "up", "down"  # to the server, and from it
FOR_GOOD_S: Final = 1e6


class ProxyLife(NamedTuple):
    """How the process goes.

    Attributes:
        server: the server's socket in the file system, or ``host:port``.
    """

    server: str


def run(link: Connection, life: ProxyLife) -> None:
    """Be the process: it says its port, and hears what is to go wrong."""

    async def main() -> None:
        proxy = Proxy(life.server, lambda word: link.send([word]))
        server = await asyncio.start_server(proxy.connect, "127.0.0.1")
        async with server:
            link.send(["port", server.sockets[0].getsockname()[1]])
            await until_closed(link, proxy.hear)

    asyncio.run(main())


class Proxy:
    """What goes wrong now, for connections that are there and for new ones."""

    def __init__(self, server: str, say: Callable[[str], None]) -> None:
        """Let all pass.

        Args:
            server: the server's socket in the file system, or ``host:port``.
            say: told what is going wrong now.
        """
        self._server = server
        self._say = say
        self._connections = set[Passage]()
        self._delay_s, self._until = 0.0, 0.0
        self._commit = ""

    def hear(self, line: Line) -> None:
        """Do wrong: ``delay`` by how much and how long, ``cut``, ``swallow`` which way how long, ``commit`` where."""
        word, *given = line
        match word:
            case "delay":
                self._delay_s, seconds = given
                self._until = time.monotonic() + seconds
            case "cut":
                for passage in [*self._connections]:
                    passage.cut()
            case "swallow":
                direction, seconds = given
                for passage in self._connections:
                    passage.hold(direction, seconds)
                self._say("swallows")
            case "commit":
                self._commit = given[0]

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection, and make one of its own to the server."""
        try:
            there = await self._reach()
        except OSError:
            writer.transport.abort()
            return
        passage = Passage(self, (reader, writer), there)
        self._connections.add(passage)
        try:
            await passage.carry()
        finally:
            self._connections.discard(passage)

    async def _reach(self) -> Streams:
        if self._server.startswith("/"):
            return await asyncio.open_unix_connection(self._server)
        host, _, port = self._server.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def delay(self) -> None:
        """Keep a piece back for as long as pieces are kept back now."""
        if time.monotonic() < self._until:
            await asyncio.sleep(self._delay_s)

    def cut_of(self, piece: bytes) -> str:
        """Where the next commit is to be cut, if a piece for the server holds one; empty if it does not."""
        if not self._commit or COMMIT not in piece:
            return ""
        place, self._commit = self._commit, ""
        self._say("committing")
        return place


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Passage:
    """One connection, and its other half."""

    def __init__(self, proxy: Proxy, here: Streams, there: Streams) -> None:
        """Join them."""
        self._proxy = proxy
        self._ways = {UP: (here[0], there[1]), DOWN: (there[0], here[1])}
        self._held = {UP: 0.0, DOWN: 0.0}
        self._is_cut = False

    async def carry(self) -> None:
        """Carry what comes, until one of the two ends."""
        ways = [asyncio.create_task(self._carry(direction)) for direction in self._ways]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        self.cut()
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    def hold(self, direction: str, seconds: float) -> None:
        """Let nothing through in a direction for a time."""
        self._held[direction] = time.monotonic() + seconds

    def cut(self) -> None:
        """End both, without a word."""
        self._is_cut = True
        for _, writer in self._ways.values():
            writer.transport.abort()

    async def _carry(self, direction: str) -> None:
        reader, writer = self._ways[direction]
        with suppress(OSError):
            while piece := await reader.read(CHUNK):
                await self._proxy.delay()
                while not self._is_cut and time.monotonic() < self._held[direction]:
                    await asyncio.sleep(0.01)
                await self._pass_on(writer, piece, self._proxy.cut_of(piece) if direction == UP else "")

    async def _pass_on(self, writer: asyncio.StreamWriter, piece: bytes, cut: str) -> None:
        """Pass a piece on, or cut the connection before it, within it or behind it, or swallow the answer."""
        match cut:
            case "before":
                self.cut()
            case "within":
                writer.write(piece[: piece.index(COMMIT) + len(COMMIT) // 2])
                await writer.drain()
                writer.close()
                self._abort(writer)
            case "swallowed":
                self.hold(DOWN, FOR_GOOD_S)
                writer.write(piece)
                await writer.drain()
            case "behind":
                self._held[DOWN] = time.monotonic() + 1.0
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.05)  # in which the server commits, and answers
                self.cut()
            case _:
                writer.write(piece)
                await writer.drain()

    def _abort(self, closing: asyncio.StreamWriter) -> None:
        """End what does not close by itself, once all that was written has gone."""
        for _, writer in self._ways.values():
            if writer is not closing:
                writer.transport.abort()
