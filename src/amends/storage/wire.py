"""The wire between coordinators and the hosts of participants that are elsewhere: packed messages on named channels.

It may lose, double, delay and reorder them, and fall silent: that costs time only. The truth is the row of the saga
that waits on the one side, and the inbox on the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlencode

from amends.core.definition import NAME_LENGTH_MAX, is_name
from amends.errors import MessageTooBig, UnusableInput, WireUnusable

MESSAGE_BYTES_MAX: Final = 512 * 1024
"""Of one message, packed: half of what a NATS server takes by default, so that headers have room."""
AGAIN_S: Final = 15.0
"""For so long what was taken comes to no other taker: a host that stands still for a moment is in time, and what a dead
one had comes to another before most senders ask anew."""
AGAIN_MAX_S: Final = 600.0  # a message is kept for an hour, and who waits for longer has asked anew
ANSWERS_TO: Final = ">"
"""How the channels begin that carry answers, each to one coordinator. No service's begins so."""


class Delivery(NamedTuple):
    """One message, taken and not yet acknowledged.

    Attributes:
        body: as it was posted; of another program, anything at all.
        token: the adapter's own, by which it acknowledges this delivery.
    """

    body: bytes
    token: Any


class Parked(NamedTuple):
    """A message that no taker could act on, kept for a person to look at.

    Attributes:
        channel: on which it came.
        number: of the message, by which it is told among those of its channel, >= 1.
        body: as it was posted.
        reason: what is wrong with it.
        at_ms: when it was parked, milliseconds since 1970 (UTC).
    """

    channel: str
    number: int
    body: bytes
    reason: str
    at_ms: int


class Wire(Protocol):
    """Carries messages. It is used in the thread of one event loop, by one coordinator or one host.

    A *channel* is named for a service, and carries requests, for which any number of hosts compete; or it begins with
    `ANSWERS_TO`, and carries answers to the one coordinator that is named behind it. A channel is there as soon as it
    is named. Each method raises `WireAway` where the broker cannot be reached now: who asked asks again, later.
    """

    async def post(self, channel: str, messages: Sequence[bytes]) -> None:
        """Send messages; once it returns, the broker has them as safely as it has anything.

        Raises:
            MessageTooBig: one has more than `MESSAGE_BYTES_MAX` bytes; none was sent.
            UnusableInput: there can be no channel of that name; none was sent.
            WireAway: whether they arrive is not known.
        """

    async def take(self, channel: str, most: int) -> Sequence[Delivery]:
        """Wait until there are messages, and take some, in about the order in which they were posted.

        What was taken comes to no other taker for a while, and comes again where it is not acknowledged: to any
        taker. A wait that is cancelled loses nothing.

        Args:
            channel: its name.
            most: at most so many, >= 1.

        Returns:
            At least one.

        Raises:
            WireAway: take again, later.
        """

    async def acknowledge(self, channel: str, deliveries: Sequence[Delivery]) -> None:
        """Let these come no more: what they asked for is committed. One that came again meanwhile still may.

        Raises:
            WireAway: they may come again, which does no harm.
        """

    async def park(self, channel: str, delivery: Delivery, reason: str) -> None:
        """Keep a message apart that no taker can act on, and let it come no more. It blocks nothing behind it.

        Raises:
            WireAway: it may come again, and is parked then.
        """

    async def parked(self, channel: str = "") -> Sequence[Parked]:
        """The messages of a channel that were parked, the oldest first; an adapter may give the latest alone.

        Args:
            channel: its name; empty for all channels.
        """

    async def drop(self, parked: Parked) -> None:
        """Keep a message no longer that was parked. To have it taken again, post it before.

        Raises:
            WireAway: whether it is gone is not known.
            WireUnusable: this role may not.
        """

    async def ping(self) -> None:
        """See that the broker carries messages now, without sending one.

        Raises:
            WireAway: it does not.
        """

    async def durability(self) -> str:
        """What a message survives that was posted, in a few words: ``full``, or ``reduced: `` or ``none: `` and why.

        It is looked at anew each time, as the settings of the broker say.

        Raises:
            WireAway: that is not known now.
            WireUnusable: there is no wire that this one can use, and which setting is to blame.
        """

    async def close(self) -> None:
        """Give everything back. What was taken and not acknowledged comes again. A second call does nothing."""


def again_in(url: str) -> tuple[str, float]:
    """A wire's URL without ``again_s``, and after how many seconds what was taken and not acknowledged comes again.

    Raises:
        WireUnusable: it is no number of seconds from 1 to 600.
    """
    address, _, query = url.partition("?")
    named = parse_qsl(query, keep_blank_values=True)
    given = [value for name, value in named if name == "again_s"]
    if not given:
        return url, AGAIN_S
    rest = urlencode([(name, value) for name, value in named if name != "again_s"])
    try:
        again_s = float(given[-1])
    except ValueError:
        again_s = 0.0
    if not 1 <= again_s <= AGAIN_MAX_S:
        raise WireUnusable(f"again_s={given[-1]!r:.40} in the address of a wire: give seconds, 1 to {AGAIN_MAX_S:g}")
    return f"{address}?{rest}" if rest else address, again_s


def channel_to(coordinator: str) -> str:
    """The channel of the answers to a coordinator, by its name."""
    return f"{ANSWERS_TO}{coordinator}"


def is_service(name: str) -> bool:
    """Whether a name can be that of a service whose host listens on a wire, and so of a channel for requests."""
    return is_name(name) and not name.startswith(ANSWERS_TO)


def expect_channel(channel: str) -> None:
    """See that a name can be one of a channel.

    Raises:
        UnusableInput: it cannot.
    """
    if not is_name(channel.removeprefix(ANSWERS_TO)):
        raise UnusableInput(
            f"no channel can have the name {channel!r:.120}: give that of a service, or {ANSWERS_TO!r} and that of a "
            f"coordinator, of 1 to {NAME_LENGTH_MAX} printable characters without '/'"
        )


def expect_reply_channel(channel: str) -> None:
    """See that a name can be one of a channel for answers.

    Raises:
        UnusableInput: it cannot.
    """
    expect_channel(channel)
    if not channel.startswith(ANSWERS_TO):
        raise UnusableInput(f"answers go to no channel of a service, as {channel!r:.120} is: its name begins with '>'")


def expect_size(messages: Sequence[bytes]) -> None:
    """See that a wire takes messages.

    Raises:
        MessageTooBig: it does not take one of them.
    """
    largest = max(map(len, messages), default=0)
    if largest > MESSAGE_BYTES_MAX:
        raise MessageTooBig(
            f"a message has {largest} bytes, and a wire takes {MESSAGE_BYTES_MAX} at most: keep what is large "
            "elsewhere, and send a reference to it"
        )
