"""The trip: as dialogues, and from its request to its end with a bank and a mail box made of plain functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import amends
from amends import Abandoned, Cancel, Compensated, Completed, Done, Refused, SagaInstance, run
from amends.testing import Dialogue, do, given, probe, undo
from examples.trip import Places, Trip, trip
from tests.house.source import ROOT

REQUEST = Trip("Ada", "Ritz", "LX-8", "Fiat", 90_000)
BOOKED = ("HOTEL_BOOKED", "FLIGHT_BOOKED", "CAR_BOOKED")


class Bank:
    """A provider that remembers keys, and can raise before or after it charged."""

    def __init__(self, *, credit: int = 100_000, breaks: tuple[str, ...] = ()) -> None:
        self.credit = credit
        self.breaks = list(breaks)
        self.receipts: dict[str, str] = {}
        self.keys: list[str] = []

    def charge(self, who: str, cents: int, key: str) -> str | None:
        """Charge once for each key."""
        self.keys.append(key)
        if (trouble := self.breaks.pop(0) if self.breaks else "") == "before":
            raise ConnectionError("no route to the bank")
        if key not in self.receipts:
            if cents > self.credit:
                return None
            self.credit -= cents
            self.receipts[key] = f"receipt-{len(self.receipts) + 1}"
        if trouble == "after":
            raise TimeoutError("the bank did not answer")
        return self.receipts[key]

    def receipt(self, key: str) -> str | None:
        """Look for a charge."""
        return self.receipts.get(key)


def places(hotel: int = 1, flight: int = 1, car: int = 1) -> dict[str, dict[str, Any]]:
    """Return what is free."""
    return {"HOTEL": {"Ritz": Places(hotel)}, "FLIGHT": {"LX-8": Places(flight)}, "CAR": {"Fiat": Places(car)}}


def travel(
    bank: Bank, offers: dict[str, dict[str, Any]], send: Callable[[str, str], object] | None = None
) -> tuple[SagaInstance, list[str]]:
    """Run the trip, and return it with the letters that were sent."""
    letters: list[str] = []
    send = send or (lambda _, text: letters.append(text))
    return run(trip, REQUEST, entities=offers, clients={"MONEY": bank, "MAIL": send}), letters


def test_it_is_short() -> None:
    """A saga of one's own fits on a screen, types and all."""
    assert len((ROOT / "examples" / "trip.py").read_text("utf-8").splitlines()) < 80


def test_it_uses_public_names_alone() -> None:
    """What it imports of Amends, `amends` exports."""
    lines = (ROOT / "examples" / "trip.py").read_text("utf-8").splitlines()
    imported = [line for line in lines if "amends" in line and line.startswith(("from", "import"))]
    assert [line.partition(" import ")[0] for line in imported] == ["from amends"]
    assert set(imported[0].partition(" import ")[2].split(", ")) <= set(amends.__all__)


# --- as dialogues -----------------------------------------------------------------------------------------------


def booked() -> Dialogue:
    """Return the dialogue up to the charge."""
    dialogue = given(trip, REQUEST).asks(*map(do, BOOKED))
    for step in BOOKED:
        dialogue = dialogue.done(step)
    return dialogue.asks(do("MONEY_CHARGED", key="saga-1/MONEY_CHARGED/do"))


def test_all_is_booked_charged_and_confirmed() -> None:
    """The confirmation gets the receipt."""
    (
        booked()
        .done("MONEY_CHARGED", "receipt-1")
        .asks(do("MAIL_SENT", answers={"MONEY_CHARGED": "receipt-1"}))
        .done("MAIL_SENT")
        .completed()
    )


def test_a_full_flight_gives_back_hotel_and_car() -> None:
    """What was booked is canceled, once nobody is booking any more; the flight has nothing to give back."""
    (
        given(trip, REQUEST)
        .asks(*map(do, BOOKED))
        .done("HOTEL_BOOKED")
        .refused("FLIGHT_BOOKED", "sold out")
        .asks_nothing()
        .done("CAR_BOOKED")
        .asks(undo("HOTEL_BOOKED"), undo("CAR_BOOKED"))
        .done("CAR_BOOKED")
        .done("HOTEL_BOOKED")
        .compensated(because="sold out")
    )


def test_a_declined_card_gives_back_everything() -> None:
    """The pivot refuses like any other step."""
    (
        booked()
        .refused("MONEY_CHARGED", "card declined")
        .asks(*map(undo, BOOKED))
        .done("HOTEL_BOOKED")
        .done("FLIGHT_BOOKED")
        .done("CAR_BOOKED")
        .compensated(because="card declined")
    )


def test_an_unknown_charge_is_tried_again_with_the_same_key() -> None:
    """Nobody assumes that it did not happen."""
    (
        booked()
        .unknown("MONEY_CHARGED", "connection lost")
        .asks(do("MONEY_CHARGED", attempt=2, key="saga-1/MONEY_CHARGED/do"))
        .times_out("MONEY_CHARGED")
        .asks(do("MONEY_CHARGED", attempt=3, key="saga-1/MONEY_CHARGED/do"))
        .done("MONEY_CHARGED", "receipt-1")
        .asks(do("MAIL_SENT"))
    )


def test_after_a_day_only_a_look_at_the_books_decides() -> None:
    """When the bank forgets the key, sending it again could charge twice."""
    asked_for_a_day = booked().passes(25 * 3600).asks_whatever()
    asked_for_a_day.done(probe("MONEY_CHARGED"), "receipt-1").asks(do("MAIL_SENT"))
    asked_for_a_day.refused(probe("MONEY_CHARGED"), "no such charge").asks(*map(undo, BOOKED))


def test_a_client_may_cancel_until_the_charge() -> None:
    """Not after it."""
    booked().declines(Cancel(), because="too late")
    dialogue = given(trip, REQUEST).asks(*map(do, BOOKED)).cancel("found better")
    dialogue = dialogue.done("HOTEL_BOOKED").done("FLIGHT_BOOKED").refused("CAR_BOOKED")
    dialogue = dialogue.asks(undo("HOTEL_BOOKED"), undo("FLIGHT_BOOKED")).done("HOTEL_BOOKED")
    dialogue.done("FLIGHT_BOOKED").compensated(because="found better")


def test_a_mail_box_that_does_not_exist_is_for_an_operator() -> None:
    """After the charge there is no way back, so a definite no needs somebody."""
    stuck = booked().done("MONEY_CHARGED", "receipt-1").asks(do("MAIL_SENT")).refused("MAIL_SENT", "no such box")
    stuck.needs_operator("MAIL_SENT/do", because="no such box").resolve("MAIL_SENT", Done(), "phoned").completed()
    stuck.declines(Cancel(), because="only goes forward").abandon("no address").abandoned("MAIL_SENT/do")
    assert isinstance(stuck.abandon().run.state, Abandoned)
    stuck.declines(amends.Resolve("MAIL_SENT", Refused("no")), because="MAIL_SENT is stuck")


# --- with plain functions as providers ------------------------------------------------------------------------------


def test_a_trip_takes_place() -> None:
    """Everybody has what was promised, once."""
    bank, offers = Bank(), places()
    ended, letters = travel(bank, offers)
    assert ended.state == Completed()
    assert offers == {
        "HOTEL": {"Ritz": Places(0, ("Ada",))},
        "FLIGHT": {"LX-8": Places(0, ("Ada",))},
        "CAR": {"Fiat": Places(0, ("Ada",))},
    }
    assert (bank.credit, letters) == (10_000, ["Ritz, LX-8, Fiat: receipt-1"])


@pytest.mark.parametrize("missing", ["hotel", "flight", "car"])
def test_what_is_sold_out_leaves_no_trace(missing: str) -> None:
    """Nothing is booked, charged or sent."""
    bank, offers = Bank(), places(**{missing: 0})
    ended, letters = travel(bank, offers)
    assert (ended.state, ended.reason) == (Compensated(), "sold out")
    assert (offers, bank.credit, letters) == (places(**{missing: 0}), 100_000, [])


def test_a_hotel_that_nobody_knows_is_sold_out() -> None:
    """An entity that does not exist is a refusal, no error."""
    ended, _ = travel(Bank(), {"HOTEL": {}, "FLIGHT": {}, "CAR": {}})
    assert ended.state == Compensated()


def test_a_declined_card_leaves_no_trace() -> None:
    """All three bookings are canceled."""
    bank, offers = Bank(credit=10), places()
    ended, letters = travel(bank, offers)
    assert (ended.state, ended.reason) == (Compensated(), "card declined")
    assert (offers, bank.credit, letters) == (places(), 10, [])
    assert [entry.event for entry in ended.trail if entry.event.endswith("_CANCELED")] == [
        "HOTEL_CANCELED",
        "FLIGHT_CANCELED",
        "CAR_CANCELED",
    ]


@pytest.mark.parametrize("breaks", [("before",), ("after",), ("before", "after", "after", "before")])
def test_a_bank_that_breaks_charges_once(breaks: tuple[str, ...]) -> None:
    """Whether it had charged before it broke or not: the same key asks again."""
    bank = Bank(breaks=breaks)
    ended, letters = travel(bank, places())
    assert ended.state == Completed()
    assert (bank.credit, len(letters)) == (10_000, 1)
    assert set(bank.keys) == {"saga-1/MONEY_CHARGED/do"}
    assert len(bank.keys) == len(breaks) + 1


def test_a_refusal_after_a_break_is_looked_up() -> None:
    """The bank says no to a request that followed a lost one, and does not remember what it refused: look first."""
    bank = Bank(credit=10, breaks=("before",))
    ended, _ = travel(bank, places())
    assert ended.state == Compensated()
    assert [entry.event for entry in ended.trail][3:4] == ["MONEY_CHARGED"]


def test_a_mail_server_that_is_down_is_asked_until_it_is_up() -> None:
    """Nothing is given back for it: the trip is charged."""
    letters: list[str] = []
    downs = iter([True] * 7)

    def send(_: str, text: str) -> None:
        if next(downs, False):
            raise ConnectionError
        letters.append(text)

    ended, _ = travel(Bank(), places(), send)
    assert ended.state == Completed()
    assert letters == ["Ritz, LX-8, Fiat: receipt-1"]
