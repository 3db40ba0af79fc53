"""Budgets on a PostgreSQL: no engine waits for another one, and what changes nothing writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from amends.adapters.postgres import PostgresStore, address_of
from amends.adapters.postgres.ownership import PostgresOwnership
from amends.adapters.postgres.queries import QUERIES
from amends.errors import StoreBusy, StoreConflict
from amends.storage.budgets import BudgetShare
from tests.postgres import server

LEASE_MS = 600_000


@pytest.fixture
def ownership(url: str) -> Iterator[PostgresOwnership]:
    """Return that of a store that the engines one and two have entered."""
    store = PostgresStore(url)
    for name in ("one", "two"):
        store.ownership.enter(name, LEASE_MS)
    yield store.ownership
    store.close()


def asks(engine: str = "one", wanted: int = 5, common: int = 0) -> BudgetShare:
    """Return what an engine asks."""
    return BudgetShare(engine, "CARD", 8, 2.5, common, 0, wanted, 0)


def versions(url: str) -> list[Any]:
    """Return which transaction wrote each share."""
    with psycopg.connect(server(), autocommit=True) as database:
        database.execute(f'SET search_path TO "{address_of(url).schema}"'.encode())
        return database.execute("SELECT engine, xmin FROM budgets").fetchall()


def test_what_changes_nothing_writes_nothing(url: str, ownership: PostgresOwnership) -> None:
    """An engine that asks again and again leaves no dead row behind."""
    ownership.share_places("one", [asks()])
    ownership.share_places("one", [asks(common=7)])
    before = versions(url)
    for _ in range(3):
        (grant,) = ownership.share_places("one", [asks(common=7)])
    assert (grant.share.common, grant.per_place, versions(url)) == (7, 2.5 / 8, before)
    ownership.share_places("one", [asks(common=6, wanted=6)])
    assert versions(url) != before


def test_an_engine_that_stands_still_keeps_no_other_one_waiting(url: str, ownership: PostgresOwnership) -> None:
    """Who finds that another one shares out places asks again later; its turns go on meanwhile."""
    with psycopg.connect(server()) as stopped:
        stopped.execute(f'SET LOCAL search_path TO "{address_of(url).schema}"'.encode())
        stopped.execute(QUERIES["hold_budgets"])
        with pytest.raises(StoreConflict, match="has locked"):
            ownership.share_places("one", [asks()])
    assert ownership.share_places("one", [asks()])[0].share.common == 7


def test_places_whose_answer_was_lost_are_given_back(
    url: str, ownership: PostgresOwnership, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next ask, which says that the engine counts on none of them."""
    connection: Any = ownership._database
    piped = connection._piped

    def lost(statements: Any) -> Any:
        answers = piped(statements)
        if statements == [("commit", {})]:
            connection._drop()
            raise StoreBusy("the connection was lost")
        return answers

    monkeypatch.setattr(connection, "_piped", lost)
    with pytest.raises(StoreBusy, match="not known"):
        ownership.share_places("one", [asks()])
    monkeypatch.undo()
    assert ownership.share_places("two", [asks("two")])[0].share.places == 0
    assert ownership.share_places("one", [asks(wanted=2)])[0].share.common <= 4
    assert ownership.share_places("two", [asks("two")])[0].share.common >= 3
