"""The address of a NATS server, and the stream on it that is a wire; the subjects of its channels."""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from amends.errors import WireUnusable
from amends.storage.location import without_password

STREAM: Final = "amends"
"""Where an address names none."""
STREAM_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
PLAIN: Final = re.compile(rb"[^A-Za-z0-9_-]")
TOKEN_MAX: Final = 200  # bytes: a server takes 255 for the name of a consumer


class NatsAddress(NamedTuple):
    """Where a wire is.

    Attributes:
        shown: its URL without a password, for people.
        server: what the client connects with, a password among it: no one else is shown that.
        stream: its name, and the first part of all subjects.
    """

    shown: str
    server: str
    stream: str

    def __repr__(self) -> str:
        return self.shown

    @property
    def parked(self) -> str:
        """The stream of the messages that are kept apart."""
        return f"{self.stream}_parked"


def nats_address(url: str) -> NatsAddress:
    """The address that a URL means.

    Args:
        url: ``nats://user:password@host:port?stream=shop``, or ``tls://``; parts may be left out.

    Raises:
        WireUnusable: it is none; one line says what is wrong with it, and holds no password.
    """
    shown = without_password(url)
    try:
        parts = urlsplit(url)
        named = dict(parse_qsl(parts.query, keep_blank_values=True))
        is_server = bool(parts.hostname) and (parts.port or 1) > 0 and parts.path in ("", "/")
    except ValueError as error:
        raise WireUnusable(f"{shown}: it is no address of a NATS server: {error}") from None
    if not is_server or named.keys() - {"stream"}:
        raise WireUnusable(f"{shown}: it is no address of a NATS server: give nats://host:port?stream=NAME")
    stream = named.get("stream", STREAM)
    if not STREAM_NAME.fullmatch(stream):
        raise WireUnusable(f"{shown}: stream={stream!r:.100} is no name: give 1 to 40 letters, digits, _ and -")
    return NatsAddress(shown, parts._replace(query="", path="").geturl(), stream)


def token_of(channel: str) -> str:
    """The part of a subject that stands for a channel, and the name of its consumer.

    Letters, digits, ``_`` and ``-`` stand for themselves, and any other byte of UTF-8 is ``=`` and two hex digits; a
    name that is too long then is its SHA-256.
    """
    token = PLAIN.sub(lambda found: b"=%02X" % ord(found[0]), channel.encode()).decode()
    return token if len(token) <= TOKEN_MAX else hashlib.sha256(channel.encode()).hexdigest()
