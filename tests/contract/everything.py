"""All that can be read of a store, as one value: what two stores are compared by, and one with itself, later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amends.ports import Records, Store, Wanted
from amends.stored import COMPLETED, FORWARD, NEEDS_OPERATOR, STATUSES, EntityRow, Unreadable
from tests.contract.rows import START_MS, TICKETS, TRIPS

NAMES = [*(f"S{i}" for i in range(10)), *(f"E{i}" for i in range(10)), *(f"K{i}" for i in range(10))]
WANTED = [
    Wanted(),
    Wanted(limit=2),
    Wanted(statuses=[COMPLETED]),
    Wanted(statuses=[FORWARD, NEEDS_OPERATOR]),
    Wanted(statuses=STATUSES, limit=3),
    Wanted(definition="tickets"),
    Wanted(definition="trips", statuses=[FORWARD]),
    Wanted(definition="ticket"),
    Wanted(started_before_ms=START_MS + 3),
    Wanted(started_before_ms=START_MS + 2, statuses=[FORWARD], definition="tickets"),
    Wanted(started_before_ms=START_MS),
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
