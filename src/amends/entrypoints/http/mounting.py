"""`amends.asgi`: the application for another server, or mounted in another application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from amends.bootstrap import Connecting
from amends.client.client import Client
from amends.errors import UnusableInput

if TYPE_CHECKING:
    from litestar.types import ASGIApp

    from amends.entrypoints.http.access.gate import Access, Decide

AsgiMessage = MutableMapping[str, Any]
AsgiReceive = Callable[[], Awaitable[AsgiMessage]]
AsgiSend = Callable[[AsgiMessage], Awaitable[None]]
"""As ASGI has them: the types of Litestar are stricter than those of the applications that mount this one."""

NO_LITESTAR: Final = "the HTTP API needs Litestar: pip install 'amends[serve]' ({})"
NOT_CLOSED: Final = (
    "say who may call the HTTP API: keys='shop.db.keys' for the keys that `amends keys` makes, or authorize= for a "
    "function of yours that says who calls"
)


class AsgiApplication:
    """An ASGI application around a client, which is connected in the event loop of the first request."""

    def __init__(self, client: Client | Connecting, access: Access) -> None:
        """Connect nothing yet.

        Args:
            client: connected, or to be.
            access: who may call it.
        """
        self._client = client
        self._access = access
        self._lock = asyncio.Lock()
        self._made: ASGIApp | None = None

    async def __call__(self, scope: AsgiMessage, receive: AsgiReceive, send: AsgiSend) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        made = self._made or await self._make()
        await made(cast("Any", scope), cast("Any", receive), cast("Any", send))

    async def _make(self) -> ASGIApp:
        from amends.entrypoints.http.app import application

        async with self._lock:
            if self._made is None:
                client = self._client
                opened = await client.__aenter__() if isinstance(client, Connecting) else client
                self._made = application(opened, self._access)
            return self._made

    async def _live(self, receive: AsgiReceive, send: AsgiSend) -> None:
        """Connect when the server starts, and close when it ends."""
        await receive()
        await self._make()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if isinstance(self._client, Connecting):
            await self._client.__aexit__()
        await send({"type": "lifespan.shutdown.complete"})


def asgi(
    client: Client | Connecting,
    *,
    keys: str | PathLike[str] | None = None,
    authorize: Decide | None = None,
) -> AsgiApplication:
    """The HTTP API on a store as an ASGI application, as ``app.mount("/sagas", amends.asgi(client, keys=...))``.

    It is closed: who calls gives a key, or is known to your program.

    Args:
        client: what `amends.connect` gives, open or not; one that is not is connected by the first request.
        keys: the path of the file of the keys that `amends keys` makes. Give it where callers have keys.
        authorize: says who calls, by the headers of a request, whose names are in small letters: it gives an
            `amends.Caller`, or ``None`` for who may not. A plain function, or a coroutine function. Give it where your
            program knows its callers already; then there are no keys and no sessions.

    Raises:
        UnusableInput: neither of these two is given, or both; or Litestar is not installed.
    """
    if (keys is None) == (authorize is None):
        raise UnusableInput(NOT_CLOSED)
    try:
        from amends.entrypoints.http.access.gate import Access
        from amends.entrypoints.http.access.keys import KeyFile
    except ImportError as error:
        raise UnusableInput(NO_LITESTAR.format(error)) from error
    return AsgiApplication(client, Access(keys=KeyFile(Path(keys)) if keys else None, decide=authorize))
