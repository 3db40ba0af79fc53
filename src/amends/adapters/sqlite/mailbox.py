"""The mailbox of a store in a file: a second file beside it, which any process may write to.

Writers in the engine's own file would make it wait for each of them. The file is made by the first letter. What an
engine writes to itself is in its own file, as it is part of its commits.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Sequence
from contextlib import closing, suppress
from functools import partial
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Final

import apsw

from amends.adapters.sqlite.database import Connection
from amends.adapters.sqlite.opening import FileId, checked_path, file_id, open_mailbox, sync
from amends.adapters.sqlite.refusals import refusal_of
from amends.adapters.sqlite.removal import LetterRemoval
from amends.adapters.sqlite.rows import INPUTS, STARTS, Lane, letters_of
from amends.adapters.sqlite.settings import put_in_force
from amends.errors import StoreError, StoreFailed
from amends.storage.letters import expect_room, is_start
from amends.storage.ports import LETTERS_MAX, Records
from amends.storage.rows import Letter, checksum
from amends.storage.working import LettersSeen

MAILBOX_ID: Final = int.from_bytes(b"Amnl", "big")
"""Marks a file as a mailbox, as `amends.adapters.sqlite.migrations.APPLICATION_ID` marks a store."""

BEFORE_ALL: Final = ("", 0, "")
"""Before the first letter: none has this number."""

POST_WITHIN_MS: Final = 5_000
"""For how long who posts waits for others that do: some thousand commits."""
LOOK_WITHIN_MS: Final = 20
"""The same for an engine that reads: it waits for a process alone that opens the file, or has it for itself, maybe for
ever. It looks again in half a second, and no turn is to wait longer than for a commit or some."""


def mailbox_of(database: Path) -> Path:
    """The mailbox of a store."""
    return database.with_name(f"{database.name}.mailbox")


class SqliteMailbox:
    """Letters to the engine of a store; see `amends.storage.ports.Mailbox`. It is used by one thread at a time."""

    def __init__(
        self, path: str | os.PathLike[str], letters_max: int = LETTERS_MAX, *, busy_ms: int = POST_WITHIN_MS
    ) -> None:
        """Open nothing yet.

        Args:
            path: of the store.
            letters_max: so many that start sagas it takes, >= 1.
            busy_ms: for how long a lock of another process is waited for, milliseconds, >= 0.

        Raises:
            StoreUnusable: no store can be there.
        """
        self._file = mailbox_of(checked_path(path))
        self._letters_max, self._busy_ms = letters_max, busy_ms
        self._database: Connection | None = None
        self._known: FileId | None = None  # of the file that is open
        self._behind: dict[Lane, tuple[str, int, str]] = {}  # where to go on reading: behind letters to be removed
        self._removal = LetterRemoval(partial(open_mailbox, self._file, MAILBOX_ID, busy_ms))

    def post(self, letters: Sequence[Letter]) -> None:
        """Write letters, all or none.

        Raises:
            Overloaded: there would be too many.
            StoreUnusable: the file is no mailbox.
            StoreFull, StoreBusy, StoreFailed: it could not be written.
        """
        database = self._made()
        with database.transaction():
            database.write("post_letter", [_values(letter) for letter in letters])
            if database.rows("span_of_letters")[0][0] > self._letters_max:
                starts, there = database.rows("count_letters")[0]
                expect_room(self._letters_max, starts, there, letters, self._holding)

    def _holding(self, text: str) -> int:
        number: int = self._opened().rows("count_starts_with", (text,))[0][0]
        return number

    def letters(self, shards: Collection[int], limit: int, starts: int | None = None) -> Sequence[Letter]:
        """The letters to some shards, answers and verbs first; one that was damaged stays there.

        Raises:
            StoreUnusable: the file is no mailbox.
            StoreBusy, StoreFailed: it could not be read.
        """
        inputs = self.in_lane(INPUTS, shards, limit)  # first: see the port
        return [*inputs, *self.in_lane(STARTS, shards, starts or limit)]

    def in_lane(self, lane: Lane, shards: Collection[int], limit: int) -> Sequence[Letter]:
        """The letters of one kind, in the order in which they were posted; see `letters`."""
        if file_id(self._file) is None:
            return []
        database, wanted, found = self._opened(), json.dumps(sorted(shards)), dict[str, Letter]()
        whose, number, letter_id = self._behind.get(lane, BEFORE_ALL)
        if whose != wanted:
            _, number, letter_id = BEFORE_ALL
        pending, is_done = self._removal.pending, True  # of all letters so far
        while len(found) < limit:
            rows = database.rows("letters_behind", (wanted, limit, number, letter_id, *lane))
            for number, letter_id, *_ in filter(None, rows):
                is_done = is_done and letter_id in pending
                if is_done:
                    self._behind[lane] = (wanted, number, letter_id)
            new = letters_of(row[1:] for row in rows)
            found |= {letter.letter_id: letter for letter in new if letter.letter_id not in pending}
            if len(rows) < limit or not rows[-1]:
                break
        return [*islice(found.values(), limit)]

    def seen(self) -> LettersSeen:
        """The letters that wait in it.

        Raises:
            StoreUnusable: the file is no mailbox, or cannot be read here.
            StoreBusy, StoreFailed: it could not be read.
        """
        return letters_seen(self._opened()) if self._file.exists() else LettersSeen(0, 0, None)

    def remove(self, letter_ids: Collection[str]) -> None:
        """Remove letters that were acted on: this object does not give them any more, and soon they are gone.

        Raises:
            StoreUnusable: the file is no mailbox.
            StoreFull, StoreFailed: those before could not be removed yet.
        """
        if letter_ids and self._file.exists():
            self._removal.add(letter_ids)

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        self._removal.close()
        self._leave()

    def _made(self) -> Connection:
        if not self._file.exists():
            _make(self._file)
        return self._opened()

    def _opened(self) -> Connection:
        """The mailbox that is there now: another one may be in the place of that which was opened."""
        there = file_id(self._file)
        if self._database is None or there != self._known:
            self._leave()
            self._database, self._known = Connection(open_mailbox(self._file, MAILBOX_ID, self._busy_ms)), there
            self._behind = {}
        return self._database

    def _leave(self) -> None:
        if self._database is not None:
            self._database.close()  # SQLite leaves the log alone, where its file is another one by now
            self._database = None


class EngineMailbox:
    """Letters to the engine of a store, by clients and by itself; see `amends.storage.ports.Mailbox`."""

    def __init__(self, clients: SqliteMailbox, records: Records) -> None:
        """Have read none.

        Args:
            clients: those that clients write.
            records: the store, in which are those that its commits write.
        """
        self._clients = clients
        self._records = records
        self._own: frozenset[str] = frozenset()

    def post(self, letters: Sequence[Letter]) -> None:
        """Write letters as a client does; see `SqliteMailbox.post`."""
        self._clients.post(letters)

    def letters(self, shards: Collection[int], limit: int, starts: int | None = None) -> Sequence[Letter]:
        """The letters to some shards: answers and verbs, then starts, the engine's own before those of clients.

        All that are its own start sagas, which follow from others: what has begun goes before what is new.
        """
        inputs = self._clients.in_lane(INPUTS, shards, limit)
        own = self._records.letters(shards, most := starts or limit)
        self._own = frozenset(letter.letter_id for letter in own)
        return [*inputs, *own, *self._clients.in_lane(STARTS, shards, most - len(own))]

    def remove(self, letter_ids: Collection[str]) -> None:
        """Remove letters of clients that were acted on; its own are removed by the commits that act on them."""
        self._clients.remove([letter_id for letter_id in letter_ids if letter_id not in self._own])

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        self._clients.close()


def letters_seen(database: Connection) -> LettersSeen:
    """The letters that wait in a mailbox, or in a store, which has those that commits wrote."""
    starts, number = database.rows("count_letters")[0]
    return LettersSeen(starts, number, next(letters_of(database.rows("oldest_letter")), None))


def _values(letter: Letter) -> tuple[object, ...]:
    return (*letter, checksum(letter), *(STARTS if is_start(letter) else INPUTS))


def _make(file: Path) -> None:
    """Make an empty mailbox, unless another process is faster. It has its name only once it is complete.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f"{file.name}.", dir=file.parent) as folder:
            new = Path(folder) / "new"
            with closing(apsw.Connection(str(new))) as connection:
                put_in_force(connection, {"synchronous": 2, "journal_mode": "wal"})
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(files(__package__).joinpath("mailbox.sql").read_text("utf-8")).fetchall()
                connection.execute(f"PRAGMA application_id = {MAILBOX_ID}")
                connection.execute("PRAGMA user_version = 1")
                connection.execute("COMMIT")
            sync(new)
            with suppress(FileExistsError):
                os.link(new, file)
        sync(file.parent)
    except apsw.Error as error:
        raise _refused(file, refusal_of(error)) from error
    except OSError as error:
        raise StoreFailed(f"{file}: it cannot be made: {error.strerror}") from error


def _refused(file: Path, refusal: StoreError) -> StoreError:
    return type(refusal)(f"{file}: {refusal}")
