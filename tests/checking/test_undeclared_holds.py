"""A check says which fields steps hold without a word: `amends owed` could not compare them with the books."""

from __future__ import annotations

from typing import NamedTuple

from amends import Saga, Scenario, local
from amends.checking import CheckResult, check
from amends.checking.document import document_of


class Seats(NamedTuple):
    """A show's seats."""

    free: int
    held: int


def hold(seats: Seats, many: int) -> Seats:
    """SEATS_HELD."""
    return Seats(seats.free - many, seats.held + many)


def give_back(seats: Seats, many: int) -> Seats:
    """SEATS_GIVEN_BACK."""
    return Seats(seats.free + many, seats.held - many)


def sell(seats: Seats, many: int) -> Seats:
    """SEATS_SOLD: what is sold is held no longer."""
    return Seats(seats.free, seats.held - many)


def checked(*holds: str) -> CheckResult:
    """A sale of two seats."""
    held = local("SEATS_HELD", hold, undo=give_back, undone="SEATS_GIVEN_BACK", entity=lambda _: "Hamlet", holds=holds)
    show = Saga("show", int, [held, local("SEATS_SOLD", sell, entity=lambda _: "Hamlet", pivot=True)])
    return check(Scenario(show, {"SEATS": {"Hamlet": Seats(5, 0)}}, [2]))


def test_what_is_put_back_in_the_end_is_held() -> None:
    """Seats that are sold are free no more: they are not held, they are gone."""
    answer = checked()
    assert dict(answer.bound())["undeclared"] == "SEATS_HELD holds held: say so by holds="
    assert document_of(answer)["bound"]["undeclared_holds"] == ["SEATS_HELD holds held"]


def test_of_what_is_declared_nothing_is_said() -> None:
    """And the answer has no such line."""
    answer = checked("held")
    assert "undeclared" not in dict(answer.bound())
    assert document_of(answer)["bound"]["undeclared_holds"] == []
