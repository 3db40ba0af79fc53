"""A store file whose shop moves to another database: it is marked, read row by row, and left as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from importlib.resources import files
from types import TracebackType
from typing import Any, Final, Self

from amends.adapters.clock import SystemClock
from amends.adapters.in_force import MOVED_TO, MOVES_TO, move_mark
from amends.adapters.sqlite.database import Connection
from amends.adapters.sqlite.mailbox import SqliteMailbox
from amends.adapters.sqlite.migrations import MOVES
from amends.adapters.sqlite.opening import checked_path, open_reader
from amends.adapters.sqlite.store import SqliteStore
from amends.engine.checkpoint import checkpoint
from amends.errors import StoreUnusable
from amends.storage.moving import LAST_TABLES, TYPES, MovedTable, MoveMark, Place, TablePage
from amends.storage.rows import Head

OLDEST: Final = 1  # of what is moved: a store of an earlier version is brought up to date before
PAGE_ROWS: Final = 2_000  # a transaction of some 50 ms, whose costs of its own are a tenth
PAGE_CHARACTERS: Final = 4_000_000  # the same of large rows; each end has some times as many bytes of it in memory
OF_CLIENTS: Final = LAST_TABLES[-1]
MAY_BE_MISSING: Final = {("sagas", "due_ms"), ("entities", "body")}


def _script(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


NO_BLOCKS: Final = _script("moved.sql")
NO_LETTERS: Final = _script("moved_mailbox.sql")
AS_EVER: Final = f"DROP TRIGGER IF EXISTS {MOVES[1]}"


class MovingStore(SqliteStore):
    """A store that an engine opened, as its mover has it."""

    def __init__(self, path: str) -> None:
        """Take the lock of its engine; see `SqliteStore`."""
        super().__init__(path, is_moving=True)

    @property
    def database(self) -> Connection:
        """The file."""
        return self._database

    def mark(self, script: str, in_force: Mapping[str, str]) -> None:
        """Say where the shop is.

        Args:
            script: what makes engines keep away, or lets them in.
            in_force: what the store says of it.
        """
        with self._database.transaction():
            self._database.define(script)
            self._database.write("take_back_in_force", [(MOVES_TO,), (MOVED_TO,)])
            self._database.write("put_in_force", in_force.items())


class MovingMailbox(SqliteMailbox):
    """Letters of clients to a store whose shop moves."""

    @property
    def database(self) -> Connection:
        """The file, which is made where it is not there: else the next client would make it."""
        return self._made()

    def mark(self, script: str) -> None:
        """Have letters refused, or taken."""
        with self.database.transaction():
            self.database.define(script)

    def take_letters(self) -> None:
        """Have them taken as ever."""
        if self._file.exists():
            self.mark(AS_EVER)


class SqliteMoveSource:
    """See `amends.storage.moving.MoveSource`.

    Attributes:
        shown: the path.
    """

    def __init__(self, path: str, page_rows: int = PAGE_ROWS) -> None:
        """Open nothing yet.

        Args:
            path: of the store.
            page_rows: at most so many rows at a time, >= 1.
        """
        self.shown = path
        self._page_rows = page_rows
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        """Take the lock of its engine, bring it up to date, and have all of it recorded.

        Raises:
            StoreUnusable: there is no store that can be written, or an engine has it.
        """
        open_reader(checked_path(self.shown), OLDEST).close()  # it is there: a move is no reason to make a store
        with ExitStack() as ends:
            self._store = MovingStore(self.shown)
            ends.callback(self._store.close)
            self._mailbox = MovingMailbox(self.shown)
            ends.callback(self._mailbox.close)
            head = self._store.head()
            checkpoint(self._store, head, SystemClock(head.at_ms).now_ms())
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Give it back."""
        self._ends.close()

    def head(self) -> Head:
        """Where its audit ends."""
        return self._store.head()

    def mark(self) -> MoveMark | None:
        """What it says of its move."""
        return move_mark(self._store.in_force())

    def leave(self, mark: MoveMark) -> None:
        """Have it say where its shop is; in the same transaction it takes no block any more."""
        self._store.mark(NO_BLOCKS, {MOVED_TO if mark.is_over else MOVES_TO: mark.to})

    def stay(self) -> None:
        """Take the mark away, last from the store: while it has one, `cancel` goes on."""
        self._mailbox.take_letters()
        self._store.mark(AS_EVER, {})

    def close_mailbox(self) -> None:
        """Let no client of any version write a letter any more."""
        self._mailbox.mark(NO_LETTERS)

    def rows(self) -> Mapping[str, int]:
        """How many rows there are, by table."""
        number = dict[str, int](self._store.database.rows("rows_to_move"))
        return number | {table.name: self._database_of(table).rows("count_letters")[0][1] for table in LAST_TABLES}

    def pages(self, table: MovedTable, after: Place) -> Iterator[TablePage]:
        """The rows of a table behind a place."""
        query = "move_letters" if table in LAST_TABLES else f"move_{table.name}"
        rows, size = list[tuple[Any, ...]](), 0
        for row in self._database_of(table).walk(query, after or (None,) * len(table.key)):
            rows.append(self._sound(table, row))
            size += sum(len(value) for value in row if isinstance(value, str | bytes))
            if len(rows) >= self._page_rows or size >= PAGE_CHARACTERS:
                yield TablePage(table, rows, after, after := table.place_of(row))
                rows, size = [], 0
        if rows:
            yield TablePage(table, rows, after, table.place_of(rows[-1]))

    def _database_of(self, table: MovedTable) -> Connection:
        return self._mailbox.database if table == OF_CLIENTS else self._store.database

    def _sound(self, table: MovedTable, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """A row, if its values are of the types that every database has them in.

        Raises:
            StoreUnusable: one is not.
        """
        if not row:
            raise self._damaged(table, "text that is not UTF-8")
        for name, value in zip(table.columns, row, strict=True):
            if type(value) is not TYPES.get(name, str) and (
                value is not None or (table.name, name) not in MAY_BE_MISSING
            ):
                raise self._damaged(table, f"a {name} of the wrong type")
        return row

    def _damaged(self, table: MovedTable, what: str) -> StoreUnusable:
        return StoreUnusable(
            f"{self.shown}: a row of {table.name} has {what}, which no other database takes: `amends audit verify` "
            "says which row; move a backup that is not damaged"
        )
