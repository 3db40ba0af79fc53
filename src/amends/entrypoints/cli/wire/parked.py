"""``amends wire parked``, ``again`` and ``drop``: messages that no taker could act on."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from rich.text import Text

from amends.bootstrap import wire_found
from amends.entrypoints.cli.store.documents import write_document
from amends.entrypoints.drawing.paper import paper
from amends.entrypoints.drawing.tables import Rows, table
from amends.entrypoints.drawing.words import one_line
from amends.errors import UnusableInput, WireUnusable
from amends.lines import moment
from amends.storage.location import without_password
from amends.storage.ports import REDUCED
from amends.storage.wire import Parked, Wire

TITLES: Final = ("channel", ">number", "parked", ">bytes", "reason")
REASON_MAX: Final = 200  # characters; --json has all of it
CHANNEL_MAX: Final = 60  # characters

Answer = TypeVar("Answer")


class WireSeen(NamedTuple):
    """How a wire does.

    Attributes:
        durability: what a message on it survives; or why it cannot be used now.
        parked: the messages that no taker could act on, the oldest first.
        is_in_trouble: whether there is something to do about it.
    """

    durability: str
    parked: Sequence[Parked]
    is_in_trouble: bool


def wire_seen(url: str) -> WireSeen:
    """How a wire does, also one that is away; nothing is made."""

    async def look(wire: Wire) -> WireSeen:
        durability = await wire.durability()
        return WireSeen(durability, await wire.parked(), durability.startswith(REDUCED))

    try:
        return _with(url, look)
    except WireUnusable as error:
        return WireSeen(str(error), (), is_in_trouble=True)


def wire_document(seen: WireSeen | None) -> dict[str, Any]:
    """How a wire does, as plain values, if there is one."""
    return {"wire": {"durability": seen.durability, "parked": len(seen.parked)}} if seen else {}


def list_parked(url: str, channel: str, *, as_json: bool) -> None:
    """List the parked messages of a wire.

    Raises:
        UnusableInput: there is no such wire, or it is away.
    """
    found = _with(url, lambda wire: wire.parked(channel))
    if as_json:
        write_document({"wire": without_password(url), "parked": [*map(_document, found)]})
        return
    rows: Rows = [
        (
            Text(one_line(each.channel, CHANNEL_MAX)), Text(str(each.number)), Text(moment(each.at_ms)),
            Text(str(len(each.body))), Text(one_line(each.reason, REASON_MAX)),
        )
        for each in found
    ]  # fmt: skip
    paper().write(*(table(TITLES, rows) or [Text("no message is parked")]))


def take_back(url: str, channel: str, number: int) -> None:
    """Post a parked message anew, and keep it apart no longer.

    Raises:
        UnusableInput: there is no such message or wire, or it is away.
    """

    async def again(wire: Wire) -> None:
        parked = await _one(wire, channel, number)
        await wire.post(channel, [parked.body])
        await wire.drop(parked)

    _with(url, again)
    sys.stdout.write(f"message {number} of {shlex.quote(channel)} is taken again\n")


def drop_one(url: str, channel: str, number: int) -> None:
    """Drop a parked message.

    Raises:
        UnusableInput: there is no such message or wire, or it is away.
    """

    async def dropped(wire: Wire) -> None:
        await wire.drop(await _one(wire, channel, number))

    _with(url, dropped)
    sys.stdout.write(f"message {number} of {shlex.quote(channel)} is dropped\n")


def _with(url: str, ask: Callable[[Wire], Awaitable[Answer]]) -> Answer:
    """What is found at a wire, which is closed then."""

    async def asked() -> Answer:
        wire = wire_found(url)
        try:
            return await ask(wire)
        finally:
            await wire.close()

    return asyncio.run(asked())


async def _one(wire: Wire, channel: str, number: int) -> Parked:
    found = [each for each in await wire.parked(channel) if each.number == number]
    if not found:
        raise UnusableInput(f"no message {number} is parked on {shlex.quote(channel)}: `amends wire parked` lists them")
    return found[0]


def _document(parked: Parked) -> dict[str, Any]:
    return {**parked._asdict(), "body": parked.body.decode(errors="backslashreplace")}
