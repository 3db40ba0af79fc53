"""Several engines on one database: each saga is moved by one of them, whatever dies, stands still or comes twice."""

from __future__ import annotations

import gc
import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from amends import Cancel, Refused
from amends.adapters.memory.ownership import MemoryOwnership
from amends.auditing.recompute import recompute
from amends.auditing.verify import verify
from amends.core.messages import Answered, Done, Kind, Later
from amends.core.state import Compensated, Completed
from amends.engine.tasks import Deliver, Read, StartSagas
from amends.engine.turn_io import drive
from amends.errors import LeaseLost, Overloaded, RequestRefused
from amends.storage.letters import answer_letter, verb_letter
from amends.storage.rows import COMPENSATED, COMPLETED, FINAL
from amends.storage.shards import ALL_SHARDS, shard_of
from tests.engine.several import LEASE_MS, Host, House, run_of, seats_left
from tests.engine.world import Buy

SHOWS = [f"show {number}" for number in range(6)]


@pytest.fixture
def house() -> House:
    """Return a database and a card company."""
    return House()


def pair(house: House) -> tuple[Host, Host]:
    """Return two engines that have shared out the shards."""
    one, two = house.host("one"), house.host("two")
    house.pass_ms(2 * LEASE_MS)
    return one, two


def check(house: House) -> None:
    """Seats and money are exact, and the audit of all chains holds."""
    assert house.is_at_rest
    done = [run_of(house, row.saga_id).request for row in house.rows() if row.status == COMPLETED]
    for show in {buy.show for buy in done}:
        assert seats_left(house, show) == 10 - sum(buy.seats for buy in done if buy.show == show)
    assert house.card.total == sum(buy.seats for buy in done)
    assert [*verify(house.store).findings] == []
    assert [*recompute(house.store, [house.saga]).findings] == []


# Shares -----------------------------------------------------------------------------------------------------------


def test_an_engine_alone_has_every_shard(house: House) -> None:
    """Once it has looked around; before, it starts nothing."""
    one = house.host("one")
    assert isinstance(one.begin(Buy("Hamlet", 2))[0], Overloaded)
    house.pass_ms(1_000)
    assert one.shards == ALL_SHARDS
    assert not isinstance(one.begin(Buy("Hamlet", 2))[0], Exception)


def test_engines_share_the_shards(house: House) -> None:
    """Whoever comes gets as many as the others have; each shard has one owner, of which its engine knows."""
    hosts = []
    for name in ("one", "two", "three"):
        hosts.append(house.host(name))
        house.pass_ms(2 * LEASE_MS)
        assert sorted(shard for host in hosts for shard in host.shards) == sorted(ALL_SHARDS)
        sizes = [len(host.shards) for host in hosts]
        assert max(sizes) - min(sizes) <= 1
    assert house.ownership.owners() == {shard: host.name for host in hosts for shard in host.shards}


def test_who_leaves_gives_its_shards_back(house: House) -> None:
    """The others take them at their next look around."""
    one, two = pair(house)
    drive(two.keeper.leave(), two.store)
    two.die()
    assert not two.shards
    assert not two.keeper.may_send(house.now_ms)
    house.pass_ms(LEASE_MS)
    assert one.shards == ALL_SHARDS


def test_no_engine_takes_over_because_the_store_was_away(house: House) -> None:
    """None could renew its lease meanwhile; of one that does not come back the others take over a lease later."""
    one, two = pair(house)
    three = house.host("three")
    house.pass_ms(2 * LEASE_MS)
    three.die()
    house.now_ms += 2 * LEASE_MS
    house.pass_ms(500, of_hosts=[one])
    house.pass_ms(LEASE_MS // 2)
    assert one.is_alive
    assert two.is_alive
    assert len(house.ownership.leases()) == 3
    house.pass_ms(LEASE_MS)
    assert {*one.shards} | {*two.shards} == ALL_SHARDS


def test_an_engine_starts_sagas_of_its_own_shards(house: House) -> None:
    """And refuses what is about another engine's sagas."""
    one, two = pair(house)
    runs = one.begin(*(Buy(show, 1) for show in SHOWS))
    assert {shard_of(run.saga_id) for run in runs} <= one.shards
    (reply,) = two.turn(Deliver(runs[0].saga_id, Cancel("no"))).replies
    assert isinstance(reply, RequestRefused)
    assert "letter" in str(reply)
    house.pass_ms(2_000)
    check(house)


def test_a_look_keeps_nothing_locked(house: House) -> None:
    """It ends without a commit."""
    one, two = pair(house)
    (run,) = one.begin(Buy("Hamlet", 1))
    look = one.coordinator.look([Read(lambda work: work.found(run.saga_id).version)], one.now_ms)
    assert drive(look, one.store) == [1]
    assert not house.database.locks.held_by_others(two.store, [("saga", run.saga_id)])


def test_each_saga_is_moved_by_the_owner_of_its_shard(house: House) -> None:
    """And by no other engine, while no shard moves."""
    hosts = pair(house)
    for number in range(30):
        house.post(f"k{number}", Buy(SHOWS[number % 6], 1))
    owners = house.ownership.owners()
    house.pass_ms(5_000)
    assert {owners[shard_of(saga_id)] == name for name, saga_id in house.moved} == {True}
    assert {name for name, _ in house.moved} == {host.name for host in hosts}
    assert Counter(row.status for row in house.rows()) == {COMPLETED: 30}
    check(house)


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_shard_is_handed_over_when_no_call_of_it_runs(house: House, *, is_busy: bool) -> None:
    """Or when one has run for too long; the new owner then asks again, with the same key."""
    one = house.host("one", drain_ms=3 * LEASE_MS)
    house.pass_ms(1_000)
    one.holds_calls = True
    runs = one.begin(*(Buy(show, 1) for show in SHOWS for _ in range(8)))
    busy = {shard_of(run.saga_id) for run in runs}
    assert len(busy) > 32
    one.work()
    house.host("two")
    if not is_busy:
        house.pass_ms(2 * LEASE_MS)
        assert busy <= one.shards
        one.holds_calls = False
    house.pass_ms(6 * LEASE_MS)
    assert len(one.shards) == 32
    assert {shard_of(outgoing[1].request.saga_id) for outgoing in one.waiting} <= one.shards
    one.holds_calls = False
    house.pass_ms(8 * LEASE_MS)
    check(house)
    assert Counter(row.status for row in house.rows()) == {COMPLETED: 48}
    assert {name for name, *_ in house.card.calls} == ({"one", "two"} if is_busy else {"one"})


def test_a_shard_is_not_handed_over_while_a_call_of_it_is_to_be_sent(house: House) -> None:
    """Its sender has another thread, and may send it while the shard goes: its answer would be heard by nobody."""
    one = house.host("one")
    house.pass_ms(1_000)
    one.holds_calls = True
    runs = one.begin(*(Buy(show, 1) for show in SHOWS for _ in range(8)))
    busy = {shard_of(run.saga_id) for run in runs}
    house.host("two")
    one.keep()
    assert busy <= one.shards


def test_a_shard_is_handed_over_while_a_participant_answers_later(house: House) -> None:
    """No call of it runs: what it took is answered from outside, whoever has the saga then."""
    one = house.host("one")
    house.pass_ms(1_000)
    one.holds_calls = True
    runs = one.begin(*(Buy(show, 1) for show in SHOWS for _ in range(8)))
    one.work()
    for _, send in one.waiting:
        request = send.request
        one.turn(Deliver(request.saga_id, Answered(request.step, request.kind, Later(within_s=3_600), 1)))
    house.host("two")
    one.keep()
    assert len(one.shards) == len(ALL_SHARDS) // 2
    assert not {shard_of(run.saga_id) for run in runs} <= one.shards


# Takeover ---------------------------------------------------------------------------------------------------------


def test_sagas_of_an_engine_that_died_go_on_at_another(house: House) -> None:
    """What it had sent is unknown: it is asked again, with the same key, and nothing is charged twice."""
    one, two = pair(house)
    one.holds_calls = True
    runs = one.begin(*(Buy(show, 1) for show in SHOWS))
    one.work()
    for outgoing in one.waiting[:3]:
        house.card.serve("one", outgoing)
    one.die()
    house.pass_ms(LEASE_MS - 2_000)
    assert not two.shards & one.shards
    house.pass_ms(LEASE_MS)
    assert two.shards == ALL_SHARDS
    house.pass_ms(20_000)
    assert [type(run_of(house, run.saga_id).state) for run in runs] == [Completed] * 6
    assert {name for name, saga_id in house.moved[-6:]} == {"two"}
    assert {attempt for name, _, _, attempt in house.card.calls if name == "two"} == {2}
    check(house)


ZOMBIES = {
    "an answer": lambda runs: Deliver(runs[0].saga_id, Answered("CARD_CHARGED", Kind.DO, Refused("late"), 1)),
    "a verb": lambda runs: Deliver(runs[1].saga_id, Cancel("late")),
}


@pytest.mark.parametrize("what", ZOMBIES)
def test_what_a_zombie_commits_is_refused(house: House, what: str) -> None:
    """Whatever it touches: it stood still for longer than its lease, and knows nothing of the takeover."""
    one, two = pair(house)
    one.holds_calls = two.holds_calls = True
    runs = one.begin(*(Buy(show, 1) for show in SHOWS))
    house.pass_ms(2 * LEASE_MS, of_hosts=[two])
    before = {**house.database.sagas}
    assert one.is_refused(ZOMBIES[what](runs))
    assert one.is_refused(*one.letters.tasks([house.post("late", Buy("Hamlet", 1))]))
    assert house.database.sagas == before
    assert not one.keeper.may_send(house.now_ms)
    with pytest.raises(LeaseLost):
        one.keep()
    assert one.keeper.is_fenced
    one.die()
    two.holds_calls = False
    house.pass_ms(90_000)
    check(house)


def test_nothing_is_sent_after_the_lease(house: House) -> None:
    """Also where no other engine has taken over yet; once the lease is renewed, it goes out."""
    one = house.host("one")
    house.pass_ms(1_000)
    one.begin(Buy("Hamlet", 2))
    house.now_ms += LEASE_MS
    one.call()
    assert house.card.calls == []
    house.pass_ms(1_000)
    assert [kind for _, _, kind, _ in house.card.calls] == ["do"]
    house.pass_ms(1_000)
    check(house)


def test_a_taker_is_taken_over_in_turn(house: House) -> None:
    """Each chain names the one that it ended."""
    one, two = pair(house)
    three = house.host("three")
    house.pass_ms(2 * LEASE_MS)
    for host in (one, two):
        host.holds_calls = True
        host.begin(*(Buy(show, 1) for show in SHOWS))
        host.work()
        host.die()
        house.pass_ms(3 * LEASE_MS)
    assert three.shards == ALL_SHARDS
    house.pass_ms(20_000)
    assert house.store.chains() == ["one", "three", "two"]
    check(house)


def test_a_taker_leaves_what_the_dead_one_handed_over_at_last(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the taker looked around: else two engines had the same shards, and moved the same sagas."""
    dead, other, taker = house.host("one"), house.host("two"), house.host("three")
    for host in (dead, other, taker):
        house.now_ms += LEASE_MS // 4
        host.keep()
    given = dict.fromkeys(sorted(dead.shards)[:9], other.name)
    house.now_ms += LEASE_MS // 2
    now_ms = MemoryOwnership.now_ms

    def seen_late(ownership: MemoryOwnership) -> int:
        if dead.shards.issuperset(given):
            drive(dead.coordinator.hand_over(given, house.now_ms), dead.store)
        return now_ms(ownership)

    monkeypatch.setattr(MemoryOwnership, "now_ms", seen_late)
    taker.keep()
    other.keep()
    assert house.ownership.leases()[0].engine != dead.name
    for host in (other, taker):
        assert host.shards == {shard for shard, name in house.ownership.owners().items() if name == host.name}


def test_what_a_taken_saga_waits_for_is_looked_at_in_its_time(house: House) -> None:
    """Also where the taker waits for something of its own that comes later."""
    one, two = pair(house)
    own, taken = _waits_for_long(two, 59), _waits_for_long(one, 40)
    house.pass_ms(12_000)
    one.die()
    house.pass_ms(20_000)
    assert two.shards == ALL_SHARDS
    assert run_of(house, taken).waiting[0].attempt == 1
    house.pass_ms(12_000)
    assert isinstance(run_of(house, taken).state, Completed)
    assert not isinstance(run_of(house, own).state, Completed)


def _waits_for_long(host: Host, within_s: float) -> str:
    """Start a saga whose participant says that its answer comes later."""
    (run,) = host.begin(Buy("Hamlet", 1))
    host.turn(Deliver(run.saga_id, Answered("CARD_CHARGED", Kind.DO, Later(within_s), 1)))
    host.waiting.clear()
    return str(run.saga_id)


@pytest.mark.parametrize("off_ms", [-600_000, 600_000])
def test_a_taker_whose_clock_differs_loses_nothing(house: House, off_ms: int) -> None:
    """What may have been sent counts from when the shard was taken, whatever either clock said."""
    one = house.host("one", clock_off_ms=off_ms)
    house.pass_ms(1_000)
    one.holds_calls = True
    runs = one.begin(*(Buy(show, 1) for show in SHOWS))
    one.work()
    for outgoing in one.waiting:
        house.card.serve("one", outgoing)
    one.die()
    two = house.host("two")
    house.pass_ms(3 * LEASE_MS)
    assert two.shards == ALL_SHARDS
    waiting = [waiting for run in runs for waiting in run_of(house, run.saga_id).waiting]
    assert all((each.kind, each.attempt) != (Kind.DO, 1) for each in waiting)
    house.pass_ms(700_000, step_ms=2_000)
    check(house)


# Letters ----------------------------------------------------------------------------------------------------------


def test_a_letter_that_comes_twice_does_no_harm(house: House) -> None:
    """It is acted on once; whoever asks again is told the same saga."""
    one = house.host("one")
    house.pass_ms(1_000)
    letter = house.post("k", Buy("Hamlet", 2))
    (first,) = one.act_on_letters([letter]).replies
    assert list(house.database.letters) == []
    (second,) = one.act_on_letters([letter]).replies
    assert second.answer == first.answer.saga_id == "client-k"
    house.post("k", Buy("Hamlet", 2), "client-other")
    (third,) = one.act_on_letters().replies
    assert third.answer == "client-k"
    assert [row.saga_id for row in house.rows()] == ["client-k"]
    house.pass_ms(2_000)
    check(house)


def test_another_request_under_the_key_of_a_letter_is_refused(house: House) -> None:
    """The letter is gone, and nothing is started."""
    one = house.host("one")
    house.pass_ms(1_000)
    house.post("k", Buy("Hamlet", 2))
    one.act_on_letters()
    house.post("k", Buy("Hamlet", 3), "client-other")
    (reply,) = one.act_on_letters().replies
    assert "another request" in str(reply.answer)
    house.pass_ms(2_000)
    check(house)
    assert len(house.rows()) == 1


def test_a_letter_brings_an_answer_or_a_verb(house: House) -> None:
    """To the owner of the saga, with who wanted it, and why."""
    one = house.host("one")
    house.pass_ms(1_000)
    one.holds_calls = True
    kept, undone = one.begin(Buy("Hamlet", 1), Buy("Lear", 1))
    one.call()
    house.card.charged[f"{kept.saga_id}/CARD_CHARGED/do"] = 1
    house.mailbox.post(
        [
            answer_letter("a", kept.saga_id, Answered("CARD_CHARGED", Kind.DO, Done()), house.now_ms),
            verb_letter("v", undone.saga_id, Cancel("changed my mind", "ann"), house.now_ms),
            verb_letter("w", "nowhere", Cancel(by="ann"), house.now_ms),
        ]
    )
    replies = [reply.answer for reply in one.act_on_letters().replies]
    assert isinstance(replies[0].state, Completed)
    assert replies[1].reason == "cancel by ann: changed my mind"
    assert "there is no saga" in str(replies[2])
    one.holds_calls = False
    house.pass_ms(90_000)
    assert isinstance(run_of(house, undone.saga_id).state, Compensated)
    check(house)


@pytest.mark.parametrize("body", ["", "[1]", '["verb","S1","retry","ann",""]'])
def test_a_letter_that_cannot_be_acted_on_blocks_nothing(house: House, body: str) -> None:
    """It is refused under its id, and gone."""
    one = house.host("one")
    house.pass_ms(1_000)
    good = house.post("good", Buy("Hamlet", 1))
    house.mailbox.remove(["good"])
    house.mailbox.post([good._replace(letter_id="bad", body=body), good])
    one.act_on_letters()
    house.pass_ms(2_000)
    assert isinstance(run_of(house, "client-good").state, Completed)
    assert "refused" in house.database.keys["bad"].answer
    check(house)


def test_a_letter_that_a_turn_could_not_carry_out_is_refused_in_the_next(house: House) -> None:
    """So it does not come again and again."""
    one = house.host("one")
    house.pass_ms(1_000)
    letter = house.post("k", Buy("Hamlet", 1))
    assert one.letters.removable(one.letters.tasks([letter]), [RequestRefused("it cannot be stored")]) == []
    (reply,) = one.act_on_letters().replies
    assert str(reply.answer) == "it cannot be stored"
    assert (house.rows(), dict(house.database.letters)) == ([], {})


def test_a_refused_start_is_refused_again(house: House) -> None:
    """What the letter's id stands for is the refusal."""
    one = house.host("one")
    house.pass_ms(1_000)
    letter = house.post("k", Buy("Hamlet", 1), "no/id")
    for _ in range(2):
        (reply,) = one.act_on_letters([letter]).replies
        assert "'no/id'" in str(reply.answer)
    assert house.rows() == []


# Everything at once -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_whatever_dies_money_and_seats_are_exact(house: House, seed: int) -> None:
    """Engines come, stand still and die, while clients post letters, some of them twice."""
    chance = random.Random(seed)
    house.host("e0")
    for _ in range(60):
        living = [host for host in house.hosts if host.is_alive]
        if chance.random() < 0.15 and len(living) < 4:
            house.host(f"e{len(house.hosts)}", clock_off_ms=chance.randint(-9_000, 9_000))
        if chance.random() < 0.1 and len(living) > 1:
            chance.choice(living).die()
        if chance.random() < 0.3:
            host = chance.choice(living)
            host.holds_calls = not host.holds_calls
        for _ in range(chance.randint(0, 3)):
            key = f"k{chance.randint(0, 200)}"
            house.post(key, Buy(SHOWS[int(key[1:]) % 6], 1 + int(key[1:]) % 3))
            if chance.random() < 0.2:
                house.card.refuses.add(f"client-{key}")
        house.pass_ms(500 * chance.randint(1, 6))
    for host in house.hosts:
        host.holds_calls = False
    house.pass_ms(200_000, step_ms=1_000)
    check(house)
    statuses = Counter(row.status for row in house.rows())
    assert statuses[COMPLETED] > 5
    assert statuses[COMPENSATED] > 5
    assert set(statuses) <= FINAL


# Threads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_crowded", [False, True])
def test_engines_in_threads_of_their_own_wait_for_each_others_rows(*, is_crowded: bool) -> None:
    """Two decide at the same moment on the same seats: one waits, or decides again; none is sold twice."""
    house = House(lock_timeout_s=10)
    one, two = pair(house)
    shows = SHOWS[:1] if is_crowded else SHOWS
    asked = [[Buy(shows[number % len(shows)], 1) for number in range(40)] for _ in range(2)]
    begin, failed = threading.Barrier(2), list[BaseException]()

    def run(host: Host, buys: list[Buy]) -> None:
        try:
            begin.wait()
            codec = host.coordinator.definitions.codec_of(house.saga)
            for buy in buys:
                turn = host.coordinator.turn([StartSagas(codec, [buy])], host.now_ms)
                host.waiting += drive(turn, host.store).sends
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=run, args=pair) for pair in zip((one, two), asked, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    house.pass_ms(20_000)
    check(house)
    assert Counter(row.status for row in house.rows())[COMPLETED] == 10 * len(shows)


def test_a_turn_that_is_decided_again_leaves_nothing_to_the_garbage_collector(house: House) -> None:
    """All that it made is freed by reference counts: the collector, which is off meanwhile, would walk through it."""

    def prepared(entities: Mapping[str, Any], saga_id: str, asked: list[Any]) -> Buy | Refused:
        entities["SEATS"].get(asked[0])  # is not at hand: each turn reads anew what it needs
        return Buy(*asked) if asked[1] else Refused("no seats are asked for")

    house.saga = replace(house.saga, prepare=prepared)
    one = house.host("one")
    house.pass_ms(1_000)
    gc.collect()
    gc.disable()
    try:
        replies = one.begin(*([show, number % 2] for show in SHOWS for number in range(50)))  # type: ignore[arg-type]
        assert sum(isinstance(reply, RequestRefused) for reply in replies) == 150
        assert gc.collect() < 150
    finally:
        gc.enable()
