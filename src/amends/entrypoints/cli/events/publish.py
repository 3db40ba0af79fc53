"""``amends publish``: events into a table, until there are no more, or for ever."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing

from amends.bootstrap import events_located
from amends.entrypoints.cli.events.tail import say_busy
from amends.events.publishing import Publication, published
from amends.lines import counted
from amends.storage.location import LastingLocation


def publish_events(db: LastingLocation, into: str, wanted: Publication, audit_files: Sequence[str]) -> None:
    """Publish them, and say how many.

    Raises:
        UnusableInput: the store or the table cannot be used.
        StoreError: one of them fails.
    """
    place, number = events_located(into), 0
    try:
        with closing(db.records(audit_files)) as store, closing(place.sink()) as sink:
            sys.stdout.write(f"amends: {db.shown} is published into {place.shown}\n")
            sys.stdout.flush()
            for added in published(store, sink, wanted, say_busy):
                number += added
    except KeyboardInterrupt:
        if not wanted.is_live:
            raise
    sys.stdout.write(f"{counted(number, 'event')} published\n")
