"""What a function declares that it answers is what undo, later steps and the result read: also after a restart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import amends
from amends import Call, Changed, DefinitionError, Done, Kind, Later, Refused, Resolve, Saga, external, local
from amends.core.messages import Answered
from amends.engine.tasks import Deliver
from amends.errors import RequestRefused
from amends.storage.ports import Store
from amends.storage.rows import ANSWER
from tests.engine.test_versions import deployed
from tests.engine.world import Life

seen: list[Any] = []
"""What undo and later steps read."""


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


class Receipt(NamedTuple):
    """What a provider answers."""

    id: str
    cents: int = 0


@dataclass
class Seat:
    """What a step of ours answers: one that can be changed in place."""

    row: int


def charge(_: Any, order: str, call: Call) -> Done[Receipt] | Refused:
    """Answer a record."""
    return Done(Receipt(call.key, 5))


def refund(_: Any, order: str, call: Call) -> None:
    """Read a field."""
    seen.append(call.answer)
    assert call.answer.id


def hold(free: int | None, order: str) -> Changed[int, Seat] | Refused:
    """Answer a record."""
    return Changed(1, Seat(7))


def free(held: int, order: str, call: Call) -> int:
    """Read a field."""
    seen.append(call.answer)
    call.answer.row += 1
    return 0


def ship(_: Any, order: str, call: Call) -> Done | Refused:
    """Read fields of earlier answers."""
    seen.append(dict(call.answers))
    return Refused("no parcels") if order == "refuse" else Done()


def charge_untyped(_: Any, order: str, call: Call) -> Done:
    """Answer what JSON does not give back, and declare nothing."""
    return Done({call.key})


def shop(action: Any = charge) -> Saga:
    """Return a saga of a step of ours, one outside, and the pivot."""
    return Saga(
        "shop",
        str,
        [
            local("SEAT_HELD", hold, undo=free, undone="SEAT_FREED", entity=str),
            external("PAID", action, undo=refund, undone="REFUNDED"),
            external("SHIPPED", ship, pivot=True),
        ],
    )


@pytest.mark.parametrize("url", ["memory:", "sqlite:///{}/shop.db"])
def test_undo_later_steps_and_the_result_read_what_is_declared(url: str, tmp_path: Path) -> None:
    """To each a copy of its own."""
    paid = Receipt("s/PAID/do", 5)
    saga = shop()
    with amends.open(url.format(tmp_path), sagas=[saga]) as engine:
        ended = engine.submit(saga, "x").result(20)
        assert ended.answers == {"SEAT_HELD": Seat(7), "PAID": paid._replace(id=f"{ended.saga_id}/PAID/do")}
        assert type(ended.answers["PAID"]) is Receipt
        seen.clear()
        engine.submit(saga, "refuse").result(20)
    (answers, receipt, seat) = seen
    assert answers == {"SEAT_HELD": Seat(7), "PAID": receipt}
    assert (type(receipt), seat.row) == (Receipt, 8)


def later(_: Any, order: str, call: Call) -> Done[Receipt] | Later:
    """Answer later."""
    return Later(within_s=3600)


def waiting() -> Saga:
    """Return a saga whose first step is answered from outside."""
    return Saga("later", str, [external("PAID", later, undo=refund, undone="REFUNDED", limit_s=7200), PIVOT])


PIVOT = external("SHIPPED", ship, pivot=True)


def paid(life: Life, outcome: Any) -> Any:
    """Start a saga, answer its first step, and return what it is known by then, and the next process knows."""
    (run,) = life.begin("x").replies[0]
    life.turn(Deliver(run.saga_id, Answered("PAID", Kind.DO, outcome)))
    return deployed(life.store, waiting()).run(run.saga_id).answers.get("PAID")


@pytest.mark.parametrize("given", [Receipt("r", 5), ["r", 5]])
def test_an_answer_from_outside_is_the_record_or_its_json(store: Store, given: Any) -> None:
    """A webhook has no record at hand."""
    assert paid(deployed(store, waiting()), Done(given)) == Receipt("r", 5)


def test_an_answer_from_outside_that_is_none_of_the_steps_is_refused(tmp_path: Path) -> None:
    """Whoever brings it is told, and the saga goes on waiting."""
    saga = waiting()
    with amends.open(f"sqlite:///{tmp_path}/s.db", sagas=[saga]) as engine:
        saga_id = engine.submit(saga, "x").saga_id
        for outcome in (Done({"id": "r"}), Done("r"), Done(Seat(1))):
            with pytest.raises(RequestRefused, match="PAID: the answer"):
                engine.answer(f"{saga_id}/PAID/do", outcome)
        with pytest.raises(RequestRefused, match="PAID: the answer"):
            engine.tell(saga_id, Resolve("PAID", Done({"id": "r"})))
        engine.answer(f"{saga_id}/PAID/do", Done(Receipt("r")))
        assert engine.result(saga_id, 20).answers == {"PAID": Receipt("r")}


def test_an_answer_that_nobody_typed_is_told_with_what_to_do(tmp_path: Path, caplog: Any) -> None:
    """It is no answer: what happened is unknown, and the log says why."""
    saga = shop(charge_untyped)
    with amends.open("memory:", sagas=[saga]) as engine, pytest.raises(TimeoutError):
        engine.submit(saga, "x").result(0.3)
    assert "would come back as" in caplog.text
    assert "-> Done[Receipt] | Refused" in caplog.text


def test_a_typed_answer_may_be_too_large(tmp_path: Path) -> None:
    """As any other, though nobody can change it."""
    saga = waiting()
    with amends.open("memory:", sagas=[saga], value_bytes_max=100) as engine:
        saga_id = engine.submit(saga, "x").saga_id
        with pytest.raises(RequestRefused, match=r"PAID: the answer cannot be stored: it has .* bytes"):
            engine.answer(f"{saga_id}/PAID/do", Done(Receipt("r" * 200)))


# A deploy -----------------------------------------------------------------------------------------------------


class Swapped(NamedTuple):
    """The same fields, in another order."""

    cents: int
    id: str


class More(NamedTuple):
    """A field more, with a default."""

    id: str
    cents: int = 0
    note: str = ""


def answering(kind: Any) -> Saga:
    """Return the definition as the code has it whose step answers this type."""

    def act(_: Any, order: str, call: Call) -> Any:
        return Later(within_s=3600)

    act.__annotations__["return"] = Done[kind] | Later
    return Saga("later", str, [external("PAID", act, undo=refund, undone="REFUNDED", limit_s=7200), PIVOT])


def begun(store: Store, kind: Any, answer: Any = None) -> str:
    """Start a saga, which has heard an answer or waits for it."""
    life = deployed(store, answering(kind))
    (run,) = life.begin("x").replies[0]
    if answer is not None:
        life.turn(Deliver(run.saga_id, Answered("PAID", Kind.DO, Done(answer))))
    return str(run.saga_id)


@pytest.mark.parametrize("answer", [None, Receipt("r", 5)])
def test_answers_that_would_be_read_wrong_are_refused_at_the_start(store: Store, answer: Any) -> None:
    """While a saga is under way that heard one, or may hear one of either type."""
    begun(store, Receipt, answer)
    before = list(store.shapes())
    with pytest.raises(DefinitionError, match=r"later.*the answer of PAID is stored by the order.*version of its own"):
        deployed(store, answering(Swapped))
    assert list(store.shapes()) == before
    deployed(store, answering(Receipt))


def test_an_answer_is_read_after_a_field_with_a_default_was_added(store: Store) -> None:
    """As a request is."""
    saga_id = begun(store, Receipt, Receipt("r", 5))
    assert deployed(store, answering(More)).run(saga_id).answers == {"PAID": More("r", 5, "")}


def test_what_was_stored_before_a_type_was_declared_is_taken_to_be_of_it_or_refused(store: Store) -> None:
    """Plain JSON that fits is read; what does not is told."""
    saga_id = begun(store, Any, ["r", 5])
    assert [row for row in store.shapes() if row.kind == ANSWER] == []
    assert deployed(store, answering(Receipt)).run(saga_id).answers == {"PAID": Receipt("r", 5)}
    begun(store, Receipt, Receipt("q"))
    with pytest.raises(DefinitionError, match="version of its own"):
        deployed(store, answering(Any))


def test_answers_of_sagas_that_are_over_are_plain_where_the_type_is_another_one_now(store: Store) -> None:
    """Nobody asks with them any more; they are shown as they are stored."""
    life = deployed(store, answering(Receipt))
    (run,) = life.begin("x").replies[0]
    life.turn(Deliver(run.saga_id, Answered("PAID", Kind.DO, Done(Receipt("r", 5)))))
    life.turn(Deliver(run.saga_id, Answered("SHIPPED", Kind.DO, Done())))
    (answer,) = deployed(store, answering(Swapped)).run(run.saga_id).answers.values()
    assert answer.open() == ["r", 5]
