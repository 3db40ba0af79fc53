"""What the tests of the outbox share: the saga that they start, and what is left of it at the end."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import amends
from amends import BlockingClient, BlockingEngine, Completed
from tests.client.sagas import COUNTED, PATIENCE_S, SAGAS
from tests.engine.world import Buy
from tests.inbox.databases import Database


class RolledBack(Exception):
    """The caller changes its mind."""


def one(key: str) -> tuple[Any, Buy]:
    """Return a saga and a request that leave how often it was started for a key."""
    return COUNTED, Buy(key, 1)


def connector(database: Database) -> Callable[[], Any]:
    """Return what an engine connects with; it closes what it got."""
    return lambda: database.connect().__enter__()


@contextmanager
def running(url: str, outboxes: Mapping[str, Callable[[], Any]]) -> Iterator[tuple[BlockingEngine, BlockingClient]]:
    """Run an engine, and a client beside it."""
    with ExitStack() as ends:
        engine = ends.enter_context(amends.open(url, sagas=SAGAS, outboxes=outboxes))
        yield engine, ends.enter_context(amends.connect(url, sagas=SAGAS))


def wait_until(is_so: Callable[[], bool]) -> None:
    """Look until something is so."""
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, "it did not come in time"
        time.sleep(0.005)


def expect_completed(client: BlockingClient, keys: Iterable[str]) -> None:
    """Wait until the sagas of some keys have started, and ended well."""
    for key in keys:
        wait_until(lambda key=key: client.find(key) is not None)  # type: ignore[misc]  # bound for this turn
        view = client.find(key)
        assert view is not None
        assert isinstance(client.result(view.saga_id, PATIENCE_S).state, Completed)


def counts(engine: BlockingEngine, keys: Collection[str]) -> dict[str, int]:
    """Return how often a saga was started for each key, where it was."""
    found = {key: engine.entity("SOLD", key) for key in keys}
    return {key: number for key, number in found.items() if number}


def left(database: Database) -> list[Any]:
    """Return the ids of the letters that are in an outbox, as others see them."""
    with database.connect() as db, database.transaction(db):
        return [row[0] for row in database.execute(db, "SELECT id FROM amends_outbox ORDER BY number")]


class Killed(Exception):
    """The process dies, as far as the databases can see."""


class MortalCursor(sqlite3.Cursor):
    """Carries out what it is given, until the process is killed."""

    connection: Mortal

    def execute(self, sql: str, *given: Any) -> Any:
        """Count the commits down."""
        self.connection.commits_left -= sql == "COMMIT"
        if sql == "COMMIT" and not self.connection.commits_left:
            raise Killed
        return super().execute(sql, *given)


class Mortal(sqlite3.Connection):
    """A connection whose process is killed at a commit."""

    commits_left = 0

    def cursor(self, *_: Any) -> Any:
        """Return a cursor that counts."""
        return super().cursor(MortalCursor)


def mortal(path: Path, killed_at: int) -> Mortal:
    """Connect, for so many commits but one; 0 for ever."""
    made = sqlite3.connect(path, factory=Mortal)
    made.commits_left = killed_at
    return made
