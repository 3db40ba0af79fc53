"""A schema of an earlier version is brought up to date: at once or not at all, and engines of before go on with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

import amends
from amends import Completed, Done
from amends.adapters.clock import SystemClock
from amends.adapters.postgres import PostgresStore, address_of, migrations
from amends.adapters.postgres.migrations import (
    FINISHES,
    MIGRATED_BY,
    SCHEMAS,
    SERVES,
    SERVES_FINISHED,
    VERSION,
    finish,
    migrate,
    served_by,
    version_of,
)
from amends.adapters.postgres.ownership import PostgresOwnership
from amends.adapters.postgres.queries import BEFORE_HEADS
from amends.adapters.postgres.reader import PostgresReader
from amends.adapters.postgres.texts import opened, stored
from amends.auditing.verify import verify
from amends.engine.blocking import BlockingEngine
from amends.engine.engine import Engine
from amends.engine.limits import Limits
from amends.engine.loop import EngineLoop
from amends.errors import StoreUnusable
from amends.storage.ports import ALL
from amends.storage.rows import COMPENSATED, COMPLETED, FORWARD, Lease
from tests.corpus.in_postgres import KEPT, PATIENCE_S, STORES, restore, write

STORE_OF = {version: STORES / f"schema-{version}.json" for version in range(1, VERSION)}
"""By version, a store that it wrote."""
ADDED = ("sagas", "knows", "budgets", "heads", "entity_names")
"""What the script of each version adds."""
ENTER_1 = b"""
INSERT INTO leases (engine, until_ms)
SELECT %(engine)s::text, now_ms() + %(lease_ms)s::bigint
WHERE %(engine)s::text <> '' AND NOT EXISTS (SELECT FROM blocks WHERE chain = %(engine)s::text)
ON CONFLICT DO NOTHING RETURNING until_ms"""
OF_VERSION_1 = {
    **BEFORE_HEADS,
    "enter": ENTER_1,
    "leases": b"SELECT engine, until_ms FROM leases ORDER BY engine",
    "insert_subjects": b"INSERT INTO subjects (subject, chain, number) "
    b"SELECT unnest(%(subjects)s::text[]), %(chain)s::text, %(number)s::bigint",
    "entities": b"SELECT e.service, e.id, e.body, e.version, e.checksum FROM entities AS e "
    b"JOIN unnest(%(services)s::text[], %(ids)s::text[]) AS wanted (service, id) "
    b"ON e.service = wanted.service AND e.id = wanted.id ORDER BY e.service, e.id FOR UPDATE OF e",
    "hold_entities": b"INSERT INTO entities (service, id, version, checksum) SELECT service, id, 0, 0 "
    b"FROM unnest(%(services)s::text[], %(ids)s::text[]) AS wanted (service, id) ORDER BY service, id "
    b"ON CONFLICT DO NOTHING RETURNING service, id",
    "let_go_entities": b"DELETE FROM entities AS e "
    b"USING unnest(%(services)s::text[], %(ids)s::text[]) AS held (service, id) "
    b"WHERE e.service = held.service AND e.id = held.id AND e.version = 0",
    "insert_entities": b"INSERT INTO entities AS there (service, id, body, version, checksum) "
    b"SELECT * FROM unnest(%(service)s::text[], %(entity_id)s::text[], %(body)s::text[], %(version)s::bigint[], "
    b"%(checksum)s::bigint[]) ON CONFLICT (service, id) DO UPDATE SET body = excluded.body, "
    b"version = excluded.version, checksum = excluded.checksum WHERE there.version = 0",
}
"""The queries of version 1, which differ from those of today; its blocks were what heads are."""


class Killed(Exception):
    """The process is gone."""


class Mortal:
    """A connection that is lost before one of the statements of a migration: each of a script counts."""

    def __init__(self, driver: psycopg.Connection[Any], statements: int) -> None:
        self._driver = driver
        self._left = statements

    def execute(self, query: Any, parameters: Any = None) -> Any:
        """Carry out a statement, or a script one by one."""
        found = None
        is_script = isinstance(query, bytes) and parameters is None
        for statement in statements_of(query) if is_script else [query]:
            if not self._left:
                self._driver.close()
                raise Killed
            self._left -= 1
            found = self._driver.execute(statement, parameters)
        return found


def statements_of(script: bytes) -> list[bytes]:
    """Return the statements of a script, each without the comments before it; what is between ``$$`` is of one."""
    text = re.sub(r"--[^\n]*", "", script.decode())
    parts = re.findall(r"(?:\$\$.*?\$\$|.)+?(?:;\n|$)", text + "\n", re.DOTALL)
    return [part.strip().rstrip(";").encode() for part in parts if part.strip()]


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection with the schema of a URL on its path."""
    address = address_of(url)
    with psycopg.connect(**address.connection, autocommit=True) as driver:
        driver.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(address.schema)))
        yield driver


def killed_at(url: str, statement: int, change: Callable[..., None] = migrate) -> bool:
    """Return whether a migration was killed at a statement; there are no more where it was not."""
    with connected(url) as driver:
        try:
            with driver.transaction():
                change(Mortal(driver, statement), address_of(url).schema)
        except (Killed, psycopg.OperationalError):
            return True
    return False


@pytest.mark.parametrize("before", range(VERSION))
def test_a_migration_that_is_killed_at_any_statement_has_done_nothing(url: str, before: int) -> None:
    """The next one begins anew; an engine of the version before would find what it had."""
    if before:
        restore(STORE_OF[before], url)
    name, statement = address_of(url).schema, 0
    while killed_at(url, statement):
        statement += 1
        with connected(url) as driver:
            assert version_of(driver, name) == before
            (added,) = driver.execute("SELECT to_regclass(%s)", [ADDED[before]]).fetchone() or ("",)
            assert added is None
    assert statement > sum(len(statements_of(script.encode())) for script in SCHEMAS[before:])
    with connected(url) as driver:
        assert version_of(driver, name) == VERSION
    PostgresStore(url).close()


@pytest.mark.parametrize("version", STORE_OF)
def test_who_works_at_a_store_of_an_earlier_version_is_seen(url: str, version: int) -> None:
    """Without what came later: who only reads does not wait until an engine brings it up to date."""
    restore(STORE_OF[version], url)
    with connected(url) as driver:
        driver.execute("INSERT INTO leases (engine, until_ms) VALUES ('one', now_ms() + 60000)")
    with closing(PostgresReader(address_of(url))) as reader:
        seen = {engine.name: (engine.knows, [*engine.places]) for engine in reader.engines()}
    assert seen["one"] == (frozenset(), [])


@pytest.mark.parametrize("version", STORE_OF)
def test_a_store_of_an_earlier_version_goes_on(url: str, version: int) -> None:
    """What waits in it ends, its letters are acted on, and its audit holds."""
    restore(STORE_OF[version], url)
    with amends.open(url, sagas=[KEPT]) as engine, amends.connect(url, sagas=[KEPT]) as client:
        for name in ("ada", "dan"):
            handle = client.submit(KEPT, name, key=f"key of {name}")
            client.answer(f"{handle.started(timeout=PATIENCE_S)}/APPROVED/do", Done())
            assert isinstance(handle.result(timeout=PATIENCE_S).state, Completed)
        assert engine.entity("NOTED", "ada") == 1
    store = PostgresStore(url)
    counts = {status: sagas for (_, status), sagas in store.counts().items()}
    findings = [*verify(store).findings]
    store.close()
    assert (counts, findings) == ({COMPLETED: 3, COMPENSATED: 1}, [])


def test_a_store_of_today_can_be_written_for_the_corpus(tmp_path: Any, url: str) -> None:
    """So that the writer works when the next version needs it."""
    write(tmp_path / "today.json")
    restore(tmp_path / "today.json", url)
    store = PostgresStore(url)
    counts = {status: sagas for (_, status), sagas in store.counts().items()}
    store.close()
    assert counts == {COMPLETED: 1, COMPENSATED: 1, FORWARD: 1}


class OwnershipOfVersion1(PostgresOwnership):
    """As engines of version 1 have it: they know nothing of what was added."""

    def enter(self, engine: str, lease_ms: int, knows: Any = ()) -> Lease:
        """Begin a lease."""
        found = self._database.run(("enter", {"engine": stored(engine), "lease_ms": lease_ms}))[0].rows
        return Lease(engine, found[0][0])

    def leases(self) -> list[Lease]:
        """Return the leases of all engines."""
        found = self._database.read("leases")
        return [Lease(opened(engine), until_ms) for engine, until_ms in found]


class StoreOfVersion1(PostgresStore):
    """The store of an engine of version 1."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        for connection in (self._database, self._beside):
            connection._queries = OF_VERSION_1
        self.ownership = OwnershipOfVersion1(self._beside)


def engine_of_version_1(url: str, name: str) -> BlockingEngine:
    """Return an engine of version 1."""
    limits = Limits({}, 1_000, 0)
    loop = EngineLoop(
        lambda: StoreOfVersion1(url), SystemClock, name, sagas=[KEPT], commands=(), clients={}, limits=limits
    )
    return BlockingEngine(Engine(loop))


def test_finishing_that_is_killed_at_any_statement_has_done_nothing(url: str) -> None:
    """It serves programs of before until all is done, and then no longer."""
    restore(STORE_OF[1], url)
    name, statement = address_of(url).schema, 0
    with connected(url) as driver, driver.transaction():
        with pytest.raises(
            StoreUnusable, match=f"has version 1, and nothing to finish: .* brings it to {VERSION} first"
        ):
            finish(driver, name)
        migrate(driver, name)
    while killed_at(url, statement, finish):
        statement += 1
        with connected(url) as driver:
            assert served_by(driver, name) == SERVES
            assert keys_of_entities(driver) == {"entities_pkey", "entity_versions"}
    assert statement > len(statements_of("".join(FINISHES.values()).encode()))
    with connected(url) as driver:
        assert served_by(driver, name) == SERVES_FINISHED
        assert keys_of_entities(driver) == {"entity_versions"}
    assert not killed_at(url, ALL, finish), "a second time it does nothing"
    with amends.open(url, sagas=[KEPT]) as engine:
        assert [engine.submit(KEPT, name).result(timeout=PATIENCE_S).reason for name in ("eve", "eve")] == [
            "not him"
        ] * 2


def test_a_new_schema_is_finished(url: str) -> None:
    """No program of before has ever used it."""
    PostgresStore(url).close()
    with connected(url) as driver:
        assert served_by(driver, address_of(url).schema) == SERVES_FINISHED
        assert keys_of_entities(driver) == {"entity_versions"}


def keys_of_entities(driver: psycopg.Connection[Any]) -> set[str]:
    """Return the indexes of the table of entities."""
    return {
        name
        for (name,) in driver.execute(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'entities'::regclass"
        )
    }


def test_engines_of_version_1_serve_before_and_after(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ran goes on while another one migrates, and one is started after that; what they end is gone for all."""
    restore(STORE_OF[1], url)
    with monkeypatch.context() as before:
        before.setattr(migrations, "VERSION", 1)
        before.setattr("amends.adapters.postgres.opening.VERSION", 1)
        before.setattr("amends.adapters.postgres.opening.expect", lambda *_: None)  # rights on tables that came later
        before.setattr(migrations, "SCHEMAS", SCHEMAS[:1])
        old = engine_of_version_1(url, "old").__enter__()
    with connected(url) as driver:
        assert version_of(driver, address_of(url).schema) == 1
    try:
        with amends.open(url, sagas=[KEPT]) as new:
            with monkeypatch.context() as before:
                before.setattr(migrations, "VERSION", 1)
                before.setattr("amends.adapters.postgres.opening.VERSION", 1)
                later = engine_of_version_1(url, "later").__enter__()
            with amends.connect(url, sagas=[KEPT]) as client:
                handles = [client.submit(KEPT, "eve", key=f"after {number}") for number in range(40)]
                assert {handle.result(timeout=PATIENCE_S).reason for handle in handles} == {"not him"}
                names = [f"guest {number % 7}" for number in range(70)]  # each made by one, and changed by others
                guests = [client.submit(KEPT, name, key=f"{name}, {number}") for number, name in enumerate(names)]
                for guest in guests:
                    client.answer(f"{guest.started(timeout=PATIENCE_S)}/APPROVED/do", Done())
                assert {type(guest.result(timeout=PATIENCE_S).state) for guest in guests} == {Completed}
            later.close()
            assert [new.entity(service, name) for name in names[:7] for service in ("NOTED", "FILED")] == [10] * 14
    finally:
        old.close()
    with connected(url) as driver:
        assert driver.execute("SELECT count(*) FROM knows").fetchone() == (0,)
    with closing(PostgresReader(address_of(url))) as store:
        assert "old" in store.chains()
        assert [*verify(store, problems=store.problems()).findings] == []


@pytest.mark.parametrize(
    ("comment", "version"), [(f"{MIGRATED_BY} 1", 1), (f"{MIGRATED_BY} {VERSION + 1}, serves {VERSION}", VERSION + 1)]
)
def test_a_schema_that_serves_this_version_is_used(url: str, comment: str, version: int) -> None:
    """Also one of a later version, which is left as it is."""
    PostgresStore(url).close()
    name = address_of(url).schema
    with connected(url) as driver:
        driver.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(name), sql.Literal(comment)))
        assert version_of(driver, name) == version
        if version > VERSION:
            PostgresStore(url).close()
            assert version_of(driver, name) == version


def test_a_schema_that_no_longer_serves_this_version_is_refused(url: str) -> None:
    """It says for which programs it is."""
    PostgresStore(url).close()
    name = address_of(url).schema
    with connected(url) as driver:
        later = f"{MIGRATED_BY} {VERSION + 2}, serves {VERSION + 1}"
        driver.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(name), sql.Literal(later)))
    with pytest.raises(StoreUnusable, match=f"version {VERSION + 2}, for programs from version {VERSION + 1} on"):
        PostgresStore(url)
    assert SERVES <= VERSION
