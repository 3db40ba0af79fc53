"""A shop moves from a file into a PostgreSQL: all of it, once, however often the move is killed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from amends.adapters.postgres import PostgresClientStore, PostgresStore, address_of
from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.moving import PostgresMoveTarget
from amends.adapters.postgres.reader import PostgresReader
from amends.adapters.sqlite import database, moving
from amends.adapters.sqlite.client_store import SqliteClientStore
from amends.adapters.sqlite.mailbox import SqliteMailbox
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreBusy, StoreConflict, StoreFailed, StoreUnusable
from amends.storage.ports import ALL
from amends.storage.shards import ALL_SHARDS
from tests.adapters.postgres.moves import canceled, everything, moved, start, write
from tests.contract.rows import Writer, key, saga
from tests.postgres import schema, server

ROOT = Path(__file__).parents[3]
BOUND_S = 60.0  # for a process that moves a small shop in a second
MEMORY_KB = 100_000  # more than for a small shop: some pages of 4 MB at each end
STEPS_MAX = 100  # to end a move: there are some 20 statements
Steps = list[tuple[Any, str]]
COMMITS: Steps = [
    *[(moving.SqliteMoveSource, name) for name in ("leave", "close_mailbox", "stay")],
    *[(PostgresMoveTarget, name) for name in ("begin", "write", "open_up", "clear")],
]
"""What leaves the two databases otherwise than they were: of a kill within one of these nothing else is left."""
STATEMENTS: Steps = [
    (PostgresConnection, "_piped"), (psycopg.Connection, "execute"), (database.Connection, "define"),
    (database.Connection, "write"),
]  # fmt: skip
"""All by which a move reaches one of the two."""
EACH_STEP = pytest.mark.parametrize(
    "steps", [COMMITS, pytest.param(STATEMENTS, marks=pytest.mark.torture)], ids=["commit", "statement"]
)


class Killed(BaseException):
    """The process was killed: nothing that it would have done is done any more, but what the system does."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store."""
    folder = tmp_path_factory.mktemp("shop")
    write(folder / "shop.db")
    return folder


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    """Return a store of its own."""
    return copied(written, tmp_path / "shop")


def test_all_that_can_be_read_is_there(path: Path, url: str) -> None:
    """Row by row, in the order of the starts; the shapes; and the letters, which are nowhere else any more."""
    with closing(SqliteStore(path)) as source:
        before, shapes, of_file = everything(source), source.shapes(), letters_of(source)
    shop = moved(path, url)
    with closing(PostgresStore(url)) as target:
        assert everything(target) == before
        assert (target.shapes(), letters_of(target)) == (shapes, of_file)
        assert target.chains() == [""]
    with closing(SqliteReader(path)) as source:
        assert everything(source) == before
    assert shop.head == before["head"]
    assert shop.rows["sagas"] == len(before["sagas"]) == 7
    assert (shop.rows["letters"], shop.rows["mailbox"]) == (2, 3)


def letters_of(store: SqliteStore | PostgresStore) -> list[Any]:
    """Return what waits: answers and verbs, and then starts, the engine's own first."""
    return list(store.mailbox.letters(ALL_SHARDS, ALL))


def test_what_was_damaged_is_as_damaged_there(tmp_path: Path, url: str) -> None:
    """It is neither mended nor lost."""
    path = tmp_path / "shop.db"
    write(
        path,
        damaged=[
            "UPDATE sagas SET body = body || ' ' WHERE id = 'S0'",
            "UPDATE entities SET version = 9 WHERE id = 'E0'",
            "UPDATE client_keys SET answer = '7' WHERE key = 'K2'",
            "UPDATE blocks SET started = 9 WHERE number = 2",
            "UPDATE blocks SET records = records || ' ' WHERE number = 3",
        ],
    )
    moved(path, url)
    with closing(PostgresReader(address_of(url))) as target, closing(SqliteReader(path)) as source:
        assert without_times(everything(target)) == without_times(everything(source))


def without_times(read: dict[str, Any]) -> dict[str, Any]:
    """What was read, but for blocks about a subject: they come by their times, which damaged ones have not."""
    return {name: value for name, value in read.items() if name != "about"}


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("UPDATE sagas SET body = CAST(x'ff' AS TEXT) WHERE id = 'S1'", "a row of sagas has text that is not UTF-8"),
        ("UPDATE entities SET body = CAST(x'ff' AS TEXT)", "a row of entities has text that is not UTF-8"),
    ],
)
def test_what_no_other_database_takes_is_named(damage: str, what: str, tmp_path: Path, url: str) -> None:
    """The move ends, and can be taken back."""
    path = tmp_path / "shop.db"
    write(path, damaged=[damage])
    with pytest.raises(StoreUnusable, match=what):
        moved(path, url)
    canceled(path, url)
    SqliteStore(path).close()


# Where the shop is -------------------------------------------------------------------------------------------


def test_no_engine_opens_a_file_whose_shop_moves_or_has_moved(path: Path, url: str) -> None:
    """It is told where that is; who looks is told as well, and sees all."""
    with interrupted_at("begin"), pytest.raises(Killed):
        moved(path, url)
    with pytest.raises(StoreUnusable, match=r"its shop is being moved to postgresql://postgres@/postgres.* go on with"):
        SqliteStore(path)
    moved(path, url)
    with pytest.raises(StoreUnusable, match=r"its shop has moved to postgresql://postgres@/postgres.* open that"):
        SqliteStore(path)
    with closing(SqliteReader(path)) as reader:
        assert "its shop has moved to" in reader.warning()
        assert [*reader.problems()] == []
    client = SqliteClientStore(path)
    with pytest.raises(StoreUnusable, match="its shop has moved to"):
        client.records()
    with pytest.raises(StoreBusy, match="connect to that one"):
        client.mailbox.post([start("late")])


def test_clients_write_letters_to_the_file_until_these_move(path: Path, url: str) -> None:
    """None is lost, also where there was no mailbox, and where one was opened before."""
    for file in path.parent.glob("shop.db.mailbox*"):
        file.unlink()
    early = SqliteMailbox(path)
    early.post([start("early")])
    with interrupted_at("close_mailbox"), pytest.raises(Killed):
        moved(path, url)
    early.post([start("meanwhile")])
    moved(path, url)
    with pytest.raises(StoreBusy):
        early.post([start("late")])
    early.close()
    with closing(PostgresStore(url)) as target:
        there = [letter.letter_id for letter in letters_of(target)]
    assert there == ["own 1", "own 2", "early", "meanwhile"]


def test_nobody_uses_a_target_before_all_is_there(path: Path, url: str) -> None:
    """No engine, no client, no reader; also an engine that opened it when it was empty gets no lease."""
    with closing(PostgresStore(url)) as early:
        with interrupted_at("open_up"), pytest.raises(Killed):
            moved(path, url)
        for opened in (PostgresStore, lambda url: PostgresReader(address_of(url)), client_records):
            with pytest.raises(StoreUnusable, match=r"a move into the schema .* is not finished"):
                opened(url)
        with pytest.raises(StoreFailed, match=r"^a move of a shop .* is not finished: run `amends move` again"):
            early.ownership.enter("early", 1_000)
        moved(path, url)
        early.ownership.enter("early", 1_000)


def client_records(url: str) -> None:
    """Read as a client does."""
    PostgresClientStore(address_of(url)).records()


def test_an_engine_that_is_there_goes_before_a_move(path: Path, url: str) -> None:
    """Also one that has done nothing yet. Of one that is gone and has left nothing, nothing stays."""
    with closing(PostgresStore(url)) as other:
        other.ownership.enter("other", 60_000)
        with pytest.raises(StoreUnusable, match="an engine runs on it"):
            moved(path, url)
        SqliteStore(path).close()
        with psycopg.connect(server(), options=f"-c search_path={address_of(url).schema}") as db:
            db.execute("UPDATE leases SET until_ms = 0")
        moved(path, url)
        with pytest.raises(Exception, match="has no lease"):
            other.ownership.renew("other", 60_000)


# Killed ------------------------------------------------------------------------------------------------------


@contextmanager
def killed_behind(place: int, steps: Steps) -> Iterator[list[str]]:
    """Kill what runs when its so many-th step is done and its answer not heard; gives the steps that were taken."""
    taken: list[str] = []

    def killing(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def take(*given: Any, **named: Any) -> Any:
            answer = step(*given, **named)
            taken.append(name)
            if len(taken) == place:
                raise Killed
            return answer

        return take

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in steps:
            patch.setattr(owner, name, killing(name, getattr(owner, name)))
        yield taken


@contextmanager
def interrupted_at(method: str) -> Iterator[None]:
    """Kill a move where it comes to one of its steps."""
    owner: Any = PostgresMoveTarget if hasattr(PostgresMoveTarget, method) else moving.SqliteMoveSource
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, method, be_killed)
        yield


def be_killed(*_: Any, **__: Any) -> None:
    """Be killed."""
    raise Killed


@EACH_STEP
def test_killed_behind_any_step_it_goes_on(written: Path, tmp_path: Path, steps: Steps) -> None:
    """Wherever it was killed there is one shop, or none to open; and then there is all of it."""
    with closing(SqliteStore(written / "shop.db")) as source:
        before, of_file = everything(source), letters_of(source)
    with schema() as url, killed_behind(0, steps) as taken:
        moved(copied(written, tmp_path / "0"), url, page_rows=5)
    assert len(taken) > len(COMMITS)
    for step in range(1, len(taken) + 1):
        path = copied(written, tmp_path / f"{step}")
        with schema() as url:
            with pytest.raises(Killed), killed_behind(step, steps):
                moved(path, url, page_rows=5)
            assert shops(path, url) <= 1
            finish(path, url)
            assert shops(path, url) == 1
            with closing(PostgresStore(url)) as target:
                assert (everything(target), letters_of(target)) == (before, of_file)


def copied(folder: Path, to: Path) -> Path:
    """Return a copy of a store, and of its mailbox."""
    return Path(shutil.copytree(folder, to)) / "shop.db"


def finish(path: Path, url: str) -> None:
    """Run it again."""
    try:
        moved(path, url)
    except StoreUnusable as error:
        assert "already moved to" in str(error)  # noqa: PT017 - where it was killed behind its last step


def shops(path: Path, url: str) -> int:
    """Return in how many databases an engine can open the shop."""
    number = 0
    for opened in (lambda: SqliteStore(path), lambda: PostgresReader(address_of(url))):
        with suppress(StoreUnusable), closing(opened()) as store:
            number += bool(store.head().number)
    return number


@EACH_STEP
def test_an_end_before_the_end_is_killed_behind_any_step(written: Path, tmp_path: Path, steps: Steps) -> None:
    """It goes on as well, and the shop is where it was: engines open it, and clients write letters."""
    with closing(SqliteStore(written / "shop.db")) as source:
        before, of_file = everything(source), letters_of(source)
    for step in range(1, STEPS_MAX):
        path = copied(written, tmp_path / f"{step}")
        with schema() as url:
            with pytest.raises(Killed), interrupted_at("open_up"):
                moved(path, url)
            with suppress(Killed), killed_behind(step, steps) as taken:
                canceled(path, url)
            assert shops(path, url) <= 1
            with suppress(StoreUnusable):  # where it was killed behind its last step
                canceled(path, url)
            with closing(SqliteStore(path)) as source:
                assert (everything(source), letters_of(source)) == (before, of_file)
            with closing(SqliteMailbox(path)) as mailbox:
                mailbox.post([start("later")])
            finish(path, url)
            with closing(PostgresStore(url)) as target:
                assert "later" in {letter.letter_id for letter in letters_of(target)}
        if len(taken) < step:
            return
    pytest.fail("it takes more and more steps")


def test_a_process_that_is_killed_goes_on(written: Path, tmp_path: Path, url: str) -> None:
    """By the system, in the middle, twice."""
    path = copied(written, tmp_path / "shop")
    with closing(SqliteStore(path)) as source:
        put = Writer(source)
        for page in range(10):
            names = [f"{page}-{number}" for number in range(50)]
            put(*map(saga, names), subjects=names)
        before, of_file = without_times(everything(source)), letters_of(source)
    for rows in (1, 300):
        with process(path, url) as mover:
            while mover.poll() is None and rows_in(url) < rows:
                pass  # it ends by itself
            mover.kill()
            mover.wait(BOUND_S)
        assert shops(path, url) <= 1
    finish(path, url)
    with closing(PostgresStore(url)) as target:
        assert (without_times(everything(target)), letters_of(target)) == (before, of_file)


@contextmanager
def process(path: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that moves a shop."""
    words = [sys.executable, "-m", "tests.adapters.postgres.moves", str(path), url, "20"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as mover:
        try:
            yield mover
        finally:
            mover.kill()


def rows_in(url: str) -> int:
    """Return how many sagas are there."""
    in_schema = f"-c search_path={address_of(url).schema}"
    with suppress(psycopg.Error), psycopg.connect(server(), options=in_schema) as db:
        return int(db.execute("SELECT count(*) FROM sagas").fetchall()[0][0])
    return 0


def test_a_connection_that_is_lost_ends_it_with_a_line(path: Path, url: str) -> None:
    """And it goes on when it is run again."""
    with interrupted_at("open_up"), pytest.raises(Killed):
        moved(path, url)
    with psycopg.connect(server(), autocommit=True) as db, pytest.MonkeyPatch.context() as patch:
        end = b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND pid = %s"
        reached = PostgresMoveTarget.reached

        def cut(target: PostgresMoveTarget) -> Any:
            there = reached(target)
            db.execute(end, [target._database._driver.info.backend_pid])  # type: ignore[union-attr]  # it is connected
            return {name: each._replace(place=(), rows=0) for name, each in there.items()}

        patch.setattr(PostgresMoveTarget, "reached", cut)
        with pytest.raises((StoreBusy, StoreConflict)):
            moved(path, url)
    assert shops(path, url) == 0
    finish(path, url)


def test_two_copies_of_a_file_do_not_move_into_one_place_at_once(path: Path, url: str) -> None:
    """What one wrote the other one does not write a second time."""
    with interrupted_at("open_up"), pytest.raises(Killed):
        moved(path, url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresMoveTarget, "reached", lambda _: {})
        with pytest.raises(StoreConflict, match="another process moves the same shop"):
            moved(path, url)
    finish(path, url)


@pytest.mark.torture
def test_a_hundred_thousand_sagas_move_in_bounded_memory(
    written: Path, tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many there are, a page at a time; the rate is printed."""
    path = copied(written, tmp_path / "shop")
    with closing(SqliteStore(path)) as source:
        put = Writer(source)
        for page in range(100):
            names = [f"{page}-{number}" for number in range(1000)]
            put(*map(saga, names), *(key(name, name) for name in names), subjects=names)
    with schema() as other:
        few_kb, _ = measured(written / "shop.db", other)
    many_kb, seconds = measured(path, url)
    assert many_kb - few_kb < MEMORY_KB
    assert shops(path, url) == 1
    with capsys.disabled():
        more = f"with {(many_kb - few_kb) // 1000} MB more than a small shop"
        sys.stdout.write(f"\n100 000 sagas with their keys moved in {seconds:.1f} s, {more}\n")


def measured(path: Path, url: str) -> tuple[int, float]:
    """Move a shop in a process of its own; return its memory at most, in KB, and its seconds."""
    begun = time.monotonic()
    words = [sys.executable, "-m", "tests.adapters.postgres.moves", str(path), url, "2000"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=600, check=True)
    return int(done.stdout), time.monotonic() - begun
