"""What sagas hold is what the books say, after each commit (V35); a leak is found at the commit that makes it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from amends import Refused, Saga, Scenario, external, local
from amends.checking import SimulationFailed, simulate


class Seats(NamedTuple):
    """A show's seats."""

    free: int
    held: int


def hold(seats: Seats, many: int) -> Seats | Refused:
    """SEATS_HELD."""
    return Seats(seats.free - many, seats.held + many) if many <= seats.free else Refused("sold out")


def give_back(seats: Seats, many: int) -> Seats:
    """SEATS_GIVEN_BACK."""
    return Seats(seats.free + many, seats.held - many)


def sell(seats: Seats, many: int) -> Seats:
    """SEATS_SOLD: what is sold is held no longer."""
    return Seats(seats.free, seats.held - many)


def forget(seats: Seats, many: int) -> Seats:
    """SEATS_SOLD, as it was meant to be: nothing lets go of what was held."""
    return seats


def charge(_client: None, _many: int, _call: object) -> None:
    """MONEY_CHARGED: somebody else's."""


SHOW = Saga(
    "show",
    int,
    [
        local("SEATS_HELD", hold, undo=give_back, undone="SEATS_GIVEN_BACK", entity=lambda _: "Hamlet", holds=["held"]),
        external("MONEY_CHARGED", charge, pivot=True, at_least_once=True),
        local("SEATS_SOLD", sell, entity=lambda _: "Hamlet"),
    ],
)
GIVEN = {"SEATS": {"Hamlet": Seats(5, 0)}}
SEEDS = 60


def test_what_is_held_is_in_the_books_all_the_time() -> None:
    """With kills and lost messages, at every commit."""
    simulate(Scenario(SHOW, GIVEN, [2, 3, 4]), seeds=SEEDS)


def test_a_leak_is_found_at_the_commit_that_makes_it() -> None:
    """Whatever else it would break later: the schedule ends there."""
    leaking = Scenario(SHOW.replacing("SEATS_SOLD", forget), GIVEN, [2, 3])
    with pytest.raises(SimulationFailed) as found:
        simulate(leaking, seeds=SEEDS)
    assert "V35 what sagas hold is what the books say" in str(found.value)
    assert "SEATS/Hamlet.held is" in str(found.value)
