"""The address of a NATS server, and the stream on it that is a wire; the subjects of its channels."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from amends.adapters.nats.monitor import is_monitor
from amends.errors import WireUnusable
from amends.storage.location import without_password

STREAM: Final = "amends"
"""Where an address names none."""
STREAM_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
MONITOR: Final = "http://{}:8222"
"""Of a server, where an address names none: its usual port."""
REPLICAS: Final = ("1", "3", "5")  # of a stream: so many servers agree on a message by their majority
PLAIN: Final = re.compile(rb"[^A-Za-z0-9_-]")
TOKEN_MAX: Final = 200  # bytes: a server takes 255 for the name of a consumer


class NatsAddress(NamedTuple):
    """Where a wire is.

    Attributes:
        shown: its URL without a password, for people.
        server: what the client connects with, a password among it: no one else is shown that.
        stream: its name, and the first part of all subjects.
        monitors: the URLs at which its servers say how they are set.
        replicas: on how many servers the stream is.
        may_lose: whether it is used also where settings are not those that it needs.
        is_made: whether it is made where it is not there.
    """

    shown: str
    server: str
    stream: str
    monitors: Sequence[str]
    replicas: int
    may_lose: bool
    is_made: bool = True

    def __repr__(self) -> str:
        return self.shown

    @property
    def parked(self) -> str:
        """The stream of the messages that are kept apart."""
        return f"{self.stream}_parked"


def nats_address(url: str, stream: str = STREAM) -> NatsAddress:
    """The address that a URL means.

    Args:
        url: ``nats://user:password@host:port?stream=shop``, or ``tls://``; parts may be left out. ``monitor=`` is where
            a server says how it is set, http://host:8222 by default, and is there once for each server of a cluster;
            ``replicas=3`` is for one; ``durability=reduced`` is for a server that may lose messages.
        stream: where the URL names none.

    Raises:
        WireUnusable: it is none; one line says what is wrong with it, and holds no password.
    """
    shown = without_password(url)
    try:
        parts = urlsplit(url)
        named = parse_qs(parts.query, keep_blank_values=True)
        is_server = bool(parts.hostname) and (parts.port or 1) > 0 and parts.path in ("", "/")
    except ValueError as error:
        raise WireUnusable(f"{shown}: it is no address of a NATS server: {error}") from None
    if not is_server or named.keys() - {"stream", "monitor", "replicas", "durability"}:
        raise WireUnusable(f"{shown}: it is no address of a NATS server: give nats://host:port?stream=NAME")
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    monitors = named.pop("monitor", [MONITOR.format(host)])
    ours = {name: values[-1] for name, values in named.items()}
    for fault in _faults(ours, monitors):
        raise WireUnusable(f"{shown}: {fault}")
    server = parts._replace(query="", path="").geturl()
    return NatsAddress(
        shown, server, ours.get("stream", stream), monitors, int(ours.get("replicas", 1)), "durability" in ours
    )


def _faults(ours: Mapping[str, str], monitors: Sequence[str]) -> Iterator[str]:
    """What is wrong with the parameters of an address."""
    if not STREAM_NAME.fullmatch(stream := ours.get("stream", STREAM)):
        yield f"stream={stream!r:.100} is no name: give 1 to 40 letters, digits, _ and -"
    if (replicas := ours.get("replicas", "1")) not in REPLICAS:
        yield f"replicas={replicas!r:.100}: give {', '.join(REPLICAS)}"
    if (durability := ours.get("durability", "reduced")) != "reduced":
        yield f"durability={durability!r:.100}: give reduced, or leave it out"
    for monitor in monitors:
        if not is_monitor(monitor):
            yield f"monitor={monitor!r:.100} is no address of one: give http://host:8222"


def token_of(channel: str) -> str:
    """The part of a subject that stands for a channel, and the name of its consumer.

    Letters, digits, ``_`` and ``-`` stand for themselves, and any other byte of UTF-8 is ``=`` and two hex digits; a
    name that is too long then is its SHA-256.
    """
    token = PLAIN.sub(lambda found: b"=%02X" % ord(found[0]), channel.encode()).decode()
    return token if len(token) <= TOKEN_MAX else hashlib.sha256(channel.encode()).hexdigest()
