"""Client keys, which come in no order at all, and are found by the four bytes of a digest.

A B-tree of a million random keys has a page for each new key to change: writing them would cost more than all the rest
of a commit. So the digests that came last are kept in memory, and are sorted into the B-tree a slice of all digests at
a time, which lie side by side in it. What is not sorted in yet is read from the keys themselves at the next start.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from amends.adapters.sqlite.database import Connection
from amends.adapters.sqlite.rows import NOT_UTF_8, WRONG_CHECKSUM, Values, digest_of, key_of
from amends.errors import StoreConflict
from amends.storage.rows import KeyRow, Unreadable, checksum

SLICES: Final = 64  # what is left of the 32 bits of a digest beside `SLICE_BITS`: 6
SLICE_BITS: Final = 26  # of the 32 of a digest
UNSORTED_MAX: Final = 65_536  # some 10 MB of memory, and 0.1 s at the next start

CAUGHT_UP_MAX: Final = 4 * UNSORTED_MAX  # that a reader remembers: some 40 MB; its writer has sorted most of them in

Digests = dict[int, tuple[int, ...]]  # digest to the rows of its keys: one, but for chance


class ClientKeys:
    """What the keys of clients stand for. The only user of their tables."""

    def __init__(self, database: Connection) -> None:
        """Read which keys are not sorted in.

        Raises:
            StoreBusy, StoreFailed: they cannot be read.
        """
        self._database = database
        self._sorted_in: list[int] = []
        self._new: list[tuple[int, int]] = []
        self._gone: list[tuple[int, int]] = []
        self._known_new: set[str] = set()  # asked for in vain since the last commit
        self._load()

    def _load(self) -> None:
        self._through = [0] * SLICES
        for piece, through in self._database.rows("key_slices"):
            if 0 <= piece < SLICES and isinstance(through, int):
                self._through[piece] = through
        self._unsorted: list[Digests] = [{} for _ in range(SLICES)]
        self._last = max(self._through)
        self._count = 0
        self._remember(self._database.rows("key_digests", (min(self._through),)))
        self.revoke()

    def catch_up(self) -> None:
        """Read which keys another process has written since; as it sorts some in, they are forgotten here in time."""
        if self._count > CAUGHT_UP_MAX:
            self._load()
        else:
            self._remember(self._database.rows("key_digests", (self._last,)))

    def find(self, keys: Collection[str]) -> dict[str, KeyRow | Unreadable]:
        """What these client keys stand for; those that are new are left out."""
        self._load_if_unsettled()
        asked: dict[int, list[str]] = {}
        for key in keys:
            asked.setdefault(digest_of(key), []).append(key)
        found: dict[str, KeyRow | Unreadable] = {}
        for digest, _, values in self._of_digests(list(asked)):
            name = values[0] if values else None
            if name in asked[digest]:
                found[name] = key_of(name, values)
            elif not isinstance(name, str) or digest_of(name) != digest:  # it was one of those
                why = WRONG_CHECKSUM if values else NOT_UTF_8
                found |= {key: Unreadable("key", key, why) for key in asked[digest]}
        self._known_new = {key for key in keys if key not in found}
        return found

    def change(self, new: Sequence[KeyRow], gone: Sequence[KeyRow]) -> None:
        """Write new ones and delete others, inside a transaction; `settle` follows when it is committed.

        Raises:
            StoreConflict: a new one stands for something already, or one that is to go is not as it was read.
        """
        self._load_if_unsettled()
        names = {row.key for row in new}
        unasked = names - self._known_new  # whoever decided on a commit has asked just now, and nobody else writes
        if len(names) < len(new) or (unasked and self.find(unasked)):
            raise StoreConflict("a client key stands for something already")
        self._is_settled = False
        self._delete(gone)
        self.add(new)

    def add(self, new: Sequence[KeyRow]) -> None:
        """Write some that are `missing`, inside a transaction; `settle` follows when it is committed."""
        self._is_settled = False
        self._new = [(digest_of(row.key), number) for number, row in enumerate(new, self._last + 1)]
        rows = [(number, digest, *row, checksum(row)) for (digest, number), row in zip(self._new, new, strict=True)]
        self._database.write("insert_key", rows)
        self._sorted_in = self._sort_in() if self._count + len(new) > UNSORTED_MAX else []

    def missing(self, keys: Sequence[KeyRow]) -> list[KeyRow]:
        """Those of some rows that are not there just so, whatever else their keys stand for."""
        self._load_if_unsettled()
        there = {values[:-1] for _, _, values in self._of_digests(sorted({digest_of(row.key) for row in keys}))}
        return [row for row in keys if tuple(row) not in there]

    def settle(self) -> None:
        """The transaction is committed: remember what it wrote."""
        for piece in self._sorted_in:
            self._count -= sum(map(len, self._unsorted[piece].values()))
            self._unsorted[piece] = {}
            self._through[piece] = self._last
        self._remember(self._new)
        self._forget(self._gone)
        self.revoke()

    def revoke(self) -> None:
        """The transaction was rolled back, or there was none: forget what it would have written."""
        self._sorted_in, self._new, self._gone = [], [], []
        self._known_new = set()
        self._is_settled = True

    def _load_if_unsettled(self) -> None:
        """Read anew after a transaction that was interrupted: how it ended is not known."""
        if not self._is_settled:
            self._load()

    def _delete(self, keys: Sequence[KeyRow]) -> None:
        wanted = {row.key: row for row in keys}
        found = self._of_digests(sorted({digest_of(key) for key in wanted}))
        self._gone = [(digest, row) for digest, row, values in found if values and wanted.get(values[0]) == values[:-1]]
        if len(self._gone) != len(keys):
            raise StoreConflict("a client key is not what was archived")
        self._database.write("delete_key", [(row,) for _, row in self._gone])
        self._database.write("delete_key_row", self._gone)

    def _of_digests(self, digests: list[int]) -> Iterator[tuple[int, int, Values]]:
        """The keys of some digests, as (digest, row, values); no values where the row holds what is no text."""
        unsorted = {row: digest for digest in digests for row in self._unsorted[_slice_of(digest)].get(digest, ())}
        for row, *values in self._database.found("keys_of_rows", list(unsorted)):
            yield unsorted[row], row, tuple(values)
        for digest, *values in self._database.found("keys_of_digests", digests):
            yield digest, values[0] if values else 0, tuple(values[1:])

    def _sort_in(self) -> list[int]:
        """Sort in the slices that have waited longest, until few enough are left. Returns which."""
        sorted_in = []
        left, gone = self._count + len(self._new), set(self._gone)
        for piece in sorted(range(SLICES), key=self._through.__getitem__):
            if left <= UNSORTED_MAX:
                break
            rows = [(digest, row) for digest, found in sorted(self._unsorted[piece].items()) for row in found]
            self._database.write("insert_key_row", [row for row in rows if row not in gone])
            self._database.write("put_key_slice", [(piece, self._last)])
            left -= len(rows)
            sorted_in.append(piece)
        return sorted_in

    def _remember(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for digest, row in rows:
            piece = _slice_of(digest)
            if row > self._through[piece]:
                unsorted = self._unsorted[piece]
                unsorted[digest] = (*unsorted.get(digest, ()), row)
                self._count += 1
            self._last = max(self._last, row)

    def _forget(self, rows: Sequence[tuple[int, int]]) -> None:
        for digest, row in rows:
            unsorted = self._unsorted[_slice_of(digest)]
            if row in unsorted.get(digest, ()):
                unsorted[digest] = tuple(other for other in unsorted[digest] if other != row)
                self._count -= 1


def _slice_of(digest: int) -> int:
    return (digest >> SLICE_BITS) & (SLICES - 1)
