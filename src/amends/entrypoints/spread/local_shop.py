"""The spread shop on one machine, with servers of its own: all of it in one folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from amends.entrypoints.spread import WireKind
from amends.entrypoints.spread.nats import LocalNats
from amends.entrypoints.spread.postgres import LocalPostgres
from amends.entrypoints.spread.shop import COORDINATOR, Place, ShopProcesses
from amends.errors import UnusableInput
from amends.shop.checkout import SERVICES

SAGAS: Final = "sagas"
WIRE: Final = "wire"
DESK: Final = "desk"
"""The role of who places orders: a client of the coordinators."""
ROLES: Final = {service: f"{service.lower()}_host" for service in SERVICES} | {COORDINATOR: COORDINATOR}
DATABASES: Final = {service: service.lower() for service in SERVICES} | {COORDINATOR: SAGAS}


class LocalShop:
    """Servers, which have started within a ``with``, and processes; its end ends all of them.

    Attributes:
        shop: the processes; they are started by who wants them.
    """

    shop: ShopProcesses

    def __init__(self, folder: Path, wire: WireKind) -> None:
        """Start nothing yet.

        Args:
            folder: for all of it; made where it is not there.
            wire: what carries the messages.

        Raises:
            UnusableInput: a server is not to be had, or the folder cannot be used.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._folder = folder.resolve()
            self._postgres = LocalPostgres(self._folder / "postgres")
        except OSError as error:
            raise UnusableInput(f"{folder}: cannot be used: {error.strerror}") from error
        self._nats = LocalNats(self._folder / "nats") if wire is WireKind.nats else None

    @property
    def orders_url(self) -> str:
        """Where orders are placed: the coordinators' store, as `amends run --spread` takes it."""
        return self._postgres.url(DESK, SAGAS)

    @property
    def wire_url(self) -> str:
        """The wire, as the coordinators have it."""
        return self._place(COORDINATOR).wire

    def __enter__(self) -> Self:
        """Start the servers, and make what is not there yet.

        Raises:
            UnusableInput: one does not start; none is left then.
        """
        try:
            self._start_servers()
            self.shop = ShopProcesses({name: self._place(name) for name in ROLES}, self._folder)
        except BaseException:
            self._stop_servers()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End all, within bounds: the coordinators, the hosts, the servers."""
        try:
            self.shop.end()
        finally:
            self._stop_servers()

    def _start_servers(self) -> None:
        self._postgres.start()
        for name, role in ROLES.items():
            self._postgres.make_store(DATABASES[name], role, DESK if name == COORDINATOR else "")
        if self._nats is not None:
            self._nats.start()
        else:
            self._postgres.make_wire(WIRE, ROLES.values())

    def _stop_servers(self) -> None:
        if self._nats is not None:
            self._nats.stop()
        self._postgres.stop()

    def _place(self, name: str) -> Place:
        role = ROLES[name]
        wire = self._nats.url if self._nats is not None else self._postgres.url(role, WIRE)
        return Place(self._postgres.url(role, DATABASES[name]), wire)


@contextmanager
def folder_of(data: Path | None) -> Iterator[Path]:
    """Give a folder for the shop.

    Args:
        data: the one that is to be used; ``None`` for a new one that is gone at the end.
    """
    if data is not None:
        yield data
        return
    folder = Path(tempfile.mkdtemp(prefix="amends-up-"))
    folder.chmod(0o755)  # the server's user passes through it to a folder of its own
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
