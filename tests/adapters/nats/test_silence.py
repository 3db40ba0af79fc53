"""A server that vanished in silence, as behind a firewall that forgets connections: it is connected to again."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from amends.adapters.nats import NatsWire, connection, nats_address, wire
from amends.errors import WireAway
from tests.chaos.proxy import DOWN, FOR_GOOD_S, UP, Proxy
from tests.nats import NatsServer, nats_server

TRIES_MAX = 20  # each a second at most; by the second or third it is there again


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_a_connection_without_a_word_is_made_anew(direction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where what is sent does arrive: a client that waits for its pongs alone would wait for minutes."""
    monkeypatch.setattr(connection, "PING_S", 0.1)
    for module in (connection, wire):
        monkeypatch.setattr(module, "ANSWER_S", 0.5)

    async def test(server: NatsServer) -> None:
        proxy = Proxy(f"127.0.0.1:{server.port}", lambda _: None)
        async with await asyncio.start_server(proxy.connect, "127.0.0.1") as between:
            port = between.sockets[0].getsockname()[1]
            wire = NatsWire(nats_address(server.url.replace(f":{server.port}?", f":{port}?")))
            await wire.ping()
            proxy.hear(["swallow", direction, FOR_GOOD_S])
            with pytest.raises(WireAway, match="the server is away"):
                await wire.ping()
            await _reached(wire)
            await wire.close()
            proxy.hear(["cut"])

    with nats_server() as server:
        asyncio.run(test(server))


async def _reached(wire: NatsWire) -> None:
    for _ in range(TRIES_MAX):
        with suppress(WireAway):
            await wire.ping()
            return
        await asyncio.sleep(0.2)
    await wire.ping()
