"""The socket by which an engine and its clients wake each other: a convenience that never holds an engine up."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from amends.adapters.sqlite import wakeup
from amends.adapters.sqlite.wakeup import WakeupClient, WakeupServer, socket_of
from tests.client.sagas import PATIENCE_S, in_loop

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no such sockets")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a file for a socket to be beside."""
    file = tmp_path / "shop.db"
    file.write_bytes(b"")
    file.chmod(0o640)
    return file


class Heard:
    """What one end heard.

    Attributes:
        event: set when it is woken.
    """

    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def once(self) -> None:
        """Wait for a ring, and be ready for the next one."""
        await asyncio.wait_for(self.event.wait(), PATIENCE_S)
        self.event.clear()


def listening(end: WakeupServer | WakeupClient) -> Heard:
    """Have an end listen."""
    heard = Heard()
    assert end.listen(asyncio.get_running_loop(), heard.event.set)
    return heard


def killed(server: WakeupServer) -> None:
    """Have an engine's end as a kill leaves it: nothing is open, and the socket's name is there."""
    for one in (server._server, *server._clients):
        asyncio.get_running_loop().remove_reader(one)  # type: ignore[arg-type]  # it is open
    server.forget()


@in_loop
async def test_each_end_wakes_the_other(database: Path) -> None:
    """A client that connects wakes the engine, too: it may have posted before."""
    server, clients = WakeupServer(database), [WakeupClient(database) for _ in range(3)]
    assert not clients[0].listen(asyncio.get_running_loop(), print)
    engine = listening(server)
    heard = [listening(client) for client in clients]
    await engine.once()
    server.ring()
    for each in heard:
        await each.once()
    await asyncio.sleep(0)
    engine.event.clear()
    clients[1].ring()
    await engine.once()
    for client in (*clients, *clients):
        client.close()
    server.close()
    server.close()
    assert not socket_of(database).exists()


@in_loop
async def test_a_client_finds_the_engine_that_comes_after(database: Path) -> None:
    """It is told that the first has gone, and its next ring reaches the second; a socket that was left is replaced."""
    first, second, client = WakeupServer(database), WakeupServer(database), WakeupClient(database)
    listening(first)
    heard = listening(client)
    await asyncio.sleep(0.01)
    killed(first)
    assert socket_of(database).exists()
    await heard.once()
    client.ring()
    engine = listening(second)
    client.ring()
    await engine.once()
    second.ring()
    await heard.once()
    client.close()
    second.close()


@in_loop
async def test_the_socket_has_the_rights_of_the_store(database: Path) -> None:
    """Whoever may not write the store may not wake its engine."""
    server = WakeupServer(database)
    listening(server)
    assert os.stat(socket_of(database)).st_mode & 0o777 == 0o640  # noqa: PTH116 - a test's own file
    server.close()


@in_loop
async def test_a_client_that_does_not_read_is_dropped(database: Path) -> None:
    """The engine never waits for one; the client is told so once it reads, and connects anew."""
    server, client = WakeupServer(database), WakeupClient(database)
    listening(server)
    heard = listening(client)
    asyncio.get_running_loop().remove_reader(client._socket)  # type: ignore[arg-type]  # it is connected
    await asyncio.sleep(0.01)
    assert len(server._clients) == 1
    for _ in range(100_000):
        server.ring()
    assert not server._clients
    client.close()
    client.ring()
    await asyncio.sleep(0.01)
    server.ring()
    await heard.once()
    client.close()
    server.close()


@in_loop
async def test_an_engine_takes_so_many_clients(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have to look by themselves: descriptors are needed for calls, too."""
    monkeypatch.setattr(wakeup, "CLIENTS_MAX", 2)
    server, clients = WakeupServer(database), [WakeupClient(database) for _ in range(4)]
    listening(server)
    for client in clients:
        listening(client)
    await asyncio.sleep(0.01)
    assert len(server._clients) == 2
    for client in clients:
        client.close()
    server.close()


@in_loop
async def test_where_no_socket_can_be_there_is_none(tmp_path: Path) -> None:
    """A path that is too long for one leaves nothing behind."""
    folder = tmp_path / ("long" * 50)
    await asyncio.to_thread(folder.mkdir)
    database = folder / "shop.db"
    await asyncio.to_thread(database.write_bytes, b"")
    server, client = WakeupServer(database), WakeupClient(database)
    loop = asyncio.get_running_loop()
    assert not server.listen(loop, print)
    assert not client.listen(loop, print)
    server.ring()
    client.ring()
    server.close()
    client.close()
    assert [file.name for file in await asyncio.to_thread(lambda: [*folder.iterdir()])] == ["shop.db"]


@in_loop
async def test_engines_killed_as_they_made_their_socket_leave_one_name_which_the_next_takes(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there were; they had made a folder each."""
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed_there)
        for _ in range(3):
            assert not WakeupServer(database).listen(asyncio.get_running_loop(), print)
    assert len([*database.parent.iterdir()]) == 2
    server, client = WakeupServer(database), WakeupClient(database)
    engine = listening(server)
    listening(client)
    await engine.once()
    assert sorted(database.parent.iterdir()) == [database, socket_of(database)]
    client.close()
    server.close()


def killed_there(_new: Path, _path: Path) -> Path:
    """As `Path.replace`, and not done."""
    raise OSError("killed")
