"""The verbs, as methods of an engine and of a client: who said what and why is on record; of two at once one wins."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import amends
from amends import (
    Abandoned,
    Cancel,
    Compensated,
    Completed,
    Done,
    Later,
    OperatorNeeded,
    Refused,
    RequestRefused,
    Retry,
    Saga,
    external,
    local,
)
from amends.adapters.memory import MemoryStore
from amends.engine.blocking import BlockingEngine
from amends.engine.tasks import Deliver
from tests.acceptance.command import amends as command
from tests.engine.test_engine import PATIENCE_S
from tests.engine.world import Life


class Bank:
    """Charges at once, and refunds as long as the account is open."""

    def __init__(self) -> None:
        self.is_open = False


def charge(bank: Bank, cents: int, call: Any) -> Done:
    """CARD_CHARGED."""
    return Done(f"receipt {cents}")


def refund(bank: Bank, cents: int, call: Any) -> Done | Refused:
    """CARD_REFUNDED."""
    return Done() if bank.is_open else Refused("the account is closed")


def send(parcels: Any, cents: int, call: Any) -> Refused | Later:
    """PARCEL_SENT."""
    return Refused("no such address") if cents < 100 else Later(3600)


ORDER = Saga(
    "order",
    int,
    [
        external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED"),
        external("PARCEL_SENT", send, pivot=True),
    ],
)


def opened(bank: Bank, folder: Path) -> Any:
    """Return an engine that is about to be opened on a file."""
    return amends.open(f"sqlite:///{folder / 'orders.db'}", sagas=[ORDER], clients={"CARD": bank, "PARCEL": None})


def stuck(engine: BlockingEngine) -> str:
    """Return a saga that waits for an operator, since it cannot be undone."""
    saga_id = engine.submit(ORDER, 42).saga_id
    with pytest.raises(OperatorNeeded):
        engine.result(saga_id, PATIENCE_S)
    return saga_id


def test_a_stuck_saga_is_mended_and_says_who_did_it(tmp_path: Path) -> None:
    """The record has the actor as a field of its own, the reason beside it; `describe` and `show` tell both."""
    bank = Bank()
    with opened(bank, tmp_path) as engine:
        saga_id = stuck(engine)
        bank.is_open = True
        engine.retry(saga_id, "CARD_CHARGED", by="ann", reason="the account is open again")
        assert isinstance(engine.result(saga_id, PATIENCE_S).state, Compensated)
        (verb,) = engine.describe(saga_id).verbs
        assert (verb.verb, verb.step, verb.by, verb.reason) == (
            "retry", "CARD_CHARGED", "ann", "the account is open again",
        )  # fmt: skip
    shown = command("show", saga_id, "--db", tmp_path / "orders.db").out
    assert "retry CARD_CHARGED by ann: the account is open again" in shown
    document = json.loads(command("show", saga_id, "--db", tmp_path / "orders.db", "--json").out)
    assert document["verbs"][0] | {"at_ms": 0} == {
        "at_ms": 0, "verb": "retry", "step": "CARD_CHARGED", "by": "ann", "reason": "the account is open again",
    }  # fmt: skip
    assert command("audit", "verify", "--db", tmp_path / "orders.db").code == 0


def test_an_operator_resolves_and_another_one_gives_up(tmp_path: Path) -> None:
    """What is owed by the one that was given up stays listed."""
    with opened(Bank(), tmp_path) as engine:
        first, second = stuck(engine), stuck(engine)
        engine.resolve(first, "CARD_CHARGED", Done(), by="ann", reason="paid back by hand")
        assert isinstance(engine.result(first, PATIENCE_S).state, Compensated)
        engine.abandon(second, by="bob", reason="written off")
        assert engine.result(second, PATIENCE_S).state == Abandoned(("CARD_CHARGED/undo",))
        assert engine.describe(second).outstanding == ("CARD_CHARGED/undo",)
        assert [verb.by for verb in engine.describe(second).verbs] == ["bob"]


def test_a_cancel_tells_the_participants_why(tmp_path: Path) -> None:
    """As the reason for which the saga turned back; one that comes too late is told so."""
    bank = Bank()
    bank.is_open = True
    with opened(bank, tmp_path) as engine:
        saga_id = engine.submit(ORDER, 4200).saga_id
        while not (pending := engine.pending()):
            pass
        with pytest.raises(RequestRefused, match="too late: the pivot's request is committed"):
            engine.cancel(saga_id, by="customer 7", reason="changed my mind")
        engine.answer(pending[0].key, Done(), by="parcel service")
        assert isinstance(engine.result(saga_id, PATIENCE_S).state, Completed)
    assert "PARCEL_SENT/do done by parcel service" in command("show", saga_id, "--db", tmp_path / "orders.db").out


def take(shelf: int | None, pieces: int) -> int:
    """SHELF_TAKEN, on a bad day."""
    raise ZeroDivisionError("a bad day")


def put(shelf: int | None, pieces: int) -> int:
    """SHELF_PUT."""
    return (shelf or 0) + pieces


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_failing_step_of_ours_that_an_operator_asks_again_is_not_undone(is_cancelled: bool) -> None:
    """Each of its attempts left nothing, and that is known: whether its time ends it, or a cancel does."""
    shelf = local("SHELF_TAKEN", take, undo=put, undone="SHELF_PUT", entity=str, limit_s=60)
    saga = Saga("shelf", int, [shelf, external("PARCEL_SENT", send, pivot=True)])
    life = Life(MemoryStore(), saga)
    life.begin(7)
    life.turn(Deliver("a-1", Retry("SHELF_TAKEN", by="ann")))
    if is_cancelled:
        life.turn(Deliver("a-1", Cancel()))
    for _ in range(100):
        if not life.due_ms:
            break
        life.turn(after_ms=max(life.due_ms - life.now_ms, 1))
    assert isinstance(life.run("a-1").state, Compensated)
    assert life.store.entity("SHELF", "7") is None


@pytest.mark.parametrize("verb", ["resolve", "abandon"])
def test_of_two_operators_at_once_one_wins_and_the_other_is_told(verb: str) -> None:
    """In either order. Two that only ask again are both heard: the participant gets one key."""
    say: dict[str, Callable[[Any, str, str], Any]] = {
        "resolve": lambda engine, saga_id, by: engine.resolve(saga_id, "CARD_CHARGED", Done(), by=by),
        "abandon": lambda engine, saga_id, by: engine.abandon(saga_id, by=by),
    }

    async def test() -> None:
        bank = Bank()
        async with amends.open("memory:", sagas=[ORDER], clients={"CARD": bank, "PARCEL": None}) as engine:
            saga_id = (await engine.submit(ORDER, 42)).saga_id
            with pytest.raises(OperatorNeeded):
                await engine.result(saga_id, PATIENCE_S)
            bank.is_open = True
            both = [say[verb](engine, saga_id, by) for by in ("ann", "bob")]
            heard = await asyncio.gather(*both, return_exceptions=True)
            told = [each for each in heard if each is not None]
            assert [type(each) for each in told] == [RequestRefused]
            winner = ("ann", "bob")[heard.index(None)]
            assert [seen.by for seen in (await engine.describe(saga_id)).verbs] == [winner]

    asyncio.run(test())


@pytest.mark.parametrize(
    ("say", "words"),
    [
        (
            lambda engine, saga_id: engine.retry(saga_id, "CARD_CHARGD"),
            "has no step 'CARD_CHARGD'; its steps are CARD_",
        ),
        (lambda engine, saga_id: engine.undo(saga_id, "PARCEL"), "has no step 'PARCEL'; its steps are CARD_CHARGED, "),
        (lambda engine, saga_id: engine.undo(saga_id, "CARD_CHARGED"), "CARD_CHARGED"),
        (lambda engine, saga_id: engine.retry(saga_id, "PARCEL_SENT"), "PARCEL_SENT cannot take that now"),
        (lambda engine, saga_id: engine.cancel("nobody-1"), "there is no saga 'nobody-1'"),
        (
            lambda engine, saga_id: engine.cancel(saga_id, by="ann\n"),
            "by is 'ann\\n'; give printable text, at most 255",
        ),
        (lambda engine, saga_id: engine.cancel(saga_id, by="a" * 256), "give printable text, at most 255 characters"),
        (lambda engine, saga_id: engine.cancel(saga_id, reason=7), "the reason is 7; give text"),
        (
            lambda engine, saga_id: engine.resolve(saga_id, "CARD_CHARGED", Later(1)),
            "give Done(answer) or Refused(reason",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    say: Callable[[Any, str], None], words: str, tmp_path: Path
) -> None:
    """With the value, and what there is instead."""
    with opened(Bank(), tmp_path) as engine:
        saga_id = stuck(engine)
        before = engine.describe(saga_id)
        with pytest.raises(RequestRefused) as refused:
            say(engine, saga_id)
        assert words in str(refused.value)
        assert engine.describe(saga_id).number == before.number


def test_a_client_says_the_same_verbs(tmp_path: Path) -> None:
    """By letters, which a running engine acts on; what it refuses is raised here."""
    bank = Bank()
    with (
        opened(bank, tmp_path) as engine,
        amends.connect(f"sqlite:///{tmp_path / 'orders.db'}", sagas=[ORDER]) as client,
    ):
        saga_id = stuck(engine)
        assert client.describe(saga_id).waits_for == "needs an operator: the account is closed"
        assert [saga.saga_id for saga in client.list(status="needs-operator").sagas] == [saga_id]
        with pytest.raises(RequestRefused, match="has no step 'CARD'; its steps are CARD_CHARGED, PARCEL_SENT"):
            client.retry(saga_id, "CARD", by="ann")
        bank.is_open = True
        client.retry(saga_id, "CARD_CHARGED", by="ann", reason="it is open again")
        assert isinstance(client.result(saga_id, PATIENCE_S).state, Compensated)
        assert [(verb.by, verb.reason) for verb in client.describe(saga_id).verbs] == [("ann", "it is open again")]
