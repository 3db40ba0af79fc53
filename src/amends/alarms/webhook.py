"""Telling alarms to a web service, and to no other: what is asked is bounded, also where names and answers lie.

The address comes from the settings alone, and its host stands in a list there. Its name is resolved once, each address
that it has is looked at, and the connection goes to one of these: a name that resolves to another one a moment later
leads nowhere. Addresses of this machine, of its link (where clouds tell secrets) and of private networks are refused,
unless the settings name their network. No redirect is followed: an answer other than 2xx is none.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from amends.alarms.notices import AlarmNotice, NotTold
from amends.errors import UnusableInput

PORTS: Final = {"https": 443, "http": 80}
ANSWER_BYTES_MAX: Final = 8 * 1024  # of a line of an answer, as most clients take at most
NAT64: Final = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
OK: Final = range(200, 300)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class WebhookAddress(NamedTuple):
    """Where a webhook is.

    Attributes:
        is_secure: whether it is asked over TLS.
        host: its name, or its address.
        port: of it.
        target: path and query.
    """

    is_secure: bool
    host: str
    port: int
    target: str


def webhook_address(url: str, hosts: Sequence[str]) -> WebhookAddress:
    """The parts of a webhook's address.

    Args:
        url: of it.
        hosts: that it may have.

    Raises:
        UnusableInput: it is no such address, or its host is none of these.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise UnusableInput("webhook is no address: give https://HOST/PATH, or http://") from None
    host = (parts.hostname or "").rstrip(".")
    if not host or parts.username is not None or not url.isascii() or not url.isprintable() or " " in url:
        raise UnusableInput("webhook is no address of a host: give https://HOST/PATH in ASCII, without a password")
    if host not in {name.lower().rstrip(".") for name in hosts}:
        raise UnusableInput(f"webhook is at {host!r}, which webhook_hosts does not name: add it there")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebhookAddress(parts.scheme == "https", host, port, target)


def networks_of(texts: Sequence[str]) -> Sequence[Network]:
    """Networks that are allowed.

    Raises:
        UnusableInput: one is none.
    """
    try:
        return [ip_network(text) for text in texts]
    except ValueError as error:
        raise UnusableInput(f"webhook_networks: {error}; give networks such as 10.1.0.0/16") from error


def refused_address(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether an address is not to be asked: it is not public, and in no network that is allowed."""
    inner = _inner(address)
    if any(each in network for each in (address, inner) for network in allowed if each.version == network.version):
        return False
    return not inner.is_global or inner.is_multicast or inner.is_reserved


def _inner(address: Address) -> Address:
    """The IPv4 address that one of IPv6 stands for; else the same."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


class WebhookPlace:
    """Posts each notice; it has been told once the answer is 2xx."""

    name = "webhook"

    def __init__(self, at: WebhookAddress, allowed: Sequence[Network], timeout_s: float) -> None:
        """Ask nothing yet.

        Args:
            at: where it is.
            allowed: networks of the operator's, beside public addresses.
            timeout_s: for how long all of it may take, seconds, > 0.
        """
        self._at = at
        self._allowed = allowed
        self._timeout_s = timeout_s

    async def tell(self, notice: AlarmNotice) -> None:
        """Post it.

        Raises:
            NotTold: it may not be asked, does not answer in time, or answers something else.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._posted(notice)
        except TimeoutError:
            raise NotTold(f"{self._at.host} has not answered within {self._timeout_s:g} s") from None
        except (OSError, EOFError, ValueError) as error:
            raise NotTold(f"{self._at.host} cannot be asked: {getattr(error, 'strerror', None) or error}") from error
        if status not in OK:
            raise NotTold(f"{self._at.host} answered {status}")

    async def _posted(self, notice: AlarmNotice) -> int:
        address = await self._resolved()
        tls = ssl.create_default_context() if self._at.is_secure else None
        name = self._at.host if self._at.is_secure else None
        reader, writer = await asyncio.open_connection(
            str(address), self._at.port, ssl=tls, server_hostname=name, limit=ANSWER_BYTES_MAX
        )
        try:
            writer.write(self._request(notice))
            await writer.drain()
            return _status_in(await reader.readline())
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                writer.transport.abort()

    async def _resolved(self) -> Address:
        """The address that is asked: the first that the name has, where each may be asked.

        Raises:
            NotTold: one of them may not be.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._at.host, self._at.port, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        for address in addresses:
            if refused_address(address, self._allowed):
                raise NotTold(f"{self._at.host} is {address}, which is not public: webhook_networks may allow it")
        return addresses[0]

    def _request(self, notice: AlarmNotice) -> bytes:
        body, host = notice.as_json(), f"[{self._at.host}]" if ":" in self._at.host else self._at.host
        default = PORTS["https" if self._at.is_secure else "http"]
        head = (
            f"POST {self._at.target} HTTP/1.1\r\nHost: {host}{f':{self._at.port}' * (self._at.port != default)}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nWebhook-Id: {notice.id}\r\n"
            "User-Agent: amends\r\nConnection: close\r\n\r\n"
        )
        return head.encode("ascii") + body


def _status_in(line: bytes) -> int:
    """The status of an answer.

    Raises:
        ValueError: it is none of HTTP/1.
    """
    version, _, rest = line.partition(b" ")
    status = rest[:3]
    if not version.startswith(b"HTTP/1.") or not status.isdigit():
        raise ValueError("it does not speak HTTP/1.1")
    return int(status)
