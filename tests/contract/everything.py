"""All that can be read of a store, as one value: what two stores are compared by, and one with itself, later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amends.storage.ports import Records, SagaFilter, Store
from amends.storage.rows import COMPLETED, FORWARD, NEEDS_OPERATOR, STATUSES, EntityRow, Unreadable
from tests.contract.rows import START_MS, TICKETS, TRIPS

NAMES = [*(f"S{i}" for i in range(10)), *(f"E{i}" for i in range(10)), *(f"K{i}" for i in range(10))]
WANTED = [
    SagaFilter(),
    SagaFilter(limit=2),
    SagaFilter(statuses=[COMPLETED]),
    SagaFilter(statuses=[FORWARD, NEEDS_OPERATOR]),
    SagaFilter(statuses=STATUSES, limit=3),
    SagaFilter(definition="tickets"),
    SagaFilter(definition="trips", statuses=[FORWARD]),
    SagaFilter(definition="ticket"),
    SagaFilter(started_before_ms=START_MS + 3),
    SagaFilter(started_before_ms=START_MS + 2, statuses=[FORWARD], definition="tickets"),
    SagaFilter(started_before_ms=START_MS),
]


def read(records: Records, names: Sequence[str] = NAMES) -> dict[str, Any]:
    """Return what any reader can see, of some names."""
    return {
        "sagas": [records.saga(name) for name in names],
        "entities": [records.entity("SHOWS", name) for name in names],
        "listings": [list(records.listing(wanted)) for wanted in WANTED],
        "counts": dict(records.counts()),
        "oldest": records.oldest_waiting_ms(),
        "set aside": list(records.set_aside()),
        "head": records.head(),
        "blocks": list(records.blocks()),
        "later blocks": list(records.blocks(2)),
        "about": [list(records.blocks_about(name)) for name in names],
    }


def _name_of(row: EntityRow | Unreadable) -> str:
    return row.name if isinstance(row, Unreadable) else f"{row.service}/{row.entity_id}"


def everything(store: Store, names: Sequence[str] = NAMES) -> dict[str, Any]:
    """Return what the engine can see, of some names."""
    return {
        **read(store, names),
        "by ids": store.sagas(names),
        "keys": store.keys(names),
        "shapes": list(store.shapes()),
        "every entity": {_name_of(row): row for row in store.entities("SHOWS")},
        "due": [store.due([TICKETS, TRIPS], until_ms, 4) for until_ms in (START_MS, START_MS + 1_000, 2**62)],
    }
