"""What the consumer of a channel has, asked for in pulls of our own.

The client library's `fetch` waits until a batch is full, and an abandoned one takes messages for no one. Here a
pull asks for what is there, which the server answers at once; where that is nothing, a second one asks for a single
message and waits. A pull is never abandoned: it runs out, also on the server. Each has an inbox of its own, so that
what is late is no answer to another one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError

SECOND_NS: Final = 1_000_000_000
WAY_S: Final = 2.0  # for an answer to be on its way, beside what the server waits for
STATUS: Final = "Status"
NOTHING: Final = ("404", "408")  # there is no message; none came in time


class ConsumerGone(Exception):
    """The consumer, or its stream, is not there, or says nothing."""


async def pull(client: Client, consumer: str, most: int, wait_s: float) -> Sequence[Msg]:
    """What a consumer has, at most so many messages; where that is nothing, what comes within a time.

    Args:
        client: that is connected.
        consumer: the subject on which it is asked for its next messages.
        most: at most so many, >= 1.
        wait_s: for how long, in seconds, > 0.

    Raises:
        ConsumerGone: it does not answer.
        nats.errors.Error: the connection is lost.
    """
    if found := await _asked(client, consumer, {"batch": most, "no_wait": True}, WAY_S):
        return found
    found = await _asked(client, consumer, {"batch": 1, "expires": round(wait_s * SECOND_NS)}, wait_s + WAY_S)
    if found and most > 1:
        return [*found, *await _asked(client, consumer, {"batch": most - 1, "no_wait": True}, WAY_S)]
    return found


async def _asked(client: Client, consumer: str, what: dict[str, int], within_s: float) -> list[Msg]:
    answers = await client.subscribe(client.new_inbox())
    try:
        await client.publish(consumer, json.dumps(what).encode(), reply=answers.subject)
        found: list[Msg] = []
        while len(found) < what["batch"]:
            try:
                answer = await answers.next_msg(within_s)
            except NatsTimeoutError as error:
                if found:
                    break
                raise ConsumerGone("it does not answer") from error
            status = None if answer.reply else (answer.headers or {}).get(STATUS)  # else it is a message's own header
            if status in NOTHING:
                break
            if status is not None:
                raise ConsumerGone(f"it is not there: {status}")
            found.append(answer)
        return found
    finally:
        if not client.is_closed:
            await answers.unsubscribe()
