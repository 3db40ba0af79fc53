"""The schema of a wire: whether it is there, and how it is made. It holds nothing but messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final

import psycopg
from psycopg import errors

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.migrations import ONE_AT_A_TIME, comment_of
from amends.adapters.postgres.opening import in_force, looking
from amends.adapters.postgres.rights import ADDS, Rights, expect
from amends.adapters.postgres.settings import facts
from amends.errors import StoreAway, StoreUnusable, WireAway, WireUnusable
from amends.storage.location import StoreFact

WIRE_VERSION: Final = 1
MADE_BY: Final = "Amends wire"
"""Begins the comment of a schema that is a wire, before its version."""
MADE: Final = files(__package__).joinpath("wire_schema.sql").read_text("utf-8")
ENDS: Final[Rights] = {
    "messages": ADDS, "claims": ADDS, "acknowledgements": ADDS, "parked": ADDS, "rotations": (),
}  # fmt: skip
"""What the role of a coordinator or a host may do: none changes or removes a row."""
GRANTING: Final = "`amends db init --wire` with --engine-role grants it"
MATTERS: Final = ("PostgreSQL", "server", "encoding")
"""Of what is known about a server: that it loses messages in a crash costs time only."""


def prepare_wire(address: Address) -> None:
    """See that a wire can be there, and make it where it is not.

    Raises:
        WireAway: no connection can be had now.
        WireUnusable: what is there is none, or of a later version; or the role may not do what it is to do.
    """
    with of_wire(address) as driver:
        for fact in server_facts(driver):
            if fact.fault:
                raise StoreUnusable(fact.fault)
        if not wire_version(driver, address.schema):
            make_wire(driver, address.schema)
        expect(driver, address.schema, ENDS, GRANTING)


@contextmanager
def of_wire(address: Address) -> Iterator[psycopg.Connection[Any]]:
    """A transaction with our settings.

    Raises:
        WireAway, WireUnusable: what is in the way, with the address.
    """
    try:
        with looking(address) as driver:
            yield driver
    except StoreAway as error:
        raise WireAway(str(error)) from error
    except StoreUnusable as error:
        raise WireUnusable(str(error)) from error


def server_facts(driver: psycopg.Connection[Any]) -> Iterator[StoreFact]:
    """What a wire needs of its server, each with what is wrong about it."""
    return (fact for fact in facts(in_force(driver)) if fact.name in MATTERS)


def wire_version(driver: psycopg.Connection[Any], schema: str) -> int:
    """The version of a wire's schema; 0 where it is not there.

    Raises:
        StoreUnusable: it is no wire, or of a later version.
    """
    comment = comment_of(driver, schema)
    if comment in (None, f"{MADE_BY} {WIRE_VERSION}"):
        return WIRE_VERSION if comment else 0
    if str(comment).startswith(MADE_BY):
        raise StoreUnusable(
            f"the schema {schema!r} is of {comment}, and this Amends knows version {WIRE_VERSION} alone"
        )
    raise StoreUnusable(f"there is a schema {schema!r} that is no wire: give another name, ?schema=...")


def wire_script(schema: str) -> str:
    """The statements that make a wire, in a transaction."""
    begin = [f'SET LOCAL search_path = "{schema}", pg_temp;', f'CREATE SCHEMA "{schema}";']
    return "\n".join([*begin, MADE, f"COMMENT ON SCHEMA \"{schema}\" IS '{MADE_BY} {WIRE_VERSION}';\n"])


def make_wire(driver: psycopg.Connection[Any], schema: str) -> None:
    """Make a wire, unless it is there; other processes that want the same wait.

    Args:
        driver: in a transaction.
        schema: its name.

    Raises:
        StoreUnusable: what is there is no wire, or of a later version; or the role may not make one.
        psycopg.Error: it cannot be made.
    """
    driver.execute(ONE_AT_A_TIME, [schema])
    if wire_version(driver, schema):
        return
    try:
        driver.execute(wire_script(schema).encode())
    except errors.InsufficientPrivilege as error:
        raise StoreUnusable(
            f"this role may not make the schema {schema!r}: a role that may runs `amends db init --wire`, or the SQL "
            "that `amends db init --wire --print` prints"
        ) from error
