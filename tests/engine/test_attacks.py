"""What somebody tried against the engine and got through with once: each is refused, or harms nobody else."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pytest

from amends import (
    GONE,
    Backoff,
    Changed,
    Command,
    Compensated,
    Completed,
    DefinitionError,
    Done,
    Handle,
    Kind,
    Later,
    ParticipantError,
    Refused,
    RequestRefused,
    Saga,
    StoreFull,
    external,
    local,
)
from amends.adapters.memory import MemoryStore
from amends.core.messages import Answered, Resolve
from amends.engine.blocking import BlockingEngine
from amends.engine.tasks import Deliver, ExecuteCommand, Read, Transact
from amends.engine.turn_io import drive
from amends.errors import StoreBusy
from amends.storage.shards import ALL_SHARDS
from tests.engine.test_engine import Slow, engine, one, run
from tests.engine.world import START_MS, Buy, Life, names, nothing, records, tickets


def body(store: MemoryStore, name: str) -> str | None:
    """Return the body of an entity, ``SERVICE/id``."""
    row = store.entity(*name.split("/"))
    return row.body if row else None


def test_an_entity_is_deleted_twice_in_one_batch() -> None:
    """The second finds nothing, and so does a third."""
    seen: list[Any] = []

    def close(shop: int | None, name: str) -> Any:
        seen.append(shop)
        return GONE

    store = MemoryStore()
    life = Life(store, Saga("closing", str, [local("SHOP_CLOSED", close, entity=lambda name: name, pivot=True)]))
    life.begin("a", "a", "a")
    assert body(store, "SHOP/a") is None
    opened = Command("OPENED", "SHOP", lambda before, size: size)
    life.turn(Transact(lambda work: work.execute(opened, "a", 5)))
    life.begin("a", "a", "a")
    assert seen == [None, None, None, 5, None, None]
    assert body(store, "SHOP/a") is None


@pytest.mark.parametrize("wrong", [Buy("a", "2"), Buy("a", 2.5), None, {"show": "a"}, object()])  # type: ignore[arg-type]
def test_a_request_that_could_not_be_read_back_is_refused(wrong: Any) -> None:
    """Otherwise its saga would be lost at the next start."""
    store = MemoryStore()
    reply = Life(store, tickets()).begin(wrong).replies[0][0]
    assert isinstance(reply, RequestRefused)
    assert store.head().number == 0


def test_a_request_is_frozen_when_it_is_taken() -> None:
    """What a caller changes afterwards, no step sees."""
    given = {"amount": 5}
    saga = Saga("paying", dict, [external("A", nothing, undo=nothing, undone="AA"), external("B", nothing, pivot=True)])
    life = Life(MemoryStore(), saga)
    turn = life.begin(given)
    given["amount"] = 999
    assert life.answer(turn.sends[0], Done()).sends[0][1].request.body == {"amount": 5}


@pytest.mark.parametrize("reason", [404, None, "bad \ud800", ValueError("x")])
def test_any_reason_of_a_refusal_can_be_read_back(reason: Any) -> None:
    """Whatever a participant gave as one."""
    store = MemoryStore()
    life = Life(store, tickets())
    asking = life.begin(Buy("Hamlet", 2)).sends[0]
    ended = life.answer(asking, Refused(reason)).ended
    assert isinstance(ended["a-1"].state, Compensated)
    assert isinstance(life.run("a-1").reason, str)


def test_a_saga_that_could_not_be_read_goes_on_once_it_can_be() -> None:
    """A request that looks at its values, and refuses some, was deployed by mistake; with the right one all goes on."""

    @dataclass(frozen=True)
    class ExecuteCommand:
        show: str
        seats: int

    @dataclass(frozen=True)
    class Picky(ExecuteCommand):
        def __post_init__(self) -> None:
            raise ValueError("no such show")

    store = MemoryStore()
    honest = Saga("tickets", ExecuteCommand, tickets().steps)
    Life(store, honest).begin(ExecuteCommand("Hamlet", 2))
    wrong = Saga("tickets", Picky, tickets().steps)
    mistaken = Life(store, wrong, prefix="b", now_ms=START_MS + 50)
    mistaken.turn()
    assert [row.name for row in store.set_aside()] == ["a-1"]
    mistaken.turn(after_ms=20_000)
    right = Life(store, honest, prefix="c", now_ms=START_MS + 30_000)
    sent = [name for _ in range(5) for name in names(right.turn(after_ms=2_000))]
    assert sent == ["CARD_CHARGED/do#2"]


@pytest.mark.parametrize("wrong", [7, 1.5, None, b"a", "\ud800"])
def test_an_entity_has_a_text_for_an_id(wrong: Any) -> None:
    """Anything else would be found under another name at the next start: its step raised, as it were."""
    step = local("MARKED", lambda _, buy: buy.seats, entity=lambda _: wrong, pivot=True)
    store = MemoryStore()
    life = Life(store, Saga("marks", Buy, [step]))
    begun = life.begin(Buy("x", 1), Buy("y", 2)).replies[0][0]
    assert "is no id of an entity" in begun.waiting[0].error
    adding = Command("ADDED", "MARKED", lambda before, more: more)
    reply = life.turn(Transact(lambda work: work.execute(adding, wrong, 1))).replies[0]
    assert isinstance(reply, ParticipantError)


def deep(depth: int = 5000) -> Any:
    """Return a list in a list in a list."""
    made: Any = []
    for _ in range(depth):
        made = [made]
    return made


def test_a_bad_argument_harms_nobody_else() -> None:
    """It is refused at the door, and the engine goes on."""

    async def test() -> None:
        store, saga = MemoryStore(), one(lambda client, buy, call: Later(60))
        adding = Command("ADDED", "SEATS", lambda before, more: more)
        async with engine(store, saga) as running:
            handle = await running.submit(saga, Buy("Hamlet", 2))
            key = f"{handle.saga_id}/CARD_CHARGED/do"
            bad: list[Any] = [
                running.carry_out(adding, "\ud800", 5),
                running.carry_out(adding, "x", deep()),
                running.tell(["x"], Resolve("A", Done())),  # type: ignore[arg-type]
                running.tell(handle.saga_id, Resolve("CARD_CHARGED", Done(deep()))),
                running.transact(str, [5]),  # type: ignore[list-item]
                running.answer(key, Later(1e17)),
                running.answer(f"{handle.saga_id}/TYPO/do", Done()),
                running.submit(saga, deep()),
                running.transact(lambda work: work.start(saga, handle.saga_id, Buy("x", 1))),
            ]
            for call in bad:
                with pytest.raises((RequestRefused, ParticipantError, ValueError)):
                    await call
            await running.answer(key, Done())
            assert isinstance((await handle.result()).state, Completed)

    run(test())


def test_what_one_step_leaves_that_cannot_be_stored_is_as_if_it_had_raised() -> None:
    """It is asked again after a pause, up to its limit, and then the saga turns back; nothing spins."""
    asked: list[int] = []

    def mark(before: Any, buy: Buy) -> Any:
        asked.append(1)
        return object()

    saga = Saga(
        "marks",
        Buy,
        [
            external("PAID", nothing, undo=nothing, undone="REPAID"),
            local("MARKED", mark, entity=lambda buy: buy.show, pivot=True, limit_s=3, backoff=Backoff(1, 1)),
        ],
    )
    store = MemoryStore()
    life = Life(store, saga)
    turn = life.answer(life.begin(Buy("x", 1)).sends[0], Done("receipt"))
    assert life.run("a-1").answers == {"PAID": "receipt"}
    for _ in range(50):
        assert life.due_ms is not None
        turn = life.turn(after_ms=max(1, life.due_ms - life.now_ms))
        if len(asked) > 20 or life.run("a-1").number > 30:
            break
    assert "PAID/do done" in "\n".join(records(store))
    assert turn.replies == []


def test_calls_at_a_time_are_bounded_also_in_a_backlog() -> None:
    """Who had too little time left for an answer is not started at all."""
    at_once, most = 0, 0

    async def slow(client: Any, buy: Buy, call: Any) -> Done:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.02)
        at_once -= 1
        return Done()

    async def test() -> None:
        saga = Saga("slowly", Buy, [external("SLOW_DONE", slow, pivot=True, timeout_s=0.1, backoff=Backoff(0.05, 0.1))])
        async with engine(MemoryStore(), saga, concurrency={"SLOW": 5}) as running:
            handles = await running.submit_many(saga, [Buy("x", 1)] * 60)
            for handle in handles:
                assert isinstance(handle, Handle)
                await handle.result()
        assert most == 4  # one is kept for compensations

    run(test())


def test_an_entity_that_is_changed_in_place_is_stored_and_taken_back() -> None:
    """A dict that a function changes and gives back; and one that it changes before it raises."""

    def take(stock: dict[str, int] | None, buy: Buy) -> dict[str, int]:
        stock = {"n": 100} if stock is None else stock
        stock["n"] -= buy.seats
        if buy.seats == 13:
            raise ZeroDivisionError
        return stock

    store = MemoryStore()
    life = Life(store, Saga("taking", Buy, [local("STOCK_TAKEN", take, entity=lambda buy: buy.show, pivot=True)]))
    life.begin(Buy("x", 1), Buy("x", 2))
    assert body(store, "STOCK/x") == '{"n":97}'
    life.begin(Buy("x", 1), Buy("x", 13), Buy("x", 1))
    assert body(store, "STOCK/x") == '{"n":95}'


def test_a_commit_is_told_though_the_next_look_fails() -> None:
    """What is stored is answered as stored."""

    class Busy(MemoryStore):
        is_busy = False

        def due(
            self, definitions: Any, until_ms: int, limit: int, after: Any = (0, ""), shards: Any = ALL_SHARDS
        ) -> Any:
            if self.is_busy and limit == 1:
                raise StoreBusy("locked")
            return super().due(definitions, until_ms, limit, after)

    store = Busy()
    life = Life(store, tickets())
    store.is_busy = True
    turn = life.begin(Buy("Hamlet", 2))
    assert names(turn) == ["CARD_CHARGED/do#1"]
    assert turn.due_ms == life.now_ms


@pytest.mark.parametrize("error", [SystemExit(2), StopIteration(), KeyboardInterrupt()])
def test_whatever_a_plain_participant_raises_is_unknown(error: BaseException) -> None:
    """It is no order to end the process, and it does not hang."""

    def charge(client: Any, buy: Buy, call: Any) -> Done:
        if call.attempt == 1:
            raise error
        return Done()

    async def test() -> None:
        saga = one(charge, backoff=Backoff(0.001, 0.001))
        async with engine(MemoryStore(), saga) as running:
            assert isinstance((await (await running.submit(saga, Buy("x", 1))).result()).state, Completed)

    run(test())


def test_a_participant_that_waits_for_the_engine_that_waits_for_it_is_told() -> None:
    """In place of a silence for ever."""
    told: list[BaseException] = []

    async def charge(client: Any, buy: Buy, call: Any) -> Done:
        try:
            client[0].entity("SEATS", "x")
        except ParticipantError as error:
            told.append(error)
        return Done()

    client: list[Any] = []
    saga = one(charge)
    with BlockingEngine(engine(MemoryStore(), saga, clients={"CARD": client})) as running:
        client.append(running)
        assert isinstance(running.submit(saga, Buy("x", 1)).result(20).state, Completed)
        with pytest.raises(ParticipantError):
            running.transact(lambda work: running.entity("SEATS", "x"))
    assert len(told) == 1


def test_nobody_hangs_when_the_blocking_engine_ends() -> None:
    """Who calls at that moment gets an answer, or is told that it is closed."""
    saga = one(nothing)
    for _ in range(5):
        hanging: list[threading.Thread] = []
        with BlockingEngine(engine(MemoryStore(), saga)) as running:

            def call(running: BlockingEngine = running) -> None:
                try:
                    while True:
                        running.entity("SEATS", "x")
                except Exception:  # noqa: BLE001 - that it ends is the test
                    return

            hanging = [threading.Thread(target=call, daemon=True) for _ in range(4)]
            for thread in hanging:
                thread.start()
        for thread in hanging:
            thread.join(20)
            assert not thread.is_alive()


def test_what_a_transaction_writes_to_entities_is_stored_and_recorded() -> None:
    """Straight to an entity, without a command."""
    store = MemoryStore()
    life = Life(store, tickets())
    life.turn(Transact(lambda work: work.entities["SEATS"].__setitem__("Lear", 5)))
    assert body(store, "SEATS/Lear") == "5"
    assert "written" in records(store)[0]


def test_prepare_meets_every_service_by_whatever_it_asks() -> None:
    """Also one of which nothing was loaded yet: by index, by `get`, by `in`."""
    store = MemoryStore()
    opened = Command("OPENED", "SEATS", lambda before, free: free)
    Life(store, tickets()).turn(ExecuteCommand(opened, "Hamlet", 7))
    seen: list[Any] = []

    def prepare(entities: Any, saga_id: str, asked: int) -> Any:
        seen.append((entities.get("SEATS", {}).get("Hamlet"), "SEATS" in entities, entities["SEATS"]["Hamlet"]))
        return Buy("Hamlet", asked)

    Life(store, Saga("tickets", Buy, tickets().steps, prepare=prepare), prefix="b").begin(1)
    assert seen[0] == (7, True, 7)


def test_prepare_only_reads() -> None:
    """What it writes is taken back, and it is told."""

    def prepare(entities: Any, saga_id: str, asked: int) -> Any:
        entities["SEATS"]["Lear"] = 1
        return Buy("Lear", asked)

    store = MemoryStore()
    life = Life(store, Saga("tickets", Buy, tickets().steps, prepare=prepare))
    reply = life.begin(2).replies[0][0]
    assert isinstance(reply, ParticipantError)
    assert body(store, "SEATS/Lear") is None


def test_an_answer_in_a_batch_is_what_it_will_be_after_a_restart() -> None:
    """The undo in the same batch sees what it would see then, a copy of its own."""
    seen: list[Any] = []

    def free(left: int, buy: Buy, call: Any) -> int:
        seen.append([*call.answer])
        call.answer.clear()
        return left + buy.seats

    def taken(left: int | None, buy: Buy) -> Changed:
        return Changed(10 - buy.seats, [1, 2])

    saga = Saga(
        "tickets",
        Buy,
        [
            local("SEATS_HELD", taken, undo=free, undone="SEATS_FREED", entity=lambda buy: buy.show),
            local("TICKET_ISSUED", lambda _, __: Refused("no"), entity=lambda buy: buy.show, pivot=True),
        ],
    )
    life = Life(MemoryStore(), saga)
    assert isinstance(life.begin(Buy("x", 1)).ended["a-1"].state, Compensated)
    assert seen[-1] == [1, 2]  # what was seen before is taken back


def test_a_type_that_cannot_be_found_is_refused_at_the_start() -> None:
    """Its entities would be read back as plain JSON, without a word, and only by the next process."""

    @dataclass(frozen=True)
    class Hall:
        free: int

    def sell(hall: Hall | None, name: str) -> Hall:
        return hall or Hall(1)

    saga = Saga("selling", str, [local("SEAT_SOLD", sell, entity=lambda name: name, pivot=True)])
    with pytest.raises(DefinitionError, match=r"sell: hall is declared as Hall \| None.*'Hall' is not defined"):
        Life(MemoryStore(), saga)
    saga = Saga("selling", str, [local("SEAT_SOLD", partial(sell), entity=lambda name: name, pivot=True)])
    with pytest.raises(DefinitionError, match="'Hall' is not defined"):
        Life(MemoryStore(), saga)


class Show(NamedTuple):
    """An entity whose type can be found."""

    free: int


def test_only_the_type_of_the_entity_has_to_be_found() -> None:
    """Whatever else is declared is not read back; nor is what nothing is said of."""

    class Unknown:
        pass

    def sell(show: Show | None, name: Unknown) -> Unknown | Show:
        return show or Show(1)

    saga: Saga = Saga("selling", str, [local("SHOW_SOLD", sell, entity=lambda name: name, pivot=True)])
    Life(store := MemoryStore(), saga).begin("a")
    look = Life(store, saga, prefix="b").coordinator.look([Read(lambda work: work.entities["SHOW"]["a"])], START_MS)
    (found,) = drive(look, store)
    assert found == Show(1)
    assert isinstance(found, Show)


def test_entities_of_two_shapes_are_refused_at_the_start() -> None:
    """JSON could not tell them apart."""

    def other(before: tuple[int, str] | None, buy: Buy) -> Any:
        return before

    steps = [
        local("SEATS_HELD", lambda before, buy: before, entity=lambda buy: buy.show),
        local("SEATS_SEEN", other, entity=lambda buy: buy.show),
        local("SEATS_KEPT", _kept, entity=lambda buy: buy.show, pivot=True),
    ]
    with pytest.raises(DefinitionError, match="SEATS"):
        Life(MemoryStore(), Saga("tickets", Buy, steps))


def _kept(before: list[int] | None, buy: Buy) -> Any:
    return before


def test_the_engine_is_closed_twice() -> None:
    """The second time nothing happens."""

    async def test() -> None:
        async with engine(MemoryStore(), tickets()) as running:
            await running.close()

    run(test())


def test_a_saga_that_is_due_and_not_there_is_set_aside() -> None:
    """A damaged index: it is named once, and not looked at again and again."""

    class Haunted(MemoryStore):
        def due(
            self, definitions: Any, until_ms: int, limit: int, after: Any = (0, ""), shards: Any = ALL_SHARDS
        ) -> Any:
            return [(1, "ghost")] if after < (1, "ghost") else []

    store = Haunted()
    life = Life(store, tickets())
    for _ in range(5):
        life.turn()
    assert [row.name for row in store.set_aside()] == ["ghost"]
    assert store.head().number == 1
    assert life.due_ms is None


def test_reads_are_answered_while_there_is_no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept answer that cannot be written does not keep readers waiting."""
    monkeypatch.setattr("amends.engine.turn_taking.SPACE_PAUSE_S", 0.01)

    async def test() -> None:
        store, saga = Slow(), one(nothing)
        async with engine(store, saga) as running:
            store.troubles = [StoreFull("no space")] * 200
            with pytest.raises(StoreFull):
                await running.submit(saga, Buy("x", 1))
            running._loop.must_be_done(Deliver("a-1", Answered("CARD_CHARGED", Kind.DO, Done())))
            assert await running.entity("SEATS", "x") is None
            store.troubles = []

    run(test())


def test_a_verb_for_a_saga_that_is_heard_alone() -> None:
    """A task that is one part and cannot be stored is told, and nothing of it stays."""
    store = MemoryStore()
    life = Life(store, tickets())
    life.begin(Buy("Hamlet", 2))
    reply = life.turn(Deliver("a-1", Answered("NOBODY", Kind.DO, Done()))).replies[0]
    assert isinstance(reply, RequestRefused)
