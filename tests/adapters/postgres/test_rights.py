"""Roles for engines and clients do what they are for, and the server refuses them anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg import errors

import amends
from amends import Completed
from amends.adapters.postgres import PostgresStore, address_of
from amends.adapters.postgres.client_store import PostgresClientStore
from amends.adapters.postgres.location import PostgresLocation
from amends.adapters.postgres.migrations import SCHEMAS, VERSION
from amends.adapters.postgres.queries import QUERIES
from amends.adapters.postgres.rights import CLIENT, ENGINE, READER, RECORDED, as_of
from amends.auditing.verify import verify
from amends.errors import StoreUnusable
from amends.storage.location import DatabaseRoles
from amends.storage.rows import Letter
from tests.adapters.postgres.roles import roles, url_as
from tests.adapters.postgres.transfers import TRANSFER
from tests.postgres import server

OF_AN_OWNER = {"delete_sagas", "drop_partition"}
"""Sagas leave for an archive, and months of the audit for a file: no engine does that on its own."""
CHANGING = re.compile(rb"INSERT INTO|UPDATE \w+ |DELETE FROM|FOR (UPDATE|SHARE)|drop_partition")
"""What locks a row is a part of a turn."""
PATIENCE_S = 60


class Place(NamedTuple):
    """A schema that an owner has made.

    Attributes:
        url: as the owner logs in.
        engine: as engines do.
        client: as clients do.
        roles: the names of both.
    """

    url: str
    engine: str
    client: str
    roles: DatabaseRoles

    def execute(self, statement: str, url: str = "") -> list[Any]:
        """Carry out a statement, by default as the owner."""
        address = address_of(url or self.url)
        with address.connect() as database, database.transaction():
            database.execute(f"SET LOCAL search_path = {address.schema}".encode())
            cursor = database.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def place(url: str) -> Iterator[Place]:
    """Return a schema with two roles that own nothing of it."""
    with roles("engine", "client") as (engine, client):
        of = DatabaseRoles(engine, client)
        PostgresLocation(url).migrate(of)
        yield Place(url, url_as(engine, url), url_as(client, url), of)


class Nulls(dict[str, Any]):
    """Parameters of any name."""

    def __missing__(self, name: str) -> None:
        return None


def is_allowed(query: str, url: str) -> bool:
    """Whether the server would carry out a statement: it looks at rights before it plans how."""
    address = address_of(url)
    with address.connect() as database, database.transaction():
        database.execute(f"SET LOCAL search_path = {address.schema}".encode())
        try:
            database.execute(b"EXPLAIN " + QUERIES[query], Nulls())
        except errors.InsufficientPrivilege:
            return False
    return True


OF_A_MOVE = re.compile(rb"(FROM|INTO) moved\b")
"""What is about a table that is there while an owner moves a shop."""
EXPLAINED = {
    name
    for name, query in QUERIES.items()
    if re.match(rb"SELECT|WITH|INSERT|UPDATE|DELETE", query) and not OF_A_MOVE.search(query)
}


def test_an_engine_may_do_each_statement_of_its_own(place: Place) -> None:
    """All that are in the store's queries, but for those of an archive."""
    assert len(EXPLAINED) > 50
    assert {name for name in EXPLAINED if not is_allowed(name, place.engine)} == OF_AN_OWNER


def test_a_client_may_read_and_post_letters(place: Place) -> None:
    """And nothing else."""
    reads = {name for name in EXPLAINED if not CHANGING.search(QUERIES[name])}
    assert {name for name in EXPLAINED if is_allowed(name, place.client)} == reads | {"post_letters"}


@pytest.mark.parametrize("table", RECORDED)
@pytest.mark.parametrize("change", ["UPDATE {} SET number = 7", "DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}"])
def test_what_is_recorded_is_changed_by_the_owner_alone(table: str, change: str, place: Place) -> None:
    """The server refuses it to engines and clients."""
    for url in (place.engine, place.client):
        with pytest.raises(errors.InsufficientPrivilege):
            place.execute(change.format(table), url)


def test_engines_and_clients_work_under_roles_of_their_own(place: Place) -> None:
    """Sagas start, end and are refused; a client reads all of it, and the audit of it verifies."""
    with (
        amends.open(place.engine, sagas=[TRANSFER]) as engine,
        amends.connect(place.client, sagas=[TRANSFER]) as client,
    ):
        handles = client.submit_many(TRANSFER, [*range(1, 40)])
        ended = [handle.result(timeout=PATIENCE_S) for handle in handles]  # type: ignore[union-attr]
        assert sum(isinstance(result.state, Completed) for result in ended) > 30
        own = engine.submit(TRANSFER, 41, key="one").result(timeout=PATIENCE_S)
        assert client.describe(own.saga_id).status == "completed"
    with closing(PostgresLocation(place.client).records()) as store:
        assert [*verify(store, problems=store.problems()).findings] == []


def test_an_engine_takes_over_under_its_role(place: Place) -> None:
    """A lease that ran out is ended by another engine, which gets its shards."""
    dead = PostgresStore(place.engine)
    dead.ownership.enter("dead", 1)
    dead.ownership.claim("dead", range(64))
    dead.close()
    with amends.open(place.engine, sagas=[TRANSFER]) as engine:
        assert engine.submit(TRANSFER, 1).result(timeout=PATIENCE_S)
    assert place.execute("SELECT engine FROM leases") == []


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_every_table_has_its_rights(version: int, url: str) -> None:
    """In each version of the schema those that are there: a table that is new is in none that a role was given."""
    address = address_of(url)
    with address.connect() as database, database.transaction():
        statements = [f"CREATE SCHEMA {address.schema}", f"SET LOCAL search_path = {address.schema}"]
        database.execute(";\n".join([*statements, *SCHEMAS[:version]]).encode())
        found = database.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
            "AND relkind IN ('r', 'p') AND NOT relispartition"
        ).fetchall()
    tables = {name for (name,) in found}
    assert tables == {*as_of(version, ENGINE)} == {*as_of(version, CLIENT)} == {*as_of(version, READER)}


def test_a_role_that_may_make_no_schema_is_told_who_makes_it(url: str) -> None:
    """An engine, and a client whose letter comes first; nothing is made."""
    with roles("engine") as (role,):
        with pytest.raises(StoreUnusable, match=r"may not make the schema .*: a role that may runs `amends db init`"):
            PostgresStore(url_as(role, url))
        client = PostgresClientStore(address_of(url_as(role, url)))
        with pytest.raises(StoreUnusable, match="may not make the schema"):
            client.mailbox.post([Letter("L1", 3, "{}", 1)])


@pytest.mark.parametrize("whose", ["engine", "client"])
def test_a_right_that_is_missing_is_named_when_a_store_is_opened(whose: str, place: Place) -> None:
    """Not by a commit later on."""
    role = place.roles._asdict()[whose]
    place.execute(f"REVOKE INSERT ON letters FROM {role}")
    with pytest.raises(StoreUnusable, match=f"role '{role}' lacks INSERT on letters; `amends db init --print` with"):
        _use(whose, place)
    place.execute(f"REVOKE USAGE ON SCHEMA {address_of(place.url).schema} FROM {role}")
    with pytest.raises(StoreUnusable, match="lacks USAGE on the schema, INSERT on letters"):
        _use(whose, place)


def test_who_may_not_read_is_told_so(place: Place) -> None:
    """Whichever table it is."""
    place.execute(f"REVOKE ALL ON client_keys FROM {place.roles.client}")
    with pytest.raises(StoreUnusable, match="lacks SELECT on client_keys; `amends db init --print` with"):
        PostgresLocation(place.client).records()


def _use(whose: str, place: Place) -> None:
    if whose == "engine":
        PostgresStore(place.engine).close()
    else:
        PostgresClientStore(address_of(place.client)).mailbox.post([Letter("L1", 3, "{}", 1)])


def test_a_role_that_is_not_there_is_named(url: str) -> None:
    """And no schema is made."""
    with pytest.raises(StoreUnusable, match='role "nobody_of_that_name" does not exist'):
        PostgresLocation(url).migrate(DatabaseRoles("nobody_of_that_name"))
    assert PostgresLocation(url).version() == 0
    for wrong in ("a\0b", "x" * 64):
        with pytest.raises(StoreUnusable, match="is no name for a role"):
            PostgresLocation(url).migrate(DatabaseRoles(client=wrong))


def test_a_name_of_a_role_is_one_name(url: str) -> None:
    """Whatever is in it."""
    name = 'odd "role"; DROP TABLE blocks'
    quoted = '"odd ""role""; DROP TABLE blocks"'
    with psycopg.connect(server(), autocommit=True) as database:
        with suppress(errors.DuplicateObject):
            database.execute(f"CREATE ROLE {quoted}".encode())
        PostgresLocation(url).migrate(DatabaseRoles(name))
        facts = [*PostgresLocation(url).check(DatabaseRoles(name))]
        assert facts[-1] == ("engine's role", name, "")
        database.execute(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}".encode())
