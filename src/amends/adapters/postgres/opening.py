"""Whether a database can be the place of a store; what is in the way is told in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.migrations import SERVES, VERSION, NoSchemaYet, migrate, version_of
from amends.adapters.postgres.queries import QUERIES
from amends.adapters.postgres.refusals import is_passing, line_of
from amends.adapters.postgres.rights import ENGINE, GRANTING, READER, Rights, as_of, expect
from amends.adapters.postgres.settings import OF_READS, faults
from amends.errors import StoreAway, StoreUnusable


def prepare(address: Address, rights: Rights = ENGINE, remedy: str = GRANTING) -> None:
    """See that a store can be there, and make it, or bring it up to date, where that is needed.

    Args:
        address: of the database.
        rights: that the role has to have in the schema.
        remedy: what to do where it has not.

    Raises:
        StoreAway: no connection can be had now.
        StoreUnusable: no connection can be had ever, a setting is wrong, the schema is none of this version, or the
            role may not do what it is to do.
    """
    with writing(address) as driver:
        if version_of(driver, address.schema) < VERSION:
            migrate(driver, address.schema)
        expect(driver, address.schema, rights, remedy)


def look(address: Address) -> int:
    """See that a store is there that this version can read: also one of an earlier version that `VERSION` still serves.

    Returns:
        The version of its schema.

    Raises:
        NoSchemaYet: there is none.
        StoreAway: no connection can be had now.
        StoreUnusable: what is there is no store of this version, or the role may not read it.
    """
    with looking(address) as driver:
        if not (version := version_of(driver, address.schema)):
            raise NoSchemaYet(f"there is no schema {address.schema!r}: `amends db init`, or an engine, makes it")
        if version < SERVES:
            raise StoreUnusable(
                f"the schema has version {version}: `amends db migrate`, or an engine, brings it to {VERSION}"
            )
        expect(driver, address.schema, as_of(version, READER))
        return version


@contextmanager
def looking(address: Address) -> Iterator[psycopg.Connection[Any]]:
    """A transaction with our settings; what is in the way is a `StoreUnusable` that names the address."""
    with _connected(address) as driver, driver.transaction():
        driver.execute(QUERIES["settings"], OF_READS.parameters(address.schema))
        yield driver


@contextmanager
def writing(address: Address) -> Iterator[psycopg.Connection[Any]]:
    """The same, where the server keeps what was answered."""
    with looking(address) as driver:
        for fault in faults(in_force(driver)):
            raise StoreUnusable(fault)
        yield driver


def in_force(driver: psycopg.Connection[Any]) -> Sequence[str]:
    """What a server runs with, as `amends.adapters.postgres.settings.facts` reads it."""
    found: Sequence[str] = driver.execute(QUERIES["in_force_at_server"]).fetchall()[0]
    return found


@contextmanager
def _connected(address: Address) -> Iterator[psycopg.Connection[Any]]:
    try:
        with address.connect() as driver:
            yield driver
    except psycopg.Error as error:
        kind = StoreAway if is_passing(error) else StoreUnusable
        raise kind(f"{address.shown}: {line_of(error)}") from error
    except StoreUnusable as error:
        raise type(error)(f"{address.shown}: {error}") from None
