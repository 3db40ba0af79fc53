"""``amends publish``: events into a table or a stream, until there are no more, or for ever."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial

from amends.bootstrap import event_place
from amends.engine.health import ANSWERS, NO_WIRE, Health
from amends.entrypoints.cli.events.tail import say_busy
from amends.events.publishing import Publication, published
from amends.health.places import taken_places
from amends.health.teller import HealthTeller
from amends.lines import counted
from amends.storage.location import LastingLocation


def publish_events(
    db: LastingLocation, into: str, wanted: Publication, audit_files: Sequence[str], health: Sequence[str] = ()
) -> None:
    """Publish them, and say how many.

    Args:
        db: the store.
        into: the URL of the table.
        wanted: what is published, and as what.
        audit_files: those with months of the audit that left the store.
        health: where it is told whether the store and the table answer.

    Raises:
        UnusableInput: the store or the table cannot be used, or health cannot be told there.
        StoreError: one of them fails.
    """
    place, number = event_place(into), 0
    try:
        with (
            HealthTeller(taken_places(health)) as teller,
            closing(db.records(audit_files)) as store,
            closing(place.sink()) as sink,
        ):
            say = partial(_say, teller, store.durability())
            say("")
            sys.stdout.write(f"amends: {db.shown} is published into {place.shown}\n")
            sys.stdout.flush()
            for added in published(store, sink, wanted, say):
                number += added
    except KeyboardInterrupt:
        if not wanted.is_live:
            raise
    sys.stdout.write(f"{counted(number, 'event')} published\n")


def _say(teller: HealthTeller, durability: str, busy: str) -> None:
    say_busy(busy)
    reasons = (busy,) if busy else ()
    teller.tell(Health("not ready" if busy else "ready", busy or ANSWERS, NO_WIRE, durability, reasons))
