"""Requests, entities and answers may be models of pydantic: stored by their fields, read back as what they were."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest

import amends
from amends import (
    Call,
    Changed,
    Compensated,
    DefinitionError,
    Done,
    ParticipantError,
    Refused,
    Saga,
    external,
    local,
    run,
)
from amends.adapters.memory import MemoryStore
from amends.errors import KeyReused, RequestRefused
from amends.storage.codecs.shapes import ShapeComparison, shape_of
from tests.engine.test_versions import deployed, paid, shop

pydantic = pytest.importorskip("pydantic")


class Buy(pydantic.BaseModel):  # type: ignore[misc, name-defined]  # of a module that may be missing
    """A request."""

    who: str
    price: float = 1.0
    tags: dict[int, set[str]] = pydantic.Field({})


class Seats(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    """An entity."""

    model_config = pydantic.ConfigDict(extra="allow")
    free: int = pydantic.Field(alias="leftOver")
    _seen: int = pydantic.PrivateAttr(default=0)


class Receipt(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    """An answer."""

    id: str


class Pair(NamedTuple):
    """A record with a model in it."""

    receipt: Receipt
    buys: list[Buy]


def hold(seats: Seats | None, buy: Buy) -> Changed[Seats, Pair] | Refused:
    """Hold a seat."""
    return Changed(Seats(leftOver=1, note="x"), Pair(Receipt(id=buy.who), [buy]))


def free(seats: Seats, buy: Buy, call: Call) -> Any:
    """Give it back."""
    assert call.answer == Pair(Receipt(id="ann"), [buy])
    assert type(call.answer.receipt) is Receipt
    return Seats(leftOver=seats.free + 1)


def charge(_: Any, buy: Buy, call: Call) -> Done[Receipt] | Refused:
    """Refuse the second one."""
    return Done(Receipt(id="r")) if buy.tags else Refused("no tags")


SEATS = local("SEATS_HELD", hold, undo=free, undone="SEATS_FREED", entity=lambda buy: buy.who)
SAGA = Saga("sale", Buy, [SEATS, external("PAID", charge, pivot=True)])


def test_models_are_stored_and_read_back(tmp_path: Any) -> None:
    """Also within a record, with an alias, and with more than its fields."""
    url = f"sqlite:///{tmp_path}/s.db"
    tagged = Buy(who="ann", tags={7: {"a"}})
    with amends.open(url, sagas=[SAGA]) as engine:
        ended = engine.submit(SAGA, tagged).result(20)
        assert ended.answers == {"SEATS_HELD": Pair(Receipt(id="ann"), [tagged]), "PAID": Receipt(id="r")}
        assert isinstance(engine.submit(SAGA, Buy(who="ann")).result(20).state, Compensated)
    with amends.open(url, sagas=[SAGA]) as engine:
        assert engine.result(ended.saga_id, 20).answers["PAID"] == Receipt(id="r")
        assert engine.entity("SEATS", "ann") == Seats(leftOver=2)


def test_so_they_are_in_a_run_and_in_a_check() -> None:
    """There too everybody has what would be read back."""
    assert run(SAGA, Buy(who="ann"), entities={"SEATS": {}}).state == Compensated()
    hidden = Seats(leftOver=1)
    hidden._seen = 5
    with pytest.raises(ParticipantError, match=r"SEATS/ann cannot be stored: .* would come back as"):
        run(SAGA, Buy(who="ann"), entities={"SEATS": {"ann": hidden}})


def test_a_client_key_stands_for_a_model() -> None:
    """For an equal one, with or without what is at its default, whichever door it comes by; for no other."""
    tagged = Buy(who="ann", tags={7: {"a", "b", "c"}})
    with amends.open("memory:models", sagas=[SAGA]) as engine, amends.connect("memory:models", sagas=[SAGA]) as client:
        first = engine.submit(SAGA, tagged, key="1")
        again = Buy(who="ann", price=1.0, tags={7: {"c", "b", "a"}})
        assert engine.submit(SAGA, again, key="1").saga_id == first.saga_id
        assert client.submit(SAGA, again, key="1").saga_id == first.saga_id
        for other in (Buy(who="bob", tags=tagged.tags), Buy(who="ann")):
            with pytest.raises(KeyReused):
                engine.submit(SAGA, other, key="1")


@pytest.mark.parametrize("price", [math.inf, math.nan])
def test_no_number_in_a_model_is_infinite(price: float) -> None:
    """It is refused as everywhere."""
    with amends.open("memory:", sagas=[SAGA]) as engine, pytest.raises(RequestRefused, match="not finite"):
        engine.submit(SAGA, Buy(who="ann", price=price))


def test_a_model_has_a_shape() -> None:
    """So that a deploy which reads it wrong is refused, and one that adds a field with a default is not."""
    more = pydantic.create_model("Buy", who=(str, ...), price=(float, 1.0), tags=(dict[int, set[str]], {}), n=(int, 0))
    less = pydantic.create_model("Buy", who=(str, ...))
    assert ShapeComparison(shape_of(Buy), shape_of(more), "it").faults == []
    assert (
        ShapeComparison(shape_of(Buy), shape_of(less), "it")
        .faults[0]
        .startswith("it.price was stored, and Buy has no such")
    )
    store = MemoryStore()
    (started,) = deployed(store, shop(Buy)).begin(Buy(who="ann")).replies[0]
    (read,) = paid(deployed(store, shop(more)), started.saga_id)
    assert (type(read), read.who) == (more, "ann")
    with pytest.raises(DefinitionError, match=r"the request.price was stored"):
        deployed(store, shop(less))
