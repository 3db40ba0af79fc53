"""A schema into which a shop moves: it takes rows, and no engine before all of them are there.

What moved is in the transaction that says so, so that a move which was killed at any moment goes on behind it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import compress
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from psycopg import sql

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.commits import names_of
from amends.adapters.postgres.connection import CommitUnknown, PostgresConnection
from amends.adapters.postgres.migrations import ONE_AT_A_TIME, UNFINISHED, comment_of, migrate, put_comment, version_of
from amends.adapters.postgres.opening import writing
from amends.adapters.postgres.pipeline import Statement
from amends.adapters.postgres.queries import QUERIES
from amends.adapters.postgres.settings import OF_READS
from amends.adapters.postgres.texts import number_array, optional_text_array, text_array
from amends.errors import StoreBusy, StoreConflict, StoreFailed, StoreUnusable
from amends.storage.moving import TYPES, MoveReached, MoveStage, TablePage, TargetSeen
from amends.storage.rows import COMPLETED, Head, checksum
from amends.storage.shards import shard_of

UNNAMED: Final = ""
"""The chain of a store with one owner keeps its name, which no engine of a shared store has."""
WRITES: Final[Mapping[str, str]] = {
    "shapes": "put_shapes", "set_aside": "insert_set_aside", "entities": "insert_entities",
    "client_keys": "insert_keys", "letters": "post_letters", "mailbox": "post_letters",
}  # fmt: skip
"""Tables that are written as a commit does; each of the others has a query ``move_TABLE``."""
MAY_BE_THERE: Final = ("set_aside", "letters", "mailbox")  # a row that is there already stays as it is

Columns = Mapping[str, Sequence[Any]]


class PostgresMoveTarget:
    """See `amends.storage.moving.MoveTarget`.

    Attributes:
        shown: its URL without the password.
    """

    def __init__(self, address: Address) -> None:
        """Connect when it is first used."""
        self.shown = address.shown
        self._address, self._schema = address, address.schema
        self._database = PostgresConnection(address, OF_READS)

    def __enter__(self) -> Self:
        """Hold nothing: the transactions do."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close the connection."""
        self._database.close()

    def look(self, head: Head) -> TargetSeen:
        """What it is to a source whose audit ends there."""
        with writing(self._address) as driver:
            return self._seen(driver, head)

    def begin(self, head: Head) -> None:
        """Make the schema where it is not there, and let no engine in: all in one transaction."""
        with writing(self._address) as driver:
            driver.execute(ONE_AT_A_TIME, [self._schema])
            if self._seen(driver, head).stage is MoveStage.UNFINISHED:
                return
            migrate(driver, self._schema)
            driver.execute(QUERIES["let_nobody_in"])
            seen = self._seen(driver, head)
            if seen.stage is not MoveStage.EMPTY:
                raise StoreUnusable(seen.why)
            for query in ("forget_leases", "forget_owners", "begin_move"):
                driver.execute(QUERIES[query])
            will_be = comment_of(driver, self._schema)
            put_comment(driver, self._schema, f"{will_be}, and the move of {_name_of(head)} into it is not finished")

    def reached(self) -> Mapping[str, MoveReached]:
        """How much of each table is there."""
        found = self._database.read("moved")
        return {name: MoveReached(tuple(json.loads(place)), rows) for name, place, rows in found}

    def write(self, page: TablePage) -> None:
        """Take in a page, and how far that is."""
        columns = dict(zip(page.table.columns, zip(*page.rows, strict=True), strict=True))
        statements = [_progress(page), *_statements(page.table.name, columns)]
        progress, written, *_ = self._database.work(statements)
        if progress.number != 1:
            self._database.abandon()
            raise StoreConflict(f"{self.shown}: another process moves the same shop, which is as far as this one")
        if written.number != len(page.rows) and page.table.name not in MAY_BE_THERE:
            self._database.abandon()
            raise StoreFailed(f"{self.shown}: of {len(page.rows)} rows of {page.table.name} {written.number} were new")
        try:
            self._database.commit()
        except CommitUnknown as error:
            raise StoreBusy(f"{self.shown}: the connection was lost, run it again: {error}") from error

    def open_up(self, head: Head) -> None:
        """Let engines in, in one transaction."""
        with writing(self._address) as driver:
            driver.execute(ONE_AT_A_TIME, [self._schema])
            if not self._has(driver, head):
                raise StoreFailed(f"{self.shown}: its audit does not end with {_name_of(head)}, as that of the source")
            for query in ("end_move", "let_engines_in"):
                driver.execute(QUERIES[query])
            found = UNFINISHED.fullmatch(comment_of(driver, self._schema) or "")
            put_comment(driver, self._schema, found[1] if found else "")

    def clear(self, head: Head) -> None:
        """Drop the schema, if it is what this source moves to."""
        with writing(self._address) as driver:
            driver.execute(ONE_AT_A_TIME, [self._schema])
            if self._seen(driver, head).stage is MoveStage.UNFINISHED:
                driver.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(self._schema)))

    def _seen(self, driver: psycopg.Connection[Any], head: Head) -> TargetSeen:
        moving = UNFINISHED.fullmatch(comment_of(driver, self._schema) or "")
        if moving and moving[2] == _name_of(head):
            return TargetSeen(MoveStage.UNFINISHED)
        if moving:
            return TargetSeen(MoveStage.TAKEN, f"a move of another store into it, {moving[2]}, is not finished")
        if not version_of(driver, self._schema):
            return TargetSeen(MoveStage.EMPTY)
        if self._has(driver, head):
            return TargetSeen(MoveStage.OVER)
        has_engine, has_rows = driver.execute(QUERIES["is_taken"]).fetchall()[0]
        if has_rows:
            return TargetSeen(
                MoveStage.TAKEN, f"there is a shop in the schema {self._schema!r}: give another, ?schema=..."
            )
        if has_engine:
            return TargetSeen(MoveStage.TAKEN, "an engine runs on it: stop that first")
        return TargetSeen(MoveStage.EMPTY)

    def _has(self, driver: psycopg.Connection[Any], head: Head) -> bool:
        """Whether the last block of a source is there."""
        found = driver.execute(QUERIES["head_of_block"], {"chain": UNNAMED, "number": head.number}).fetchall()
        return found == [(head.head,)]


def _name_of(head: Head) -> str:
    """What a source is known by: salts make each block its own."""
    return f"{head.number}:{head.head.hex()}"


def _progress(page: TablePage) -> Statement:
    places = {"before": json.dumps(page.before), "place": json.dumps(page.after)}
    return "go_on", {"name": page.table.name, "rows": len(page.rows), **places}


def _statements(table: str, columns: Columns) -> list[Statement]:
    """What writes a page: one statement, and one more for where sagas stand, or for the names of entities."""
    if table == "blocks":
        columns = {**columns, "checksum": _sums_of_blocks(columns)}
    parameters = {name: _array(name, column) for name, column in columns.items()}
    statements = [(WRITES.get(table, f"move_{table}"), parameters)]
    if table == "sagas" and (stands := _standing(columns)):
        shards = number_array([*map(shard_of, stands)])
        statements.append(("put_standings", {"ids": text_array(stands), "shards": shards}))
    if table == "entities":
        statements.append(("hold_entities", names_of([*zip(columns["service"], columns["entity_id"], strict=True)])))
    return statements


def _standing(columns: Columns) -> list[str]:
    facts = zip(columns["status"], columns["due_ms"], strict=True)
    return [*compress(columns["saga_id"], (status != COMPLETED or due_ms is not None for status, due_ms in facts))]


def _sums_of_blocks(columns: Columns) -> list[int]:
    """Checksums with the name of the chain: one that did not match before does not match by as much now."""
    facts = zip(*(columns[name] for name in ("number", "at_ms", "before", "head", "started", "ended")), strict=True)
    both = zip(columns["checksum"], facts, strict=True)
    return [told ^ checksum(values) ^ checksum((UNNAMED, *values)) for told, values in both]


def _array(name: str, column: Sequence[Any]) -> str:
    kind = TYPES.get(name, str)
    if kind is int:
        return number_array(column)
    return text_array([value.hex() for value in column]) if kind is bytes else optional_text_array(column)
