"""The block of a commit that is none of a batch's: archiving, upcasting."""

from __future__ import annotations

from collections.abc import Sequence

from amends.core.audit import Record, chain
from amends.storage.rows import Block, Head


def block_after(
    head: Head, now_ms: int, subjects: Sequence[str], causes: Sequence[tuple[str, tuple[str, ...]]]
) -> Block:
    """The block after the last one.

    Args:
        head: where the audit ends.
        now_ms: the clock; not before the last block.
        subjects: whom the records are about, each once.
        causes: of each, what happened, and what became of it.
    """
    records = [Record(subject, 0, now_ms, *cause).canonical() for subject, cause in zip(subjects, causes, strict=True)]
    text = b"\n".join(records).decode("ascii")
    return Block(head.number + 1, now_ms, head.head, chain(head.head, records), text, subjects, 0, 0)
