"""How a store does, and who works at it: what is told of all of it at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from amends.errors import StoreUnusable
from amends.storage.ports import ClientRecords
from amends.views.at_work import AtWork, at_work
from amends.views.groups import CauseGroup, groups
from amends.views.overview import Overview, overview
from amends.views.sagas import AsOf


class StoreStatus(NamedTuple):
    """How a store does.

    Attributes:
        at: the moment of the look.
        store: its sagas.
        work: who works at it; ``None`` where that cannot be read here.
        groups: what waits, by its cause.
    """

    at: AsOf
    store: Overview
    work: AtWork | None
    groups: Sequence[CauseGroup]


def look_at_status(records: ClientRecords, as_of: AsOf) -> StoreStatus:
    """How a store does.

    Raises:
        StoreError: the storage failed.
    """
    return StoreStatus(as_of, overview(records, as_of), _at_work(records), groups(records, as_of))


def _at_work(records: ClientRecords) -> AtWork | None:
    try:
        return at_work(records)
    except StoreUnusable:
        return None
