"""The sagas that follow from one which has completed, as they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from amends.storage.blocks import Contents
from amends.storage.children import child_key
from amends.storage.letters import ChildAsked, child_in, start_letter_of
from amends.storage.ports import Records
from amends.storage.records import ChildPosted, SagaArchived
from amends.storage.rows import KeyRow, Unreadable

TO_START: Final = "to start"
REFUSED: Final = "refused"
ARCHIVED: Final = "archived"
UNREADABLE: Final = "unreadable"


@dataclass(frozen=True, slots=True)
class ChildSeen:
    """A saga that follows from another one.

    Attributes:
        saga_id: its id.
        name: of its definition.
        status: one of `amends.storage.rows.STATUSES`; ``to start`` while its letter waits; ``refused``, ``archived`` or
            ``unreadable``.
        reason: why it was refused; else empty.
    """

    saga_id: str
    name: str
    status: str
    reason: str = ""


def children_seen(records: Records, parent: str, causes: Iterable[object]) -> Iterator[ChildSeen]:
    """The sagas that follow from one, in their order.

    Args:
        records: the store.
        parent: its id.
        causes: of its records.
    """
    for cause in causes:
        if isinstance(cause, ChildPosted):
            name = cause.definition.partition("/")[0]
            yield ChildSeen(cause.child, name, *_standing(records, cause.child, child_key(parent, name)))


def letter_to_start(records: Records, saga_id: str) -> ChildAsked | None:
    """The letter by which a saga is to start that follows from another one; ``None`` where none waits."""
    letter = start_letter_of(records, saga_id)
    return child_in(letter) if letter else None


def archive_of(records: Records, saga_id: str) -> str:
    """Where a saga left for; empty when it did not."""
    if any("\ud800" <= letter <= "\udfff" for letter in saga_id):  # no store can hold such an id
        return ""
    causes = (record.cause for block in records.blocks_about(saga_id) for record in Contents(block).about(saga_id))
    return next((cause.into for cause in causes if isinstance(cause, SagaArchived)), "")


def _standing(records: Records, saga_id: str, key: str) -> tuple[str, str]:
    """Its status, and why it was refused."""
    row = records.saga(saga_id)
    if row is not None:
        return (UNREADABLE, "") if isinstance(row, Unreadable) else (row.status, "")
    known = records.key(key)
    answer = msgspec.json.decode(known.answer) if isinstance(known, KeyRow) else {}
    if REFUSED in answer:
        return REFUSED, answer[REFUSED]
    return (ARCHIVED if archive_of(records, saga_id) else TO_START), ""
