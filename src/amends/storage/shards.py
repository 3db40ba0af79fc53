"""Which shard a saga belongs to: the unit in which engines of one store share out the sagas among themselves."""

from __future__ import annotations

import zlib
from typing import Final

SHARDS: Final = 64
"""How many there are: well above the number of engines that one database feeds (some eight), so that each has about as
many. It is part of what is stored, and cannot be changed."""
ALL_SHARDS: Final = frozenset(range(SHARDS))


def shard_of(saga_id: str) -> int:
    """The shard of a saga, 0 to 63: CRC-32 of its id's UTF-8, modulo `SHARDS`. So no row needs a column for it."""
    return zlib.crc32(saga_id.encode(errors="surrogatepass")) % SHARDS
