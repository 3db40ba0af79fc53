"""Engines with different definitions on one database: each saga ends at one that knows its definition."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from amends import Cancel, Done, Saga
from amends.auditing.recompute import recompute
from amends.auditing.verify import verify
from amends.core.messages import Answered, Kind
from amends.engine.ownership import STAYS
from amends.engine.tasks import StartSagas
from amends.engine.turn_io import drive
from amends.storage.blocks import Contents
from amends.storage.codecs.sagas import definition_of
from amends.storage.codecs.values import text_of
from amends.storage.letters import answer_letter, start_letter, verb_letter
from amends.storage.records import ShardsHandedOver
from amends.storage.rows import COMPENSATED, COMPLETED
from amends.storage.shards import ALL_SHARDS, shard_of
from tests.engine.several import LEASE_MS, Host, House
from tests.engine.world import Buy, tickets

OLD = tickets()
NEW = replace(OLD, version=2)
BOTH = (OLD, NEW)


@pytest.fixture
def house() -> House:
    """Return a database and a card company."""
    house = House()
    house.saga = OLD
    return house


def post(house: House, saga: Saga, number: int, kind: str = "k") -> list[str]:
    """Have clients start sagas, in every shard sooner or later; gives their ids."""
    ids = [f"{kind}{saga.version}-{each}" for each in range(number)]
    house.mailbox.post(
        [start_letter(each, each, definition_of(saga), text_of(Buy(each, 1)), house.now_ms) for each in ids]
    )
    return ids


def movers(house: House, definition: str) -> set[str]:
    """Return which engines moved sagas of a definition."""
    return {name for name, saga_id in house.moved if house.database.sagas[saga_id].definition == definition}


def begun(host: Host, saga: Saga, number: int) -> list[str]:
    """Have an engine start sagas; gives their ids."""
    codec = host.coordinator.definitions.codec_of(saga)
    asked = [Buy(f"{host.name}{saga.version}-{each}", 1) for each in range(number)]
    return [run.saga_id for run in host.turn(StartSagas(codec, asked)).replies[0]]


def given(house: House) -> Counter[str]:
    """Return how many shards each engine has handed over."""
    causes = (
        (chain, record.cause)
        for chain in house.store.chains()
        for block in house.store.blocks(chain=chain)
        for record in Contents(block).records()
        if record
    )
    found = Counter[str]()
    for chain, cause in causes:
        if isinstance(cause, ShardsHandedOver):
            found[chain] += len(cause.shards)
    return found


def check(house: House, number: int) -> None:
    """All of so many sagas are completed, each is charged once, and the audit holds."""
    assert house.is_at_rest
    assert Counter(row.status for row in house.rows()) == {COMPLETED: number}
    assert house.card.total == number
    assert [*verify(house.store).findings] == []
    assert [*recompute(house.store, BOTH).findings] == []


def test_a_rolling_deploy_goes_on_on_both_sides(house: House) -> None:
    """The new engines know the old definition, too, and take what is new; the old ones touch nothing of that."""
    old = [house.host(name, sagas=[OLD]) for name in ("old 1", "old 2")]
    house.pass_ms(2 * LEASE_MS)
    post(house, OLD, 40)
    house.pass_ms(1_000)
    house.host("new 1", sagas=BOTH)
    post(house, NEW, 80)
    house.pass_ms(2 * LEASE_MS)
    check(house, 120)
    assert movers(house, definition_of(NEW)) == {"new 1"}
    assert "old 1" in movers(house, definition_of(OLD))
    house.host("new 2", sagas=BOTH)
    for host in old:
        drive(host.keeper.leave(), host.store)
        host.die()
        house.pass_ms(LEASE_MS)
    post(house, OLD, 40, "l")
    house.pass_ms(3 * LEASE_MS)
    check(house, 160)
    assert Counter(house.ownership.owners().values()) == {"new 1": 32, "new 2": 32}


def test_sagas_of_an_engine_that_died_go_to_one_that_knows_them(house: House) -> None:
    """Also where one takes over that does not: it hands on what it cannot move, at once, and moves nothing of it."""
    two, one = house.host("two", sagas=BOTH), house.host("one", sagas=[OLD])
    three = house.host("three", sagas=BOTH)
    house.pass_ms(3 * LEASE_MS)
    two.holds_calls = True
    ids = begun(two, NEW, 40)
    two.work()
    two.die()
    house.pass_ms(2 * LEASE_MS, of_hosts=[one])  # which takes over, and has nobody to hand over to: three stands still
    assert not three.shards.intersection(map(shard_of, ids))
    house.pass_ms(2 * LEASE_MS, of_hosts=[one, house.host("four", sagas=BOTH)])
    check(house, 40)
    assert movers(house, definition_of(NEW)) == {"two", "four"}
    assert not one.coordinator.left_alone.shards


def test_engines_that_know_nothing_of_each_other_take_turns(house: House) -> None:
    """A shard in which both have something to do goes to and fro, and stays for some leases each time."""
    for name, saga in (("one", OLD), ("two", NEW)):
        house.host(name, sagas=[saga])
    house.pass_ms(2 * LEASE_MS)
    post(house, OLD, 100)
    post(house, NEW, 100)
    house.pass_ms(5 * STAYS * LEASE_MS)
    check(house, 200)
    assert [movers(house, definition_of(saga)) for saga in BOTH] == [{"one"}, {"two"}]
    assert max(given(house).values()) <= 3 * len(ALL_SHARDS)


def test_what_nobody_knows_waits_and_holds_up_nothing(house: House) -> None:
    """It is named once, and started by the first engine that knows it, though it came before."""
    one = house.host("one", sagas=[OLD])
    house.pass_ms(LEASE_MS)
    new = post(house, NEW, 50)
    house.pass_ms(2 * LEASE_MS)
    post(house, OLD, 50)
    house.pass_ms(LEASE_MS)
    assert {row.definition for row in house.rows()} == {definition_of(OLD)}
    assert [*house.database.letters] == new
    assert [one.coordinator.left_alone.news() for _ in "12"] == [[definition_of(NEW)], []]
    house.host("two", sagas=[NEW])
    house.pass_ms(3 * STAYS * LEASE_MS)
    check(house, 100)


def test_answers_and_verbs_wait_for_who_knows_the_saga(house: House) -> None:
    """They are not refused by an engine that cannot know what they mean; nor those behind a start that is left."""
    two = house.host("two", sagas=BOTH)
    house.pass_ms(LEASE_MS)
    two.holds_calls = True
    asked, other = begun(two, NEW, 2)
    two.work()
    two.die()
    one = house.host("one", sagas=[OLD])
    house.pass_ms(2 * LEASE_MS)
    assert one.shards == ALL_SHARDS
    (late,) = post(house, NEW, 1)
    done = Answered("CARD_CHARGED", Kind.DO, Done(), 1)
    house.mailbox.post([
        answer_letter("answer", asked, done, house.now_ms),
        verb_letter("cancel", other, Cancel("no"), house.now_ms),
        verb_letter("early", late, Cancel("no"), house.now_ms),
    ])  # fmt: skip
    house.pass_ms(LEASE_MS)
    assert {*house.database.letters} == {late, "answer", "cancel", "early"}
    house.card.charged[f"{asked}/CARD_CHARGED/do"] = 1
    house.host("three", sagas=BOTH)
    house.pass_ms(2 * LEASE_MS)
    assert house.is_at_rest
    assert {row.saga_id: row.status for row in house.rows()} == {
        asked: COMPLETED, other: COMPENSATED, late: COMPENSATED
    }  # fmt: skip


def test_an_engine_that_knows_less_gets_shards_in_which_it_can_do_all(house: House) -> None:
    """After a while; and keeps them as long as nothing comes that it does not know."""
    two = house.host("two", sagas=BOTH)
    house.pass_ms(LEASE_MS)
    two.holds_calls = True
    busy = {*map(shard_of, begun(two, NEW, 12))}
    two.work()
    two.holds_calls, two.waiting = False, []  # no call is under way any more, and no answer comes
    two.coordinator.departed.clear()
    one = house.host("one", sagas=[OLD])
    house.pass_ms((STAYS - 1) * LEASE_MS)
    assert not one.shards
    house.pass_ms(2 * LEASE_MS)
    assert len(one.shards) == 32
    assert not busy & one.shards
    before = given(house)
    assert not before["one"]
    house.pass_ms(3 * STAYS * LEASE_MS)
    assert given(house) == before
