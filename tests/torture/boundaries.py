"""A crash at every boundary between two inputs or outputs, by number, and again during the recovery (A1, A2)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from amends.adapters.memory import MemoryStore
from amends.adapters.sqlite.store import SqliteStore
from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import Outgoing
from amends.engine.tasks import Deliver
from amends.errors import StoreError, StoreUnusable
from amends.shop.inventory import INVENTORY
from amends.shop.payments import PAYMENT
from amends.storage.ports import Store
from amends.storage.rows import Changes, EntityRow, SagaRow
from tests.torture.broken import BrokenPromise, demand
from tests.torture.checks import check_rest
from tests.torture.disk import orders
from tests.torture.disks import QuietDisk
from tests.torture.driven import Outer, Process
from tests.torture.shop import CUSTOMERS, PRODUCTS, SHELF, SHELVES

NEVER: Final = 10**9

Say = Callable[[str], None]


class Crossed(NamedTuple):
    """What came of it.

    Attributes:
        singles: so many boundaries were crashed at.
        pairs: so many pairs of one and another in the recovery.
        seconds: how long it took.
    """

    singles: int
    pairs: int
    seconds: float


class Crash(BaseException):
    """The process is gone; nothing that it could still catch."""


class World(Protocol):
    """A store and a world around it, which outlive processes."""

    @property
    def outer(self) -> Outer:
        """What no crash touches."""
        ...

    def live(self, last: int) -> bool:
        """Let a process run until it is at rest; whether it came so far, and did not crash at a boundary before."""
        ...

    def store(self) -> Store:
        """What is stored."""
        ...


class InMemory:
    """A store in memory. The boundaries are before and after each commit, and before and after each effect outside."""

    def __init__(self, _folder: Path, at_a_time: int = NEVER, make: type[Coordinator] = Coordinator) -> None:
        """Build it.

        Args:
            _folder: not needed.
            at_a_time: so many things happen in one turn; with fewer there are more boundaries.
            make: the coordinator's class; another one for a planted bug.
        """
        self._at_a_time = at_a_time
        self._make = make
        self._left = NEVER
        self.outer = _Outer(self._cross)
        self._store = _Memory(self._cross)

    def live(self, last: int) -> bool:
        """See `World`."""
        self._left = last
        try:
            Process(self._store, self.outer, random.Random(0), self._make).rest(self._at_a_time)
        except Crash:
            return False
        finally:
            self._left = NEVER
        return True

    def store(self) -> Store:
        """See `World`."""
        return self._store

    def _cross(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Crash


class OnDisk:
    """A store file. The boundaries are before each operation on a file, from the opening on."""

    def __init__(self, folder: Path) -> None:
        """Build it, with a folder where the lock file may be."""
        self.outer = _Outer(lambda: None)
        self._path = folder / "boundaries.db"
        self._disk = QuietDisk()

    def live(self, last: int) -> bool:
        """See `World`."""
        self._disk = self._disk.after_kill()
        self._disk.cut_at(last)
        try:
            store = self._opened()
            try:
                Process(store, self.outer, random.Random(0)).rest()
            finally:
                if not self._disk.has_power:
                    self._disk.die()
                store.close()
        except (StoreError, StoreUnusable) as error:
            demand(not self._disk.has_power, f"it failed by itself: {error}")
        return self._disk.has_power

    def store(self) -> Store:
        """See `World`."""
        self._disk.fault = None
        return self._opened()

    def _opened(self) -> SqliteStore:
        store = SqliteStore(self._path, self._disk.name)
        store._database._connection.wal_autocheckpoint(10)
        return store


def run(name: str, make: Callable[[Path], World], folder: Path, every: int, second: int, say: Say) -> Crossed:
    """Crash at boundaries, and again.

    Args:
        name: of what follows.
        make: a world of some kind.
        folder: for lock files.
        every: 1 for each boundary, 2 for every second, ...
        second: likewise for those in the recovery; 0 for none.
        say: told how far it is.

    Raises:
        BrokenPromise: with the numbers of the boundaries.
    """
    began, singles, pairs = time.monotonic(), 0, 0
    wanted = _rest(make(folder))
    for first in count(1, every):
        world = make(folder)
        if world.live(first):
            break
        _check(world, (first,), wanted)
        singles += 1
        for then in count(1, second) if second else ():
            world = make(folder)
            demand(not world.live(first), f"no crash at {first}, where there was one before")
            if world.live(then):
                break
            _check(world, (first, then), wanted)
            pairs += 1
    say(f"{name}: {singles} boundaries, {pairs} pairs, {time.monotonic() - began:.0f} s")
    return Crossed(singles, pairs, time.monotonic() - began)


def run_all(folder: Path, say: Say) -> list[Crossed]:
    """Crash at all boundaries of all worlds, and at all pairs, but on the disk: there the second is each seventh.

    Raises:
        BrokenPromise: with the numbers of the boundaries.
    """
    return [
        run("in memory", InMemory, folder, 1, 1, say),
        run("in memory, one thing a turn", lambda folder: InMemory(folder, 1), folder, 1, 1, say),
        run("on disk", OnDisk, folder, 1, 7, say),
    ]


def _check(world: World, crashes: tuple[int, ...], wanted: Any) -> None:
    try:
        found = _rest(world)
        demand(found == wanted, f"it came to {found}, and without a crash to {wanted}")
    except BrokenPromise as error:
        raise BrokenPromise(f"crashed at {crashes}: {error}") from error


def _rest(world: World) -> Any:
    """Run to the end without a crash, check it, and tell the final state without names and times."""
    demand(world.live(NEVER), "it crashed by itself")
    store = world.store()
    try:
        check_rest(world.outer.world(store))
        return _state(store, world.outer)
    finally:
        store.close()


def _state(store: Store, outer: Outer) -> Any:
    ends = dict[str, str]()
    for key, (kind, said) in outer.answers.items():
        row = store.saga(said) if kind == "saga" else None
        ends[key] = row.status if isinstance(row, SagaRow) else f"{kind} {said}"
    entities: list[tuple[str, Iterable[str]]] = [(PAYMENT, CUSTOMERS), (INVENTORY, PRODUCTS), (SHELF, SHELVES)]
    rows = [store.entity(service, name) for service, names in entities for name in names]
    bodies = [row.body for row in rows if isinstance(row, EntityRow)]
    return ends, bodies, dict(outer.outside.books.entities[PAYMENT])


class _Outer(Outer):
    """Clients that want a few orders, and participants with a boundary before and after each effect."""

    def __init__(self, cross: Callable[[], None]) -> None:
        super().__init__(0)
        self.waiting += orders()
        self.cancels = 0
        self._cross = cross

    def serve(self, asking: Outgoing) -> Deliver:
        """Serve a request."""
        self._cross()
        hear = super().serve(asking)
        self._cross()
        return hear


class _Memory(MemoryStore):
    """A store with a boundary before and after each commit."""

    def __init__(self, cross: Callable[[], None]) -> None:
        super().__init__()
        self._cross = cross

    def commit(self, changes: Changes) -> None:
        """Commit."""
        self._cross()
        super().commit(changes)
        self._cross()
