"""A connection whose errors are ours, and which is not used again once the storage failed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import Any, Final, TypeVar

import apsw

from amends.adapters.sqlite.files import Files
from amends.adapters.sqlite.queries import OF_MANY_ROWS, QUERIES, ROWS_AT_ONCE
from amends.adapters.sqlite.refusals import refusal_of
from amends.errors import StoreError, StoreFailed
from amends.storage.forks import Use, forget_in_children, leak

CLOSED: Final = "the store is closed"
FORKED: Final = "the store belongs to the process that opened it, and this one was forked from it: open it here anew"


def close(connection: apsw.Connection) -> None:
    """Close a connection. What cannot be tidied up is so at the next start: what was answered is stored already."""
    with suppress(apsw.Error):
        connection.close(True)


Place = TypeVar("Place", int, bytes, tuple[int, str])


def onward(before: Place, reached: Place) -> Place:
    """Where a walk over pages of rows goes on: further than it was, so that it ends, whatever a damaged file holds.

    Raises:
        StoreFailed: it would stand still or go back.
    """
    if reached <= before:
        raise StoreFailed("rows are not in their order: a part of the file is not of its time, or damaged")
    return reached


class Connection:
    """One connection, used by one thread at a time."""

    def __init__(self, connection: apsw.Connection, files: Files | None = None) -> None:
        """Use a connection.

        Args:
            connection: a store's.
            files: that are looked at before each commit and after it, and are closed with the connection.
        """
        self._connection = connection
        self._files = files
        self._failed = ""
        self._use = Use()
        forget_in_children(self, self._use)

    @property
    def has_failed(self) -> bool:
        """Whether it is not used any more: the storage failed, it is closed, or it is a parent's."""
        return bool(self._failed)

    def rows(self, name: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Every row that a query finds.

        Args:
            name: of the query.
            values: for its parameters.

        Returns:
            The rows; an empty tuple for one that holds text which is not UTF-8, so not what was written.

        Raises:
            UnicodeEncodeError: a value cannot be in any store.
            StoreBusy, StoreFailed: the query failed, or the storage failed before.
        """
        with self._use:
            self._refuse_if_failed()
            try:
                return self._connection.execute(QUERIES[name], values).fetchall()
            except UnicodeDecodeError:
                return list(self._row_by_row(name, values))
            except apsw.Error as error:
                raise self._refusal(error) from error

    def found(self, name: str, wanted: list[Any]) -> Iterator[tuple[Any, ...]]:
        """What a query finds that takes a list of what is wanted.

        Args:
            name: of the query; the first column that it gives is what was wanted.
            wanted: anything that JSON can hold.

        Returns:
            The rows; of one that `rows` could not read, what was wanted alone.

        Raises:
            StoreBusy, StoreFailed: as `rows`.
        """
        found = self.rows(name, (json.dumps(wanted),)) if wanted else []
        if all(found):
            yield from found
        elif len(wanted) == 1:
            yield from (row or (wanted[0],) for row in found)
        else:
            for one in wanted:
                yield from self.found(name, [one])

    def walk(self, name: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """The same rows as they are asked for: as the file stood at the first of them, until the last one is."""
        self._refuse_if_failed()
        return self._row_by_row(name, values)

    def define(self, script: str) -> None:
        """Change the schema, inside `transaction`.

        Args:
            script: no values are put into it.
        """
        self._connection.execute(script).fetchall()

    def write(self, name: str, rows: Collection[tuple[Any, ...]]) -> int:
        """Run a query for each row, inside `transaction`. Returns how many rows it wrote."""
        if not rows:
            return 0
        before = self._connection.total_changes()
        together = len(rows) - len(rows) % ROWS_AT_ONCE if name in OF_MANY_ROWS else 0
        if together:
            query, width = OF_MANY_ROWS[name]
            values = [*chain.from_iterable(islice(rows, together))]
            self._connection.executemany(query, (values[at : at + width] for at in range(0, len(values), width)))
        self._connection.executemany(QUERIES[name], islice(rows, together, None))
        return self._connection.total_changes() - before

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is on stable storage at the end, or nothing of it is written.

        Raises:
            StoreBusy, StoreConflict, StoreFull, StoreTooBig: nothing is written.
            StoreFailed: whether it is written is not known.
        """
        with self._use:
            self._refuse_if_failed()
            self._look_at_files(is_written=False)
            try:
                self._connection.execute(QUERIES["begin"])
                yield
                self._connection.execute(QUERIES["commit"])
            except apsw.Error as error:
                self._roll_back()
                raise self._refusal(error) from error
            except BaseException:
                self._roll_back()
                raise
            self._look_at_files(is_written=True)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read inside is read as it stands at one moment. To be short: it keeps the log from shrinking.

        Raises:
            StoreBusy, StoreFailed: as `rows`.
        """
        with self._use:
            self._refuse_if_failed()
            try:
                self._connection.execute(QUERIES["begin_reading"])
                yield
            except apsw.Error as error:
                raise self._refusal(error) from error
            finally:
                self._roll_back()  # nothing was written

    def close(self) -> None:
        """Close the connection. A second call does nothing."""
        if self._failed == FORKED:
            return
        with self._use:
            files, self._files = self._files, None
            if files is not None:
                files.let_go()
            if self._failed:  # what is on the disk is not known: the next start finds out
                self._leave_log()
            self._failed = self._failed or CLOSED
            close(self._connection)
            if files is not None:
                files.close()

    def forget(self) -> None:
        """In a child: the connection is the parent's, which may be in the middle of a commit in memory they share.

        At rest it is closed here, and nothing else done. As long as one is open, SQLite takes the locks and the shared
        memory of its file to be this process's own; what is opened here would then be without a lock, and write into a
        log that others delete.
        """
        self._failed = FORKED
        if self._use.is_over:
            self._leave_log()
            close(self._connection)
        leak(self._connection, apsw)  # which closes every connection when it is finalized itself

    def _leave_log(self) -> None:
        with suppress(apsw.Error):
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def _look_at_files(self, *, is_written: bool) -> None:
        """Refuse to go on when they are not what they were.

        Raises:
            StoreFailed: they are not; one line says which, and what to do.
        """
        if self._files is None or not (fault := self._files.fault(is_written=is_written)):
            return
        if self._files.log_can_be_saved():
            with suppress(apsw.Error):
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._failed = fault
        raise StoreFailed(fault)

    def _row_by_row(self, name: str, values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        try:
            cursor = self._connection.execute(QUERIES[name], values)
            while True:
                try:
                    yield next(cursor)
                except UnicodeDecodeError:
                    yield ()
                except StopIteration:
                    return
        except apsw.Error as error:
            raise self._refusal(error) from error

    def _roll_back(self) -> None:
        if self._failed == FORKED:
            return
        try:
            if self._connection.in_transaction:  # SQLite rolls back by itself after some errors
                self._connection.execute(QUERIES["rollback"])
        except apsw.Error as error:
            self._failed = f"the storage failed: {error}"

    def _refusal(self, error: apsw.Error) -> StoreError:
        refusal = refusal_of(error, self._connection.system_errno)
        if isinstance(refusal, StoreFailed):
            self._failed = self._failed or f"the storage failed: {refusal}"
        return refusal

    def _refuse_if_failed(self) -> None:
        if self._failed:
            raise StoreFailed(self._failed)
