"""Equal schedules give equal traces on every store (invariant V21): the head of the audit is the hash of all of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amends import Cancel, Command, Done, Later, Refused, Retry, Unknown
from amends.adapters.memory import MemoryStore
from amends.adapters.sqlite.store import SqliteStore
from amends.core.messages import Outcome, Verb
from amends.engine.in_flight import Outgoing
from amends.engine.tasks import Deliver, ExecuteCommand, StartSagas
from amends.shop import CHECKOUT
from amends.shop.inventory import STOCK_SET, Offer
from amends.shop.payments import CREDIT_LIMIT_SET
from amends.storage.ports import SagaFilter, Store
from tests.engine.world import Buy, Life, records, tickets

SEATS_ADDED = Command("SEATS_ADDED", "SEATS", lambda free, more: (free or 0) + more)
TICKETS = tickets()
OUTCOMES: list[Outcome] = [Done(), Done({"receipt": 1}), Refused("no"), Unknown("no line"), Later(30)]


def played(store: Store, seed: int) -> Iterator[Any]:
    """Play a schedule of three lives on a store, and give everything that came of each turn."""
    chance = random.Random(seed)
    now_ms = 1_700_000_000_000
    for number in range(3):
        life = Life(store, TICKETS, CHECKOUT, prefix=f"p{number}", now_ms=now_ms)
        asked: list[Outgoing] = []
        for _ in range(chance.randint(5, 25)):
            turn = step(life, chance, asked)
            asked += turn.sends
            yield (
                turn.due_ms,
                turn.replies,
                [send for _, send in turn.sends],
                turn.dropped,
                turn.ended,
                turn.needs_operator,
            )
        now_ms = life.now_ms + chance.choice([1, 1_000, 100_000])
    yield store.head(), sorted(store.counts().items()), list(store.listing(SagaFilter(limit=1000))), records(store)


def step(life: Life, chance: random.Random, asked: list[Outgoing]) -> Any:
    """Do something."""
    after_ms = chance.choice([1, 1, 100, 5_000, 15_000])
    what = chance.randrange(6)
    if what == 0 and asked:
        return life.answer(chance.choice(asked), chance.choice(OUTCOMES))
    if what == 1:
        verbs: list[Verb] = [Cancel("why not"), Retry("CARD_CHARGED")]
        return life.turn(Deliver(f"p0-{chance.randint(1, 9)}", chance.choice(verbs)), after_ms=after_ms)
    if what == 2:
        return life.turn(ExecuteCommand(SEATS_ADDED, chance.choice(["Hamlet", "Lear"]), 2), after_ms=after_ms)
    if what == 3:
        life.turn(ExecuteCommand(CREDIT_LIMIT_SET, "C1", 100), ExecuteCommand(STOCK_SET, "P1", Offer(5, 3)))
        asked_for = [("PLACE_ORDER", "C1", "P1", chance.randint(0, 7)) for _ in range(5)]
        return life.turn(StartSagas(life.coordinator.definitions.codec_of(CHECKOUT), asked_for))
    key = [f"k{chance.randint(1, 20)}"] if chance.random() < 0.5 else []
    return life.begin(Buy(chance.choice(["Hamlet", "Lear"]), chance.randint(1, 4)), keys=key)


@pytest.mark.parametrize("seed", range(25))
def test_memory_and_sqlite_agree(seed: int, tmp_path: Path) -> None:
    """Replies, requests, rows, records and hashes: all the same, turn by turn."""
    store = SqliteStore(tmp_path / "shop.db")
    try:
        for in_memory, on_disk in zip(played(MemoryStore(), seed), played(store, seed), strict=True):
            assert repr(in_memory) == repr(on_disk)  # exceptions among the replies are equal in what they say alone
    finally:
        store.close()
