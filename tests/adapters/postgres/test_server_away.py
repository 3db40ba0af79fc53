"""A server that crashes under an engine: clients are refused by name meanwhile, and all goes on by itself."""

from __future__ import annotations

import asyncio
import time

import pytest

import amends
from amends import Call, Completed, Done, Saga, StoreBusy, external, local
from amends.client.blocking import BlockingClient
from amends.engine.blocking import BlockingEngine
from tests.adapters.postgres.transfers import book, name_of, strike
from tests.postgres import own_server, url_of

BOUND_S = 90


async def send(calls: list[str], account: int, call: Call) -> Done:
    """Send it, slowly."""
    calls.append(call.key)
    await asyncio.sleep(0.5)
    return Done("sent")


BOOKED = local("BOOKED", book, undo=strike, undone="STRUCK", entity=name_of)
SENT = external("SENT", send, pivot=True)
TRANSFER = Saga("transfer", int, [BOOKED, SENT])


def submitted(engine: BlockingEngine, account: int) -> str:
    """Start a saga, as soon as the engine takes one."""
    until = time.monotonic() + BOUND_S
    while True:
        try:
            return engine.submit(TRANSFER, account, key=f"key {account}").saga_id
        except (StoreBusy, amends.Overloaded):
            assert time.monotonic() < until
            time.sleep(0.1)


def refused(door: BlockingEngine | BlockingClient) -> None:
    """See that it is refused by name."""
    with pytest.raises(StoreBusy, match="the database is away"):
        door.submit(TRANSFER, 1_000)


def test_an_engine_waits_for_a_server_that_crashed_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """What participants answer meanwhile is kept; no call is made twice; client and engine refuse by name.

    The log says each thing once.
    """
    with own_server() as server:
        calls, url = list[str](), url_of(server.conninfo)
        with (
            amends.open(url, sagas=[TRANSFER], clients={"SENT": calls}) as engine,
            amends.connect(url, sagas=[TRANSFER]) as client,
        ):
            ids = [submitted(engine, account) for account in range(20)]
            server.crash()
            for door in (engine, client):
                refused(door)
            time.sleep(3)  # in which the service answers, and the engine tries
            with pytest.raises(StoreBusy):
                engine.entity("BOOKED", "account-0")
            server.start()
            assert all(isinstance(engine.result(saga_id, timeout=BOUND_S).state, Completed) for saga_id in ids)
            late = client.submit(TRANSFER, 21)
            assert isinstance(late.result(timeout=BOUND_S).state, Completed)
        assert len(calls) == len({*calls}) == 21
        said = [record.getMessage() for record in caplog.records if "tried again" in record.getMessage()]
        assert 1 <= len(said) == len({*said})
