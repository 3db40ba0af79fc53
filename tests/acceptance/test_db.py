"""`amends db`: a store made, brought up to date and checked, or the SQL for it printed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

import amends as package
from amends.adapters.postgres import PostgresStore, address_of, location, migrations, opening, rights
from amends.adapters.postgres.location import PostgresLocation
from amends.adapters.sqlite.migrations import VERSION as FILE_VERSION
from amends.adapters.sqlite.reader import SqliteReader
from amends.storage.location import DatabaseRoles
from tests.acceptance.command import ROOT, Ran, amends
from tests.adapters.postgres.roles import roles, url_as
from tests.engine.test_verbs import ORDER
from tests.postgres import schema, server

VERSION = migrations.VERSION
OLD_STORE = ROOT / "tests" / "corpus" / "stores" / "schema-3-first-blocks.db.gz"
LATER = "CREATE TABLE later AS SELECT 1 / (current_setting('statement_timeout') = '0')::int AS unhurried;\n"
CATALOG = """
    SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = current_schema()::regnamespace
    UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid), '', '' FROM pg_constraint
    WHERE connamespace = current_schema()::regnamespace
    UNION ALL SELECT 'right', relname, regexp_replace(relacl::text, '_[0-9]+_[0-9]+', '', 'g'), '', '' FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace
    UNION ALL SELECT 'function', proname, prosrc, '', '' FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace
    UNION ALL SELECT 'version', obj_description(current_schema()::regnamespace, 'pg_namespace'), '', '', ''
    ORDER BY 1, 2, 3"""


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a schema that is not there yet."""
    with schema() as url:
        yield url


def execute(url: str, statement: str) -> list[Any]:
    """Carry out a statement, or several, in a schema, as the owner of the tests' server."""
    with psycopg.connect(server(), autocommit=True) as database:
        database.execute(f"SET search_path = {address_of(url).schema}".encode())
        cursor = database.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


# A PostgreSQL ------------------------------------------------------------------------------------------------


def test_a_schema_is_made_once(url: str) -> None:
    """A second time it is there already; engines open it."""
    assert amends("db", "init", "--db", url) == Ran(0, f"{url}: made, with version {VERSION}\n", "")
    assert amends("db", "init", "--db", url).out == f"{url}: it was there already, with version {VERSION}\n"
    assert amends("db", "migrate", "--db", url).out == f"{url}: it has version {VERSION}\n"
    assert amends("db", "migrate", "--print", "--db", url).out == "BEGIN;\nCOMMIT;\n"
    with package.open(url, sagas=[ORDER]):
        pass


def test_what_is_printed_is_what_is_run(url: str) -> None:
    """Tables, constraints, rights and version are the same; printing asks no server."""
    with roles("engine", "client") as (engine, client), schema() as other:
        words = ("--engine-role", engine, "--client-role", client)
        printed = amends("db", "init", "--print", "--db", url, *words)
        assert (printed.code, printed.err) == (0, "")
        elsewhere = url.replace("host=", "host=/nowhere/")
        assert amends("db", "init", "--print", "--db", elsewhere, *words).out == printed.out
        execute(url, printed.out)
        assert amends("db", "init", "--db", other, *words).code == 0
        made, run = (json.dumps(execute(each, CATALOG)).replace(address_of(each).schema, "") for each in (url, other))
        assert made == run
        assert f"{migrations.MIGRATED_BY} {VERSION}" in made
        assert amends("db", "check", "--db", url, *words).code == 0


def test_a_version_that_is_missing_is_printed_or_run(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the version that is there on; an engine of before is then told, and touches nothing."""
    assert amends("db", "init", "--db", url).code == 0
    with monkeypatch.context() as later:
        later.setattr(migrations, "SCHEMAS", [*migrations.SCHEMAS, LATER])
        for module in (migrations, opening, location):
            later.setattr(module, "VERSION", VERSION + 1)
        later.setattr(migrations, "SERVES", VERSION + 1)
        later.setattr(PostgresLocation, "newest", VERSION + 1)
        checked = amends("db", "check", "--db", url)
        assert checked.code == 1
        assert f"this Amends has version {VERSION + 1}: `amends db migrate`, or an engine" in checked.out
        assert amends("status", "--db", url).code == 0  # what only reads does not wait for it
        printed = amends("db", "migrate", "--print", "--db", url).out
        assert "CREATE TABLE later" in printed
        assert "CREATE TABLE sagas" not in printed
        said = f"{url}: brought from version {VERSION} to {VERSION + 1}\n"
        assert amends("db", "migrate", "--db", url) == Ran(0, said, "")
        assert amends("db", "check", "--db", url).code == 0
    for words in (["db", "migrate"], ["db", "init"], ["status"]):
        refused = amends(*words, "--db", url)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert f"has version {VERSION + 1}, for programs from version {VERSION + 1} on" in refused.err


def test_roles_get_their_rights_in_what_is_new(url: str) -> None:
    """Without being named again, whether a command brings the schema up to date, prints how, or an engine does."""
    ways: dict[str, Callable[[str], object]] = {
        "migrate": lambda place: amends("db", "migrate", "--db", place),
        "print": lambda place: execute(place, amends("db", "migrate", "--print", "--db", place).out),
        "open": lambda place: PostgresStore(place).close(),
    }
    with roles("engine", "client") as (engine, client):
        for bring_up_to_date in ways.values():
            with schema() as place:
                _first_version(place, DatabaseRoles(engine, client))
                bring_up_to_date(place)
                checked = amends("db", "check", "--engine-role", engine, "--client-role", client, "--db", place)
                assert checked.code == 0, checked.out


def _first_version(url: str, given: DatabaseRoles) -> None:
    name = address_of(url).schema
    new = tuple(f'ON "{name}".{table} ' for table in rights.CAME_WITH)
    grants = [grant for grant in rights.grants(name, given) if not any(table in grant for table in new)]
    statements = [f"CREATE SCHEMA {name}", migrations.SCHEMAS[0], f"COMMENT ON SCHEMA {name} IS 'Amends 1'", *grants]
    execute(url, ";\n".join(statements))


def test_what_a_role_may_not_do_it_is_told(url: str) -> None:
    """Who may make the schema, and what to run."""
    with roles("engine") as (role,):
        refused = amends("db", "init", "--db", url_as(role, url))
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert "this role may not make the schema" in refused.err
        assert "`amends db init --print` prints" in refused.err


def test_settings_and_rights_are_checked(url: str) -> None:
    """Each that is wrong is named, with what to do; 1."""
    with roles("engine", "client") as (engine, client):
        words = ("db", "check", "--engine-role", engine, "--client-role", client, "--db", url)
        missing = amends("db", "check", "--db", url)
        assert missing.code == 1
        assert "`amends db init`, or the first engine, makes it" in missing.out
        assert amends("db", "init", *words[2:]).code == 0
        assert amends(*words).code == 0
        execute(url, f"GRANT UPDATE ON blocks TO {engine}; REVOKE INSERT ON letters FROM {client}")
        checked = amends(*words)
        assert checked.code == 1
        assert "it may do more than it needs: UPDATE on blocks" in checked.out
        assert "it lacks INSERT on letters" in checked.out
        document = json.loads(amends(*words, "--json").out)
        assert document["verdict"] == "wrong"
        assert [fact["name"] for fact in document["facts"] if fact["fault"]] == ["engine's role", "client's role"]
        read_only = amends("db", "check", "--db", f"{url}&options=-cdefault_transaction_read_only%3Don")
        assert read_only.code == 1
        assert "server is read-only: " in read_only.out


def test_what_others_added_to_our_tables_is_named(url: str) -> None:
    """Triggers and rules, each with its table: they run inside our transactions. Tables of others are left alone."""
    assert amends("db", "init", "--db", url).code == 0
    execute(url, "CREATE TABLE theirs (); CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'")
    watch = "CREATE TRIGGER watching AFTER INSERT ON {} EXECUTE FUNCTION watch()"
    execute(url, watch.format("theirs"))
    assert amends("db", "check", "--db", url).code == 0
    execute(url, f"{watch.format('blocks')}; CREATE RULE kept AS ON DELETE TO letters DO INSTEAD NOTHING")
    checked = amends("db", "check", "--db", url)
    assert checked.code == 1
    assert "watching on blocks, kept on letters: it runs inside transactions of Amends" in checked.out


def test_a_role_is_told_what_it_may_do(url: str) -> None:
    """An owner may change what is recorded, which is said; a client's role is no fault."""
    with roles("engine", "client", "other") as (engine, client, other):
        assert amends("db", "init", "--db", url, "--engine-role", engine, "--client-role", client).code == 0
        told = {role: amends("db", "check", "--db", url_as(role, url)) for role in (engine, client, other)}
        assert [ran.code for ran in told.values()] == [0, 0, 1]
        assert f"{engine}: an engine's\n" in told[engine].out
        assert f"{client}: a client's\n" in told[client].out
        assert "it lacks USAGE on the schema, " in told[other].out
        owner = amends("db", "check", "--db", url)
        assert owner.code == 0
        assert "an engine's, and may change what is recorded: DELETE on blocks, " in owner.out


# A file ------------------------------------------------------------------------------------------------------


def test_a_file_is_made_and_checked(tmp_path: Path) -> None:
    """As an engine makes it; there are no roles, and no SQL for a person."""
    path = tmp_path / "shop.db"
    missing = amends("db", "check", "--db", path)
    assert missing == Ran(2, "", f"amends: {path}: there is no store yet: `amends db init` makes it\n")
    assert amends("db", "migrate", "--db", path) == missing
    assert amends("db", "init", "--db", path) == Ran(0, f"{path}: made, with version {FILE_VERSION}\n", "")
    assert amends("db", "init", "--db", path).out == f"{path}: it was there already, with version {FILE_VERSION}\n"
    checked = amends("db", "check", "--db", path)
    assert checked.code == 0
    assert f"version {FILE_VERSION}\n" in checked.out
    assert "to read and write" in checked.out
    for words, says in {
        ("db", "init", "--print"): "a file has no SQL for a person to run",
        ("db", "migrate", "--print"): "a file has no SQL for a person to run",
        ("db", "init", "--engine-role", "x"): "a file has no roles",
        ("db", "check", "--client-role", "x"): "a file has no roles",
    }.items():
        refused = amends(*words, "--db", path)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1), words
        assert says in refused.err


def test_an_old_file_is_brought_up_to_date(tmp_path: Path) -> None:
    """Before, it is named, and how; after that it is read."""
    path = tmp_path / "old.db"
    path.write_bytes(gzip.decompress(OLD_STORE.read_bytes()))
    checked = amends("db", "check", "--db", path)
    assert checked.code == 1
    assert f"this Amends has version {FILE_VERSION}: `amends db migrate`" in checked.out
    assert amends("db", "migrate", "--db", path).out.endswith(f" to {FILE_VERSION}\n")
    assert amends("db", "check", "--db", path).code == 0
    with closing(SqliteReader(path)) as store:
        assert store.counts()


def test_a_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    """Also one that an engine has."""
    path = tmp_path / "shop.db"
    path.write_bytes(b"no database at all " * 999)
    for command in ("init", "migrate", "check"):
        refused = amends("db", command, "--db", path)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    path.unlink()
    with package.open(f"sqlite:///{path}", sagas=[ORDER]):
        refused = amends("db", "migrate", "--db", path)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert "in use by the engine of process" in refused.err
        assert amends("db", "check", "--db", path).code == 0
