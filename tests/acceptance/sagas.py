"""Definitions for the diagrams. Nothing in them ever runs."""

from __future__ import annotations

from typing import Any

from amends import Saga, external, local, parallel


def keep(entity: Any, request: Any) -> Any:
    """A local action."""
    return entity


def ask(client: Any, request: Any, call: Any) -> None:
    """An outside action."""


BOOKING = Saga(
    "booking",
    dict,
    [
        local("BASKET_LOCKED", keep, entity=str, undo=keep, undone="BASKET_OPENED"),
        parallel(
            local("HOTEL_HELD", keep, entity=str, undo=keep, undone="HOTEL_FREED"),
            external("FLIGHT_HELD", ask, undo=ask, undone="FLIGHT_FREED", probe=ask, settles_within_s=5),
            local("CAR_HELD", keep, entity=str, undo=keep, undone="CAR_FREED"),
        ),
        external("VISA_ASKED", ask, undo=ask, undone="VISA_DROPPED", at_least_once=True),
        external("CARD_CHARGED", ask, pivot=True, service="BANK"),
        local("BASKET_CLOSED", keep, entity=str),
        external("GUEST_TOLD", ask, service="MAIL"),
    ],
    deadline_s=90,
)

TRICKY = Saga(
    'no <pivot> & "co" %%{init}%%',
    dict,
    [
        local('A"<b>&`#;]', keep, entity=str, undo=keep, undone="予約取消"),
        external("end", ask, undo=ask, undone="é" * 30, service="[red]"),
    ],
)

LINGERING = Saga(
    "lingering",
    dict,
    [
        external("PAID", ask, pivot=True, probe=ask, settles_within_s=5, key_lives_h=24),
        parallel(external("SENT", ask, key_lives_h=24), external("TOLD", ask)),
    ],
)
