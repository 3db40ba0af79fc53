"""The databases of a spread shop: one for each service and one for the sagas, each for roles of its own.

They are those of ``amends up``; a world has a schema in each of them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, NamedTuple

import psycopg

from amends.bootstrap import located
from amends.entrypoints.spread.local_shop import DATABASES, DESK, ROLES, WIRE
from amends.entrypoints.spread.shop import COORDINATOR
from amends.storage.location import DatabaseRoles
from tests.postgres import Server, drop
from tests.torture.broken import demand

OWNER: Final = "postgres"
REFUSED: Final = "permission denied for database"


class Base(NamedTuple):
    """A server's databases, as one world has them.

    Attributes:
        server: which.
        schema: the world's, in each of them.
    """

    server: Server
    schema: str

    @property
    def socket(self) -> str:
        """Where the server is."""
        return f"{self.server.folder}/.s.PGSQL.5432"

    def conninfo(self, database: str) -> str:
        """What an operator connects with."""
        return self.server.conninfo.replace("dbname=postgres", f"dbname={database}")

    def url(self, role: str, database: str, port: int = 0) -> str:
        """What a role connects with; to a port of loopback where a proxy is there."""
        host = f"127.0.0.1:{port}" if port else ""
        socket = "" if port else f"host={self.server.folder}&"
        return f"postgresql://{role}@{host}/{database}?{socket}schema={self.schema}"

    def store(self, name: str, port: int = 0) -> str:
        """The URL of the store of a service, or of the coordinators, as its engines have it."""
        return self.url(ROLES[name], DATABASES[name], port)

    def make_stores(self) -> None:
        """Make them."""
        for name, role in ROLES.items():
            client = DESK if name == COORDINATOR else ""
            for each in filter(None, (role, client)):
                self.make_database(DATABASES[name], each)
            located(self.url(OWNER, DATABASES[name])).migrate(DatabaseRoles(role, client))

    def make_database(self, database: str, role: str) -> None:
        """Have a database that a role may connect to, and nobody without a right of its own."""
        with psycopg.connect(self.server.conninfo, autocommit=True) as server:
            with suppress(psycopg.errors.DuplicateDatabase):
                server.execute(f'CREATE DATABASE "{database}"'.encode())
            with suppress(psycopg.errors.DuplicateObject):
                server.execute(f'CREATE ROLE "{role}" LOGIN'.encode())
            server.execute(f'REVOKE CONNECT ON DATABASE "{database}" FROM PUBLIC'.encode())
            server.execute(f'GRANT CONNECT ON DATABASE "{database}" TO "{role}"'.encode())

    def drop(self) -> None:
        """Drop the world's schemas."""
        for database in (*DATABASES.values(), WIRE):
            with suppress(psycopg.OperationalError):  # there is none for messages
                drop(self.conninfo(database), self.schema)

    def expect_apart(self) -> None:
        """See that each role is refused by the databases of all others.

        Raises:
            BrokenPromise: one is not.
        """
        own = {(role, DATABASES[name]) for name, role in ROLES.items()} | {(DESK, DATABASES[COORDINATOR])}
        pairs = {(role, database) for role, _ in own for database in DATABASES.values()}
        for role, database in sorted(pairs - own):
            said = self._refusal(role, database)
            demand(REFUSED in said, f"{role} is not kept from the database {database}: {said or 'it is connected'}")

    def _refusal(self, role: str, database: str) -> str:
        try:
            psycopg.connect(self.conninfo(database).replace("user=postgres", f"user={role}")).close()
        except psycopg.OperationalError as error:
            return str(error)
        return ""
