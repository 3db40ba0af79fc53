"""Whether a database can be the place of a store; what is in the way is told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.migrations import VERSION, NoSchemaYet, migrate, version_of
from amends.adapters.postgres.queries import QUERIES
from amends.adapters.postgres.refusals import line_of
from amends.adapters.postgres.settings import OF_READS, faults
from amends.errors import StoreUnusable


class ServerAway(StoreUnusable):
    """No connection can be had."""


def prepare(address: Address) -> None:
    """See that a store can be there, and make it, or bring it up to date, where that is needed.

    Raises:
        StoreUnusable: the server is away or takes no writes, a setting is wrong, or the schema is none of this version.
    """
    with _connected(address) as driver, driver.transaction():
        driver.execute(QUERIES["settings"], OF_READS.parameters(address.schema))
        found = driver.execute(QUERIES["in_force_at_server"]).fetchone()
        assert found is not None, "a SELECT without FROM gives a row"
        for fault in faults(found):
            raise StoreUnusable(fault)
        if version_of(driver, address.schema) != VERSION:
            migrate(driver, address.schema)


def look(address: Address) -> None:
    """See that a store is there that this version can read.

    Raises:
        NoSchemaYet: there is none.
        StoreUnusable: the server is away, or what is there is no store of this version.
    """
    with _connected(address) as driver, driver.transaction():
        if not (version := version_of(driver, address.schema)):
            raise NoSchemaYet(f"there is no schema {address.schema!r}; an engine that opens it makes it")
        if version != VERSION:
            raise StoreUnusable(f"the schema has version {version}; an engine that opens it brings it to {VERSION}")


@contextmanager
def _connected(address: Address) -> Iterator[psycopg.Connection[Any]]:
    try:
        with address.connect() as driver:
            yield driver
    except psycopg.OperationalError as error:
        raise ServerAway(f"{address.shown}: {line_of(error)}") from error
    except psycopg.Error as error:
        raise StoreUnusable(f"{address.shown}: {line_of(error)}") from error
    except StoreUnusable as error:
        raise type(error)(f"{address.shown}: {error}") from None
