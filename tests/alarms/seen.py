"""A store, as alarms see it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from amends.alarms.rules import NOTHING_OWED, WatchedStore
from amends.storage.rows import Letter
from amends.storage.working import EngineSeen, LettersSeen
from amends.views.at_work import AtWork
from amends.views.overview import Overview
from amends.views.sagas import AsOf
from amends.views.status import StoreStatus

NOW_MS = 1_000_000_000
RUNNING = EngineSeen("a-1", 0, 900, range(256))
WELL = Overview({("trip/1/abc", "completed"): 3}, None, None, [], [], [], [], "full", None, "", 0)
AT_WORK = AtWork([RUNNING], 0, LettersSeen(0, 0, None), "", {})


def watched(
    *,
    work: Any = AT_WORK,
    groups: Any = (),
    free_bytes: int | None = None,
    entries: Any = (),
    differences: Any = (),
    **store: Any,
) -> WatchedStore:
    """See a store that is well, but for what is given."""
    status = StoreStatus(AsOf(NOW_MS), WELL._replace(**store), work, groups)
    ledger = replace(NOTHING_OWED, entries=entries, differences=differences)
    return WatchedStore(NOW_MS, status, ledger=ledger, free_bytes=free_bytes)


def letters(waited_s: float) -> AtWork:
    """A letter that waits."""
    oldest = Letter("a", 0, "{}", round(NOW_MS - waited_s * 1000))
    return AT_WORK._replace(letters=LettersSeen(1, 2, oldest))
