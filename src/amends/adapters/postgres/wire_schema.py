"""The schema of a wire: whether it is there, and how it is made. It holds nothing but messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.opening import in_force, looking
from amends.adapters.postgres.rights import ADDS, Rights, expect
from amends.adapters.postgres.settings import facts
from amends.adapters.postgres.side_schema import SideSchema
from amends.errors import StoreAway, StoreUnusable, WireAway, WireUnusable
from amends.storage.location import StoreFact

WIRE: Final = SideSchema("wire", "Amends wire", 1, "wire_schema.sql", "amends db init --wire")
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
        if not WIRE.version_in(driver, address.schema):
            WIRE.make(driver, address.schema)
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
