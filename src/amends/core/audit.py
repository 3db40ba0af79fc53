"""The hash chain of the audit, which makes a change of records visible.

A block is what one commit adds: its records, and the head of the block before. Who keeps one older head can find
any record before it that was changed, removed, inserted or reordered (docs/promises.md, P11).
"""

from __future__ import annotations

import hashlib
from typing import Final

HEAD_BYTES: Final = 32  # SHA-256, FIPS 180-4
GENESIS: Final = bytes(HEAD_BYTES)


def chain(head: bytes, records: str) -> bytes:
    """The head after a block.

    Args:
        head: of the block before, 32 bytes; `GENESIS` for the first.
        records: the block's lines, ASCII; the first one says of which form they are.

    Returns:
        32 bytes: SHA-256 over the head before and the lines.
    """
    return hashlib.sha256(head + records.encode("ascii", "surrogatepass")).digest()
