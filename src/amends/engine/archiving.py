"""Sagas that leave a store for an archive: gone in one commit, with a record of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from amends.core.messages import worded
from amends.engine.recording import Recording
from amends.storage.records import SagaArchived
from amends.storage.rows import Changes, Head, KeyRow, SagaRow


def departure(sagas: Sequence[SagaRow], keys: Sequence[KeyRow], into: str, head: Head, now_ms: int) -> Changes:
    """What a store commits once the sagas are on stable storage in the archive.

    Args:
        sagas: final ones, as they were read.
        keys: the client keys that started them.
        into: the archive's name, for people who look for them.
        head: where the audit ends.
        now_ms: the clock.
    """
    now_ms = max(now_ms, head.at_ms)
    recording, cause = Recording(now_ms), SagaArchived(worded(into))
    for row in sagas:
        recording.add(row.saga_id, 0, cause)
    counts = Counter[tuple[str, str]]()
    counts.subtract((row.definition, row.status) for row in sagas)
    return Changes([], [], [], recording.block(head), counts, gone=sagas, gone_keys=keys)
