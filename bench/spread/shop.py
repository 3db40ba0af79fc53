"""The spread shop as it is measured: hosts as they are, and coordinators that place orders themselves.

Four hosts, each with a database of its own, the coordinators' database and the wire are of one PostgreSQL, or the wire
is a NATS server that syncs each message.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from amends.entrypoints.spread import WireKind
from amends.entrypoints.spread.local_shop import LocalShop
from amends.entrypoints.spread.processes import start_all
from amends.entrypoints.spread.shop import COORDINATORS
from bench.postgres.fleet import Engines, Ran, warm
from bench.postgres.server import Measured
from bench.spread.spent import cpu_by_kind


class SpreadRun(NamedTuple):
    """What orders came to.

    Attributes:
        ran: how fast they were.
        cpu_s: an order, by kind of process.
    """

    ran: Ran
    cpu_s: Mapping[str, float]


class MeasuredShop:
    """A shop that takes orders.

    Attributes:
        server: its PostgreSQL.
        coordinators: how many.
    """

    def __init__(self, server: Measured, coordinators: Engines, hosts: list[int]) -> None:
        self.server, self.coordinators = server, len(coordinators.pids)
        self._engines = coordinators
        self._kinds = {"coordinators": coordinators.pids, "hosts": hosts}

    def run(self, orders: int, workload: str = "many", *more: object) -> SpreadRun:
        """Place orders, and wait until all have ended."""
        before = cpu_by_kind(self._kinds, self.server.data)
        ran = self._engines.run(orders, workload, *more)
        after = cpu_by_kind(self._kinds, self.server.data)
        return SpreadRun(ran, {kind: (after[kind] - before.get(kind, 0)) / orders for kind in after})


@contextmanager
def measured_shop(below: Path, wire: WireKind, coordinators: int = COORDINATORS) -> Iterator[MeasuredShop]:
    """Start the shop in a new folder below another one, warm; money and stock are looked at in the end.

    Raises:
        UnusableInput: a server is not to be had.
    """
    with tempfile.TemporaryDirectory(dir=below) as made:
        folder = Path(made)
        folder.chmod(0o755)  # the server's user passes through it
        with LocalShop(folder, wire) as local:
            hosts = [*local.shop.hosts.values()]
            start_all(hosts, lambda: False)
            db = local.shop.coordinators[0].db
            server = _server_of(db)
            with warm(server, db, ["bench.spread.orders", db, local.wire_url], coordinators) as engines:
                yield MeasuredShop(server, engines, [host.pid for host in hosts])


def _server_of(url: str) -> Measured:
    socket = parse_qs(urlsplit(url).query)["host"][0]
    return Measured(f"host={socket} user=postgres dbname=postgres", Path(socket).with_name("data"))
