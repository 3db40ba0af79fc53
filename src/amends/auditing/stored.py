"""What the records tell of the rows of entities and of client keys, to be compared with these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from amends.storage.blocks import Contents, entity_text, key_text
from amends.storage.digests import digest
from amends.storage.records import EntitiesStored, KeysArchived, KeysStored, Record
from amends.storage.rows import EntityRow, KeyRow, Unreadable

NO_ROW: Final = "it has records, and no row"
NO_RECORDS: Final = "it has a row, and no records"
ANOTHER: Final = "it is not what was recorded when it was stored"


class RecordedRow(NamedTuple):
    """What the records tell of a row.

    Attributes:
        version: of it.
        digest: of what is in it.
        salt: of the digest; empty where that was erased.
        saga_id: the saga that a client key started; empty for none.
    """

    version: int
    digest: str
    salt: str
    saga_id: str = ""

    def has(self, text: str) -> bool:
        """Whether this is in the row, as far as that is known."""
        return not self.salt or digest(self.salt, text) == self.digest


class RecordedRows:
    """What the records tell of all rows of entities and client keys: some 400 bytes for each.

    Attributes:
        entities: (service, id) to what is told of it.
        keys: client key to what is told of it.
        is_whole: whether every row was recorded: not where blocks of a former version did not name what they stored.
    """

    def __init__(self) -> None:
        self.entities: dict[tuple[str, str], RecordedRow] = {}
        self.keys: dict[str, RecordedRow] = {}
        self.is_whole = True
        self._key_of: dict[str, str] = {}

    def add(self, record: Record, contents: Contents) -> None:
        """Take in what a record tells.

        Args:
            record: of a block.
            contents: of the same block.
        """
        if isinstance(record.cause, EntitiesStored):
            for place, (entity_id, version) in enumerate(record.cause.entities, record.place):
                self.entities[record.cause.service, entity_id] = RecordedRow(version, *contents.salted(place))
        elif isinstance(record.cause, KeysStored):
            for place, (key, saga_id) in enumerate(record.cause.keys, record.place):
                self.keys[key] = RecordedRow(1, *contents.salted(place), saga_id)
                if saga_id:
                    self._key_of[saga_id] = key
        elif isinstance(record.cause, KeysArchived):
            for key in record.cause.keys:
                self.keys.pop(key, None)

    def follows(self, record: Record) -> bool:
        """Whether each row that was stored with a record stands as it stood before, and a client key for nothing.

        One that left stands for no saga.
        """
        if isinstance(record.cause, KeysStored):
            return all(key not in self.keys for key, _ in record.cause.keys)
        if isinstance(record.cause, KeysArchived):
            return all(key in self.keys and not self.keys[key].saga_id for key in record.cause.keys)
        if not isinstance(record.cause, EntitiesStored):
            return True
        service = record.cause.service
        return all(version == self.version(service, entity_id) + 1 for entity_id, version in record.cause.entities)

    def version(self, service: str, entity_id: str) -> int:
        """The version of an entity's row; 0 where there is none."""
        told = self.entities.get((service, entity_id))
        return told.version if told else 0

    def forget_key_of(self, saga_id: str) -> None:
        """A saga left for an archive, and its client key with it."""
        if key := self._key_of.pop(saga_id, ""):
            self.keys.pop(key, None)

    def fault_of_entity(self, row: EntityRow | Unreadable | None, name: tuple[str, str]) -> str:
        """What is wrong with an entity, in words; empty when nothing is."""
        told = self.entities.get(name)
        if isinstance(row, Unreadable):
            return ""  # the store itself tells that
        if row is None or told is None:
            return NO_ROW if told else NO_RECORDS if row and self.is_whole else ""
        if row.version != told.version:
            return f"version: {row.version}, its records tell {told.version}"
        return "" if told.has(entity_text(row)) else ANOTHER

    def faults_of_keys(self, rows: Iterator[KeyRow | Unreadable]) -> Iterator[tuple[str, str]]:
        """What is wrong with client keys: which, and what."""
        missing = dict(self.keys)
        for row in rows:
            if isinstance(row, Unreadable):
                missing.pop(row.name, None)
                continue
            told = missing.pop(row.key, None)
            if told is None:
                if self.is_whole and row.key not in self.keys:
                    yield row.key, NO_RECORDS
            elif row.saga_id != told.saga_id or not told.has(key_text(row)):
                yield row.key, ANOTHER
        yield from ((key, NO_ROW) for key in missing if key in self.keys)
