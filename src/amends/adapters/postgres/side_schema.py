"""Schemas of ours that are no store: what is in one, whether it is there, and how it is made."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import psycopg
from psycopg import errors

from amends.adapters.postgres.migrations import ONE_AT_A_TIME, comment_of
from amends.errors import StoreUnusable


class SideSchema(NamedTuple):
    """A kind of schema, of which there is one version.

    Attributes:
        noun: what it is, for people.
        made_by: begins its comment, before the version.
        version: that this Amends makes and uses.
        script: the file of the statements that make what is in it.
        command: what makes it, for a person to run.
    """

    noun: str
    made_by: str
    version: int
    script: str
    command: str

    def version_in(self, driver: psycopg.Connection[Any], schema: str) -> int:
        """The version of a schema; 0 where it is not there.

        Raises:
            StoreUnusable: it is none of this kind, or of a later version.
        """
        comment = comment_of(driver, schema)
        if comment in (None, f"{self.made_by} {self.version}"):
            return self.version if comment else 0
        if str(comment).startswith(self.made_by):
            raise StoreUnusable(
                f"the schema {schema!r} is of {comment}, and this Amends knows version {self.version} alone"
            )
        raise StoreUnusable(f"there is a schema {schema!r} that is no {self.noun}: give another name, ?schema=...")

    def statements(self, schema: str) -> str:
        """What makes it, in a transaction."""
        begin = f'SET LOCAL search_path = "{schema}", pg_temp;\nCREATE SCHEMA "{schema}";'
        made = files(__package__).joinpath(self.script).read_text("utf-8")
        return f"{begin}\n{made}\nCOMMENT ON SCHEMA \"{schema}\" IS '{self.made_by} {self.version}';\n"

    def transaction(self, schema: str, since: int, grants: Sequence[str]) -> str:
        """What makes it and gives rights in it, as one transaction; the rights alone where a version is there."""
        made = [] if since else [self.statements(schema)]
        return "\n".join(["BEGIN;", *made, *grants, "COMMIT;\n"])

    def make(self, driver: psycopg.Connection[Any], schema: str) -> None:
        """Make it, unless it is there; other processes that want the same wait.

        Args:
            driver: in a transaction.
            schema: its name.

        Raises:
            StoreUnusable: what is there is none of this kind, or of a later version; or the role may not make one.
            psycopg.Error: it cannot be made.
        """
        driver.execute(ONE_AT_A_TIME, [schema])
        if self.version_in(driver, schema):
            return
        try:
            driver.execute(self.statements(schema).encode())
        except errors.InsufficientPrivilege as error:
            raise StoreUnusable(
                f"this role may not make the schema {schema!r}: a role that may runs `{self.command}`, or the SQL "
                f"that `{self.command} --print` prints"
            ) from error
