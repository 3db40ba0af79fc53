"""What comes from outside: answers too early, too late, contradicting; verbs that are none; and what is owed then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import amends
from amends import (
    Cancel,
    Compensated,
    Completed,
    Done,
    Later,
    Refused,
    RequestRefused,
    Resolve,
    Retry,
    Saga,
    Undo,
    Unknown,
    external,
)
from amends.adapters.memory import MemoryStore
from amends.engine.blocking import BlockingEngine
from tests.engine.test_engine import engine, one, run
from tests.engine.world import Buy, nothing

Refunds = list[tuple[str, Any, str]]


def paid(refunds: Refunds, say: Callable[[], Any], **options: Any) -> Saga:
    """Return a saga whose payment is answered from outside, and whose pivot refuses."""

    async def charge(client: Any, body: int, call: Any) -> Later:
        return Later(within_s=60)

    async def refund(client: Any, body: int, call: Any) -> Any:
        refunds.append((call.key.partition("/")[2], call.answer, call.reason))
        return say() if call.key.endswith("late") or options else Done()

    paying = external("PAID", charge, undo=refund, undone="REFUNDED", **options)
    return Saga("paid", int, [paying, external("SHIPPED", ship, pivot=True)])


async def ship(client: Any, body: Any, call: Any) -> Refused:
    """Refuse to ship."""
    return Refused("no parcels")


def test_an_answer_that_is_faster_than_its_question_is_refused() -> None:
    """So whoever brings it comes again: taken without a word it would be lost."""
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def reserve(client: Any, body: int, call: Any) -> Done:
        asked.set()
        await may_answer.wait()
        return Done()

    async def pay(client: Any, body: int, call: Any) -> Later:
        return Later(60)

    saga = Saga(
        "early",
        int,
        [
            external("HELD", reserve, undo=nothing, undone="FREED"),
            external("PAID", pay, undo=nothing, undone="REFUNDED"),
            external("SHIPPED", nothing, pivot=True),
        ],
    )

    async def test() -> None:
        async with engine(MemoryStore(), saga) as running:
            handle = await running.submit(saga, 1)
            await asked.wait()
            for event in ("PAID", "SHIPPED"):
                with pytest.raises(RequestRefused, match=f"{event}/do has not been asked yet; answer again later"):
                    await running.answer(f"{handle.saga_id}/{event}/do", Done("early"))
            with pytest.raises(RequestRefused, match="HELD/undo has not been asked yet"):
                await running.answer(f"{handle.saga_id}/HELD/undo", Done())
            may_answer.set()
            await answered(running, f"{handle.saga_id}/PAID/do", Done("provider"))
            result = await handle.result()
            assert isinstance(result.state, Completed)
            assert result.answers["PAID"] == "provider"

    run(test())


def test_what_was_never_asked_cannot_be_answered() -> None:
    """The saga turned back before, is over, or the step is one of ours; duplicates are recorded as ever."""

    async def test() -> None:
        saga = one(ship)
        async with engine(MemoryStore(), saga) as running:
            handle = await running.submit(saga, Buy("Hamlet", 1))
            assert isinstance((await handle.result()).state, Compensated)
            with pytest.raises(RequestRefused, match="CARD_CHARGED/undo was never asked, and will not be"):
                await running.answer(f"{handle.saga_id}/CARD_CHARGED/undo", Done())
            with pytest.raises(RequestRefused, match="SEATS_HELD/do is answered by its own function"):
                await running.answer(f"{handle.saga_id}/SEATS_HELD/do", Done())
            with pytest.raises(RequestRefused, match="CARD_CHARGED/undo-late was never asked"):
                await running.answer(f"{handle.saga_id}/CARD_CHARGED/undo-late", Done())
            await running.answer(f"{handle.saga_id}/CARD_CHARGED/do", Refused("again"))

    run(test())


BAD_OUTCOMES: list[Any] = [
    "done", True, None, Done, Refused, Unknown, Later, Later(0), Later(-1), Later(float("nan")), Refused(5),  # type: ignore[arg-type]
    Refused(None), Unknown(b"x"), Refused(["a"]),  # type: ignore[arg-type]
]  # fmt: skip
BAD_VERBS: list[Any] = [
    "cancel", Cancel, Undo, Retry, None, True, Done(), Cancel(5), Retry(5), Retry("PAID", 5), Undo(None),  # type: ignore[arg-type]
    Undo("PAID", why=b"x"), Resolve(7, Done()), Resolve("PAID", Refused(7)), Resolve("PAID", Done(), why=7),  # type: ignore[arg-type]
    *(Resolve("PAID", outcome) for outcome in ("done", True, False, None, 1, Done, Refused, Later(5), Unknown("?"))),  # type: ignore[arg-type]
]  # fmt: skip


def test_what_is_no_outcome_and_no_verb_is_refused_and_changes_nothing() -> None:
    """It would count as a no, or end up in the audit as anything; each is told what to give."""

    async def test() -> None:
        store, saga = MemoryStore(), paid([], Done)
        async with engine(store, saga) as running:
            handle = await running.submit(saga, 1)
            key = f"{handle.saga_id}/PAID/do"
            await answered(running, key, Later(60))
            row = store.saga(handle.saga_id)
            for outcome in BAD_OUTCOMES:
                with pytest.raises(RequestRefused, match="give"):
                    await running.answer(key, outcome)
            for verb in BAD_VERBS:
                with pytest.raises(RequestRefused, match="give"):
                    await running.tell(handle.saga_id, verb)
            assert store.saga(handle.saga_id) == row
            await running.answer(key, Done())
            await handle.result()

    run(test())


def test_what_was_taken_after_all_is_told_and_undone_by_an_operator(caplog: pytest.LogCaptureFixture) -> None:
    """The payment was refused, and then it came: the order is cancelled, and the money is here. Told once; settled."""
    refunds: Refunds = []
    says: list[Any] = [Refused("the account is closed"), ValueError("no route"), Done(), Done()]

    def say() -> Any:
        said = says.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    async def test() -> None:
        store, saga = MemoryStore(), paid(refunds, say, key_lives_h=1)
        async with engine(store, saga) as running:
            handle = await running.submit(saga, 1)
            key = f"{handle.saga_id}/PAID/do"
            with pytest.raises(RequestRefused, match="nothing of PAID is owed"):
                await running.tell(handle.saga_id, Undo("PAID"))
            await answered(running, key, Refused("no money"))
            assert isinstance((await handle.result()).state, Compensated)
            await running.answer(key, Done("r-1"))
            await running.answer(key, Done("r-2"))
            assert told(caplog) == [
                f"saga {handle.saga_id}: PAID was done after it had been refused: its effect is owed"
            ]
            assert (await running.result(handle.saga_id)).owed == ("PAID",)
        async with engine(store, saga, prefix="b") as running:  # a restart in between
            with pytest.raises(RequestRefused, match="not undone: PAID/undo-late refused: the account is closed"):
                await running.tell(handle.saga_id, Undo("PAID", "a customer called"))
            with pytest.raises(RequestRefused, match="ValueError: no route"):
                await running.tell(handle.saga_id, Undo("PAID"))
            assert (await running.result(handle.saga_id, 0)).owed == ("PAID",)
            await running.tell(handle.saga_id, Undo("PAID"))
            result = await running.result(handle.saga_id, 0)
            assert (result.owed, result.answers, type(result.state)) == ((), {"PAID": "r-1"}, Compensated)
            with pytest.raises(RequestRefused, match="nothing of PAID is owed"):
                await running.tell(handle.saga_id, Undo("PAID"))
            await running.answer(key, Done("r-1"))
            assert (await running.result(handle.saga_id, 0)).owed == ()
        assert refunds == [("PAID/undo", "r-1", "no money")] * 3
        assert store.saga(handle.saga_id).due_ms is None  # type: ignore[union-attr]

    with caplog.at_level(logging.ERROR, "amends"):
        run(test())


def test_a_late_undo_has_a_key_of_its_own_where_the_plain_one_was_used(tmp_path: Path) -> None:
    """Its participant would answer the plain one as it did before: that there was nothing to undo."""
    keys: list[str] = []

    def charge(client: Any, body: int, call: Any) -> Done:
        raise OSError("no route")

    def refund(client: Any, body: int, call: Any) -> Done:
        keys.append(f"{call.key.rpartition('/')[2]} {call.answer}")
        return Done()

    card = external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED", timeout_s=0.1, limit_s=0.1)
    saga = Saga("card", int, [card, external("SHIPPED", ship, pivot=True)])
    db = f"sqlite:///{tmp_path / 'card.db'}"
    with amends.open(db, sagas=[saga]) as opened:
        handle = opened.submit(saga, 1)
        assert isinstance(handle.result(20).state, Compensated)
        opened.answer(f"{handle.saga_id}/CARD_CHARGED/do", Done("r-1"))
    with amends.open(db, sagas=[saga]) as opened:
        opened.tell(handle.saga_id, Undo("CARD_CHARGED"))
        assert opened.result(handle.saga_id, 0).owed == ()
    assert keys == ["undo None", "undo-late r-1"]


def test_a_late_undo_that_is_not_answered_is_told_and_may_be_asked_again() -> None:
    """The debt stays; an answer that comes after that settles it."""
    refunds: Refunds = []
    silent = asyncio.Event()

    async def charge(client: Any, body: int, call: Any) -> Refused:
        return Refused("no money")

    async def refund(client: Any, body: int, call: Any) -> Done:
        refunds.append((call.key, call.answer, call.reason))
        await silent.wait()
        return Done()

    saga = Saga(
        "silent",
        int,
        [
            external("PAID", charge, undo=refund, undone="REFUNDED", timeout_s=1.0),
            external("SHIPPED", nothing, pivot=True),
        ],
    )

    async def test() -> None:
        async with engine(MemoryStore(), saga) as running:
            handle = await running.submit(saga, 1)
            await handle.result()
            await running.answer(f"{handle.saga_id}/PAID/do", Done())
            with pytest.raises(RequestRefused, match="no answer within"):
                await running.tell(handle.saga_id, Undo("PAID"))
            assert (await running.result(handle.saga_id)).owed == ("PAID",)
            silent.set()
            for _ in range(10_000):
                if not (await running.result(handle.saga_id)).owed:
                    break
            else:
                raise AssertionError("it is still owed")

    run(test())


def test_a_late_undo_that_is_answered_later_is_told_and_pending() -> None:
    """At once, and not as if nobody had answered; the answer settles it."""

    def refund(client: Any, body: int, call: Any) -> Later:
        return Later(3600)

    paying = external("PAID", lambda *_: Refused("no money"), undo=refund, undone="REFUNDED", timeout_s=40)
    saga = Saga("later", int, [paying, external("SHIPPED", nothing, pivot=True)])
    with BlockingEngine(engine(MemoryStore(), saga)) as running:
        handle = running.submit(saga, 1)
        handle.result()
        running.answer(f"{handle.saga_id}/PAID/do", Done())
        with pytest.raises(RequestRefused, match="PAID is not undone yet: PAID took it and answers later"):
            running.tell(handle.saga_id, Undo("PAID"))
        (waits,) = running.pending()
        assert (waits.key, waits.service) == (f"{handle.saga_id}/PAID/undo", "PAID")
        running.answer(waits.key, Done())
        assert (running.pending(), running.result(handle.saga_id, 0).owed) == ((), ())


def test_scripts_settle_what_is_owed_too() -> None:
    """By hand: the engine takes an operator's word."""
    saga = Saga("pivot", int, [external("SHIPPED", ship, pivot=True)])
    with BlockingEngine(engine(MemoryStore(), saga)) as running:
        handle = running.submit(saga, 1)
        handle.result()
        running.answer(f"{handle.saga_id}/SHIPPED/do", Done("parcel 7"))
        with pytest.raises(RequestRefused, match="SHIPPED has no undo: make amends by hand"):
            running.tell(handle.saga_id, Undo("SHIPPED"))
        running.tell(handle.saga_id, Resolve("SHIPPED", Done(), "the parcel came back"))
        assert running.result(handle.saga_id, 0).owed == ()


async def answered(running: Any, key: str, outcome: Any) -> None:
    """Answer a request as soon as it was asked."""
    for _ in range(10_000):
        try:
            await running.answer(key, outcome)
        except RequestRefused:
            await asyncio.sleep(0)
        else:
            return
    raise AssertionError("it was never asked")


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the errors in the engine's log."""
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
