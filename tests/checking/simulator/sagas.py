"""Small sagas that between them come to everything there is to come to."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from amends import (
    Backoff,
    Call,
    Child,
    Done,
    Later,
    Refused,
    Saga,
    Scenario,
    external,
    local,
    parallel,
    pause,
    wait_for,
)
from amends.checking import keeps_inbox
from amends.shop.outside import ONE_ORDER_OUTSIDE
from amends.shop.scenarios import TWO_ORDERS_ONE_STOCK
from examples.tickets import Buy, ada_mended, tickets
from examples.trip import Places, Trip, trip


class Job(NamedTuple):
    """What is to be done: how many."""

    name: str
    pieces: int


def outside(client: Any, job: Job, call: Call) -> Done | Refused | Later:
    """Never called: a model stands in for it."""
    raise AssertionError("a model answers")


def take(shelf: int, job: Job) -> int | Refused:
    """Take some."""
    return shelf - job.pieces if job.pieces <= shelf else Refused("empty")


def put(shelf: int, job: Job) -> int:
    """Put them back."""
    return shelf + job.pieces


def undoable(event: str, **more: Any) -> Any:
    """A step outside that can be undone, behind our inbox."""
    return external(
        event, outside, undo=outside, undone=f"{event}_BACK", remembers_refusals=True, backoff=Backoff(0.1, 5), **more
    )


def together(**more: Any) -> Saga:
    """Two steps outside and one of ours at the same time, a third outside, and a deadline."""
    shelf = local("SHELF_TAKEN", take, undo=put, undone="SHELF_PUT", entity=lambda job: job.name)
    first = parallel(undoable("LEFT_DONE", **more), undoable("RIGHT_DONE", **more), shelf)
    return Saga("together", Job, [first, undoable("LAST_DONE", **more)], deadline_s=20)


def crowd() -> Saga:
    """Everything at one desk, which has no place for all of it at a time; and a deadline."""
    first, second, last = (
        undoable(event, service="DESK", timeout_s=2, limit_s=8) for event in ("LEFT_DONE", "RIGHT_DONE", "LAST_DONE")
    )
    return Saga("crowd", Job, [parallel(first, second), last], deadline_s=60)


def approved() -> Saga:
    """Two people are asked, one of whom is notified, while something is done; then it rests; and a deadline."""
    boss = wait_for("BOSS_APPROVED", limit_s=900)
    chief = wait_for("CHIEF_APPROVED", limit_s=600, notify=outside, remind_every_s=60, backoff=Backoff(0.1, 5))
    shelf = local("SHELF_TAKEN", take, undo=put, undone="SHELF_PUT", entity=lambda job: job.name)
    first = parallel(boss, undoable("LEFT_DONE"))
    return Saga("approved", Job, [shelf, first, chief, pause("RESTED", 30), undoable("LAST_DONE")], deadline_s=3600)


def bill(count: int | None, job: Job) -> int:
    """Count the pieces that were billed."""
    return (count or 0) + job.pieces


def followed() -> Saga:
    """Something is taken and done outside, which may be refused; from it follow a bill, and of some a delivery."""
    billed = Saga("billing", Job, [local("BILL_WRITTEN", bill, entity=lambda job: job.name, pivot=True)])
    thanked = Saga("thanks", Job, [undoable("THANKS_SENT"), external("THANKS_READ", outside, pivot=True)])
    steps = [undoable("PARCEL_SENT"), undoable("PARCEL_SEEN")]
    sent = Saga("delivery", Job, steps, starts=[Child(thanked, lambda job: job)])
    shelf = local("SHELF_TAKEN", take, undo=put, undone="SHELF_PUT", entity=lambda job: job.name)
    children = [Child(billed, lambda job: job), Child(sent, lambda job, call: job if job.pieces > 1 else None)]
    return Saga("followed", Job, [shelf, undoable("LEFT_DONE")], starts=children)


INBOXES: Final = {"LEFT": keeps_inbox(), "RIGHT": keeps_inbox(), "LAST": keeps_inbox()}
JOBS: Final = [Job("a", 1), Job("a", 2), Job("b", 9)]
SHELF: Final = {"SHELF": {"a": 4, "b": 3}}
CROWD: Final = {
    "HOTEL": {"Ritz": Places(3)},
    "FLIGHT": {"LX-8": Places(2)},
    "CAR": {"Fiat": Places(3)},
}
TRIPS: Final = [Trip(name, "Ritz", "LX-8", "Fiat", 90_000) for name in ("Ada", "Bob", "Cleo")]

SCENARIOS: Final = {
    "shop": TWO_ORDERS_ONE_STOCK,
    "outside": ONE_ORDER_OUTSIDE,
    "mended": Scenario(ada_mended.saga, ada_mended.given, [Buy("Hamlet", 2, "ada"), Buy("Hamlet", 7, "bob")]),
    "trip": Scenario(trip, CROWD, TRIPS, ids=("a", "b", "c")),
    "together": Scenario(together(), SHELF, JOBS, INBOXES),
    "approved": Scenario(approved(), SHELF, JOBS, {"LEFT": keeps_inbox(), "LAST": keeps_inbox()}),
    "followed": Scenario(followed(), SHELF, JOBS, dict.fromkeys(("LEFT", "PARCEL", "THANKS"), keeps_inbox())),
    "crowd": Scenario(crowd(), {}, JOBS, {"DESK": keeps_inbox()}),
    "moody": Scenario(together(probe=outside, settles_within_s=30), SHELF, JOBS),
}
BROKEN: Final = Scenario(tickets, ada_mended.given, ada_mended.requests)
