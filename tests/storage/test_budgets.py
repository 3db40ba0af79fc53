"""The sharing out of a budget: never more than there is, and none who wants a place goes without for ever."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amends.storage.budgets import NO_PLACES, TURN_MS, BudgetShare, Places, granted, reserved_of, split

NAMES = ("a", "b", "c", "d")
ASKS_IN_TURN = 3


class Ask(NamedTuple):
    """An engine asks."""

    engine: str
    wanted: int
    urgent: int
    used: int
    pause_ms: int


ASKS = st.lists(
    st.builds(
        Ask, st.sampled_from(NAMES), st.integers(0, 20), st.integers(0, 20), st.integers(0, 10), st.integers(0, 3_000)
    ),
    max_size=60,
)


@given(st.integers(1, 20), ASKS)
def test_there_are_never_more_places_than_the_limit(limit: int, asked: list[Ask]) -> None:
    """Whatever engines ask for, and keep for calls that are under way; and the reserve is no action's."""
    shares: dict[str, BudgetShare] = {}
    goals = dict.fromkeys(NAMES, NO_PLACES)
    now_ms = 1_000
    for ask in asked:
        now_ms += ask.pause_ms
        had = shares.get(ask.engine, BudgetShare(ask.engine, "CARD", limit))
        keeps = max(min(had.common, goals[ask.engine].common), min(had.common, ask.used))
        own = BudgetShare(ask.engine, "CARD", limit, None, keeps, had.reserved, ask.wanted, ask.urgent)
        grant = granted(own, [*shares.values()], now_ms)
        shares[ask.engine], goals[ask.engine] = grant.share, grant.goal
        assert sum(share.common for share in shares.values()) <= limit - reserved_of(limit)
        assert sum(share.reserved for share in shares.values()) <= reserved_of(limit)
        assert min(grant.share.common, grant.share.reserved, *grant.goal) >= 0


@pytest.mark.parametrize("goes_back", [False, True])
@given(st.integers(1, 6), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_nobody_who_wants_a_place_goes_without_for_ever(goes_back: bool, limit: int, wants: list[int]) -> None:
    """Each gives back what it is told to: within a turn of every other engine, and three asks, it has one again."""
    shares: dict[str, BudgetShare] = {}
    keeps, last = dict.fromkeys(NAMES, NO_PLACES), dict.fromkeys(NAMES, 0)
    for step in range(1, 80):
        for name, wanted in zip(NAMES, wants, strict=False):
            demand = (0, wanted) if goes_back else (wanted, 0)
            own = BudgetShare(name, "CARD", limit, None, *keeps[name], *demand)
            grant = granted(own, [*shares.values()], step * (TURN_MS // ASKS_IN_TURN))
            shares[name] = grant.share
            keeps[name] = Places(*map(min, (grant.share.common, grant.share.reserved), grant.goal))
            if keeps[name].common or (goes_back and keeps[name].reserved):
                last[name] = step
            assert step - last[name] <= (ASKS_IN_TURN + 3) * (len(wants) - 1) + 1, (name, step, shares)


def test_what_is_shared_out_is_as_even_as_can_be() -> None:
    """Who wants less gets that; what is left over goes to the first."""
    assert split(7, {"a": 9, "b": 9}) == {"a": 4, "b": 3}
    assert split(7, {"a": 1, "b": 9, "c": 9}) == {"a": 1, "b": 3, "c": 3}
    assert split(2, {"a": 5, "b": 5, "c": 5}) == {"a": 1, "b": 1, "c": 0}
    assert split(9, {"a": 1, "b": 0}) == {"a": 1, "b": 0}
    assert split(0, {"a": 1}) == {"a": 0}
    assert split(10**9, {"a": 10**9, "b": 10**9}) == {"a": 5 * 10**8, "b": 5 * 10**8}


def test_the_reserve_is_one_in_eight() -> None:
    """At least one where there are two."""
    assert [reserved_of(limit) for limit in (1, 2, 8, 15, 16, 64)] == [0, 1, 1, 1, 2, 8]


def test_who_is_idle_keeps_one_where_there_are_many() -> None:
    """So that its first call waits for no other engine."""
    busy = BudgetShare("a", "CARD", 64, None, 55, 8, 64)
    assert granted(BudgetShare("b", "CARD", 64), [busy], 0).goal == (1, 4)
    assert granted(BudgetShare("b", "CARD", 8), [busy._replace(at_once=8)], 0).goal == (0, 0)
