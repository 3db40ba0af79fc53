"""The orders' sagas of a long session, packed: what is over must cost neither memory nor the garbage collector's time.

The last batch is at hand as it is. When the next one is kept, it is packed into one string of bytes; an order of it is
unpacked when they are asked for.
"""

from __future__ import annotations

import marshal
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Final

from amends.shop.orders import number_of, order_id_of
from amends.shop.report import Row

ROWS_MAX: Final = 128  # in one pack: what a look at one old order unpacks


class History(Mapping[str, Row]):
    """Order id to its saga's row, for orders that are numbered from 1 and kept in that order, a batch at a time."""

    def __init__(self) -> None:
        self._last: Mapping[str, Row] = {}
        self._packed: list[bytes] = []
        self._counts: list[int] = [0]  # how many orders are packed, before and after each pack

    def update(self, batch: Mapping[str, Row]) -> None:
        """Keep the orders of a batch; they follow the ones before without a gap."""
        rows = tuple(self._last.values())
        for first in range(0, len(rows), ROWS_MAX):
            pack = rows[first : first + ROWS_MAX]
            self._packed.append(marshal.dumps(pack))
            self._counts.append(self._counts[-1] + len(pack))
        self._last = batch

    def __getitem__(self, order_id: str) -> Row:
        if order_id in self._last:
            return self._last[order_id]
        index = number_of(order_id) - 1
        if not 0 <= index < self._counts[-1] or order_id_of(index + 1) != order_id:
            raise KeyError(order_id)
        pack = bisect_right(self._counts, index) - 1
        row: Row = marshal.loads(self._packed[pack])[index - self._counts[pack]]  # noqa: S302 - our own bytes
        return row

    def __iter__(self) -> Iterator[str]:
        return (order_id_of(number) for number in range(1, len(self) + 1))

    def __len__(self) -> int:
        return self._counts[-1] + len(self._last)
