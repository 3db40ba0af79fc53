"""The audit record of a change, and the hash chain that makes a change of records visible.

A block is what one commit adds: its records, and the head of the block before. Whoever keeps one older head can find
any record before it that was changed, removed, inserted or reordered (docs/promises.md, P11).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

HEAD_BYTES: Final = 32  # SHA-256, FIPS 180-4
GENESIS: Final = bytes(HEAD_BYTES)
LENGTH_BYTES: Final = 8  # every part is hashed behind its length, so that no two lists of records read the same


@dataclass(frozen=True, slots=True)
class Record:
    """One state change, as it is kept.

    Attributes:
        subject: what changed: a saga's id, or ``SERVICE/entity id`` for a command.
        number: position of the change in its subject, from 1, without gaps.
        at_ms: when, by the loop's clock, in milliseconds since 1970 (UTC).
        cause: the input, in words.
        changes: what became of it, in order.
    """

    subject: str
    number: int
    at_ms: int
    cause: str
    changes: tuple[str, ...]

    def canonical(self) -> bytes:
        """The record's bytes: the same on every machine, different for every two records."""
        parts: list[Any] = [self.subject, self.number, self.at_ms, self.cause, list(self.changes)]
        return json.dumps(parts, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def chain(head: bytes, records: Iterable[bytes]) -> bytes:
    """The head after a block.

    Args:
        head: of the block before, 32 bytes; `GENESIS` for the first.
        records: canonical bytes, in order.

    Returns:
        32 bytes: SHA-256 over the head before and every record, each behind its length as 8 bytes, big endian.
    """
    digest = hashlib.sha256(head)
    for record in records:
        digest.update(len(record).to_bytes(LENGTH_BYTES, "big") + record)
    return digest.digest()
