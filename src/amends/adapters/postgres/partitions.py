"""The months of the audit: made ahead by any engine, and those that leave: copied to a file, synced, dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.rows import Values, block_of
from amends.adapters.sqlite.audit_file import AuditFile
from amends.core.waiting import HOUR_MS
from amends.errors import StoreBusy, StoreConflict, StoreError
from amends.storage.blocks import Contents
from amends.storage.records import KeysStored

KEPT_MS: Final = 30 * 24 * HOUR_MS
"""A month stays so long once it ended: as long as client keys stand for answers at least (P14 of docs/promises.md)."""
KEYS_PAGE: Final = 500  # client keys in a commit: some milliseconds
STORED_KEYS: Final = '["keys",'
"""How a record of client keys that were stored begins (docs/audit.md): most blocks have none of keys without a saga."""
PAGE: Final = 16  # blocks in one query: a block of a thousand sagas is some 400 KB
SAGAS_PAGE: Final = 5_000  # some 20 ms
DROP_TRIES: Final = 100
"""Of dropping a partition, each of which has no commit wait for longer than 0.1 s."""
DROP_PAUSE_S: Final = 0.2  # between two: twice as long as commits waited


def keep_partitions(database: PostgresConnection) -> None:
    """See that the audit has its next partitions; what is in the way of that is in the way of no commit."""
    with suppress(StoreError):
        database.run(("wait_briefly", {}), ("keep_partitions", {}))


def months_left(
    database: PostgresConnection, into: AuditFile, before_ms: int, let_keys_go: Callable[[Sequence[str]], None]
) -> Iterator[int]:
    """Move the months that ended before a time, 30 days ago, and before the first of the sagas started that are there.

    Client keys of such a month that started no saga go with it. Killed at any moment, it goes on when it is called
    again: a month that was copied and not dropped is copied again.

    Args:
        database: a connection of the role that owns the schema. Engines may run.
        into: the file.
        before_ms: milliseconds since 1970 (UTC).
        let_keys_go: removes client keys that started no saga.

    Returns:
        How many blocks each month had, once it is gone.

    Raises:
        StoreUnusable: of the file.
        StoreError: of the database. What left is in the file.
    """
    keep_partitions(database)
    until_ms = _started_first(database, min(before_ms, database.read("now_ms")[0][0] - KEPT_MS))
    for since_ms, ends_ms in database.read("partitions"):
        if ends_ms <= until_ms:
            keys = list[str]()
            copied = into.take(_noting_keys(_blocks(database, since_ms, ends_ms), keys))
            for first in range(0, len(keys), KEYS_PAGE):
                let_keys_go(keys[first : first + KEYS_PAGE])
            _drop(database, ends_ms, copied)
            yield copied


def _started_first(database: PostgresConnection, before_ms: int) -> int:
    """When the first of all sagas started that are there, or a later time."""
    first_ms, after = before_ms, 0
    while True:
        last, started_ms = database.read("started_first", after=after, limit=SAGAS_PAGE)[0]
        if last is None:
            return first_ms
        first_ms, after = min(first_ms, started_ms), last


def _blocks(database: PostgresConnection, since_ms: int, until_ms: int) -> Iterator[Values]:
    """The blocks of a partition, in short queries."""
    chain, number = "", 0
    while page := database.read(
        "leaving_blocks", since_ms=since_ms, until_ms=until_ms, chain=chain, number=number, limit=PAGE
    ):
        yield from page
        chain, number, *_ = page[-1]


def _noting_keys(blocks: Iterator[Values], keys: list[str]) -> Iterator[Values]:
    """The same blocks; the client keys that were stored with them, and started no saga, are added to a list."""
    for values in blocks:
        *_, records, _ = values
        for record in Contents(block_of(values)).about("") if STORED_KEYS in records else ():
            if isinstance(record.cause, KeysStored):
                keys += (key for key, saga_id in record.cause.keys if not saga_id)
        yield values


def _drop(database: PostgresConnection, ends_ms: int, copied: int) -> None:
    """Drop a partition that was copied.

    Raises:
        StoreConflict: a block came into it meanwhile, from an engine whose clock is months behind.
        StoreBusy: commits left no moment for it.
    """
    drop = ("drop_partition", {"until_ms": ends_ms, "copied": copied})
    for _ in range(DROP_TRIES):
        try:
            is_gone = database.run(("wait_briefly", {}), drop)[1].rows[0][0]
        except StoreConflict:
            time.sleep(DROP_PAUSE_S)
        else:
            if not is_gone:
                raise StoreConflict("a block came into a month that was copied: run it again")
            return
    raise StoreBusy("other transactions left no moment to drop a month that was copied: run it again")
