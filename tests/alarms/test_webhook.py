"""Alarms to a web service: what is posted, and what is never asked (W5)."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any, cast

import pytest

from amends.alarms.notices import NotTold
from amends.alarms.webhook import WebhookPlace, networks_of, refused_address, webhook_address
from amends.errors import UnusableInput
from tests.alarms.test_command import NOTICE

BOUND_S = 60.0
HOST = "hooks.test"
LOOPBACK = networks_of(["127.0.0.0/8"])
OK = b"HTTP/1.1 204 No Content\r\n\r\n"

Answering = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Names:
    """A resolver: a name has these addresses, and other ones the next time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = [*answers]
        self.asked = 0

    async def getaddrinfo(self, _host: str, port: int, **_: Any) -> list[Any]:
        """Resolve any name."""
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


def posted(
    answer: Answering | bytes,
    names: Names,
    monkeypatch: pytest.MonkeyPatch,
    *,
    allowed: Any = LOOPBACK,
    timeout_s: float = BOUND_S,
) -> list[bytes]:
    """Post a notice to a server on this machine. Gives what the server got."""
    got: list[bytes] = []
    tasks: list[asyncio.Task[Any]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(cast(Any, asyncio.current_task()))
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            got.append(head + await reader.readexactly(length))
            if isinstance(answer, bytes):
                writer.write(answer)
            else:
                await answer(got[-1], writer)
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names.getaddrinfo)
        at = webhook_address(f"http://{HOST}:{port}/page?team=shop", [HOST])
        try:
            await WebhookPlace(at, allowed, timeout_s).tell(NOTICE)
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0.01)  # for transports to close

    asyncio.run(run())
    return got


def test_an_alarm_is_posted_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the host by its name, at the address that was looked at."""
    ((got),) = posted(OK, Names(["127.0.0.1"]), monkeypatch)
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /page?team=shop HTTP/1.1"
    assert any(line.startswith(f"Host: {HOST}:") for line in lines)
    assert f"Webhook-Id: {NOTICE.id}" in lines
    assert json.loads(body)["alarm"] == "disk"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",  # noqa: S104
        "169.254.169.254", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
        "::1", "::", "fe80::1", "fd00:ec2::254", "fc00::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    """Of this machine, the link, private networks and metadata services, however it is written (W5)."""
    assert refused_address(ip_address(address), [])


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::101:101"])
def test_a_public_address_is_asked(address: str) -> None:
    """Of both versions."""
    assert not refused_address(ip_address(address), [])


def test_a_network_of_the_settings_is_asked() -> None:
    """And no other."""
    allowed = networks_of(["10.1.0.0/16", "fd12::/16"])
    assert not refused_address(ip_address("10.1.2.3"), allowed)
    assert not refused_address(ip_address("::ffff:10.1.2.3"), allowed)
    assert not refused_address(ip_address("fd12::7"), allowed)
    assert refused_address(ip_address("10.2.0.1"), allowed)


def test_nothing_is_sent_to_an_address_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server on this machine hears nothing."""
    with pytest.raises(NotTold, match=r"hooks.test is 127.0.0.1, which is not public"):
        posted(OK, Names(["127.0.0.1"]), monkeypatch, allowed=())


def test_one_refused_address_among_others_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever came first."""
    with pytest.raises(NotTold, match=r"169.254.169.254"):
        posted(OK, Names(["127.0.0.1", "169.254.169.254"]), monkeypatch)


def test_a_name_that_resolves_anew_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is resolved once for each notice, and the connection goes to what was looked at (DNS rebinding)."""
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    assert len(posted(OK, names, monkeypatch)) == 1
    assert names.asked == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no success, and where it leads hears nothing."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        where = f"http://127.0.0.1:{other.getsockname()[1]}/"
        answer = f"HTTP/1.1 {status} Moved\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()
        with pytest.raises(NotTold, match=f"answered {status}"):
            posted(answer, Names(["127.0.0.1"]), monkeypatch)
        with pytest.raises(BlockingIOError):
            other.accept()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 Oh\r\n\r\n", b"SSH-2.0\r\n", b"", b"HTTP/1.1 2xx\r\n", b"x" * 9999])
def test_another_answer_is_no_success(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told again."""
    with pytest.raises(NotTold):
        posted(answer, Names(["127.0.0.1"]), monkeypatch)


def test_a_server_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it has one time limit."""

    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        for _unused in range(100):
            writer.write(b"H")
            await asyncio.sleep(0.1)

    with pytest.raises(NotTold, match=r"has not answered within 0.5 s"):
        posted(drip, Names(["127.0.0.1"]), monkeypatch, timeout_s=0.5)


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.test", "file:///etc/passwd", "gopher://hooks.test/", "https:///x", "https://hooks.test:x/",
        "https://user:secret@hooks.test/",
        "https://user:secret@hooks.test:x/", "ftp://hooks.test/services/secret",
        "https://hooks.test/a b", "https://hooks.test/\r\nHost: evil",
        "https://evil.test/", "https://hooks.test.evil.test/", "https://hooks.test@evil.test/", "https://höoks.test/",
        "https://127.0.0.1/", "https://hooks.test:99999/",
    ],
)  # fmt: skip
def test_an_address_that_is_none_or_not_allowed_is_refused(url: str) -> None:
    """By its host, at the start; a password in it is not told."""
    with pytest.raises(UnusableInput) as refused:
        webhook_address(url, [HOST])
    assert "secret" not in str(refused.value)


def test_a_host_is_compared_without_case_and_last_dot() -> None:
    """As DNS does."""
    assert webhook_address("https://HOOKS.test./x", ["hooks.TEST"]).host == HOST
