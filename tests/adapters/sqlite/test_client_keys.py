"""Client keys are found, however many there are, in whatever order they came, sorted in or not."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amends.adapters.sqlite import check, client_keys
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.rows import digest_of
from amends.adapters.sqlite.store import SqliteStore
from amends.errors import StoreConflict
from amends.storage.rows import KeyRow
from tests.contract.rows import Writer, key

UNSORTED_MAX = 5
NAMES = [f"key {number}" for number in range(40)]
COMMITS = st.lists(st.sets(st.sampled_from(NAMES), max_size=12), min_size=1, max_size=12)
OPENED_AGAIN = st.sampled_from([False, False, True])


def of_few_digests(name: str) -> int:
    """Return one of four digests, two of them in one slice."""
    return [-(2**31), -1, 0, 1][zlib.crc32(name.encode()) % 4]


@contextmanager
def digests(digest: Callable[[str], int]) -> Iterator[None]:
    """Find keys by another digest, and sort them in early."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client_keys, "UNSORTED_MAX", UNSORTED_MAX)
        patch.setattr(client_keys, "digest_of", digest)
        patch.setattr(check, "digest_of", digest)
        yield


@pytest.mark.parametrize("digest", [digest_of, of_few_digests])
@settings(max_examples=60)  # each opens a dozen files
@given(commits=COMMITS, again=st.lists(OPENED_AGAIN, min_size=12, max_size=12))
def test_keys_are_found(digest: Callable[[str], int], commits: list[set[str]], again: list[bool]) -> None:
    """Those that are new are written, those that are there are deleted; a commit in vain between changes nothing."""
    stored: dict[str, KeyRow] = {}
    with digests(digest), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.db"
        store = SqliteStore(file)
        for names, is_opened_again in zip(commits, again, strict=False):
            new = {name: key(name, request=f"{len(stored)}") for name in names if name not in stored}
            gone = [stored[name] for name in names if name in stored]
            write = Writer(store)
            if stored:
                with pytest.raises(StoreConflict):
                    write(*new.values(), next(iter(stored.values())), gone=gone)
            write(*new.values(), gone=gone)
            stored = {name: row for name, row in stored.items() if row not in gone} | new
            if is_opened_again:
                store.close()
                store = SqliteStore(file)
            assert store.keys(NAMES) == stored
        with closing(SqliteReader(file)) as reader:
            assert list(reader.problems()) == []
        store.close()


def test_a_key_whose_commit_was_interrupted_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C may come between the commit and whatever follows it."""

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with closing(SqliteStore(tmp_path / "store.db")) as store:
        write = Writer(store)
        assert store.keys(["K1"]) == {}
        with monkeypatch.context() as patch:
            patch.setattr(client_keys.ClientKeys, "settle", interrupt)
            with pytest.raises(KeyboardInterrupt):
                write(key("K1"))
        with pytest.raises(StoreConflict):
            write(key("K1"))
        assert store.keys(["K1"]) == {"K1": key("K1")}
        write(key("K2"))
        assert store.keys(["K1", "K2"]) == {"K1": key("K1"), "K2": key("K2")}


def test_a_row_is_not_used_twice(tmp_path: Path) -> None:
    """A key that takes the place of one that is gone is not taken to be sorted in."""
    file = tmp_path / "store.db"
    with digests(digest_of):
        with closing(SqliteStore(file)) as store:
            write = Writer(store)
            last = [key(f"key {number}") for number in range(UNSORTED_MAX)]
            write(*last)
            write(*(key(f"more {number}") for number in range(UNSORTED_MAX)))
            write(gone=last + [key(f"more {number}") for number in range(UNSORTED_MAX)])
        with closing(SqliteStore(file)) as store:
            Writer(store)(key("K1"), key("K2"))
        with closing(SqliteStore(file)) as store:
            assert store.keys(["K1", "K2"]) == {"K1": key("K1"), "K2": key("K2")}


def test_few_keys_wait_to_be_sorted_in(tmp_path: Path) -> None:
    """However many there are, and when they come one by one."""
    with digests(digest_of), closing(SqliteStore(tmp_path / "store.db")) as store:
        write = Writer(store)
        for number in range(60):
            write(key(f"one {number}"))
            assert store._client_keys._count <= UNSORTED_MAX + 1
        write(*(key(f"many {number}") for number in range(600)))
        write(key("last"))
        assert store._client_keys._count <= UNSORTED_MAX + 1


def test_only_keys_that_are_not_sorted_in_are_read_at_the_start(tmp_path: Path) -> None:
    """And those that came after the slice that waits longest: at most two rounds of what may wait."""
    file = tmp_path / "store.db"
    with digests(digest_of):
        with closing(SqliteStore(file)) as store:
            write = Writer(store)
            for number in range(300):
                write(*(key(f"{number} {i}") for i in range(3)))
        with closing(SqliteStore(file)) as store:
            rows = store._database.rows("key_digests", (min(store._client_keys._through),))
            assert 0 < store._client_keys._count <= len(rows) <= 900 // 2


def test_a_digest_is_four_bytes_of_any_text() -> None:
    """The same for ever: it is stored."""
    assert [digest_of(name) for name in ("", "a", "ä", "\udc80", "key 1")] == [
        309_448_485,
        -903_656_363,
        -507_580_561,
        1_303_163_085,
        32_493_826,
    ]
    assert all(-(2**31) <= digest_of(str(number)) < 2**31 for number in range(1_000))
    assert len({client_keys._slice_of(digest_of(str(number))) for number in range(2_000)}) == client_keys.SLICES


@pytest.mark.parametrize("digest", [digest_of, of_few_digests])
@settings(max_examples=30)  # each opens a file and looks for every key after every commit
@given(commits=COMMITS)
def test_a_reader_finds_what_is_written_meanwhile(digest: Callable[[str], int], commits: list[set[str]]) -> None:
    """Whether it was sorted in since the reader looked last or not, and nothing of what has left for an archive."""
    stored: dict[str, KeyRow] = {}
    with digests(digest), tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(client_keys, "CAUGHT_UP_MAX", 2 * UNSORTED_MAX)
        file = Path(folder) / "store.db"
        with closing(SqliteStore(file)) as store, closing(SqliteReader(file)) as reader:
            for names in commits:
                new = {name: key(name, request=f"{len(stored)}") for name in sorted(names - stored.keys())}
                gone = [stored.pop(name) for name in sorted(names & stored.keys())]
                Writer(store)(*new.values(), gone=gone)
                stored |= new
                assert {name: reader.key(name) for name in NAMES} == {name: stored.get(name) for name in NAMES}
