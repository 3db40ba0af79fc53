"""examples/spread/nats.conf: a server that runs with it carries what it has to, and its users may do no more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import TimeoutError as NoAnswer

import amends
from amends import WireUnusable
from amends.adapters.nats import NatsWire, nats_address
from examples.spread.sagas import Buy, credit_given, seats_built, tickets
from tests import nats
from tests.acceptance.command import ROOT
from tests.nats import NatsServer, nats_server

BOUND_S = 60
PARTS = {"CREDIT": "credit_host", "SEATS": "seats_host"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NatsServer]:
    """Return a server with these settings, but for its places."""
    settings = (ROOT / "examples/spread/nats.conf").read_text("utf-8").replace("{", "{{").replace("}", "}}")
    for is_there, here in (
        ('listen: "0.0.0.0:4222"', 'host: "127.0.0.1"\nport: {port}\nports_file_dir: "{folder}"'),
        ("127.0.0.1:8222", "127.0.0.1:{monitor}"),
        ('"/var/lib/nats"', '"{folder}/data", max_file_store: 9GB'),
    ):
        assert is_there in settings
        settings = settings.replace(is_there, here, 1)
    monkeypatch.setattr(nats, "SETTINGS", settings)
    for name in ("CREDIT", "SEATS", "COORDINATOR"):
        monkeypatch.setenv(f"{name}_PASSWORD", f"secret-{name.lower()}")
    with nats_server() as server:
        yield server


def url(server: NatsServer, user: str) -> str:
    """Return the address of the wire, as a user."""
    secret = f"{user}:secret-{user.removesuffix('_host')}"
    return f"{server.url.replace('//127', f'//{secret}@127', 1)}&stream=tickets"


def test_tickets_are_sold_over_it(server: NatsServer) -> None:
    """With a user for each process; what was lost under way is made anew by them."""

    async def test() -> None:
        def host(name: str) -> Any:
            others = {*PARTS} - {name}
            return amends.open(
                "memory:", sagas=[tickets], wire=url(server, PARTS[name]), hosts=[name], elsewhere=others
            )

        office = amends.open("memory:", sagas=[tickets], wire=url(server, "coordinator"), elsewhere=[*PARTS])
        async with host("CREDIT") as credit, host("SEATS") as seats, office as engine:
            await credit.carry_out(credit_given, "ada", 100)
            await seats.carry_out(seats_built, "Hamlet", 3)
            for wanted, reason in ((2, ""), (2, "1 seats left")):
                assert (await engine.health()).is_ready
                handle = await engine.submit(tickets, Buy("ada", "Hamlet", wanted))
                assert (await handle.result(BOUND_S)).reason == reason
            assert await credit.entity("CREDIT", "ada") == 60

    asyncio.run(test())


def test_what_nobody_can_act_on_is_parked_and_dropped(server: NatsServer) -> None:
    """By any of them."""

    async def test() -> None:
        wire = NatsWire(nats_address(url(server, "seats_host")))
        await wire.post("SEATS", [b"no request"])
        (delivery,) = await wire.take("SEATS", 1)
        await wire.park("SEATS", delivery, "no JSON")
        assert [each.reason for each in await wire.parked("SEATS")] == ["no JSON"]
        await wire.close()

    asyncio.run(asyncio.wait_for(test(), BOUND_S))


@pytest.mark.parametrize("subject", ["$JS.API.STREAM.DELETE.others", "$JS.API.STREAM.NAMES", "others.CREDIT"])
def test_its_users_may_do_no_more(server: NatsServer, subject: str) -> None:
    """The streams of others are not theirs."""

    async def test() -> None:
        client, refused = Client(), asyncio.Event()

        async def hear(error: Exception) -> None:
            if "permissions violation" in str(error).lower() and subject.lower() in str(error).lower():
                refused.set()

        await client.connect(url(server, "credit_host").partition("?")[0], error_cb=hear)
        with pytest.raises(NoAnswer):
            await client.request(subject, b"", timeout=0.2)
        await refused.wait()
        await client.close()

    asyncio.run(asyncio.wait_for(test(), BOUND_S))


def test_one_without_a_password_is_refused(server: NatsServer) -> None:
    """It is told, and the engine does not start; where the server's words are lost as it closes, it counts as away."""

    def start() -> None:
        for _ in range(10):
            with amends.open("memory:", sagas=[tickets], wire=f"{server.url}&stream=tickets", elsewhere=[*PARTS]):
                pass

    with pytest.raises(WireUnusable, match="the server refuses"):
        start()
