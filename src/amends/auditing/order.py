"""The blocks of all chains in an order in which they can have been committed, so that each can be computed again."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from amends.auditing.chains import BlockToVerify, Chains
from amends.auditing.told import Tale
from amends.storage.blocks import Contents
from amends.storage.ports import Records
from amends.storage.records import EntitiesRead, EntitiesStored

EntityVersion = tuple[str, str, int]
"""A service, the id of one of its entities, and the version of its row; 0 before the first."""


def in_order(records: Records) -> Iterator[BlockToVerify]:
    """Every block; nothing is verified. No engine may write meanwhile.

    A block that stores a row comes after every block that was decided on the row before: of one engine alone, that is
    the order of its numbers; of several, the records say what each was decided on.
    """
    chains, tale, names = Chains(records), Tale(), records.chains()
    are_several = len(names) > 1
    contents = (Contents(block) for name in names for block in records.blocks(0, name)) if are_several else ()
    unread = Counter(read for each in contents for read in _versions(each, EntitiesRead))

    def is_next(contents: Contents) -> bool:
        before = ((service, entity, version - 1) for service, entity, version in _versions(contents, EntitiesStored))
        return (
            tale.is_next(contents)
            and all(tale.rows.version(*name) == version for *name, version in _versions(contents, EntitiesRead))
            and not any(unread[read] for read in before)
        )

    for found in chains.blocks(is_next):
        yield found
        deque(chains.add(*found), maxlen=0)
        if are_several:
            deque(tale.add(*found), maxlen=0)
            unread.subtract(_versions(found.contents, EntitiesRead))


def _versions(contents: Contents, of: type[EntitiesRead | EntitiesStored]) -> Iterator[EntityVersion]:
    """The rows of entities that records of a kind are about."""
    for record in contents.records():
        if record is not None and isinstance(record.cause, of):
            for entity_id, version in record.cause.entities:
                yield record.cause.service, entity_id, version
