"""What `amends.storage.ports.Ownership.share_places` promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from amends.errors import LeaseLost
from amends.storage.budgets import NO_PLACES, TURN_MS, BudgetGrant, BudgetShare, Places
from tests.contract.engines import LEASE_MS, Shared
from tests.contract.subjects import ONE_OWNER, owned


def asks(engine: str, wanted: int = 0, urgent: int = 0, *, keeps: Places = NO_PLACES, **told: object) -> BudgetShare:
    """Return what an engine asks of CARD, which takes 8 calls at once."""
    given = {"service": "CARD", "at_once": 8} | told
    return BudgetShare(engine, **given, common=keeps.common, reserved=keeps.reserved, wanted=wanted, urgent=urgent)  # type: ignore[arg-type]  # they are what a test gives


def places(grant: BudgetGrant) -> Places:
    """Return what an engine has."""
    return Places(grant.share.common, grant.share.reserved)


def ask(shared: Shared, engine: str, wanted: int = 0, urgent: int = 0, **more: object) -> BudgetGrant:
    """Return what an engine gets of CARD."""
    (grant,) = shared.ownership.share_places(engine, [asks(engine, wanted, urgent, **more)])  # type: ignore[arg-type]  # as above
    return grant


@pytest.mark.parametrize("kind", ONE_OWNER)
def test_the_only_engine_that_can_be_gets_all_of_them(kind: str, tmp_path: Path) -> None:
    """One in eight for compensations and probes alone."""
    with owned(kind, tmp_path) as subject:
        subject.ownership.enter("one", LEASE_MS)
        (grant,) = subject.ownership.share_places("", [asks("")])
        assert places(grant) == grant.goal == (7, 1)


def test_the_first_engine_gets_all_of_them(shared: Shared) -> None:
    """Of each budget that it asks for; what it was told of a rate counts for each place."""
    shared.engine("one")
    one, two = shared.ownership.share_places("one", [asks("one"), asks("one", service="MAIL", at_once=1, per_s=0.5)])
    assert (one.share.service, places(one), one.per_place) == ("CARD", (7, 1), None)
    assert (two.share.service, places(two), two.per_place) == ("MAIL", (1, 0), 0.5)


def test_who_comes_gets_what_is_given_back(shared: Shared) -> None:
    """Never more than there is: the first one is told what it is to keep, and has the others until it says so."""
    shared.engine("one")
    shared.engine("two")
    assert places(ask(shared, "one", 9)) == (7, 1)
    two = ask(shared, "two", 9)
    assert (places(two), two.goal) == ((0, 0), (3, 0))
    one = ask(shared, "one", 9, keeps=Places(7, 1))
    assert (places(one), one.goal) == ((7, 1), (4, 0))
    assert places(ask(shared, "two", 9)) == (0, 0)
    assert places(ask(shared, "one", 9, keeps=Places(5, 0))) == (5, 0)
    assert places(ask(shared, "two", 9)) == (2, 0)
    assert places(ask(shared, "one", 9, keeps=Places(4, 0))) == (4, 0)
    assert places(ask(shared, "two", 9, keeps=Places(2, 0))) == (3, 0)


def test_who_is_idle_keeps_nothing_that_others_need(shared: Shared) -> None:
    """And gets a share of what nobody needs."""
    shared.engine("one")
    shared.engine("two")
    ask(shared, "one")
    assert ask(shared, "two", 9).goal == (7, 0)
    assert ask(shared, "one", keeps=Places(7, 1)).goal == (0, 0)
    assert places(ask(shared, "one")) == (0, 0)
    assert places(ask(shared, "two", 9)) == (7, 0)
    ask(shared, "two", 1, keeps=Places(7, 0))
    assert ask(shared, "one").goal == (3, 0)


def test_the_reserve_goes_to_who_goes_back(shared: Shared) -> None:
    """At once, as no action takes it; and what compensations need beyond it comes before the actions of others."""
    shared.engine("one")
    shared.engine("two")
    ask(shared, "two")
    ask(shared, "one", 9)
    ask(shared, "two")
    assert places(ask(shared, "one", 9)) == (7, 0)
    two = ask(shared, "two", urgent=3)
    assert (places(two), two.goal) == ((0, 1), (2, 1))
    assert ask(shared, "one", 9, keeps=Places(7, 0)).goal == (5, 0)


def test_what_an_engine_has_ends_with_its_lease(shared: Shared) -> None:
    """Not when that runs out, as calls may be under way; when another engine ends it, or it leaves."""
    shared.engine("one")
    two = shared.engine("two")
    ask(shared, "one", 9)
    shared.clock.ms += LEASE_MS
    assert places(ask(shared, "two", 9)) == (0, 0)
    two.commit(fences=[two.next_block("one")])
    assert places(ask(shared, "two", 9)) == (7, 1)
    shared.engine("three")
    shared.ownership.leave("two")
    assert places(ask(shared, "three", 9)) == (7, 1)
    for gone in ("one", "two", "never"):
        with pytest.raises(LeaseLost):
            ask(shared, gone, 1)


def test_of_different_limits_the_smallest_one_counts(shared: Shared) -> None:
    """For every engine, and as long as the one is there that was told it."""
    shared.engine("one")
    shared.engine("two")
    ask(shared, "one", 9)
    assert places(ask(shared, "two", 9, at_once=2, per_s=10.0)) == (0, 0)
    one = ask(shared, "one", 9, keeps=Places(7, 1), per_s=40.0)
    assert (one.goal, one.per_place) == ((1, 0), 5.0)
    ask(shared, "one", 9, keeps=Places(1, 0))
    assert ask(shared, "two", 9, at_once=2).goal == (0, 0)
    shared.ownership.leave("two")
    assert places(ask(shared, "one", 9)) == (7, 1)


def test_what_was_not_given_is_not_had(shared: Shared) -> None:
    """An engine that believes that it has more, as after a failover that lost the last commits, is told what it has."""
    shared.engine("one")
    shared.engine("two")
    ask(shared, "one", 2)
    ask(shared, "two", 9)
    ask(shared, "one", 2, keeps=Places(2, 0))
    ask(shared, "two", 9)
    assert places(ask(shared, "one", 2, keeps=Places(7, 1))) == (2, 0)


def test_one_place_goes_round(shared: Shared) -> None:
    """Each engine has it for a turn, however much the others want."""
    names = ["one", "two", "three"]
    had: list[str] = []
    keeps = dict.fromkeys(names, Places())
    for name in names:
        shared.engine(name)
    for _ in range(30):
        shared.clock.ms += TURN_MS // 2
        for name in names:
            grant = ask(shared, name, 100 if name == "one" else 1, keeps=keeps[name], at_once=1)
            keeps[name] = min(places(grant), grant.goal)
            if sum(places(grant)) and had[-1:] != [name]:
                had.append(name)
    assert len(had) > 6
    assert all({*had[at : at + 3]} == {*names} for at in range(len(had) - 2))
