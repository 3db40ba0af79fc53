"""What operators may say is tried in every state that waits for one, and what we ship holds with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from amends.checking import check
from amends.checking.answer import CheckFailed
from amends.checking.explore import explore
from amends.checking.layout import WorldLayout
from amends.checking.successors import Successors
from amends.checking.world import Move
from amends.core.messages import Call, Done
from amends.core.state import Abandoned, Compensated, Completed, NeedsOperator
from amends.scenario import Scenario
from amends.shop.scenarios import ONE_ORDER, TWO_ORDERS_ONE_STOCK
from examples.trip import ada
from tests.checking.cases.outside import ANN, Bank, Order, card, charge, paid
from tests.checking.planted.sagas import halted, tickets


def made(scenario: Scenario, faults: int) -> Iterator[tuple[WorldLayout, Move]]:
    """Every move of a small scenario."""
    moves = Successors(WorldLayout(scenario))
    first = moves.layout.first(faults)
    seen, todo = {first}, [first]
    while todo:
        for move, after, _ in moves.after(todo.pop()):
            yield moves.layout, move
            if after not in seen:
                seen.add(after)
                todo.append(after)


def test_every_verb_is_said() -> None:
    """Ask again, tell either outcome of an action, a probe and an undo, turn back, give up; and without it, nothing."""
    said = {(move.kind.value, move.note.partition(":")[0]) for _, move in made(halted(), 2) if move.what == "operator"}
    outcomes = {("do", "done"), ("do", "refused"), ("probe", "done"), ("probe", "refused"), ("undo", "done")}
    assert said == {
        *((kind, f"an operator tells that it is {word}") for kind, word in outcomes),
        *((kind, "an operator asks again") for kind in ("do", "probe", "undo")),
        ("do", "an operator turns it back"),
        ("do", "an operator gives it up"),
    }
    assert not [move for _, move in made(tickets(), 1) if move.what in ("operator", "halts")]


@pytest.mark.parametrize(("scenario", "faults"), [(ONE_ORDER, 2), (TWO_ORDERS_ONE_STOCK, 1), (ada, 1)])
def test_what_we_ship_holds_with_operators(scenario: Scenario, faults: int) -> None:
    """The order saga, alone and with another, and the trip; every end is come to."""
    layout = check(scenario, faults=faults, operators=True).found.moves.layout
    seen = {type(layout.runs[number].state) for number in range(len(layout.runs))}
    assert {Completed, Compensated, Abandoned, NeedsOperator} <= seen


def refund_the_receipt(bank: Bank, order: Order, call: Call) -> None:
    """Refund under what the action answered, without a look at what an operator may have told."""
    bank.refund(call.answer["receipt"] if call.answer else "", order.cents)


def charge_with_receipt(bank: Bank, order: Order, call: Call) -> Done:
    """Answer with a receipt, which no probe can find."""
    charge(bank, order, call)
    return Done({"receipt": call.key})


def test_a_bug_that_an_operator_brings_out_is_found_and_can_be_seen_again() -> None:
    """Who has no probe may be told that it is done, and not with which receipt: the refund then finds nothing."""
    step = card(charge_with_receipt, refund_the_receipt, probe=None, settles_within_s=None)
    scenario = replace(paid(step, orders=(ANN,)), operators=True)
    without = explore(replace(scenario, operators=False), faults=0)
    assert without.held
    with pytest.raises(CheckFailed) as failed:
        check(scenario, faults=2)
    shown = failed.value.answer
    assert shown.counterexample
    assert shown.counterexample.broken.rule == "all or nothing is left"
    with pytest.raises(CheckFailed, match="all or nothing is left"):
        check(replace(scenario, operators=False), faults=2, replay=shown.token)
