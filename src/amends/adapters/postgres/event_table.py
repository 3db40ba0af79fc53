"""A table of events in a schema of a PostgreSQL of its own, with how far each source was, written together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from amends.adapters.postgres.address import Address, address_of
from amends.adapters.postgres.connection import CommitUnknown, PostgresConnection
from amends.adapters.postgres.opening import looking, writing
from amends.adapters.postgres.queries import OF_EVENTS
from amends.adapters.postgres.rights import ADDS, Rights, expect, grants_to, role_fact
from amends.adapters.postgres.settings import OF_READS
from amends.adapters.postgres.side_schema import SideSchema
from amends.adapters.postgres.texts import number_array, opened, stored, text_array
from amends.errors import StoreBusy, StoreConflict
from amends.events.cloud_events import CloudEvent
from amends.storage.location import DatabaseRoles, StoreFact
from amends.storage.rows import Head

EVENTS_SCHEMA: Final = "amends_events"
"""Of a table whose address names none: a store in the same database has another one."""
EVENTS: Final = SideSchema("table of events", "Amends events", 1, "event_schema.sql", "amends db init --events")
PUBLISHER: Final[Rights] = {"events": ADDS, "cursors": (*ADDS, "DELETE")}
"""What the role of a publisher may do: it changes no event, and removes none."""
GRANTING: Final = "`amends db init --events` with --engine-role grants it"


class PostgresEventTable:
    """See `amends.events.publishing.EventSink`."""

    def __init__(self, address: Address) -> None:
        """Open it; it is made where it is not there.

        Raises:
            StoreAway: no connection can be had now.
            StoreUnusable: what is there is no such table; or the role may not do what it is to do.
        """
        with writing(address) as driver:
            if not EVENTS.version_in(driver, address.schema):
                EVENTS.make(driver, address.schema)
            expect(driver, address.schema, PUBLISHER, GRANTING)
        self._connection = PostgresConnection(address, OF_READS, OF_EVENTS)

    def cursor(self, source: str) -> dict[str, Head]:
        """How far a source is published.

        Raises:
            StoreError: it cannot be read now.
        """
        found = self._connection.read("event_cursors", source=stored(source))
        return {opened(chain): Head(number, head, 0, opened(chain)) for chain, number, head in found}

    def append(
        self, source: str, events: Sequence[CloudEvent], since: Mapping[str, int], cursor: Sequence[Head]
    ) -> None:
        """Add events, and how far their source is published with them: all of it, or nothing.

        Raises:
            StoreConflict: another publisher was faster. Nothing is added.
            StoreBusy: whether it is added is not known; the cursor tells.
            StoreError: nothing is added.
        """
        moved = {
            "source": stored(source),
            "chain": text_array([head.chain for head in cursor]),
            "number": number_array([head.number for head in cursor]),
        }
        self._expect(moved, since)
        told = {
            "source": stored(source),
            "id": text_array([event.id for event in events]),
            "type": text_array([event.type for event in events]),
            "subject": text_array([event.subject for event in events]),
            "event": text_array([event.as_json().decode() for event in events]),
        }
        heads = text_array([head.head.hex() for head in cursor])
        writing = ("append_events", told), ("move_cursors", {**moved, "head": heads}), ("forget_cursors", moved)
        self._connection.work(writing)
        try:
            self._connection.commit()
        except CommitUnknown as error:
            raise StoreBusy(f"the answer to a commit was lost: {error}") from error

    def _expect(self, moved: Mapping[str, str], since: Mapping[str, int]) -> None:
        """Keep all others from publishing until the commit, and see that none did.

        Raises:
            StoreConflict: one did.
        """
        self._connection.work([("hold_events", {})])
        of_chains = {"source": moved["source"], "chain": moved["chain"]}
        rows = self._connection.work([("published_until", of_chains)])[0].rows
        if {opened(chain): number for chain, number in rows} != {chain: n for chain, n in since.items() if n}:
            self._connection.abandon()
            raise StoreConflict("another publisher was faster")

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        self._connection.close()


class PostgresEventPlace:
    """A schema that is a table of events, or is to be one; see `amends.storage.location.SchemaPlace`.

    Attributes:
        shown: the URL without its password.
        newest: the version of the schema that this Amends makes.
    """

    newest = EVENTS.version

    def __init__(self, url: str) -> None:
        """Name it.

        Raises:
            StoreUnusable: the URL is none of a PostgreSQL.
        """
        self._address = address_of(url, EVENTS_SCHEMA)
        self.shown = self._address.shown

    def sink(self) -> PostgresEventTable:
        """What takes events there.

        Raises:
            StoreUnusable: it cannot be had.
        """
        return PostgresEventTable(self._address)

    def version(self) -> int:
        """The version of the schema that is there; 0 where none is.

        Raises:
            StoreUnusable: it is none, or of a later version; or the server is away.
        """
        with looking(self._address) as driver:
            return EVENTS.version_in(driver, self._address.schema)

    def script(self, since: int, roles: DatabaseRoles) -> str:
        """The SQL that makes it, as one transaction; a role that may make schemas runs it.

        Raises:
            StoreUnusable: the role is no name for one.
        """
        return EVENTS.transaction(self._address.schema, since, self._grants(roles))

    def migrate(self, roles: DatabaseRoles) -> None:
        """Make it, where it is not there, and give the roles their rights: all of it, or nothing.

        Raises:
            StoreUnusable: this role may not; or a role is not there.
        """
        grants = self._grants(roles)
        with writing(self._address) as driver:
            EVENTS.make(driver, self._address.schema)
            for grant in grants:
                driver.execute(grant.encode())

    def check(self, roles: DatabaseRoles) -> Iterator[StoreFact]:
        """The schema's version, and what the role that publishes may do.

        Raises:
            StoreUnusable: the server is away, or a role is not there.
        """
        with looking(self._address) as driver:
            schema = self._address.schema
            if not (version := EVENTS.version_in(driver, schema)):
                yield StoreFact("schema", f"no {schema}", "`amends db init --events`, or a publisher, makes it")
                return
            yield StoreFact("schema", f"{schema}, version {version}")
            yield role_fact(driver, schema, roles.engine, PUBLISHER, GRANTING)

    def _grants(self, roles: DatabaseRoles) -> list[str]:
        """The statements that give a publisher its rights, and who reads.

        Raises:
            StoreUnusable: one is no name for a role.
        """
        schema = self._address.schema
        publishes = grants_to(roles.engine, schema, PUBLISHER) if roles.engine else ()
        reads = grants_to(roles.client, schema, {"events": ()}) if roles.client else ()
        return [*publishes, *reads]
