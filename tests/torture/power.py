"""Cutting the power of an engine at any write or sync, again and again, and looking what is left (S1)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from amends.adapters.sqlite.store import SqliteStore
from amends.engine.coordinator import Coordinator
from amends.errors import StoreError, StoreUnusable
from amends.storage.rows import Changes
from tests.torture.broken import BrokenPromise, demand
from tests.torture.checks import check_rest
from tests.torture.disks import QuietDisk
from tests.torture.driven import Outer, Process

PER_DISK: Final = 40
OPENING: Final = 0.3  # so many cuts come so early that the store is being opened, or just was
CHECKPOINT_PAGES: Final = (
    2,
    10,
    1000,
)  # in the log when it is taken in: mostly fewer than in earnest, as files are small

Say = Callable[[str], None]


class Cuts(NamedTuple):
    """What a run of power cuts came to.

    Attributes:
        cuts: how often the power was cut.
        opening: so many times while a store was opened.
        unsure: so many commits were under way and not answered.
        survived: so many of these were there afterwards.
        disks: how many disks.
        sagas: how many sagas ran.
        seconds: how long it took.
    """

    cuts: int
    opening: int
    unsure: int
    survived: int
    disks: int
    sagas: int
    seconds: float


class Watched(SqliteStore):
    """A store file that says what it is about to commit.

    Attributes:
        under_way: head of the last commit that was asked for.
    """

    under_way = b""

    def commit(self, changes: Changes) -> None:
        """Commit."""
        self.under_way = changes.block.head
        super().commit(changes)


Open = Callable[[Path, str], Watched]


class Machine:
    """A machine whose power fails.

    Attributes:
        cuts: how often it did; likewise `opening`, `unsure` and `survived`, see `Cuts`.
    """

    def __init__(
        self, folder: Path, seed: int, open_store: Open = Watched, make: type[Coordinator] = Coordinator
    ) -> None:
        """Build it.

        Args:
            folder: where lock files may be.
            seed: of everything that happens.
            open_store: opens a store; another function for a planted bug.
            make: the coordinator's class; another one for a planted bug.
        """
        self.cuts = self.opening = self.unsure = self.survived = 0
        self._path = folder / "power.db"
        self._chance = random.Random(seed)
        self._outer = Outer(seed)
        self._disk = QuietDisk()
        self._under_way = b""
        self._open_store = open_store
        self._make = make

    def cut(self) -> None:
        """Work until the power fails, and find out what is left."""
        self._disk.cut_at(self._chance.randrange(1, 60 if self._chance.random() < OPENING else 600))
        self.cuts += 1
        try:
            store = self._open_store(self._path, self._disk.name)
        except StoreUnusable as error:
            demand(not self._disk.has_power, f"it cannot be opened, with power: {error}")
            self.opening += 1
        else:
            self._work(store)
        self._disk = self._disk.after_cut(self._chance)

    def _work(self, store: Watched) -> None:
        try:
            self._look(store)
            store._database._connection.wal_autocheckpoint(self._chance.choice(CHECKPOINT_PAGES))
            Process(store, self._outer, self._chance, self._make).work(self._chance.randrange(1, 30))
        except StoreError as error:
            demand(not self._disk.has_power, f"it failed, with power: {error}")
        finally:
            self._disk.die()
            store.close()
        self._under_way = store.under_way if store.under_way != self._outer.head else b""
        self.unsure += bool(self._under_way)

    def rest(self) -> int:
        """Work with power until everything is at rest, and check it; how many sagas there are."""
        store = self._open_store(self._path, self._disk.name)
        try:
            self._look(store)
            Process(store, self._outer, self._chance, self._make).rest()
            return check_rest(self._outer.world(store))
        finally:
            store.close()

    def _look(self, store: Watched) -> None:
        """What was answered is there; beside it at most the one commit that was under way; and the file is sound."""
        head = store.head().head
        demand(head in (self._outer.head, self._under_way), "a commit that came back is gone, or there is another one")
        self.survived += head != self._outer.head
        self._outer.head, self._under_way = head, b""
        fault, operations = self._disk.fault, self._disk.operations
        self._disk.fault = None  # what we look at costs no operation
        try:
            found = store._database._connection.pragma("integrity_check")
        except apsw.CorruptError as error:  # so damaged that it cannot be checked
            found = str(error)
        self._disk.fault, self._disk.operations = fault, operations
        demand(found == "ok", f"integrity_check: {found}")


def run(
    folder: Path, seed: int, cuts: int, say: Say, open_store: Open = Watched, make: type[Coordinator] = Coordinator
) -> Cuts:
    """Cut the power so often, on one disk after the other.

    Raises:
        BrokenPromise: with the disk's seed.
    """
    began, machines, sagas = time.monotonic(), list[Machine](), 0
    while sum(machine.cuts for machine in machines) < cuts:
        machine = Machine(folder, seed + len(machines), open_store, make)
        machines.append(machine)
        try:
            while machine.cuts < PER_DISK:
                machine.cut()
            sagas += machine.rest()
        except BrokenPromise as error:
            raise BrokenPromise(f"seed {seed + len(machines) - 1}, after {machine.cuts} cuts: {error}") from error
        if not len(machines) % 10:
            say(f"{PER_DISK * len(machines)} cuts, {sagas} sagas, {time.monotonic() - began:.0f} s")
    return Cuts(
        sum(machine.cuts for machine in machines),
        sum(machine.opening for machine in machines),
        sum(machine.unsure for machine in machines),
        sum(machine.survived for machine in machines),
        len(machines),
        sagas,
        time.monotonic() - began,
    )
