"""Requests, entities, answers and reasons of any JSON kind: dicts and lists are checked and simulated like the rest."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from amends import Call, Changed, Done, Refused, Saga, Scenario, check, external, local
from amends.checking import adapter, simulate
from amends.checking.values import frozen

GIVEN: dict[str, dict[str, Any]] = {"STOCK": {"P": {"left": 3, "tags": ["a", {"b": [1]}]}}, "SEEN": {"P": [[], {}]}}
REQUESTS = [{"item": "P", "n": 1, "why": {"for": ["me"]}}, {"item": "P", "n": 3, "why": {}}]


class Bank:
    """A client that answers with dicts and lists. A refund that comes before its charge refuses it for good."""

    def __init__(self, books: tuple[tuple[str, bool], ...]) -> None:
        self.books = books

    def put(self, key: str, is_charged: bool) -> list[Any]:
        """Write what stands under a key, once, or nothing any more."""
        known = dict(self.books)
        self.books = tuple(sorted({**known, key: is_charged and known.get(key, True)}.items()))
        return [key, {"at": ["noon"]}, None]


def standing(books: tuple[tuple[str, bool], ...]) -> tuple[str, ...]:
    """Return the keys of the charges that stand."""
    return tuple(key for key, is_charged in books if is_charged)


def hold(stock: dict[str, Any], asked: dict[str, Any]) -> Changed | Refused:
    """Answer with a dict, on an entity of its own."""
    stock = deepcopy(stock)
    return hold_in_place(stock, asked)


def hold_in_place(stock: dict[str, Any], asked: dict[str, Any]) -> Changed | Refused:
    """Do the same with what was given."""
    if stock["left"] < asked["n"]:
        return Refused(f"{stock} for {asked}")
    stock["left"] -= asked["n"]
    return Changed(stock, {"held": [asked["n"], {"of": "P"}]})


def give_back(stock: dict[str, Any], asked: dict[str, Any], call: Call) -> dict[str, Any]:
    """Read the answer."""
    return {**stock, "left": stock["left"] + call.answer["held"][0]}


def charge(bank: Bank, asked: dict[str, Any], call: Call) -> Done | Refused:
    """Charge once."""
    answer = bank.put(call.key, True)
    return Done({"receipt": answer}) if call.key in standing(bank.books) else Refused(f"{answer} is refunded")


def refund(bank: Bank, asked: dict[str, Any], call: Call) -> Done:
    """Refund, also what never came."""
    return Done(bank.put(call.key.replace("/undo", "/do"), False))


def see(seen: list[Any], asked: dict[str, Any], call: Call) -> Changed:
    """Write what was answered into a list."""
    return Changed([*seen, call.answers["CARD_CHARGED"]["receipt"][0]], [call.answers["STOCK_HELD"], seen])


def scenario(hold: Callable[..., Any], count: int) -> Scenario:
    """Return a saga of dicts and lists throughout."""
    steps = [
        local("STOCK_HELD", hold, undo=give_back, undone="STOCK_FREED", entity=lambda asked: str(asked["item"])),
        external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED", remembers_refusals=True),
        local("SEEN", see, entity=lambda asked: str(asked["item"]), pivot=True),
    ]
    saga = Saga("dicts", dict, steps)
    return Scenario(saga, GIVEN, REQUESTS[:count], models={"CARD": adapter(Bank, (), standing)})


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("function", [hold, hold_in_place])
def test_dicts_and_lists_are_simulated(function: Callable[..., Any], count: int) -> None:
    """Answers that come twice are told apart by their values; no schedule changes what the next one starts from."""
    before = deepcopy((GIVEN, REQUESTS))
    assert simulate(scenario(function, count), seeds=60).holds
    assert before == (GIVEN, REQUESTS)


@pytest.mark.parametrize("count", [1, 2])
def test_dicts_and_lists_are_checked(count: int) -> None:
    """All worlds that can be reached are looked at."""
    assert check(scenario(hold, count)).found.exhausted


def test_a_value_is_found_again_whatever_the_process() -> None:
    """Equal values have equal stand-ins that no order of a set decides, also deep inside."""
    values = [{"a": [{"b": {1, 2}}]}, [frozenset("xy"), {}], ({"k": None},)]
    assert [frozen(value) for value in values] == [frozen(deepcopy(value)) for value in values]
    assert frozen({"ab"}) == frozen({"ab"}) != frozen(frozenset({"ab"}))
    assert "{" not in repr(frozen([{"x"}])).replace("frozenset({", "")
