"""Transfers between two books, by way of a service, and a process with an engine that runs them.

``python -m tests.adapters.postgres.transfers URL`` opens an engine, says ``open``, and runs until its input ends.
"""

from __future__ import annotations

import asyncio
import sys

import amends
from amends import Call, Done, Refused, Saga, external, local

CALL_S = 0.02  # of the service, so that sagas are under way at any moment
REFUSED = 10  # one in so many is refused


def book(entries: int | None, account: int) -> int:
    """Write one more entry."""
    return (entries or 0) + 1


def strike(entries: int, account: int) -> int:
    """Strike one out."""
    return entries - 1


async def send(_: object, account: int, call: Call) -> Done | Refused:
    """Send it; each tenth is refused."""
    await asyncio.sleep(CALL_S)
    return Refused("no") if account % REFUSED == 0 else Done("sent")


async def recall(_: object, account: int, call: Call) -> Done:
    """Take it back."""
    return Done("recalled")


def name_of(account: int) -> str:
    """Return which of a few entities it goes to: all engines want each of them."""
    return f"account-{account % 3}"


TAKEN = local("TAKEN", book, undo=strike, undone="PUT_BACK", entity=name_of)
SENT = external("SENT", send, undo=recall, undone="RECALLED")
GIVEN = local("GIVEN", book, pivot=True, entity=name_of)
TRANSFER = Saga("transfer", int, [TAKEN, SENT, GIVEN])


async def main(url: str) -> None:
    """Run an engine until the input ends."""
    async with amends.open(url, sagas=[TRANSFER]):
        print("open", flush=True)  # noqa: T201 - the parent waits for it
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
