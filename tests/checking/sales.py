"""Small sagas to check: the ticket saga of the demo, whole and with things missing."""

from __future__ import annotations

from typing import Any, NamedTuple

from amends import Call, Done, Refused, Saga, Scenario, external, local
from amends.checking import honours_keys
from amends.entrypoints.demo.tickets import find, one_sale, tickets

BROKEN = one_sale(tickets())
MENDED = one_sale(tickets(probe=find, settles_within_s=60))


class Seat(NamedTuple):
    """A request."""

    row: str


class Row(NamedTuple):
    """An entity."""

    free: int
    held: int


def take(row: Row | None, seat: Seat) -> Row | Refused:
    """Hold one."""
    return Row(row.free - 1, row.held + 1) if row and row.free else Refused("no seat is free")


def give_back(row: Row, seat: Seat) -> Row:
    """Undo `take`."""
    return Row(row.free + 1, row.held - 1)


def give_back_half(row: Row, seat: Seat) -> Row:
    """Undo a part of `take`."""
    return Row(row.free + 1, row.held)


def pay(client: Any, seat: Seat, call: Call) -> Done:
    """Never called: a ready model stands for it."""
    return Done()


def seating(undo: Any = give_back, rows: int = 1, sagas: int = 1) -> Scenario:
    """A local step and a payment outside."""
    saga = Saga(
        "seating",
        Seat,
        [
            local("ROW_TAKEN", take, entity=lambda seat: seat.row, undo=undo, undone="ROW_FREED"),
            external("CARD_PAID", pay, pivot=True, at_least_once=True),
        ],
    )
    return Scenario(saga, {"ROW": {"A": Row(rows, 0)}}, [Seat("A")] * sagas, {"CARD": honours_keys()})
