"""Roles of a database that have no right at first, not even to make a schema."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psycopg

from tests.postgres import server

ROLES = count(1)


@contextmanager
def roles(*names: str) -> Iterator[tuple[str, ...]]:
    """Give roles that can log in; they and their rights are gone at the end."""
    made = tuple(f"{name}_{os.getpid()}_{next(ROLES)}" for name in names)
    with psycopg.connect(server(), autocommit=True) as database:
        for role in made:
            database.execute(f"CREATE ROLE {role} LOGIN".encode())
    try:
        yield made
    finally:
        with psycopg.connect(server(), autocommit=True) as database:
            for role in made:
                database.execute(f"DROP OWNED BY {role}".encode())
                database.execute(f"DROP ROLE {role}".encode())


def url_as(role: str, url: str) -> str:
    """Return the URL of a schema, of the tests' server, as a role logs in."""
    return url.replace("//postgres@", f"//{role}@")
