"""A schema of a PostgreSQL that is a store, or is to be one: all that can be had of it, and done to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NoReturn

from psycopg import errors

from amends.adapters.postgres import additions, rights, settings
from amends.adapters.postgres.address import address_of
from amends.adapters.postgres.archive import CHAIN_LENGTH, DepartureStore
from amends.adapters.postgres.client_store import PostgresClientStore
from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.migrations import (
    SERVES,
    SERVES_FINISHED,
    VERSION,
    finish,
    finishing_script,
    migrate,
    script,
    served_by,
    version_of,
)
from amends.adapters.postgres.moving import PostgresMoveTarget
from amends.adapters.postgres.opening import in_force, looking, prepare, writing
from amends.adapters.postgres.partitions import months_left
from amends.adapters.postgres.queries import QUERIES
from amends.adapters.postgres.reader import PostgresReader
from amends.adapters.postgres.rights import ARCHIVING, OWNS
from amends.adapters.postgres.settings import OF_READS
from amends.adapters.postgres.store import PostgresStore
from amends.adapters.sqlite.archive import archived
from amends.adapters.sqlite.audit_file import AuditFile
from amends.engine.archiving import Departure
from amends.engine.names import new_name
from amends.errors import StoreUnusable
from amends.lines import moment
from amends.storage.location import DatabaseRoles, Progress, StoreFact


class PostgresLocation:
    """See `amends.storage.location.LastingLocation`.

    Attributes:
        url: with its password, if it has one.
        shown: the same without.
        newest: the version of the schema that this Amends makes.
        wait_s: without end: a server that is away comes back.
    """

    newest = VERSION
    wait_s = math.inf

    def __init__(self, url: str) -> None:
        """Name it.

        Raises:
            StoreUnusable: the URL is none of a PostgreSQL.
        """
        self.url, self._address = url, address_of(url)
        self.shown = self._address.shown

    def for_engine(self) -> Callable[[], PostgresStore]:
        """What opens the store for an engine."""
        return partial(PostgresStore, self._address)

    def for_clients(self) -> Callable[[], PostgresClientStore]:
        """What opens it for clients."""
        return partial(PostgresClientStore, self._address)

    def records(self, audit_files: Sequence[str] = ()) -> PostgresReader:
        """Open it to look at it.

        Args:
            audit_files: that months of its audit left for.

        Raises:
            StoreUnusable: there is no store that this version can read, or no such file; or the server is away.
        """
        return PostgresReader(self._address, audit_files)

    def has_engine(self) -> bool:
        """Whether an engine has a lease that has not run out.

        Raises:
            StoreUnusable: as `records`.
        """
        with closing(self.records()) as store:
            return any(not engine.is_gone for engine in store.engines())

    def backup(self, target: str, progress: Progress) -> NoReturn:  # noqa: ARG002 - as said
        """None: the database has its own.

        Raises:
            StoreUnusable: always.
        """
        raise StoreUnusable(
            f"{self.shown}: a PostgreSQL is backed up by its own means: pg_dump --schema={self._address.schema}, or a "
            "base backup with its log (docs/postgres.md)"
        )

    def archive(self, into: str, before_ms: int) -> Iterator[int]:
        """See `amends.adapters.sqlite.archive.archived`; a page is a commit. Engines may run meanwhile."""
        with closing(self.records()):
            pass  # it is there: an archive is no reason to make a store
        with closing(DepartureStore(self._address)) as store:
            chain = new_name(CHAIN_LENGTH)
            yield from archived(store, into, Departure(Path(into).name, before_ms, store.ownership.now_ms, chain))

    def archive_audit(self, into: str, before_ms: int) -> Iterator[int]:
        """See `amends.adapters.postgres.partitions.months_left`. Engines may run meanwhile.

        Raises:
            StoreUnusable: there is no store, or the role does not own it; or the file cannot be used.
        """
        with closing(self.records()):
            pass  # it is there
        prepare(self._address, ARCHIVING, OWNS)
        with looking(self._address) as driver:
            rights.expect_owner(driver, self._address.schema)
        return self._months_left(into, before_ms)

    def _months_left(self, into: str, before_ms: int) -> Iterator[int]:
        with (
            closing(AuditFile(into, is_new=True)) as file,
            closing(PostgresConnection(self._address, OF_READS)) as own,
            closing(DepartureStore(self._address)) as store,
        ):
            departure = Departure(Path(into).name, before_ms, store.ownership.now_ms, new_name(CHAIN_LENGTH))
            yield from months_left(own, file, before_ms, partial(departure.let_keys_go, store))

    def move_source(self) -> NoReturn:
        """None.

        Raises:
            StoreUnusable: always.
        """
        raise StoreUnusable(f"{self.shown}: a shop moves from a file into a PostgreSQL: give the file as its source")

    def move_target(self) -> PostgresMoveTarget:
        """The schema."""
        return PostgresMoveTarget(self._address)

    def version(self) -> int:
        """The version of the schema that is there; 0 where none is.

        Raises:
            StoreUnusable: it is none of ours, or of a later version; or the server is away.
        """
        with looking(self._address) as driver:
            return version_of(driver, self._address.schema)

    def script(self, since: int, roles: DatabaseRoles) -> str:
        """The SQL that brings the schema up to date, as one transaction; a role that owns it, or may make it, runs it.

        Raises:
            StoreUnusable: a role is no name for one; or the server is away, which is asked who has rights there.
        """
        schema, given, serves = self._address.schema, [roles], SERVES
        if since:
            with looking(self._address) as driver:
                given = [*rights.given(driver, schema), roles]
                serves = served_by(driver, schema)
        statements = [
            script(schema, since, serves),
            *chain.from_iterable(rights.grants(schema, each) for each in given),
        ]
        return "\n".join(["BEGIN;", *filter(None, statements), "COMMIT;\n"])

    def migrate(self, roles: DatabaseRoles) -> None:
        """Make the schema, or bring it up to date, and give the roles their rights: all of it, or nothing.

        Raises:
            StoreUnusable: this role may not; a role is not there; or the server cannot be the place of a store.
        """
        with writing(self._address) as driver:
            migrate(driver, self._address.schema)
            for grant in rights.grants(self._address.schema, roles):
                driver.execute(grant.encode())

    def finishing_script(self) -> str:
        """The SQL for `finish`, as one transaction.

        Raises:
            StoreUnusable: the server is away, or the schema has not the version of this Amends.
        """
        with looking(self._address) as driver:
            statements = finishing_script(driver, self._address.schema)
        return f"BEGIN;\n{statements}\nCOMMIT;\n"

    def finish(self) -> None:
        """Take away what programs of before alone need, which can use the schema no longer.

        Raises:
            StoreUnusable: this role may not; or the schema has not the version of this Amends.
        """
        with writing(self._address) as driver:
            finish(driver, self._address.schema)

    def check(self, roles: DatabaseRoles) -> Iterator[StoreFact]:
        """The server's settings, the schema's version, what others added to it, and what the roles may do.

        Raises:
            StoreUnusable: the server is away, or a role is not there.
        """
        with looking(self._address) as driver:
            yield from settings.facts(in_force(driver))
            version = version_of(driver, self._address.schema)
            schema = self._schema(version, served_by(driver, self._address.schema) if version else SERVES)
            yield schema
            if not schema.fault:
                yield additions.fact(driver, self._address.schema)
                with suppress(errors.InsufficientPrivilege, errors.UndefinedFunction), driver.transaction():
                    yield _partitions(*driver.execute(QUERIES["until_when"]).fetchall()[0])  # else its rights tell why
                yield from rights.facts(driver, self._address.schema, roles)

    def _schema(self, version: int, serves: int) -> StoreFact:
        name = self._address.schema
        if not version:
            return StoreFact("schema", f"no {name}", "`amends db init`, or the first engine, makes it")
        old = f"this Amends has version {VERSION}: `amends db migrate`, or an engine that opens it, brings it there"
        if version < VERSION:
            return StoreFact("schema", f"{name}, version {version}", old)
        last = f"`amends db migrate --finish` once no program of a version before {SERVES_FINISHED} runs"
        beside = f", serves {serves}: {last}" if serves < SERVES_FINISHED else ""
        return StoreFact("schema", f"{name}, version {version}{beside}")


def _partitions(until_ms: int, now_ms: int, has_rest: bool) -> StoreFact:
    """Until when the audit has partitions."""
    late = "blocks are kept beside them, and do not leave with a month: an engine that runs makes them within an hour"
    return StoreFact("partitions", f"until {moment(until_ms)}", late if has_rest or until_ms <= now_ms else "")
