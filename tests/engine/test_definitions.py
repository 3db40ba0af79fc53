"""What definitions may be made of, end to end, and what is said of what does not fit, in words that help."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, NewType, Optional

import msgspec
import pytest

import amends
from amends import (
    Compensated,
    Completed,
    DefinitionError,
    Done,
    RequestRefused,
    Resolve,
    Retry,
    Saga,
    UnusableInput,
    external,
    local,
)
from amends.adapters.memory import MemoryStore
from amends.engine.blocking import BlockingEngine
from tests.engine.giving_up import given_up
from tests.engine.test_engine import PATIENCE_S, engine
from tests.engine.world import Buy, Life, nothing, tickets

Cents = NewType("Cents", int)

REQUESTS: list[tuple[Any, Any]] = [
    (list[int], [1, 2]),
    (dict[str, int], {"a": 1}),
    (Optional[int], None),  # noqa: UP045 - as older code says it
    (int | str, "x"),
    (tuple[int, ...], (1, 2)),
    (Annotated[int, msgspec.Meta(ge=0)], 3),
    (Cents, Cents(5)),
    (Any, {"a": [1]}),
    (dict, {"a": 1}),
    (Decimal, Decimal("1.10")),
]


@pytest.mark.parametrize(("kind", "request_"), REQUESTS, ids=[str(kind) for kind, _ in REQUESTS])
def test_a_request_may_be_of_any_type_that_can_be_stored(kind: Any, request_: Any, tmp_path: Path) -> None:
    """Through a file, a participant outside, one that we keep, and a restart."""
    seen: list[Any] = []

    def send(client: Any, asked: Any, call: Any) -> None:
        seen.append(asked)

    saga = Saga(
        "s",
        kind,
        [external("SENT", send, pivot=True), local("KEPT", lambda _, __: 1, entity=repr)],
    )
    for _ in range(2):
        with amends.open(f"sqlite:///{tmp_path / 'x.db'}", sagas=[saga]) as running:
            handle = running.submit(saga, request_, key="k")
            assert isinstance(running.result(handle.saga_id, PATIENCE_S).state, Completed)
            assert running.entity("KEPT", repr(request_)) == 1
    assert seen == [request_]
    assert type(seen[0]) is type(request_)


def test_a_constraint_of_a_type_holds_at_the_door() -> None:
    """What could not be read back after a restart is not started."""
    saga = Saga("s", Annotated[int, msgspec.Meta(ge=0)], [external("SENT", nothing, pivot=True)])
    refused = Life(MemoryStore(), saga).begin(-1).replies[0][0]
    assert isinstance(refused, RequestRefused)
    assert "s: the request cannot be stored: -1 cannot be read back" in str(refused)


@pytest.mark.parametrize("kind", [Fraction, complex, object, list[Fraction], dict[str, Fraction | None]], ids=str)
def test_a_type_that_no_engine_can_read_back_is_refused_when_the_saga_is_built(kind: Any) -> None:
    """Without the package that an engine needs, and before one is opened."""
    with pytest.raises(DefinitionError, match=r"saga 's': request.* which cannot be stored; give"):
        Saga("s", kind, [external("SENT", nothing, pivot=True)])


def test_a_type_that_this_engine_cannot_read_back_is_refused_at_open() -> None:
    """What only it knows: two texts of a union, of which JSON does not tell which one is meant."""
    with pytest.raises(DefinitionError, match="cannot be read back from JSON"):
        Life(MemoryStore(), Saga("s", str | bytes, [external("SENT", nothing, pivot=True)]))


def test_what_is_not_there_is_named_with_what_is() -> None:
    """A saga by its name, a step by a slip of the pen, a client that was forgotten."""
    saga, other = tickets(), tickets()
    with BlockingEngine(engine(MemoryStore(), saga)) as running:
        with pytest.raises(DefinitionError, match=r"'tickets' is no Saga.*known: tickets/1/"):
            running.submit("tickets", Buy("x", 1))  # type: ignore[arg-type]  # what a caller may get wrong
        with pytest.raises(DefinitionError, match="submit the very definition that was; known: tickets/1/"):
            running.submit(other, Buy("x", 1))
        handle = running.submit(saga, Buy("x", 1))
        for said in (Retry("NO_SUCH_STEP"), Resolve("NO_SUCH_STEP", Done())):
            with pytest.raises(
                RequestRefused, match="no step 'NO_SUCH_STEP'; its steps are SEATS_HELD, CARD_CHARGED, "
            ):
                running.tell(handle.saga_id, said)
        with pytest.raises(RequestRefused, match="no step 'NO_SUCH_STEP'; its steps are SEATS_HELD, CARD_CHARGED, "):
            running.answer(f"{handle.saga_id}/NO_SUCH_STEP/do", Done())


def test_clients_name_every_service_of_a_step_outside() -> None:
    """One that is missing is not met as ``None`` in the middle of a saga."""
    steps = [external("CARD_CHARGED", nothing, undo=nothing, undone="X"), external("BOX_PACKED", nothing, pivot=True)]
    saga = Saga("s", int, steps)
    with pytest.raises(UnusableInput, match="clients has none for BOX; name each service, with None where"):
        amends.open("memory:", sagas=[saga], clients={"CARD": object()})
    with pytest.raises(UnusableInput, match="clients has none for BOX, CARD"):
        amends.open("memory:", sagas=[saga], clients={})
    with amends.open("memory:", sagas=[saga], clients={"CARD": object(), "BOX": None}) as running:
        assert isinstance(running.submit(saga, 1).result(PATIENCE_S).state, Completed)


def test_a_client_that_was_not_given_is_named_when_its_function_fails() -> None:
    """An `AttributeError` of ``None`` alone says nothing of where it comes from."""

    def charge(client: Any, asked: int, call: Any) -> Any:
        return client.charge(asked)

    result = given_up(Saga("s", int, [external("CARD_CHARGED", charge, undo=nothing, undone="X")]))
    assert isinstance(result.state, Compensated)
    assert "has no attribute 'charge'; open(clients=...) gave no client for 'CARD'" in result.reason
