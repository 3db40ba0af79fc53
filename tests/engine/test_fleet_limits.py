"""A limit for all engines of a store: never more calls at once than it says, and none of its places is lost."""

from __future__ import annotations

from typing import Any

from amends import Limit, Saga, external, wait_for
from amends.adapters.memory.ownership import MemoryOwnership
from amends.engine.limits import LEASE_MS
from amends.errors import StoreBusy
from amends.storage.budgets import BudgetGrant, BudgetShare
from amends.storage.rows import COMPENSATED, COMPLETED
from tests.engine.running import Charges, Running, Shop, charge, submitted, until
from tests.engine.test_engine import run
from tests.engine.world import Buy, nothing

FLEET = Limit(at_once=3, fleet=True)  # one of them for compensations and probes alone
SHOWS = ("Hamlet", "Macbeth", "Othello", "Lear")


def under_way(*engines: Running) -> list[int]:
    """Return how many calls of the card company each engine has under way."""
    return [running.loop.calls._services["CARD"].slots.taken for running in engines]


def shares(shop: Shop) -> dict[str, int]:
    """Return how many places each engine has, as the store says."""
    return {name: share.places for name, share in shop.database.budgets["CARD"].items()}


def close_gates(*engines: Running) -> None:
    """Let no call of these come to its end."""
    for running in engines:
        running.card.gate.clear()


def test_engines_share_the_places_of_a_participant() -> None:
    """Both have as many sagas; each has a call under way, and the third place is no action's."""

    async def test() -> None:
        shop = Shop()
        one, two = await shop.open("one", "two", concurrency={"CARD": FLEET})
        close_gates(one, two)
        for running in (one, two):
            await submitted(running, shop.saga, *SHOWS)
        await shop.pass_ms(6_000)
        assert under_way(one, two) == [1, 1]
        assert sum(shares(shop).values()) <= 3
        for running in (one, two):
            running.card.gate.set()
        await shop.pass_ms(20_000)
        await until(lambda: shop.is_at_rest)
        assert {row.status for row in shop.database.sagas.values()} == {COMPLETED}
        await shop.close()
        assert shares(shop) == {}

    run(test())


def test_who_is_idle_gives_its_places_back() -> None:
    """And has one again once it needs it, when a call of the other one has come to its end."""

    async def test() -> None:
        shop = Shop()
        one, two = await shop.open("one", "two", concurrency={"CARD": FLEET})
        close_gates(one, two)
        await submitted(one, shop.saga, *SHOWS)
        await shop.pass_ms(3_000)
        assert under_way(one, two) == [2, 0]
        await submitted(two, shop.saga, *SHOWS)
        await shop.pass_ms(3_000)
        assert under_way(one, two) == [2, 0]
        one.card.gate.set()
        await shop.pass_ms(3_000)
        await until(lambda: under_way(one, two) == [0, 2])
        two.card.gate.set()
        await shop.close()

    run(test())


def test_the_places_of_a_killed_engine_come_back_with_its_lease() -> None:
    """Not before another engine ended it: until then its calls may be under way."""

    async def test() -> None:
        shop = Shop()
        one, two = await shop.open("one", "two", concurrency={"CARD": FLEET})
        close_gates(one, two)
        await submitted(one, shop.saga, *SHOWS)
        await shop.pass_ms(6_000)
        await submitted(two, shop.saga, *SHOWS)
        assert under_way(one, two) == [2, 0]
        await one.kill()
        await shop.pass_ms(LEASE_MS // 2, but=one)
        assert under_way(two) == [0]
        await shop.pass_ms(3 * LEASE_MS, but=one)
        assert (under_way(two), [*shares(shop)]) == ([2], ["two"])
        two.card.gate.set()
        await shop.pass_ms(60_000, but=one)
        await until(lambda: shop.is_at_rest)
        await shop.close(but=one)

    run(test())


def test_what_an_engine_uses_is_written_though_the_store_is_away() -> None:
    """It goes on with what it has; answers that are lost give it nothing, and others no more than there is."""

    async def test() -> None:
        shop = Shop()
        one, two = await shop.open("one", "two", concurrency={"CARD": FLEET})
        close_gates(one, two)
        share_places = MemoryOwnership.share_places

        def lost(ownership: MemoryOwnership, engine: str, asks: list[BudgetShare]) -> list[BudgetGrant]:
            share_places(ownership, engine, asks)
            raise StoreBusy("the answer is lost")

        MemoryOwnership.share_places = lost  # type: ignore[assignment,method-assign]  # one that fails
        try:
            for running in (one, two):
                await submitted(running, shop.saga, *SHOWS)
            await shop.pass_ms(9_000)
            for running, name in ((one, "one"), (two, "two")):
                assert under_way(running)[0] <= shares(shop)[name]
            assert sum(shares(shop).values()) <= 3
        finally:
            MemoryOwnership.share_places = share_places  # type: ignore[method-assign]
        await shop.pass_ms(6_000)
        assert under_way(one, two) == [1, 1]
        for running in (one, two):
            running.card.gate.set()
        await shop.close()

    run(test())


def test_a_saga_that_goes_back_gets_the_place_that_is_kept_for_it() -> None:
    """Though the actions of the other engine have all others."""

    async def test() -> None:
        shop = Shop(refunded())
        one, two = await shop.open("one", "two", concurrency={"CARD": FLEET})
        (handle,) = await submitted(two, shop.saga, "Hamlet")
        await until(lambda: bool(two.card.calls) and under_way(two) == [0])
        close_gates(one, two)
        await submitted(one, shop.saga, *SHOWS)
        await shop.pass_ms(6_000)
        assert under_way(one) == [2]
        await two.engine.cancel(handle.saga_id)
        await shop.pass_ms(3_000)
        assert under_way(one, two) == [2, 1]
        for running in (one, two):
            running.card.gate.set()
        await until(lambda: shop.status(handle.saga_id) == COMPENSATED)
        await shop.close()

    run(test())


def refunded() -> Saga:
    """Return a saga that is charged, and then waits for a person."""
    options: Any = {"timeout_s": 600, "limit_s": 6_000, "service": "CARD"}
    charged = external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED", **options)
    return Saga("tickets", Buy, [charged, wait_for("APPROVED", limit_s=60_000), external("SENT", nothing, pivot=True)])


async def refund(card: Charges, *_: Any) -> None:
    """CARD_REFUNDED."""
    await card.gate.wait()
