"""What an earlier version of Amends left, recorded row by row: from then on the records give all that is stored.

Records of the first form do not hold what participants answered: a store cannot be computed again from them. So an
engine that takes such a store over records every row once (`amends.auditing.recompute` begins there).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice
from operator import attrgetter
from typing import Final, TypeVar

from amends.engine.recording import Recording
from amends.storage.blocks import Contents
from amends.storage.codecs.values import json_of
from amends.storage.former import FORM
from amends.storage.ports import ALL, SagaFilter, Store
from amends.storage.records import Checkpoint, EntityWritten, SagaTakenOver
from amends.storage.rows import Block, Changes, EntityRow, Head, KeyRow, SagaRow

PAGE: Final = 1000  # rows in a block: some hundred kilobytes
TAKEN: Final = "taken over"

Row = TypeVar("Row")


def checkpoint(store: Store, head: Head, now_ms: int) -> Head:
    """Record every row, where an earlier version wrote the last block. Killed at any moment, it begins again.

    Args:
        store: no other engine writes to it.
        head: where the audit ends.
        now_ms: the clock; not before the last block.

    Returns:
        Where the audit ends then.

    Raises:
        StoreError: a commit failed, or the last block cannot be read.
    """
    last = next(store.blocks(head.number - 1, head.chain), None) if head.number else None
    if last is None or not _is_to_be_recorded(last):
        return head
    for recording in _pages(store, now_ms):
        head = _commit(store, recording.block(head))
    return _commit(store, _recording(now_ms, is_whole=True).block(head))


def _is_to_be_recorded(last: Block) -> bool:
    contents = Contents(last)
    return contents.form == FORM or any(record and record.cause == Checkpoint(False) for record in contents.records())


def _pages(store: Store, now_ms: int) -> Iterator[Recording]:
    """The records of all rows: of those that cannot be read none, and none of a key without its row."""
    for rows in _parts(row for row in store.listing(SagaFilter(limit=ALL)) if isinstance(row, SagaRow)):
        recording = _recording(now_ms)
        for row in rows:
            recording.add(row.saga_id, 0, SagaTakenOver(), json_of(row))
        yield recording
    for entities in _parts(row for row in store.all_entities() if isinstance(row, EntityRow)):
        recording = _recording(now_ms)
        for entity in entities:
            name = f"{entity.service}/{entity.entity_id}"
            recording.add(name, 0, EntityWritten(entity.service, entity.entity_id, TAKEN), entity.body or "null")
        for service, of_service in groupby(entities, attrgetter("service")):
            recording.write_entities(service, list(of_service))
        yield recording
    for keys in _parts(row for row in store.all_keys() if isinstance(row, KeyRow)):
        recording = _recording(now_ms)
        recording.write_keys(keys)
        yield recording


def _recording(now_ms: int, *, is_whole: bool = False) -> Recording:
    recording = Recording(now_ms)
    recording.add("", 0, Checkpoint(is_whole))
    return recording


def _parts(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while part := list(islice(rows, PAGE)):
        yield part


def _commit(store: Store, block: Block) -> Head:
    store.commit(Changes((), (), (), block, {}))
    return block.as_head()
