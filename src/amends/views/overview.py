"""How a whole store does, on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from amends.errors import StoreError
from amends.storage.ports import Records
from amends.storage.rows import Head, Unreadable
from amends.views.rates import Rates, rates
from amends.views.sagas import AsOf, SagaView
from amends.views.trouble import Failing, Stuck, failing, owed, stuck

NAMED_MAX: Final = 100  # sagas that wait for an operator, by name; the counts say how many there are


class Overview(NamedTuple):
    """How a store does.

    Attributes:
        counts: (definition, status) to how many sagas.
        rates: of the last minute.
        oldest_waiting_ms: when the oldest saga that is not final was started; ``None`` when all are final.
        for_operator: the sagas that wait for an operator, newest first, at most `NAMED_MAX`.
        failing: steps that go on failing, the one that began first first.
        owed: sagas of which something is owed, newest first.
        set_aside: rows that an engine found to be unreadable.
        durability: what a commit survives.
        heads: where each chain of the audit ends, of a store with one owner one; ``None`` when a last block is damaged.
        warning: what the engine says is wrong with it, in words; empty for nothing.
        ahead_ms: how far the store's times are ahead of the given one, milliseconds; 0 when they are not.
    """

    counts: Mapping[tuple[str, str], int]
    rates: Rates | None
    oldest_waiting_ms: int | None
    for_operator: Sequence[Stuck]
    failing: Sequence[Failing]
    owed: Sequence[SagaView]
    set_aside: Sequence[Unreadable]
    durability: str
    heads: Sequence[Head] | None
    warning: str
    ahead_ms: int


def overview(records: Records, as_of: AsOf) -> Overview:
    """How a store does.

    Args:
        records: the store.
        as_of: the moment of the look.

    Raises:
        StoreError: the storage failed.
    """
    heads, now_ms = _heads(records), as_of.now_ms
    return Overview(
        records.counts(),
        rates(records, heads, now_ms) if heads else None,
        records.oldest_waiting_ms(),
        stuck(records, NAMED_MAX, as_of),
        failing(records, as_of),
        owed(records, as_of),
        records.set_aside(),
        records.durability(),
        heads,
        records.warning(),
        max([0, *(head.at_ms - now_ms for head in heads or ())]),
    )


def _heads(records: Records) -> list[Head] | None:
    try:
        return [records.head(chain) for chain in records.chains() or ("",)]
    except StoreError:
        return None
