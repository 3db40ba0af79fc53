"""One connection to a database, made anew where it was lost; its errors are ours.

Nothing is expected of its session but in the course of a transaction, so that it may be a pooler's: each transaction
begins with its settings, no statement is prepared, and what belongs together goes in one round trip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any, Final

import psycopg

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.pipeline import Answer, Statement, StatementPipeline, Values
from amends.adapters.postgres.queries import QUERIES
from amends.adapters.postgres.refusals import ends_session, refusal_of
from amends.adapters.postgres.settings import Timeouts
from amends.errors import StoreBusy, StoreConflict, StoreError, StoreFailed
from amends.storage.forks import forget_in_children, leak

CLOSED: Final = "the store is closed"
FORKED: Final = "the store belongs to the process that opened it, and this one was forked from it: open it here anew"


class PostgresConnection:
    """A connection, used by one thread at a time.

    Attributes:
        is_in_turn: whether a transaction is open: it holds the locks of a turn.
    """

    def __init__(self, address: Address, timeouts: Timeouts, queries: Mapping[str, bytes] = QUERIES) -> None:
        """Connect when it is first used.

        Args:
            address: of the database.
            timeouts: of each transaction.
            queries: by name; others than those of a schema of today for who reads one of before.
        """
        self._address = address
        self._queries = queries
        self._settings: Statement = ("settings", timeouts.parameters(address.schema))
        self._silence_s = timeouts.silence_s
        self._driver: psycopg.Connection[Values] | None = None
        self._pipeline: StatementPipeline | None = None
        self._failed = ""
        self.is_in_turn = False
        forget_in_children(self)

    @property
    def has_failed(self) -> bool:
        """Whether it is not used any more: it is closed, or a parent's, or what it wrote last is not known."""
        return bool(self._failed)

    # Transactions ---------------------------------------------------------------------------------------------

    def read(self, name: str, **parameters: Any) -> list[Values]:
        """What a query finds: as all stands now, or as the turn sees it that is under way.

        Raises:
            StoreConflict: the server ended the turn that is under way.
            StoreBusy, StoreFailed: it could not be read. A turn is over.
        """
        query = (name, parameters)
        if self.is_in_turn:
            return self.work([query])[0].rows
        try:
            return self._piped([("begin_reading", {}), self._settings, query, ("commit", {})])[2].rows
        except StoreConflict as ended:
            raise StoreBusy(f"the server did not let it be read: {ended}") from ended

    def run(self, *statements: Statement) -> list[Answer]:
        """Carry out statements in a transaction of their own, in one round trip.

        Raises:
            StoreBusy, StoreConflict, StoreFull, StoreFailed: they were not carried out, or that is not known of them.
        """
        return self._piped([("begin", {}), self._settings, *statements, ("commit", {})])[2:-1]

    def work(self, statements: Iterable[Statement]) -> list[Answer]:
        """Carry out statements in the turn that is under way, which begins with the first of them.

        Args:
            statements: each is sent before the next is asked for.

        Raises:
            StoreBusy, StoreConflict, StoreFull, StoreTooBig, StoreFailed: the turn is over, and nothing is written.
        """
        first: tuple[Statement, ...] = () if self.is_in_turn else (("begin", {}), self._settings)
        self.is_in_turn = True
        try:
            return self._piped(chain(first, statements))[len(first) :]
        except StoreBusy as error:
            self.abandon()
            if first:
                raise
            raise StoreConflict(f"the server ended the turn, as it does one that stands still: {error}") from error
        except BaseException:
            self.abandon()
            raise

    def commit(self) -> None:
        """End the turn, and put what it wrote on stable storage.

        Raises:
            CommitUnknown: the connection was lost: it is written, or not.
            StoreError: nothing is written.
        """
        self.is_in_turn = False
        try:
            self._piped([("commit", {})])
        except StoreError as error:
            if self._driver is None:
                raise CommitUnknown(str(error)) from error
            raise

    def abandon(self) -> None:
        """End the turn: nothing of it is written, and what it has locked is free. It does nothing outside of one."""
        if self.is_in_turn:
            self.is_in_turn = False
            if self._driver is not None:
                with suppress(StoreError):
                    self._piped([("rollback", {})])

    def fail(self, why: str) -> None:
        """Use it no more."""
        self._failed = self._failed or why
        self._drop()

    def close(self) -> None:
        """Close it. A second call does nothing."""
        self.is_in_turn = False
        self.fail(CLOSED)

    def forget(self) -> None:
        """In a child: the connection is the parent's."""
        if self._driver is not None:
            leak(self._driver, self._pipeline)
        self._failed, self._driver, self.is_in_turn = FORKED, None, False

    # The driver -----------------------------------------------------------------------------------------------

    def _piped(self, statements: Iterable[Statement]) -> list[Answer]:
        if self._failed:
            raise StoreFailed(self._failed)
        try:
            return self._connected().run(statements)
        except psycopg.Error as error:
            is_lost = self._driver is None or self._driver.closed or ends_session(error)
            if is_lost:
                self._drop()
            else:
                self._roll_back()
            raise refusal_of(error, is_lost=is_lost) from error
        except UnicodeEncodeError:  # a name that no store can hold
            self._roll_back()
            raise
        except BaseException:  # an interrupt: how far it came is not known
            self._drop()
            raise

    def _connected(self) -> StatementPipeline:
        if self._driver is None or self._pipeline is None:
            self._driver = self._address.connect(self._silence_s)
            self._pipeline = StatementPipeline(self._driver, self._queries)
        return self._pipeline

    def _roll_back(self) -> None:
        """Leave no transaction open, and no connection that is lost."""
        try:
            self._connected().run([("rollback", {})])
        except psycopg.Error:
            self._drop()

    def _drop(self) -> None:
        driver, self._driver, self._pipeline = self._driver, None, None
        if driver is not None:
            with suppress(psycopg.Error):
                driver.close()


class CommitUnknown(Exception):
    """The answer to a commit was lost."""
