"""A schema of a PostgreSQL that is a wire, or is to be one, as commands see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from amends.adapters.postgres.address import address_of
from amends.adapters.postgres.rights import grants_to, role_fact
from amends.adapters.postgres.wire import PostgresWire
from amends.adapters.postgres.wire_schema import ENDS, GRANTING, WIRE, of_wire, server_facts
from amends.errors import StoreUnusable, WireUnusable
from amends.storage.location import DatabaseRoles, StoreFact
from amends.storage.wire import again_in

WIRE_SCHEMA: Final = "amends_wire"
"""Of a wire whose address names none: a store in the same database has another one."""


class PostgresWireLocation:
    """See `amends.storage.location.Place`.

    Attributes:
        shown: the URL without its password.
        newest: the version of the schema that this Amends makes.
    """

    newest = WIRE.version

    def __init__(self, url: str) -> None:
        """Name it.

        Raises:
            WireUnusable: the URL is none of a PostgreSQL.
        """
        url, self._again_s = again_in(url)
        try:
            self._address = address_of(url, WIRE_SCHEMA)
        except StoreUnusable as error:
            raise WireUnusable(str(error)) from error
        self.shown = self._address.shown

    def wire(self) -> PostgresWire:
        """An end of it, of one coordinator or host."""
        return PostgresWire(self._address, again_s=self._again_s)

    def version(self) -> int:
        """The version of the schema that is there; 0 where none is.

        Raises:
            WireUnusable: it is no wire, or of a later version; or the server is away.
        """
        with of_wire(self._address) as driver:
            return WIRE.version_in(driver, self._address.schema)

    def script(self, since: int, roles: DatabaseRoles) -> str:
        """The SQL that makes it, as one transaction; a role that may make schemas runs it.

        Raises:
            WireUnusable: the role is no name for one, or is one for clients.
        """
        return WIRE.transaction(self._address.schema, since, self._grants(roles))

    def migrate(self, roles: DatabaseRoles) -> None:
        """Make it, where it is not there, and give the role its rights: all of it, or nothing.

        Raises:
            WireUnusable: this role may not; or a role is not there.
        """
        grants = self._grants(roles)
        with of_wire(self._address) as driver:
            WIRE.make(driver, self._address.schema)
            for grant in grants:
                driver.execute(grant.encode())

    def check(self, roles: DatabaseRoles) -> Iterator[StoreFact]:
        """The server's settings, the schema's version, and what the role may do.

        Raises:
            WireUnusable: the server is away, or a role is not there.
        """
        self._grants(roles)
        with of_wire(self._address) as driver:
            yield from server_facts(driver)
            schema = self._address.schema
            if not (version := WIRE.version_in(driver, schema)):
                yield StoreFact("schema", f"no {schema}", "`amends db init --wire`, or who comes first, makes it")
                return
            yield StoreFact("schema", f"{schema}, version {version}")
            yield role_fact(driver, schema, roles.engine, ENDS, GRANTING)

    def _grants(self, roles: DatabaseRoles) -> list[str]:
        """The statements that give a role its rights.

        Raises:
            WireUnusable: it is no name for one, or one for clients.
        """
        if roles.client:
            raise WireUnusable(
                f"{self.shown}: a wire has no clients: name the role of an engine or a host as --engine-role"
            )
        try:
            return [*grants_to(roles.engine, self._address.schema, ENDS)] if roles.engine else []
        except StoreUnusable as error:
            raise WireUnusable(str(error)) from error
