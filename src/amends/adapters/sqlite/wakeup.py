"""Wake-ups between processes on one machine: a socket beside the store, to which clients of its engine connect.

It is a convenience: who is not woken finds what was written when it looks the next time. So nothing is said of what was
written, nothing is waited for, and a process that does not read is dropped. Where there can be no such socket (the path
is too long for one, the system has none), there is none.
"""

from __future__ import annotations

import os
import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from amends.storage.forks import forget_in_children

RING: Final = b"\0"
RINGS_AT_ONCE: Final = 4_096  # bytes that are read at once: each is a ring, and all of them are one
CLIENTS_MAX: Final = 500  # that are connected: a file of the process each, of the 1,024 that it may have by default
WAITING_MAX: Final = 100  # that are not accepted yet


def socket_of(database: Path) -> Path:
    """The socket of a store."""
    return database.with_name(f"{database.name}.wakeup")


class WakeupServer:
    """The engine's end; see `amends.storage.ports.Wakeup`."""

    def __init__(self, database: Path) -> None:
        """Open nothing yet.

        Args:
            database: the store's file, which this process has locked: so what is in the place of the socket is left
                from a process that was killed.
        """
        self._database = database
        self._server: socket.socket | None = None
        self._clients: list[socket.socket] = []
        forget_in_children(self)

    def listen(self, loop: AbstractEventLoop, heard: Callable[[], None]) -> bool:
        """Be woken from now on; whether that is possible here."""
        self._loop, self._heard = loop, heard
        try:
            self._server = _bound(socket_of(self._database), self._database.stat().st_mode & 0o777)
            loop.add_reader(self._server, self._accept)
        except (OSError, NotImplementedError):  # a path of more than 107 bytes; Windows
            self.close()
            return False
        return True

    def ring(self, *, engines: bool = False) -> None:  # noqa: ARG002 - there is no other engine
        """Wake every client."""
        for client in [*self._clients]:
            try:
                client.send(RING)
            except OSError:  # it is gone, or has not read for so long that the system keeps no more for it
                self._drop(client)

    def close(self) -> None:
        """Take the socket away. A second call does nothing."""
        if self._server is not None:
            with suppress(OSError):
                socket_of(self._database).unlink()
            for one in (self._server, *self._clients):
                with suppress(RuntimeError):  # the event loop has ended
                    self._loop.remove_reader(one)
            self.forget()

    def forget(self) -> None:
        """In a child: the sockets are the parent's."""
        for one in (self._server, *self._clients):
            if one is not None:
                one.close()
        self._server, self._clients = None, []

    def _accept(self) -> None:
        assert self._server is not None, "it is listened to"
        with suppress(OSError):  # whoever called has hung up
            client, _ = self._server.accept()
            if len(self._clients) == CLIENTS_MAX:
                client.close()
                return
            client.setblocking(False)
            self._clients.append(client)
            self._loop.add_reader(client, self._hear, client)
            self._heard()  # it has posted before it connected

    def _hear(self, client: socket.socket) -> None:
        if _read(client):
            self._heard()
        else:
            self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        self._clients.remove(client)
        self._loop.remove_reader(client)
        client.close()


class WakeupClient:
    """A client's end; see `amends.storage.ports.Wakeup`. With each ring, it connects to an engine that came later."""

    def __init__(self, database: Path) -> None:
        """Connect to none yet.

        Args:
            database: the store's file.
        """
        self._path = socket_of(database)
        self._socket: socket.socket | None = None
        forget_in_children(self)

    def listen(self, loop: AbstractEventLoop, heard: Callable[[], None]) -> bool:
        """Be woken from now on, as long as there is an engine; whether one is there."""
        self._loop, self._heard = loop, heard
        return self._is_connected()

    def ring(self, *, engines: bool = False) -> None:  # noqa: ARG002 - it wakes its engine in any case
        """Wake the engine, if there is one."""
        if not self._is_connected():
            return
        assert self._socket is not None, "it is connected"
        try:
            self._socket.send(RING)
        except BlockingIOError:  # it has not read the rings before
            return
        except OSError:
            self.close()
            self._is_connected()  # to the engine after that one, which looks when a client connects

    def close(self) -> None:
        """Hang up. A second call does nothing."""
        if self._socket is not None:
            with suppress(RuntimeError):
                self._loop.remove_reader(self._socket)
            self.forget()

    def forget(self) -> None:
        """In a child: the socket is the parent's."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _is_connected(self) -> bool:
        if self._socket is None and hasattr(socket, "AF_UNIX"):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.setblocking(False)
            try:
                connection.connect(os.fspath(self._path))
                self._loop.add_reader(connection, self._hear)
            except (OSError, NotImplementedError):
                connection.close()
            else:
                self._socket = connection
        return self._socket is not None

    def _hear(self) -> None:
        assert self._socket is not None, "it is connected"
        if not _read(self._socket):
            self.close()
        self._heard()


def _bound(path: Path, mode: int) -> socket.socket:
    """A socket that listens, which has its name once it has its rights, in the place of one that was left.

    Raises:
        OSError: it cannot be.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no such sockets")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        new = path.with_name(f"{path.name}.new")  # always the same, so that processes that are killed leave one at most
        new.unlink(missing_ok=True)
        server.bind(os.fspath(new))
        new.chmod(mode)  # before it listens: nobody can connect until then
        server.listen(WAITING_MAX)
        server.setblocking(False)
        new.replace(path)
    except BaseException:
        server.close()
        raise
    return server


def _read(connection: socket.socket) -> bool:
    """Read what has come; whether the other end is there."""
    try:
        return bool(connection.recv(RINGS_AT_ONCE))
    except BlockingIOError:
        return True
    except OSError:
        return False
