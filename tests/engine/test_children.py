"""Sagas that follow from others: started once by a letter in the commit that completes those, or not at all."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

import amends
from amends import Call, Child, Completed, DefinitionError, Refused, RequestRefused, Saga, external, local
from amends.adapters.memory import MemoryStore
from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.sqlite.store import SqliteStore
from amends.core.messages import Cancel, Done
from amends.engine.batch import BatchResult
from amends.engine.letters import LettersToActOn
from amends.engine.tasks import Deliver
from amends.errors import StoreConflict
from amends.storage.codecs.sagas import definition_of
from amends.storage.letters import start_letter, verb_letter
from amends.storage.ports import Store
from amends.storage.shards import ALL_SHARDS
from amends.testing import do, given
from amends.views.sagas import AsOf
from amends.views.story import describe
from tests.engine.world import Buy, Life, hold, let_go, names, nothing, records


class Bill(NamedTuple):
    """What an invoice is asked for."""

    show: str
    cents: int


def bill(count: int | None, asked: Bill) -> int:
    """BILL_WRITTEN: the cents of all bills of a show."""
    return (count or 0) + asked.cents


INVOICE = Saga("invoice", Bill, [local("BILL_WRITTEN", bill, entity=lambda asked: asked.show, pivot=True)])


def bill_of(buy: Buy) -> Bill | None:
    """Return what the invoice of a purchase is asked for; none for a free seat."""
    return Bill(buy.show, 100 * buy.seats) if buy.show != "free" else None


def sale(*children: Any) -> Saga:
    """Return a saga that holds seats, charges a card and has children started."""
    return Saga(
        "sale",
        Buy,
        [
            local("SEATS_HELD", hold, undo=let_go, undone="SEATS_FREED", entity=lambda buy: buy.show),
            external("CARD_CHARGED", nothing, pivot=True),
        ],
        starts=children or [Child(INVOICE, bill_of)],
    )


class Post:
    """The letters of a process's store, and turns that act on them."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.letters = LettersToActOn(life.coordinator.left_alone)

    def there(self) -> list[str]:
        """Return the ids of the letters."""
        return [letter.letter_id for letter in self.life.store.mailbox.letters(ALL_SHARDS, 99)]

    def act(self) -> BatchResult:
        """Take a turn on them, as an engine does."""
        tasks = self.letters.read(self.life.store.mailbox, ALL_SHARDS, 99)
        result = self.life.turn(*tasks)
        self.life.store.mailbox.remove(self.letters.removable(tasks, result.replies))
        return result


def begun(store: Store, *sagas: Saga, show: str = "Hamlet") -> tuple[Life, Post, BatchResult]:
    """Return a process that has asked for the card of a sale."""
    life = Life(store, *(sagas or (sale(), INVOICE)))
    return life, Post(life), life.begin(Buy(show, 2))


def test_the_commit_that_completes_a_saga_has_the_letter_that_starts_its_child() -> None:
    """It is started under the parent's key, once, and each says of the other."""
    store = MemoryStore()
    life, post, asked = begun(store)
    assert not post.there()
    assert not asked.posts
    done = life.answer(asked.sends[0], Done())
    assert done.posts
    assert post.there() == ["a-1/invoice"]
    assert not post.act().posts
    assert not post.there()
    child = store.saga("a-1.invoice")
    assert child is not None
    assert (child.status, child.request) == ("completed", '["Hamlet",200]')
    assert "a-1 0 starts invoice/1/" + INVOICE.fingerprint + " as a-1.invoice: " in records(store)
    assert "a-1.invoice 0 follows from a-1: " in records(store)


def test_a_letter_that_is_there_again_starts_nothing_again() -> None:
    """As after a crash between the commit that acted on it and its removal."""
    store = MemoryStore()
    life, post, asked = begun(store)
    life.answer(asked.sends[0], Done())
    letters = store.mailbox.letters(ALL_SHARDS, 9)
    post.act()
    store.mailbox.post(letters)
    Post(Life(store, life.saga, INVOICE, prefix="b", now_ms=life.now_ms)).act()
    assert store.counts() == {(f"sale/1/{life.saga.fingerprint}", "completed"): 1,
                              (f"invoice/1/{INVOICE.fingerprint}", "completed"): 1}  # fmt: skip
    assert store.entity("BILL", "Hamlet").body == "200"  # type: ignore[union-attr]  # it is there


@pytest.mark.parametrize("said", [Refused("no money"), Cancel("changed my mind")])
def test_a_saga_that_turns_back_starts_none(said: Any) -> None:
    """Not when it is refused; nor when it is abandoned, or canceled before its pivot was asked."""
    store = MemoryStore()
    life, post, asked = begun(store)
    if isinstance(said, Refused):
        life.answer(asked.sends[0], said)
        assert life.run("a-1").state.__class__.__name__ == "Compensated"
    else:
        life.turn(Deliver("a-1", amends.Abandon("gone")))
    assert not post.there()


def test_a_function_that_gives_none_starts_none() -> None:
    """And no record says so."""
    store = MemoryStore()
    life, post, asked = begun(store, show="free")
    life.answer(asked.sends[0], Done())
    assert not post.there()
    assert not [line for line in records(store) if "starts" in line]


def test_a_commit_that_is_not_written_posts_nothing() -> None:
    """Another engine was faster: the letter is there once, of the commit that was written."""
    store = MemoryStore()
    life, post, asked = begun(store)
    commit, faults = store.commit, [StoreConflict("as if another engine was faster")]

    def fails_once(changes: Any) -> None:
        if faults:
            assert changes.posted
            raise faults.pop()
        commit(changes)

    store.commit = fails_once  # type: ignore[method-assign]  # a fault that a store in memory has not
    life.answer(asked.sends[0], Done())
    assert post.there() == ["a-1/invoice"]


def test_a_child_is_asked_for_what_its_parent_was_answered() -> None:
    """The second parameter of its function has the answers, and the key; what it gets is its own copy."""
    seen = []

    def of_answers(buy: Buy, call: Call) -> Bill:
        seen.append(call)
        return Bill(call.answers["CARD_CHARGED"]["receipt"], 1)

    store = MemoryStore()
    life, post, asked = begun(store, sale(Child(INVOICE, of_answers)), INVOICE)
    life.answer(asked.sends[0], Done({"receipt": "r-1"}))
    post.act()
    assert store.saga("a-1.invoice").request == '["r-1",1]'  # type: ignore[union-attr]  # it is there
    assert [call.key for call in seen] == ["a-1/invoice"]


@pytest.mark.parametrize(
    ("request_of", "why"),
    [
        (lambda _: 1 // 0, "what a-1 asks it for is not known: ZeroDivisionError: integer division or modulo by zero"),
        (lambda _: 7, "invoice: the request cannot be stored"),
    ],
)
def test_a_child_that_cannot_be_asked_for_keeps_no_saga_from_its_end(
    request_of: Any, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its parent completes; that none is started is remembered under the key, recorded, and logged as an error."""
    store = MemoryStore()
    life, post, asked = begun(store, sale(Child(INVOICE, request_of)), INVOICE)
    life.answer(asked.sends[0], Done())
    assert isinstance(life.run("a-1").state, Completed)
    with caplog.at_level(logging.ERROR):
        post.act()
    assert store.saga("a-1.invoice") is None
    assert msgspec.json.decode(store.key("a-1/invoice").answer)["refused"].startswith(why)  # type: ignore[union-attr]  # it is there
    assert f"saga a-1.invoice does not start, which follows from a-1: {why}" in caplog.text
    assert not post.there()


def test_children_are_prepared_as_any_saga_is() -> None:
    """What `prepare` gets is plain JSON; where it refuses, none is started."""

    def prepare(entities: Any, saga_id: str, wanted: list[Any]) -> Bill | Refused:
        return Bill(saga_id, wanted[1]) if wanted[1] < 1000 else Refused("too large")

    invoice = Saga("invoice", Bill, INVOICE.steps, prepare=prepare)
    store = MemoryStore()
    life, post, asked = begun(store, sale(Child(invoice, lambda buy: Bill(buy.show, 500 * buy.seats - 1))), invoice)
    life.answer(asked.sends[0], Done())
    post.act()
    assert store.saga("a-1.invoice").request == '["a-1.invoice",999]'  # type: ignore[union-attr]  # it is there


def test_children_have_children_and_a_saga_several() -> None:
    """In their order; a saga that completes at once has its letters in the commit that starts it."""
    thanks = Saga("thanks", Bill, INVOICE.steps, starts=[Child(INVOICE, lambda asked: asked)])
    store = MemoryStore()
    life, post, asked = begun(store, sale(Child(thanks, bill_of), Child(INVOICE, bill_of)), thanks, INVOICE)
    life.answer(asked.sends[0], Done())
    assert post.there() == ["a-1/thanks", "a-1/invoice"]
    assert post.act().posts
    assert post.there() == ["a-1.thanks/invoice"]
    post.act()
    assert [row.saga_id for row in reversed([*store.listing(amends.storage.ports.SagaFilter())])] == [
        "a-1", "a-1.thanks", "a-1.invoice", "a-1.thanks.invoice"
    ]  # fmt: skip
    assert names(asked) == ["CARD_CHARGED/do#1"]


def test_a_letter_under_a_definition_that_is_not_known_stays() -> None:
    """An engine that knows it acts on it; this one says so once, and acts on what comes before and behind it."""
    store = MemoryStore(MemoryDatabase(is_shared=False))
    life, _, asked = begun(store)
    life.answer(asked.sends[0], Done())
    other = Post(Life(store, Saga("other", Buy, life.saga.steps), prefix="b", now_ms=life.now_ms))
    (definition,) = other.life.coordinator.definitions.by_name
    start = start_letter("letter 1", "client-1", definition, '["Hamlet",1]', life.now_ms)
    cancel = verb_letter("letter 2", "a-1", Cancel("too late", "ada"), life.now_ms)
    store.mailbox.post([start, cancel])
    for expected in ([cancel], [start, cancel]):
        assert [task.letter for task in other.letters.read(store.mailbox, ALL_SHARDS, 1)] == expected
    assert [other.life.coordinator.left_alone.news() for _ in "12"] == [[definition_of(INVOICE)], []]
    life.begin(Buy("Lear", 1))
    again = Post(Life(store, life.saga, INVOICE, prefix="c", now_ms=life.now_ms))
    again.act()
    assert store.saga("a-1.invoice") is not None


def test_the_definition_of_a_child_has_to_be_given_to_open() -> None:
    """Which one is missing, and to whom, is said."""
    with pytest.raises(DefinitionError, match=r"'sale' starts invoice/1/\w+, which was not given to open\(sagas="):
        Life(MemoryStore(), sale())


@pytest.mark.parametrize("url", ["memory:", "sqlite:///{}/store.db"])
def test_an_engine_starts_children_at_once(url: str, tmp_path: Path) -> None:
    """It does not wait for its next look for letters; whoever waits for the child's end has it."""

    async def seen() -> tuple[Any, Any, Any]:
        async with amends.open(url.format(tmp_path), sagas=[sale(), INVOICE], clients={"CARD": None}) as engine:
            parent = engine.starter._loop.coordinator.definitions.sagas
            of_sale = next(saga for saga in parent.values() if saga.name == "sale")
            handle = await engine.submit(of_sale, Buy("Hamlet", 2))
            await handle.result(60)
            child = await engine.result(f"{handle.saga_id}.invoice", 60)
            with pytest.raises(RequestRefused, match="there is no saga"):
                await engine.result(f"{handle.saga_id}.thanks", 60)
            return child, await handle.describe(), await engine.describe(child.saga_id)

    child, parent, of_child = asyncio.run(seen())
    assert isinstance(child.state, Completed)
    assert [(seen.saga_id, seen.name, seen.status) for seen in parent.children] == [
        (child.saga_id, "invoice", "completed")
    ]
    assert of_child.parent == parent.saga_id
    assert parent.as_json()["children"][0]["status"] == "completed"


class Invoice(NamedTuple):
    """What an invoice is asked for after a deploy: the same, in another order and with more."""

    cents: int
    show: str
    currency: str = "EUR"


def test_what_a_letter_asks_for_is_read_as_it_was_written() -> None:
    """A deploy changes the type of the request while the letter waits: as with a saga that was stored, it is upcast."""
    store = MemoryStore()
    life, _, asked = begun(store)
    life.answer(asked.sends[0], Done())
    steps = [local("BILL_WRITTEN", lambda _, asked: asked.cents, entity=lambda asked: asked.show, pivot=True)]
    today: Saga[Any, Any] = Saga("invoice", Invoice, steps, upcast=lambda was: Invoice(was["cents"], was["show"]))
    assert today.fingerprint == INVOICE.fingerprint
    of_sale = Saga("sale", Buy, life.saga.steps, starts=[Child(today, lambda buy: Invoice(buy.seats, buy.show))])
    Post(Life(store, of_sale, today, prefix="b", now_ms=life.now_ms + 1)).act()
    assert store.saga("a-1.invoice").request == '[200,"Hamlet","EUR"]'  # type: ignore[union-attr]  # it is there


def test_a_dialogue_says_what_follows() -> None:
    """Nothing before the saga has completed, and then what each saga is asked for."""
    asked = (
        given(sale(), Buy("Hamlet", 2)).asks(do("SEATS_HELD")).done("SEATS_HELD").asks(do("CARD_CHARGED")).starts({})
    )
    ended = asked.done("CARD_CHARGED").completed().starts({"invoice": Bill("Hamlet", 200)})
    with pytest.raises(AssertionError, match=r"follows:   {'invoice': Bill\(show='Hamlet', cents=200\)}"):
        ended.starts({"invoice": Bill("Hamlet", 1)})


def test_who_waits_for_a_child_waits_until_its_letter_is_acted_on() -> None:
    """Its engine looks for letters soon after it has written some, and not when it would look anyhow."""

    async def ended() -> Any:
        of_sale = sale()
        async with amends.open("memory:", sagas=[of_sale, INVOICE], clients={"CARD": None}) as engine:
            upkeep, looks = engine._loop._turns.upkeep, []
            look_soon = upkeep.look_soon
            upkeep.look_soon = lambda: looks.append(upkeep.takes_letters)  # type: ignore[method-assign]  # for a while
            handle = await engine.submit(of_sale, Buy("Hamlet", 2))
            await handle.result(60)
            assert looks == [True]
            child = asyncio.create_task(engine.result(f"{handle.saga_id}.invoice", 60))
            for _ in range(5):
                await asyncio.sleep(0.02)
                assert not child.done()
            look_soon()
            engine._loop.wake()
            return await child

    assert isinstance(asyncio.run(ended()).state, Completed)


def test_the_next_engine_starts_what_the_last_one_left(tmp_path: Path) -> None:
    """The letter lies in the store's file; a client that asks for the child waits, and is told what for."""
    store = SqliteStore(tmp_path / "store.db")
    of_sale = sale()
    life, _, asked = begun(store, of_sale, INVOICE)
    life.answer(asked.sends[0], Done())
    store.close()
    url = f"sqlite:///{tmp_path}/store.db"
    with amends.connect(url, sagas=[INVOICE]) as client:
        assert [(child.saga_id, child.status) for child in client.describe("a-1").children] == [
            ("a-1.invoice", "to start")
        ]
        with pytest.raises(RequestRefused, match="has not started yet: its letter waits for an engine"):
            client.describe("a-1.invoice")
        with pytest.raises(TimeoutError, match=r"saga a-1\.invoice has not ended within 0"):
            client.result("a-1.invoice", 0)
        with amends.open(url, sagas=[of_sale, INVOICE], clients={"CARD": None}):
            assert isinstance(client.result("a-1.invoice", 60).state, Completed)


def test_what_is_seen_of_a_child_says_how_it_stands() -> None:
    """Refused, with why; and to start, while its letter waits."""
    store = MemoryStore()
    life, post, asked = begun(store, sale(Child(INVOICE, lambda _: 7)), INVOICE)
    life.answer(asked.sends[0], Done())
    as_of = AsOf(life.now_ms)
    assert [child.status for child in describe(store, "a-1", as_of).children] == ["to start"]
    post.act()
    (child,) = describe(store, "a-1", as_of).children
    assert (child.status, child.reason[:40]) == ("refused", "invoice: the request cannot be stored: 7")
