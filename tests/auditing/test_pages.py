"""Pages of a file that are not of its time: whoever walks over its rows comes to an end, and says what is wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from amends import Command, Done, Refused
from amends.adapters.sqlite.backup import backup
from amends.adapters.sqlite.location import SqliteLocation
from amends.adapters.sqlite.opening import PAGE_BYTES
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.auditing.verify import verify
from amends.engine.tasks import ExecuteCommand
from amends.errors import AmendsError
from amends.views.children import archive_of
from amends.views.overview import overview
from amends.views.sagas import AsOf
from amends.views.search import Search, sagas
from amends.views.story import story
from tests.engine.world import START_MS, Buy, Life, tickets

AGES = (1, 4, 20, 60)  # commits: the first pages are full after some of them, and become inner ones
ADD = Command("SEATS_ADDED", "SEATS", lambda seats, more: (seats or 0) + more)
UNSEEN = {"entities", "client_keys"}  # rows of which nothing else in the file tells that they are older: docs/audit.md

pytestmark = pytest.mark.timeout(600)  # some hundred walks, each of which is short, or has no end


class Aged:
    """A store, and what it was at earlier times."""

    def __init__(self, folder: Path) -> None:
        """Write it."""
        self.ages: list[bytes] = []
        path = folder / "shop.db"
        with closing(SqliteStore(path)) as store:
            life = Life(store, tickets())
            for number in range(AGES[-1] + 1):
                if number in AGES:
                    self.ages.append(_copied(path, folder / f"{number}.db"))
                self._work(life, number)
        self.newest = path.read_bytes()
        with closing(apsw.Connection(str(path))) as connection:
            found = connection.execute("SELECT name, pageno, pagetype FROM dbstat").get
        self.owner: dict[int, str] = {page: name for name, page, _ in found}
        self.leaves: defaultdict[str, list[int]] = defaultdict(list)
        for name, page, kind in found:
            if kind == "leaf":
                self.leaves[name].append(page)

    def _work(self, life: Life, number: int) -> None:
        shows = [f"S{(5 * number + more) % 37}" for more in range(5)]
        turn = life.begin(*(Buy(show, 1) for show in shows), keys=[f"{number}.{show}" for show in shows])
        life.turn(ExecuteCommand(ADD, shows[0], 9))
        for place, asking in enumerate(turn.sends[:4]):
            life.answer(asking, Refused("no" * 99) if place else Done("r" * 99))

    def page(self, data: bytes, number: int) -> bytes:
        """Return a page of a file; they count from 1."""
        return data[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]

    def with_page(self, number: int, page: bytes) -> bytes:
        """Return the newest file with another page in a place."""
        return self.newest[: (number - 1) * PAGE_BYTES] + page + self.newest[number * PAGE_BYTES :]


AT = AsOf(START_MS + 300)


def _copied(path: Path, target: Path) -> bytes:
    backup(path, target)
    return target.read_bytes()


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Aged:
    """Return a store and its past."""
    return Aged(tmp_path_factory.mktemp("aged"))


def on(path: Path, look: Callable[[Any], Any]) -> Any:
    """Look at a store; what is wrong with it is an answer, too."""
    try:
        with closing(SqliteReader(path)) as store:
            return look(store)
    except AmendsError as error:
        return error


def every_walk(path: Path) -> Iterator[Any]:
    """Walk over all that is in a file, in each way that there is; give what an engine makes of it last."""
    yield on(
        path, lambda store: [list(sagas(store, Search(statuses=some, limit=10**9), AT)) for some in ((), ("forward",))]
    )
    yield on(path, lambda store: list(sagas(store, Search(started_before_ms=START_MS + 99, limit=10**9), AT)))
    yield on(path, lambda store: overview(store, AT))
    yield on(
        path, lambda store: [(story(store, f"a-{number}", AT), archive_of(store, f"a-{number}")) for number in (1, 99)]
    )
    yield on(path, lambda store: [block.number for block in store.blocks()])
    yield on(path, lambda store: list(store.problems()))
    with suppress(AmendsError):
        yield backup(path, path.with_suffix(".copy"))
    with suppress(AmendsError), closing(SqliteStore(path)) as store:
        life = Life(store, tickets(), prefix="b", now_ms=START_MS + 10**6)
        for _ in range(3):
            life.turn(after_ms=10**5)
        yield life.begin(*(Buy(f"S{number}", 1) for number in range(37)), keys=[f"1.S{number}" for number in range(37)])
    with suppress(AmendsError):
        yield [*SqliteLocation(f"sqlite:///{path}").archive(str(path.with_suffix(".archive")), 2**60)]


def looked_through(path: Path, data: bytes) -> Any:
    """Verify a file, and do everything else with it; give the verdict."""
    path.write_bytes(data)
    verdict = on(path, lambda store: verify(store, problems=store.problems(with_sagas=False)))
    assert list(every_walk(path))
    return verdict


@pytest.mark.parametrize("age", range(len(AGES)), ids=[f"{age} commits" for age in AGES])
def test_an_older_copy_of_a_page(age: int, aged: Aged, tmp_path: Path) -> None:
    """Each page of which there is one, put back: all comes to an end, and it is found where the records can tell."""
    old = aged.ages[age]
    pages = [number for number in range(1, len(old) // PAGE_BYTES + 1) if number in aged.owner]
    tried = 0
    for number in pages:
        if aged.page(old, number) != aged.page(aged.newest, number):
            verdict = looked_through(tmp_path / f"{number}.db", aged.with_page(number, aged.page(old, number)))
            tried += 1
            if aged.owner[number] not in UNSEEN:
                assert isinstance(verdict, AmendsError) or len(verdict.findings), aged.owner[number]
    assert tried >= 7


def test_a_page_in_another_s_place(aged: Aged, tmp_path: Path) -> None:
    """A leaf of a table or an index in the place of a later one, and of an earlier one: rows come again and again."""
    tried = 0
    for name, leaves in sorted(aged.leaves.items()):
        for source, target in [(leaves[0], page) for page in leaves[1:3]] + [(page, leaves[0]) for page in leaves[1:2]]:
            page = aged.page(aged.newest, source)
            verdict = looked_through(tmp_path / f"{source}-{target}.db", aged.with_page(target, page))
            assert isinstance(verdict, AmendsError) or len(verdict.findings), name
            tried += 1
    assert tried >= 8
