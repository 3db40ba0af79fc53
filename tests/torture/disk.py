"""A disk that is full, or fails, at the n-th operation, for every n: as the clients of an engine see it (S3, S4)."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

from amends import AmendsError, Handle, RequestRefused, Saga
from amends.adapters.clock import SystemClock
from amends.adapters.sqlite.store import SqliteStore
from amends.core.messages import Outcome
from amends.engine import loop as loops
from amends.engine import turn_taking
from amends.engine.engine import Engine
from amends.engine.limits import Limits
from amends.errors import EngineStopped, StoreError, StoreFull, StoreUnusable
from amends.shop.payments import PAYMENT
from amends.shop.shipping import SHIPPING
from tests.torture.broken import BrokenPromise, demand
from tests.torture.checks import check_rest
from tests.torture.disks import QuietDisk
from tests.torture.driven import Outer
from tests.torture.shop import CARRIER, COMMANDS, SAGAS, Asked, Parcel

PATIENCE_S: Final = 20.0

Say = Callable[[str], None]


class Faults(NamedTuple):
    """What a run of faults came to.

    Attributes:
        full: so many writes found no space; likewise `failed`, of operations that failed.
        failed: see `full`.
        openings: so many operations failed, or found no space, while a store was made or opened.
        refused: so many requests were refused because there was no space.
        stopped: so many engines stopped because an operation failed.
        seconds: how long it took.
    """

    full: int
    failed: int
    openings: int
    refused: int
    stopped: int
    seconds: float


def orders() -> list[Sequence[Asked]]:
    """Return what clients ask for: some of everything, refusals included."""

    def place(key: str, kind: str, customer: str, product: str, quantity: int) -> Asked:
        return Asked(key, kind, ("PLACE_ORDER", customer, product, quantity))

    return [
        [place("a", "home", "C1", "P1", 2)],
        [place("b", "outside", "C1", "P1", 3)],
        [Asked("c", "parcel", Parcel("S1", 2))],
        [Asked("d", "parcel", Parcel("S1", 5))],
        [place("e", "outside", "C4", "P2", 99)],
        [place(f"f{one}", "home", "C2", "P3", 25) for one in range(4)],
        [place("g", "outside", "nobody", "P3", 1)],
    ]


class Counted:
    """A service outside that counts how often it was asked.

    Attributes:
        asked: key to how often.
    """

    def __init__(self, service: Any, asked: Counter[str]) -> None:
        self._service = service
        self.asked = asked

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._service, name)

        async def ask(*given: Any) -> Any:
            await asyncio.sleep(0)
            self.asked[given[-1].key] += 1
            return await function(*given)

        return ask


class Shop:
    """Clients and participants around engines on one disk.

    Attributes:
        asked: key of a request to how often a participant was asked.
        refused: so many requests were refused because there was no space.
    """

    def __init__(self, path: Path, disk: QuietDisk, outer: Outer) -> None:
        self.asked: Counter[str] = Counter()
        self.refused = 0
        self._path = path
        self._disk = disk
        self._outer = outer
        self._lives = 0

    async def live(self, armed: Callable[[QuietDisk], None] | None = None) -> None:
        """Open an engine, have everything served that was not, and wait until it is at rest.

        Args:
            armed: called once it runs.

        Raises:
            EngineStopped: the storage failed.
            StoreUnusable: it cannot be opened.
        """
        self._lives += 1
        services = dict.fromkeys((PAYMENT, SHIPPING), Counted(self._outer.outside, self.asked))
        store = None

        def open_store() -> SqliteStore:
            nonlocal store
            store = SqliteStore(self._path, self._disk.name)
            return store

        loop = loops.EngineLoop(
            open_store, SystemClock, f"l{self._lives}", sagas=SAGAS.values(), commands=COMMANDS,
            clients={**services, CARRIER: Counted(self._outer.carrier, self.asked)},
            limits=Limits(queue_max=1000, drain_s=0),
        )  # fmt: skip
        engine = Engine(loop)
        async with engine:
            assert store is not None
            store._database._connection.wal_autocheckpoint(20)
            if armed:
                armed(self._disk)
            telling = asyncio.create_task(self._outer.carrier.tell_all(lambda *said: self._tell(engine, *said)))
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._serve(engine)
            finally:
                telling.cancel()
                with suppress(asyncio.CancelledError, EngineStopped):
                    await telling

    async def _serve(self, engine: Engine) -> None:
        asked = [self._ask(engine, some) for some in list(self._outer.waiting)]
        for error in await asyncio.gather(*asked, return_exceptions=True):
            if error is not None:
                raise error
        known = [answer[1] for answer in self._outer.answers.values() if answer[0] == "saga"]
        for result in await asyncio.gather(*map(engine.result, known)):
            end = type(result.state).__name__.lower()
            before = self._outer.ends.setdefault(result.saga_id, end)
            demand(end == before, f"{result.saga_id} had ended as {before}, and now as {end}")
        while self._outer.carrier.untold():
            if engine._loop.stopped is not None:
                raise engine._loop.stopped
            await asyncio.sleep(0.001)

    async def _ask(self, engine: Engine, asked: Sequence[Asked]) -> None:
        first, outer = asked[0], self._outer
        command = first.command
        if command is not None:
            await self._until_space(lambda: engine.carry_out(command, first.entity_id, first.asked, key=first.key))
            outer.answer(first, "done", "")
        else:
            keys, wanted = [one.key for one in asked], [one.asked for one in asked]
            begun = await self._until_space(lambda: _all_begun(engine, SAGAS[first.kind], wanted, keys))
            for one, handle in zip(asked, begun, strict=True):
                is_refused = isinstance(handle, RequestRefused)
                outer.answer(one, *(("refused", str(handle)) if is_refused else ("saga", handle.saga_id)))
        outer.waiting.remove(asked)

    async def _tell(self, engine: Engine, key: str, outcome: Outcome) -> None:
        await self._until_space(lambda: engine.answer(key, outcome))
        self._outer.heard.add(key)

    async def _until_space(self, ask: Callable[[], Any]) -> Any:
        while True:
            try:
                return await ask()
            except StoreFull:
                self.refused += 1
                await asyncio.sleep(0.002)
                self._disk.fault = None  # somebody made space


async def _all_begun(engine: Engine, saga: Saga, wanted: list[Any], keys: list[str]) -> list[Handle | AmendsError]:
    """Start all of them, or raise what kept some from it: those that were started show again under their keys."""
    begun = await engine.submit_many(saga, wanted, keys=keys)
    for one in begun:
        if isinstance(one, StoreError):
            raise one
    return begun


def full_at(number: int, heals_after: int = 30) -> Callable[[QuietDisk], None]:
    """Return what lets a disk be full from the n-th write on, until somebody makes space or so many failed."""

    def arm(disk: QuietDisk) -> None:
        left = [number]

        def fault(operation: str, name: str) -> None:
            left[0] -= operation == "write"
            if operation == "write" and left[0] <= 0:
                if left[0] <= -heals_after:
                    disk.fault = None
                raise apsw.FullError("no space")

        disk.fault = fault

    return arm


def fails_at(number: int, met: list[str]) -> Callable[[QuietDisk], None]:
    """Return what lets the n-th operation of a disk fail, and every one after it."""

    def arm(disk: QuietDisk) -> None:
        left = [number]

        def fault(operation: str, name: str) -> None:
            left[0] -= 1
            if left[0] <= 0:
                met.append(operation)
                raise apsw.IOError("the disk failed")

        disk.fault = fault

    return arm


@contextmanager
def short_pauses() -> Iterator[None]:
    """An engine tries again soon when there is no space."""
    before, turn_taking.SPACE_PAUSE_S = turn_taking.SPACE_PAUSE_S, 0.002  # type: ignore[misc]
    try:
        yield
    finally:
        turn_taking.SPACE_PAUSE_S = before  # type: ignore[misc]


def prepared(folder: Path) -> tuple[Outer, dict[str, bytes]]:
    """Return a world with customers and products, and the files of a disk that knows them."""
    outer, disk = Outer(0), QuietDisk()
    asyncio.run(Shop(folder / "disk.db", disk, outer).live())
    return outer, disk.files()


def begun(folder: Path) -> tuple[Shop, QuietDisk, Outer]:
    """Return clients that want their orders, and their disk."""
    outer, files = prepared(folder)
    outer.waiting = orders()
    disk = QuietDisk(files)
    return Shop(folder / "disk.db", disk, outer), disk, outer


def settled(folder: Path, disk: QuietDisk, outer: Outer) -> None:
    """Check everything once it is at rest."""
    disk.fault = None
    demand(not outer.waiting, f"never answered: {outer.waiting}")
    store = SqliteStore(folder / "disk.db", disk.name)
    try:
        check_rest(outer.world(store))
        found = store._database._connection.pragma("integrity_check")
        demand(found == "ok", f"integrity_check: {found}")
    finally:
        store.close()


def full(folder: Path, number: int) -> tuple[int, bool]:
    """Be full at the n-th write, and go on without a restart; how many were refused, and whether there was one."""
    shop, disk, outer = begun(folder)
    asyncio.run(shop.live(full_at(number)))
    was_met = disk.fault is None
    twice = {key: count for key, count in shop.asked.items() if count > 1}
    demand(not twice, f"answers were lost, so these were asked again: {twice}")
    settled(folder, disk, outer)
    return shop.refused, was_met


def failed(folder: Path, number: int, chance: random.Random | None) -> tuple[bool, bool]:
    """Fail at the n-th operation, and go on with the next start; whether the engine stopped, and whether it failed.

    Args:
        folder: for the lock file.
        number: of the operation.
        chance: draws what the disk holds then; ``None`` when it holds everything.
    """
    shop, disk, outer = begun(folder)
    met: list[str] = []
    stopped = False
    try:
        asyncio.run(shop.live(fails_at(number, met)))
    except EngineStopped as error:
        stopped = True
        demand("storage failed" in str(error), f"it does not say why: {error}")
    disk.fault = None
    if chance:
        shop._disk = disk = disk.after_cut(chance)
    demand(stopped or not outer.waiting, "it did not stop, and did not answer")
    asyncio.run(shop.live())
    settled(folder, disk, outer)
    return stopped, bool(met)


def _unopened(folder: Path, error: type[apsw.Error], is_new: bool, number: int) -> tuple[int, bool]:
    """Fail at the n-th operation of an opening; the next one finds everything. 0, and whether it failed.

    Args:
        folder: for the lock file.
        error: what it fails with.
        is_new: whether there was no store before.
        number: of the operation.
    """
    outer, files = (Outer(0), {}) if is_new else prepared(folder)
    outer.waiting += orders()
    disk, left = QuietDisk(files), [number]

    def fault(_operation: str, _name: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise error("as told")

    disk.fault = fault
    try:
        SqliteStore(folder / "disk.db", disk.name).close()
    except StoreUnusable as unusable:
        demand("\n" not in str(unusable) and "disk.db" in str(unusable), f"unclear: {unusable}")
    disk.fault = None
    asyncio.run(Shop(folder / "disk.db", disk, outer).live())
    settled(folder, disk, outer)
    return 0, left[0] <= 0


def run(folder: Path, every: int, say: Say) -> Faults:
    """Let every n-th operation fail.

    Args:
        folder: for lock files.
        every: 1 for each, 2 for every second, ...
        say: told how far it is.

    Raises:
        BrokenPromise: with the operation's number.
    """
    began, chance = time.monotonic(), random.Random(every)
    with short_pauses():
        fulls = _each("no space at write", every, lambda number: full(folder, number))
        say(f"no space at {len(fulls)} writes: {sum(fulls)} requests refused")
        fails = _each("operation", every, lambda number: failed(folder, number, chance if number % 2 else None))
        say(f"{len(fails)} operations failed, {sum(fails)} engines stopped")
        kinds = [(error, is_new) for error in (apsw.FullError, apsw.IOError) for is_new in (True, False)]
        openings = [len(_each("opening, operation", every, partial(_unopened, folder, *kind))) for kind in kinds]
        say(f"{sum(openings)} openings failed")
    return Faults(len(fulls), len(fails), sum(openings), sum(fulls), sum(fails), time.monotonic() - began)


def _each(what: str, every: int, attempt: Callable[[int], tuple[int, bool]]) -> list[int]:
    """Make attempts with growing numbers, until one does not meet its fault; what the others came to."""
    came_to = list[int]()
    for number in itertools.count(1, every):
        try:
            result, was_met = attempt(number)
        except BrokenPromise as error:
            raise BrokenPromise(f"{what} {number}: {error}") from error
        if not was_met:
            break
        came_to.append(result)
    return came_to
