"""A shop moves from one database to another: what goes, in which order, and what says meanwhile where it is.

The source is marked before anything is copied: no engine opens it from then on. The target takes no engine before all
is there. So there is one shop at any moment, or, while it moves, none that runs; and a move that was killed goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

from amends.errors import StoreFailed, StoreUnusable
from amends.storage.rows import EntityRow, Head, KeyRow, Letter, SagaRow, ShapeRow, Unreadable

Place = tuple[str | int, ...]
"""The key of a row, behind which a table is read on; empty before the first row."""


class MovedTable(NamedTuple):
    """A table as it moves: its rows as they are stored, each with its checksum, those that were damaged among them.

    Attributes:
        name: of it.
        columns: that its rows have.
        key: the columns by which its rows are in order.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def place_of(self, row: Sequence[Any]) -> Place:
        """The key of a row."""
        return tuple(row[self.columns.index(name)] for name in self.key)


NUMBERS: Final = (
    "number", "row", "since_ms", "due_ms", "started_ms", "changed_ms", "posted_ms", "at_ms", "version", "shard",
    "sagas", "block", "started", "ended", "checksum",
)  # fmt: skip
TYPES: Final[Mapping[str, type]] = {**dict.fromkeys(NUMBERS, int), "before": bytes, "head": bytes}
"""Of the columns that are no text."""

LETTERS: Final = ("number", *Letter._fields, "checksum")
TABLES: Final = (
    MovedTable("shapes", (*ShapeRow._fields, "checksum"), ("kind", "name", "since_ms")),
    MovedTable("set_aside", ("number", *Unreadable._fields, "checksum"), ("number",)),
    MovedTable("counts", ("definition", "status", "sagas"), ("definition", "status")),
    MovedTable("entities", (*EntityRow._fields, "checksum"), ("service", "entity_id")),
    MovedTable("client_keys", ("row", *KeyRow._fields, "checksum"), ("row",)),
    MovedTable("sagas", (*SagaRow._fields, "checksum", "block"), ("saga_id",)),
    MovedTable("subjects", ("subject", "block"), ("subject", "block")),
    MovedTable(
        "blocks",
        ("number", "at_ms", "before", "head", "started", "ended", "checksum", "records", "beside"),
        ("number",),
    ),
)
"""What moves while clients still write letters."""
LAST_TABLES: Final = (MovedTable("letters", LETTERS, ("number",)), MovedTable("mailbox", LETTERS, ("number",)))
"""The letters that wait, of commits and of clients: they move once no client can write one."""


class TablePage(NamedTuple):
    """Some rows of a table, in their order.

    Attributes:
        table: whose they are.
        rows: with the columns of the table.
        before: the place behind which they come.
        after: the place of the last one.
    """

    table: MovedTable
    rows: Sequence[tuple[Any, ...]]
    before: Place
    after: Place


class MoveReached(NamedTuple):
    """How much of a table is there.

    Attributes:
        place: of its last row.
        rows: how many.
    """

    place: Place = ()
    rows: int = 0


NOT_BEGUN: Final = MoveReached()


class MoveMark(NamedTuple):
    """What a source says of its move.

    Attributes:
        to: where its shop goes, without a password.
        is_over: whether it is there.
    """

    to: str
    is_over: bool

    @property
    def refusal(self) -> str:
        """What an engine is told that opens the source."""
        if self.is_over:
            return f"its shop has moved to {self.to}: open that"
        return (
            f"its shop is being moved to {self.to}: go on with `amends move`, or end that with `amends move --cancel`"
        )


class MoveStage(Enum):
    """What a target is to a source."""

    EMPTY = "empty"
    UNFINISHED = "a part of the source is there"
    OVER = "all of the source is there"
    TAKEN = "something else is there"


class TargetSeen(NamedTuple):
    """A target as it is found.

    Attributes:
        stage: what it is to the source.
        why: of one that is taken, by what.
    """

    stage: MoveStage
    why: str = ""


class MovedShop(NamedTuple):
    """What a move came to.

    Attributes:
        head: where the audit of the source ends, and with it the first chain of the target.
        rows: how many, by table.
    """

    head: Head
    rows: Mapping[str, int]


Progress = Callable[[int, int], None]
"""Told how many rows are there, and of how many."""


class MoveEnd(Protocol):
    """One end of a move, held until it is left.

    Attributes:
        shown: its name for people, without a password.
    """

    @property
    def shown(self) -> str:
        """See above."""

    def __enter__(self) -> Self:
        """Hold it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Give it back."""


class MoveSource(MoveEnd, Protocol):
    """A store that is left. No engine can open it while it is held."""

    def head(self) -> Head:
        """Where its audit ends."""

    def mark(self) -> MoveMark | None:
        """What it says of its move; ``None`` where it is not to move."""

    def leave(self, mark: MoveMark) -> None:
        """Have it say where its shop is from now on; no engine opens it any more."""

    def stay(self) -> None:
        """Take the mark away: engines open it, and clients write letters to it, as ever."""

    def close_mailbox(self) -> None:
        """Let no client of any version write a letter any more."""

    def rows(self) -> Mapping[str, int]:
        """How many rows there are, by table."""

    def pages(self, table: MovedTable, after: Place) -> Iterator[TablePage]:
        """The rows of a table behind a place, so many at a time as memory and a transaction take.

        Raises:
            StoreUnusable: a row holds what cannot be anywhere else.
        """


class MoveTarget(MoveEnd, Protocol):
    """Where a shop is to go."""

    def look(self, head: Head) -> TargetSeen:
        """What it is to a source whose audit ends there.

        Raises:
            StoreUnusable: no store can be there.
        """

    def begin(self, head: Head) -> None:
        """Be what this source moves to, and take no engine. Where that is so already, it does nothing.

        Raises:
            StoreUnusable: something else came to be there.
        """

    def reached(self) -> Mapping[str, MoveReached]:
        """How much of each table is there."""

    def write(self, page: TablePage) -> None:
        """Take in a page, and how far that is, on stable storage.

        Raises:
            StoreConflict: it does not follow what is there: another process moves the same source.
        """

    def open_up(self, head: Head) -> None:
        """Take engines from now on.

        Raises:
            StoreFailed: the audit does not end where it is to.
        """

    def clear(self, head: Head) -> None:
        """Take away what is there of an unfinished move of this source; all else stays."""


def move(source: MoveSource, target: MoveTarget, report: Progress) -> MovedShop:
    """Move a shop, or go on with a move that was killed.

    Raises:
        StoreUnusable: one of the two is not what it has to be; nothing has changed.
        StoreError: it ended before its end. It goes on when it is called again.
    """
    head = source.head()
    if _stage(source, target, head) is not MoveStage.OVER:
        _begin(source, target, head)
        _copy(source, target, TABLES, report)
        source.close_mailbox()
        _copy(source, target, LAST_TABLES, report)
        _expect_all(source.rows(), target.reached())
        target.open_up(head)
    source.leave(MoveMark(target.shown, is_over=True))
    return MovedShop(head, source.rows())


def cancel(source: MoveSource, target: MoveTarget) -> None:
    """End a move before its end: the shop stays where it was.

    Raises:
        StoreUnusable: no such move is under way, or it is over.
    """
    mark = source.mark()
    if mark is None:
        raise StoreUnusable(f"{source.shown}: no move of it is under way")
    _expect_not_over(source, mark)
    _expect_same(source, target, mark)
    seen = target.look(source.head())
    if seen.stage is MoveStage.OVER:
        raise StoreUnusable(f"{target.shown}: all of the shop is there, and engines may run on it: finish the move")
    if seen.stage is MoveStage.UNFINISHED:
        target.clear(source.head())
    source.stay()


def _stage(source: MoveSource, target: MoveTarget, head: Head) -> MoveStage:
    """What the target is to the source, where the move may go on.

    Raises:
        StoreUnusable: it may not.
    """
    if mark := source.mark():
        _expect_not_over(source, mark)
        _expect_same(source, target, mark)
    if not head.number:
        raise StoreUnusable(
            f"{source.shown}: it has no audit that could go on: an archive stays a file, and an empty store stays empty"
        )
    seen = target.look(head)
    if seen.stage is MoveStage.TAKEN:
        raise StoreUnusable(f"{target.shown}: {seen.why}")
    return seen.stage


def _begin(source: MoveSource, target: MoveTarget, head: Head) -> None:
    """Mark both, the source first; it stays as it was where the target may not be marked."""
    is_new = source.mark() is None
    source.leave(MoveMark(target.shown, is_over=False))
    try:
        target.begin(head)
    except StoreUnusable:
        if is_new:
            source.stay()
        raise


def _expect_not_over(source: MoveSource, mark: MoveMark) -> None:
    if mark.is_over:
        raise StoreUnusable(f"{source.shown}: already moved to {mark.to}")


def _expect_same(source: MoveSource, target: MoveTarget, mark: MoveMark) -> None:
    if mark.to != target.shown:
        raise StoreUnusable(
            f"{source.shown}: its move to {mark.to} is not finished: go on with that one, or end it first "
            f"(amends move --cancel), before it goes to {target.shown}"
        )


def _copy(source: MoveSource, target: MoveTarget, tables: Sequence[MovedTable], report: Progress) -> None:
    of_rows, there = sum(source.rows().values()), target.reached()
    done = sum(each.rows for each in there.values())
    for table in tables:
        for page in source.pages(table, there.get(table.name, NOT_BEGUN).place):
            target.write(page)
            done += len(page.rows)
            report(done, of_rows)


def _expect_all(wanted: Mapping[str, int], there: Mapping[str, MoveReached]) -> None:
    for table, rows in wanted.items():
        if (moved := there.get(table, NOT_BEGUN).rows) != rows:
            raise StoreFailed(f"{moved} rows of {table} were moved, and there are {rows}: the source is damaged")
