"""The processes of the spread shop, on any stores and wire: a host for each service, and coordinators.

They run what an operator would start by hand: `amends host`, and `amends worker` on a file of six lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from amends.entrypoints.spread.processes import ShopProcess, end_all, start_all
from amends.shop.checkout import SERVICES

COORDINATORS: Final = 2
COORDINATOR: Final = "coordinator"
CODE: Final = "amends.storefront.apart"
COORDINATOR_PY: Final = "coordinator.py"
COORDINATOR_CODE: Final = '''"""A coordinator of the spread shop, as `amends worker coordinator.py:engine` runs it."""

import amends
from amends.storefront.apart import SAGAS, SERVICES

engine = amends.open({db!r}, sagas=SAGAS, wire={wire!r}, elsewhere=SERVICES)
'''
WAIT_S: Final = "60"  # for a store that a host before still has: a file's is free once that has ended
END_WITHIN_S: Final = 15.0  # of one process that is told to end: its `drain_s`, and half as much again


class Place(NamedTuple):
    """Where a process of the shop works.

    Attributes:
        db: the URL of its store.
        wire: the URL of the wire, as this process has it.
    """

    db: str
    wire: str


class ShopProcesses:
    """The processes of the shop; who starts them ends them, also where starting failed.

    Attributes:
        hosts: by service.
        coordinators: all on one store.
    """

    def __init__(self, places: Mapping[str, Place], folder: Path, *, coordinators: int = COORDINATORS) -> None:
        """Start nothing yet.

        Args:
            places: by service, and of `COORDINATOR`; stores and wire are there, as far as they are not made by who
                opens them.
            folder: is there; for their logs.
            coordinators: how many; 1 where their store has one owner, as a file has.
        """
        own = places[COORDINATOR]
        (folder / COORDINATOR_PY).write_text(COORDINATOR_CODE.format(db=own.db, wire=own.wire), "utf-8")
        self.hosts = {service: _host(service, places[service], folder) for service in SERVICES}
        words = ("worker", f"{COORDINATOR_PY}:engine", "--wait", WAIT_S)
        names = [f"{COORDINATOR}-{number + 1}" for number in range(coordinators)]
        self.coordinators = [ShopProcess(name, own.db, (*words, *_health(name)), folder) for name in names]

    @property
    def all(self) -> list[ShopProcess]:
        """The hosts, then the coordinators."""
        return [*self.hosts.values(), *self.coordinators]

    def start(self, is_told: Callable[[], bool] = lambda: False) -> None:
        """Start those that do not run, and wait until all take requests.

        Args:
            is_told: whether to wait no longer.

        Raises:
            EngineStopped: one does not start; with the last that it said.
        """
        start_all(self.all, is_told)

    def end(self) -> None:
        """End the coordinators, which ask; then the hosts, which answer; within bounds."""
        end_all(self.coordinators, END_WITHIN_S)
        end_all([*self.hosts.values()], END_WITHIN_S)


def _host(service: str, place: Place, folder: Path) -> ShopProcess:
    words = ("host", CODE, "--service", service, "--db", place.db, "--wire", place.wire, "--wait", WAIT_S)
    return ShopProcess(service, place.db, (*words, *_health(service)), folder)


def _health(name: str) -> tuple[str, str]:
    return "--health", f"{name}.json"
