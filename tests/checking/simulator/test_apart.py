"""Services in stores of their own, behind a wire that keeps no promise: all that must hold holds, in each store."""

from __future__ import annotations

from collections import Counter

import pytest

from amends.auditing.recompute import recompute
from amends.auditing.verify import verify
from amends.checking import simulate
from amends.checking.simulator.api import replayed
from amends.checking.simulator.chance import Seeded
from amends.checking.simulator.coverage import SOMETIMES
from amends.checking.simulator.replay_token import read_token, token_of
from amends.checking.simulator.runs import simulated
from amends.checking.simulator.setting import Setting
from amends.checking.simulator.world import SimulatedWorld
from amends.errors import UnusableInput
from tests.checking.simulator.sagas import SCENARIOS

FIRST, SEEDS = 12, 5  # in each of nine scenarios: what is seen is seen within these
FAILED = [("mended", 21), ("outside", 1001)]


def expect_sound(world: SimulatedWorld) -> None:
    """See that every store verifies, and that all of it follows from its records."""
    for site in world.sites:
        assert not [*verify(site.store).findings], site.service
        assert not [*recompute(site.store, world.setting.played, elsewhere=site.elsewhere).findings], site.service


def played(name: str, first: int, seeds: int, hosts: int = 1) -> Counter[str]:
    """Play schedules of a scenario, each of which has to hold; gives what was seen."""
    setting, seen = Setting(name, SCENARIOS[name], hosts, apart=True), Counter[str]()
    for seed in range(first, first + seeds):
        world = SimulatedWorld(setting, Seeded(seed))
        world.play()
        assert world.broken is None, (name, seed, world.broken)
        expect_sound(world)
        seen.update(world.seen)
    return seen


def test_it_holds_with_services_apart() -> None:
    """Every rule, in every schedule of every scenario; and what is rare about messages was seen."""
    seen = Counter[str]()
    for name in SCENARIOS:
        seen.update(played(name, FIRST, SEEDS))
    assert {name for name, reach in SOMETIMES.items() if {"apart", "hosted"} & {*reach}} <= {*seen}


@pytest.mark.torture
@pytest.mark.parametrize("hosts", [1, 2])
@pytest.mark.parametrize("name", SCENARIOS)
def test_it_holds_with_services_apart_for_long(name: str, hosts: int) -> None:
    """The same, with many more seeds, and with several engines on each store."""
    played(name, 1_000, 1_000 // hosts**2, hosts)


@pytest.mark.parametrize("name", ["shop", "crowd"])
def test_it_holds_with_several_hosts_of_each_service(name: str) -> None:
    """Coordinators share a store, and so do the hosts of each service."""
    played(name, 1, 2, hosts=2)


@pytest.mark.parametrize(("name", "seed"), FAILED)
def test_a_seed_that_failed_with_services_apart_holds(name: str, seed: int) -> None:
    """A refusal that nobody remembered was taken for a proof; clocks that differ by an attempt's time."""
    played(name, seed, 1)


def test_the_same_seed_gives_the_same_bytes_with_services_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Played twice, and among two processes."""
    monkeypatch.setattr("amends.checking.simulator.runs.CHUNK", 3)  # each process gets some of few seeds
    one, two = (simulated([Setting("shop", SCENARIOS["shop"], apart=True)], 6, processes=n) for n in (1, 2))
    assert one._replace(seconds=0) == two._replace(seconds=0)


def test_a_token_says_that_services_are_apart() -> None:
    """It is played with no other setting."""
    apart, together = (Setting("shop", SCENARIOS["shop"], apart=apart) for apart in (True, False))
    token = token_of(apart, {("client 1", 0): 1})
    assert read_token(token).apart
    assert replayed([apart], token) is None
    with pytest.raises(UnusableInput, match="services apart: give --apart"):
        replayed([together], token)
    with pytest.raises(UnusableInput, match="one store: leave out --apart"):
        replayed([apart], token_of(together, {}))


def test_a_saga_is_simulated_with_its_services_apart() -> None:
    """In one line of a test."""
    answer = simulate(SCENARIOS["shop"], seeds=3, apart=True)
    assert answer.holds
    assert "all services are in one store" not in answer.out_of_reach
