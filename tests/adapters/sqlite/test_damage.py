"""Flipped bits and cut files: never a wrong value, and never an error that is not ours (faults S5 and R5)."""

from __future__ import annotations

import logging
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

import amends
from amends import GONE, Done, Later, Saga, external, local
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreFailed, StoreUnusable
from amends.storage.blocks import head_after
from amends.storage.ports import SagaFilter, Store
from amends.storage.rows import Block, Unreadable
from tests.adapters.sqlite.work import Work, check, keys_sorted_in_early
from tests.contract.everything import everything
from tests.contract.rows import Writer, entity, key, saga
from tests.contract.subjects import damage

FLIPS = int(os.environ.get("AMENDS_FLIPS", "180"))
"""How many flipped bits to draw, in raw pages and again in values."""
PARTS = 6
COMMITS = 12
SET_ASIDE = Unreadable("saga", "S99", "torn")
VALUES = {
    "sagas": "id definition status due_ms started_ms changed_ms version checksum request body",
    "entities": "service id version checksum body",
    "client_keys": "digest key request answer saga checksum",
    "blocks": "at_ms before head started ended checksum records",
    "counts": "definition status sagas",
    "subjects": "subject block",
    "set_aside": "kind name why checksum",
    "shapes": "kind name since_ms checksum shape",
}
ROW = {
    "entities": "service, id",
    "counts": "definition, status",
    "subjects": "subject, block",
    "shapes": "kind, name, since_ms",
}
__all__ = ["keys_sorted_in_early"]


@pytest.fixture(scope="module")
def work() -> Work:
    """Return what is in the store that is damaged."""
    return Work(5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, work: Work) -> Path:
    """Return a store that nothing is wrong with."""
    file = tmp_path_factory.mktemp("whole") / "store.db"
    with pytest.MonkeyPatch.context() as patch, closing(SqliteStore(file)) as store:
        patch.setattr("amends.adapters.sqlite.client_keys.UNSORTED_MAX", 12)
        for number in range(1, COMMITS + 1):
            store.commit(work.changes(number))
        store.commit(Writer(store).changes(SET_ASIDE))
    with closing(SqliteReader(file)) as reader:
        assert list(reader.problems()) == []
    return file


@pytest.fixture
def file(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copy(whole, tmp_path / "store.db"))


def problems(file: Path) -> list[str]:
    """Return what the check finds; that it cannot be read at all is a finding, too."""
    try:
        with closing(SqliteReader(file)) as reader:
            return list(reader.problems())
    except StoreUnusable as error:
        return [str(error)]


def is_sound(block: Block) -> bool:
    """Whether a block's records are those that its head was made of."""
    return block.head == head_after(block.before, block.records)


def differences(found: dict[str, Any], true: dict[str, Any]) -> Iterator[str]:
    """Yield what is missing. Fails when anything is there that is not true."""
    assert found["head"] == true["head"]
    for row in found["set aside"]:
        assert row in true["set aside"] or row.why != SET_ASIDE.why
    for name in ("sagas", "entities", "every entity", "by ids", "keys"):
        yield from _missing_rows(found[name], true[name])
    yield from _missing_blocks(found, true)
    for name in ("listings", "counts", "oldest", "due", "shapes"):
        if _readable(found[name]) != _readable(true[name]):
            yield name


def _missing_rows(found: Any, true: Any) -> Iterator[str]:
    rows, others = (value if isinstance(value, dict) else dict(enumerate(value)) for value in (found, true))
    for name in rows | others:
        row, other = rows.get(name), others.get(name)
        assert row == other or row is None or isinstance(row, Unreadable), (row, other)
        if row is None and other is not None:
            yield f"{other} is missing"


def _missing_blocks(found: dict[str, Any], true: dict[str, Any]) -> Iterator[str]:
    for blocks, others in zip([found["blocks"], *found["about"]], [true["blocks"], *true["about"]], strict=True):
        for block in blocks:
            assert block in others or not block.head or not is_sound(block), block
        if [block.number for block in blocks] != [block.number for block in others]:
            yield "a block is missing"


def _readable(value: Any) -> Any:
    if isinstance(value, list):
        return [_readable(one) for one in value if not isinstance(one, Unreadable)]
    return value


def is_honest(file: Path, work: Work, true: dict[str, Any]) -> bool:
    """Whether a store is all there, or says that it is not. Fails when it tells anything that is not true."""
    try:
        with closing(SqliteStore(file)) as store:
            missing = list(differences(everything(store, work.names()), true))
    except (StoreUnusable, StoreFailed):
        return True
    return not missing or bool(problems(file))


@pytest.fixture(scope="module")
def true(whole: Path, work: Work) -> dict[str, Any]:
    """Return what is in the store."""
    with closing(SqliteStore(whole)) as store:
        return everything(store, work.names())


@pytest.mark.parametrize("part", range(PARTS))
def test_a_flipped_bit_in_a_page_is_no_wrong_value(
    whole: Path, tmp_path: Path, work: Work, true: dict[str, Any], part: int
) -> None:
    """It is found where it matters, or the store is not opened."""
    held = whole.read_bytes()
    for seed in range(part, FLIPS, PARTS):
        bit = random.Random(seed).randrange(len(held) * 8)
        flipped = bytearray(held)
        flipped[bit // 8] ^= 1 << bit % 8
        file = tmp_path / "store.db"
        file.write_bytes(flipped)
        assert is_honest(file, work, true), f"seed {seed}: bit {bit}"


@pytest.mark.parametrize("part", range(PARTS))
def test_a_flipped_bit_in_a_value_is_no_wrong_value(
    whole: Path, tmp_path: Path, work: Work, true: dict[str, Any], part: int
) -> None:
    """In any column of any table; the rows beside it are read as ever."""
    for seed in range(part, FLIPS, PARTS):
        file = Path(shutil.copy(whole, tmp_path / "store.db"))
        flip_a_value(file, random.Random(seed))
        assert is_honest(file, work, true), f"seed {seed}"


@pytest.mark.parametrize("size", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_is_no_shorter_store(
    whole: Path, file: Path, work: Work, true: dict[str, Any], size: float
) -> None:
    """It is not opened, or what is gone is found."""
    os.truncate(file, int(whole.stat().st_size * size))
    assert is_honest(file, work, true)


@pytest.mark.usefixtures("keys_sorted_in_early")
def test_a_flipped_bit_in_the_log_leaves_an_earlier_store(tmp_path: Path) -> None:
    """SQLite takes the log for as long as it is whole: what is read is what was there after some commit."""
    work, folder = Work(6), tmp_path / "killed"
    folder.mkdir()
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        for number in range(1, COMMITS + 1):
            store.commit(work.changes(number))
        log = (tmp_path / "store.db-wal").read_bytes()
        held = (tmp_path / "store.db").read_bytes()
    for seed in range(FLIPS // 10):
        bit = random.Random(seed).randrange(len(log) * 8)
        flipped = bytearray(log)
        flipped[bit // 8] ^= 1 << bit % 8
        (folder / "store.db").write_bytes(held)
        (folder / "store.db-wal").write_bytes(flipped)
        with suppress(StoreUnusable), closing(SqliteStore(folder / "store.db")) as store:
            check(store, work)


@pytest.mark.parametrize("kind", ["saga", "entity", "key"])
def test_an_unreadable_row_hinders_no_other(tmp_path: Path, kind: str) -> None:
    """It is named, with what is wrong with it, by everything that reads it."""
    file = tmp_path / "store.db"
    with closing(SqliteStore(file)) as store:
        write = Writer(store)
        write(*(saga(f"S{i}") for i in range(3)), *(entity(f"S{i}", service="S") for i in range(3)))
        write(*(key(f"S{i}", f"S{i}") for i in range(3)))
        before = _all(store)
        damage(file, kind, "S/S1" if kind == "entity" else "S1")
        after = _all(store)
        assert {name: row for name, row in after.items() if row != before[name]} == {
            (kind, "S1"): Unreadable(kind, "S/S1" if kind == "entity" else "S1", _why(kind))
        }
        listed = list(store.listing(SagaFilter()))
        assert [row for row in listed if not isinstance(row, Unreadable)] == [
            before["saga", f"S{i}"] for i in (2, 1, 0) if (kind, i) != ("saga", 1)
        ]
        assert [entry[1] for entry in store.due([saga("S").definition], 2**62, 9)] == ["S0", "S1", "S2"]
        write(saga("S9"))


def _why(kind: str) -> str:
    return "text that is not UTF-8" if kind == "key" else "its checksum does not match its values"


def _all(store: Store) -> dict[tuple[str, str], Any]:
    names = [f"S{i}" for i in range(3)]
    return (
        {("saga", name): row for name, row in store.sagas(names).items()}
        | {("key", name): row for name, row in store.keys(names).items()}
        | {("entity", name): store.entity("S", name) for name in names}
    )


def flip_a_value(file: Path, chance: random.Random) -> None:
    """Flip a bit of a value."""
    with closing(apsw.Connection(str(file))) as connection:
        table = chance.choice(list(VALUES))
        column = chance.choice(VALUES[table].split())
        names = ROW.get(table, "rowid")
        values = f"typeof({column}), CAST({column} AS BLOB), {names}"
        rows: list[Any] = connection.execute(f"SELECT {values} FROM {table}").fetchall()  # noqa: S608 - our own names
        kind, value, *name = chance.choice(rows)
        where = " AND ".join(f"{one} = ?" for one in names.split(", "))
        with suppress(apsw.ConstraintError):  # another row is called so
            change = _changed(kind, value, chance)
            connection.execute(f"UPDATE {table} SET {column} = {change} WHERE {where}", name)  # noqa: S608


def _changed(kind: str, value: bytes, chance: random.Random) -> str:
    """Return a value with a flipped bit, as SQL."""
    if kind == "null":
        return "7"
    if kind == "integer":
        return str(int(value) ^ 1 << chance.randrange(63))
    bit = chance.randrange(len(value) * 8 or 1)
    held = bytearray(value or b"\0")
    held[bit // 8] ^= 1 << bit % 8
    return f"x'{held.hex()}'" if kind == "blob" else f"CAST(x'{held.hex()}' AS TEXT)"


# Opening an engine ---------------------------------------------------------------------------------------------

PAGE = 8_192
LATER = Saga(
    "later",
    int,
    [
        local("NOTED", lambda old, n: n, undo=lambda old, n: GONE, undone="UNNOTED", entity=str),
        external("SENT", lambda client, n, call: Later(3600), undo=lambda client, n, call: Done(), undone="UNSENT"),
    ],
)


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a store in which every table has pages, and many sagas wait."""
    file = tmp_path_factory.mktemp("waiting") / "store.db"
    with amends.open(f"sqlite:///{file}", sagas=[LATER]) as engine:
        for start in range(0, 300, 50):
            numbers = range(start, start + 50)
            engine.submit_many(LATER, list(numbers), keys=[f"key {number}" for number in numbers])
    with closing(SqliteStore(file)) as store:
        store.commit(Writer(store).changes(SET_ASIDE))
    return file.read_bytes()


def zeros(_page: bytes, _chance: random.Random) -> bytes:
    """A page that the file system lost."""
    return bytes(PAGE)


def noise(_page: bytes, chance: random.Random) -> bytes:
    """A page of something else."""
    return chance.randbytes(PAGE)


def noise_inside(page: bytes, chance: random.Random) -> bytes:
    """A torn page: its head is sound."""
    return page[: PAGE // 2] + chance.randbytes(PAGE // 2)


def another_kind(page: bytes, chance: random.Random) -> bytes:
    """A page whose head is not."""
    held = bytearray(page)
    held[chance.randrange(12)] ^= 0xFF
    return bytes(held)


@pytest.mark.parametrize("spoil", [zeros, noise, noise_inside, another_kind], ids=lambda spoil: spoil.__name__)
def test_a_damaged_page_of_any_table_opens_or_is_unusable(
    waiting: bytes, tmp_path: Path, spoil: Callable[[bytes, random.Random], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Each page in turn: nothing else is raised than StoreUnusable, which names the file."""
    caplog.set_level(logging.CRITICAL)
    file, chance, refusals = tmp_path / "store.db", random.Random(1), list[str]()
    for start in range(0, len(waiting), PAGE):
        page = spoil(waiting[start : start + PAGE], chance)
        file.write_bytes(waiting[:start] + page + waiting[start + PAGE :])
        try:
            with amends.open(f"sqlite:///{file}", sagas=[LATER]):
                pass
        except StoreUnusable as error:
            refusals.append(str(error))
    assert refusals
    assert all(str(file) in refusal for refusal in refusals)
