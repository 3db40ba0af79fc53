"""Events live: in order, from where a listener stopped, and no listener keeps another waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from amends.entrypoints.http.live import BUFFER_BYTES, RESET, Listener, LiveEvents
from tests.http.api import Api, on_api

SOON_S = 60.0


async def heard(messages: AsyncIterator[bytes], number: int) -> list[bytes]:
    """So many messages that are no heartbeat."""
    found = list[bytes]()
    async with asyncio.timeout(SOON_S):
        async for message in messages:
            if not message.startswith(b":"):
                found.append(message)
            if len(found) == number:
                break
    return found


def told(message: bytes) -> dict[str, str]:
    """The event of a message."""
    data = next(line for line in message.decode().splitlines() if line.startswith("data: "))
    event: dict[str, str] = json.loads(data.removeprefix("data: "))
    return event


def id_of(message: bytes) -> str:
    """Its id."""
    return next(line.removeprefix("id: ") for line in message.decode().splitlines() if line.startswith("id: "))


async def listening(live: LiveEvents) -> tuple[asyncio.Task[list[bytes]], asyncio.Event]:
    """Listen for one message, once it is certain that one would be heard."""
    begun = asyncio.Event()

    async def listen() -> list[bytes]:
        found = live.listen()
        await anext(found)
        begun.set()
        return await heard(found, 1)

    task = asyncio.create_task(listen())
    await begun.wait()
    while live._cursor is None:
        await asyncio.sleep(0.01)
    return task, begun


@on_api
async def test_what_happens_is_heard(api: Api) -> None:
    """By each who listens, as a CloudEvent without values."""
    live = LiveEvents(api.client)
    tasks = [(await listening(live))[0] for _ in range(2)]
    started = (await api.start("tickets", 2, "a", Prefer="wait=30")).json()
    for task in tasks:
        event = told((await task)[0])
        assert (event["type"], event["subject"]) == ("amends.saga.started", started["saga_id"])
        assert "value" not in event["data"]


@on_api
async def test_a_listener_goes_on_where_it_stopped(api: Api) -> None:
    """By the id of the last event; what happened meanwhile is told first."""
    live = LiveEvents(api.client)
    task, _ = await listening(live)
    await api.start("tickets", 1, "a", Prefer="wait=30")
    last = id_of((await task)[0])
    second = (await api.start("tickets", 1, "b", Prefer="wait=30")).json()
    assert [told(each)["subject"] for each in await heard(live.listen(last), 1)] == [second["saga_id"]]


@on_api
async def test_who_is_too_far_behind_looks_anew(api: Api) -> None:
    """Also where the id is none, or of another store."""
    live = LiveEvents(api.client)
    await api.start("tickets", 1, "a", Prefer="wait=30")
    for last in ("nonsense", ":x", ":99999999", ":" + "9" * 400):
        assert await heard(live.listen(last), 1) == [RESET]


def test_a_slow_listener_is_let_go() -> None:
    """Its buffer is bounded; it is told to look anew, and is not kept."""

    async def run() -> None:
        listener = Listener()
        message = b"x" * 1000
        for _ in range(2 * BUFFER_BYTES // len(message)):
            listener.tell(message)
        found = [each async for each in listener.told()]
        assert found[-1] == RESET
        assert sum(map(len, found[:-1])) <= BUFFER_BYTES

    asyncio.run(run())
