"""The versions of the schema: one file each, applied in a transaction together with its number.

The comment of a schema says its version, and the oldest version of whose programs may go on with it: what is only added
keeps the engines of before running, and lets them be started, while a deploy lasts. What they alone need is taken away
once they are gone: the change is finished, and the schema serves them no longer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

import psycopg
from psycopg import errors, sql

from amends.adapters.postgres import rights
from amends.errors import StoreUnusable

MIGRATED_BY: Final = "Amends"
"""Begins the comment of a schema that is ours, before its version: where psql shows it (``\\dn+``)."""


def _loaded(*folder: str) -> dict[int, str]:
    scripts = files(__package__).joinpath("schema", *folder).iterdir()
    return {int(each.name[:4]): each.read_text("utf-8") for each in scripts if each.name.endswith(".sql")}


SCHEMAS: Final = [text for _, text in sorted(_loaded().items())]
"""What leads from each version to the next: the first from nothing to version 1."""
VERSION: Final = len(SCHEMAS)
SERVES: Final = 1
"""The oldest version whose engines and clients may use a schema of `VERSION` that is not finished."""
FINISHES: Final = _loaded("finish")
"""By version, what takes away what programs of before alone need. A schema that is new is finished."""
SERVES_FINISHED: Final = max(FINISHES)
"""The oldest version whose engines and clients may use one that is."""
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
    version, serves = _written_in(written)
    if serves > VERSION:
        raise StoreUnusable(
            f"the schema {schema!r} has version {version}, for programs from version {serves} on, and this Amends "
            f"knows up to {VERSION}"
        )
    return version


def served_by(driver: psycopg.Connection[Any], schema: str) -> int:
    """The oldest version whose programs may use a schema that is there, and ours."""
    written = WRITTEN.fullmatch(comment_of(driver, schema) or "")
    assert written, "its version was looked at before"
    return _written_in(written)[1]


def _written_in(comment: re.Match[str]) -> tuple[int, int]:
    return int(comment[1]), int(comment[2] or comment[1])


def comment_of(driver: psycopg.Connection[Any], schema: str) -> str | None:
    """The comment of a schema, which says what it is; ``None`` where it is not there."""
    found = driver.execute(COMMENT, [schema]).fetchone()
    return None if found is None else str(found[0] or "")


def put_comment(driver: psycopg.Connection[Any], schema: str, comment: str) -> None:
    """Say what a schema is."""
    names = sql.Identifier(schema), sql.Literal(comment)
    driver.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(*names))


def script(schema: str, since: int, serves: int = SERVES) -> str:
    """The statements that lead from a version to `VERSION`; none where it is that.

    Args:
        schema: its name, which need not be quoted.
        since: the version that is there; 0 for none.
        serves: the oldest version whose programs may use it; of one that is new, those of `SERVES_FINISHED`.
    """
    if since >= VERSION:
        return ""
    begin = [f'CREATE SCHEMA "{schema}";'] if not since else []
    steps, serves = [*SCHEMAS[since:]], max(serves, SERVES)
    if not since:
        steps, serves = [*steps, *_finishes(0)], SERVES_FINISHED
    return _script(schema, [*begin, *steps], serves)


def finishing_script(driver: psycopg.Connection[Any], schema: str) -> str:
    """The statements that take away what programs of before alone need; none where that is done.

    Raises:
        StoreUnusable: the schema is not there, or not of `VERSION`.
    """
    if (version := version_of(driver, schema)) != VERSION:
        verb = "init` makes it" if not version else f"migrate` brings it to {VERSION} first"
        raise StoreUnusable(f"the schema {schema!r} has version {version}, and nothing to finish: `amends db {verb}")
    serves = served_by(driver, schema)
    return _script(schema, _finishes(serves), SERVES_FINISHED) if serves < SERVES_FINISHED else ""


def _finishes(serves: int) -> list[str]:
    return [text for version, text in sorted(FINISHES.items()) if version > serves]


def _script(schema: str, steps: Sequence[str], serves: int) -> str:
    path = f'SET LOCAL search_path = "{schema}", pg_temp;'
    comment = f"COMMENT ON SCHEMA \"{schema}\" IS '{MIGRATED_BY} {VERSION}, serves {serves}';\n"
    return "\n".join([UNHURRIED, path, *steps, comment])


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
            serves = served_by(driver, schema) if version else SERVES
            driver.execute(script(schema, version, serves).encode())
            for roles in given:
                driver.execute("\n".join(rights.grants(schema, roles)).encode())
        except errors.InsufficientPrivilege as error:
            task = "make" if not version else f"bring to version {VERSION}"
            verb = "migrate" if version else "init"
            raise StoreUnusable(
                f"this role may not {task} the schema {schema!r}: a role that may runs `amends db {verb}`, or the SQL "
                f"that `amends db {verb} --print` prints"
            ) from error


def finish(driver: psycopg.Connection[Any], schema: str) -> None:
    """Take away what programs of before alone need, which can use the schema no longer.

    Args:
        driver: in a transaction.
        schema: its name.

    Raises:
        StoreUnusable: it is not of `VERSION`, or the role may not do it.
    """
    driver.execute(ONE_AT_A_TIME, [schema])
    try:
        driver.execute(finishing_script(driver, schema).encode())
    except errors.InsufficientPrivilege as error:
        raise StoreUnusable(
            f"this role may not finish the schema {schema!r}: a role that may runs `amends db migrate --finish`, or "
            "the SQL that it prints with --print"
        ) from error
