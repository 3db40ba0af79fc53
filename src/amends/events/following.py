"""Reading on: what was committed, in batches, and then what is committed from there on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from amends.errors import StoreBusy, StoreError
from amends.events.log import EventBlock, EventLog

LOOK_EVERY_S: Final = 0.5  # as engines look for letters: a look is one statement
RECORDS_MAX: Final = 1_000
"""Of a batch, at least of which it ends: some 500 KB of events, and one commit where they go."""


def followed(
    log: EventLog, *, is_live: bool, busy: Callable[[str], None] = lambda _: None
) -> Iterator[list[EventBlock]]:
    """What was committed behind a log's cursor, in batches, none of which is empty.

    Args:
        log: of a store.
        is_live: whether it goes on for ever, with what is committed meanwhile; then a store that is away is waited for.
        busy: told at each look why the store cannot be read now; nothing, where it was read.

    Raises:
        StoreError: it cannot be read.
    """
    while True:
        try:
            yield from _batches(log.blocks())
        except StoreBusy as error:
            if not is_live:
                raise
            busy(str(error))
        else:
            busy("")
        if not is_live:
            return
        time.sleep(LOOK_EVERY_S)


def _batches(blocks: Iterator[EventBlock]) -> Iterator[list[EventBlock]]:
    batch, size = list[EventBlock](), 0
    try:
        for block in blocks:
            batch.append(block)
            size += len(block.records)
            if size >= RECORDS_MAX:
                yield batch
                batch, size = [], 0
    except StoreError:
        if batch:  # the cursor has passed them
            yield batch
        raise
    if batch:
        yield batch
