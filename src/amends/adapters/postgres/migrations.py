"""The versions of the schema: one file each, applied in a transaction together with its number.

The comment of a schema says its version, and the oldest version of whose programs may go on with it: what is only added
keeps the engines of before running, and lets them be started, while a deploy lasts.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any, Final

import psycopg
from psycopg import errors, sql

from amends.adapters.postgres import rights
from amends.errors import StoreUnusable

MIGRATED_BY: Final = "Amends"
"""Begins the comment of a schema that is ours, before its version: where psql shows it (``\\dn+``)."""


def _loaded() -> list[str]:
    scripts = sorted(files(__package__).joinpath("schema").iterdir(), key=lambda script: script.name)
    return [script.read_text("utf-8") for script in scripts if script.name.endswith(".sql")]


SCHEMAS: Final = _loaded()
"""What leads from each version to the next: the first from nothing to version 1."""
VERSION: Final = len(SCHEMAS)
SERVES: Final = 1
"""The oldest version whose engines and clients may use a schema of `VERSION`. A script that takes away or changes what
these use raises it, one release after they stopped using it."""
COMMENT: Final = b"SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s"
UNFINISHED: Final = re.compile(r"(.*), and the move of (\S+) into it is not finished")
"""The comment of a schema into which a shop is moved: what it will be, and the head of the source's audit. No Amends of
any version takes a schema with such a comment for a store."""
ONE_AT_A_TIME: Final = b"SELECT pg_advisory_xact_lock(hashtextextended('amends ' || %s, 0))"


WRITTEN: Final = re.compile(rf"{MIGRATED_BY} (\d+)(?:, serves (\d+))?")


UNHURRIED: Final = "SET LOCAL statement_timeout = 0;"
"""A change of a large table takes as long as it takes; what it waits for is waited for as in any transaction."""


class NoSchemaYet(StoreUnusable):
    """The schema is not there: no engine and no client has made it."""


def version_of(driver: psycopg.Connection[Any], schema: str) -> int:
    """The version of a schema; 0 where it is not there. A later one than `VERSION` is given if it serves this one.

    Raises:
        StoreUnusable: it is not ours, or of a later version of Amends that does not serve this one; or a shop is being
            moved into it.
    """
    comment = comment_of(driver, schema)
    if comment is None:
        return 0
    if UNFINISHED.fullmatch(comment):
        raise StoreUnusable(
            f"a move into the schema {schema!r} is not finished: run `amends move` again with the same source, or "
            "`amends move --cancel`"
        )
    written = WRITTEN.fullmatch(comment)
    if written is None:
        raise StoreUnusable(f"there is a schema {schema!r} that is none of Amends': give another name, ?schema=...")
    version, serves = int(written[1]), int(written[2] or written[1])
    if serves > VERSION:
        raise StoreUnusable(
            f"the schema {schema!r} has version {version}, for programs from version {serves} on, and this Amends "
            f"knows up to {VERSION}"
        )
    return version


def comment_of(driver: psycopg.Connection[Any], schema: str) -> str | None:
    """The comment of a schema, which says what it is; ``None`` where it is not there."""
    found = driver.execute(COMMENT, [schema]).fetchone()
    return None if found is None else str(found[0] or "")


def put_comment(driver: psycopg.Connection[Any], schema: str, comment: str) -> None:
    """Say what a schema is."""
    names = sql.Identifier(schema), sql.Literal(comment)
    driver.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(*names))


def script(schema: str, since: int) -> str:
    """The statements that lead from a version to `VERSION`; none where it is that.

    Args:
        schema: its name, which need not be quoted.
        since: the version that is there; 0 for none.
    """
    if since >= VERSION:
        return ""
    path = f'SET LOCAL search_path = "{schema}", pg_temp;'
    begin = [UNHURRIED, path, *([] if since else [f'CREATE SCHEMA "{schema}";'])]
    written = f"{MIGRATED_BY} {VERSION}, serves {SERVES}"
    return "\n".join([*begin, *SCHEMAS[since:], f"COMMENT ON SCHEMA \"{schema}\" IS '{written}';\n"])


def migrate(driver: psycopg.Connection[Any], schema: str) -> None:
    """Make the schema, or bring it to `VERSION`; other processes that want the same wait. A later one stays.

    Roles that were given rights in it are given those that they need in what is new.

    Args:
        driver: in a transaction.
        schema: its name.

    Raises:
        StoreUnusable: it is not ours, or of a later version of Amends; or the role may not do it.
        psycopg.Error: it cannot be made.
    """
    driver.execute(ONE_AT_A_TIME, [schema])
    version = version_of(driver, schema)
    if version < VERSION:
        given = rights.given(driver, schema)  # before a table of theirs is made anew
        try:
            driver.execute(script(schema, version).encode())
            for roles in given:
                driver.execute("\n".join(rights.grants(schema, roles)).encode())
        except errors.InsufficientPrivilege as error:
            task = "make" if not version else f"bring to version {VERSION}"
            verb = "migrate" if version else "init"
            raise StoreUnusable(
                f"this role may not {task} the schema {schema!r}: a role that may runs `amends db {verb}`, or the SQL "
                f"that `amends db {verb} --print` prints"
            ) from error
