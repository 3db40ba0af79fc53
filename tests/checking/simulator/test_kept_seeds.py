"""Schedules that failed once, each by the scenario, the seed and the rule that it broke: red again if the bug is back.

A failing seed of a run is kept here: its token is at the end of what ``amends simulate`` prints.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from amends.checking.simulator.api import replayed
from amends.checking.simulator.setting import Setting
from amends.shop.scenarios import ONE_ORDER
from tests.checking.simulator.engine_bugs import BUGS
from tests.checking.simulator.host_bugs import RARE
from tests.checking.simulator.sagas import SCENARIOS
from tests.checking.simulator.test_engine_bugs import plant


class Kept(NamedTuple):
    """A schedule that failed.

    Attributes:
        seed: of which it was.
        scenario: of `sagas.SCENARIOS`.
        rule: the number of the rule that it broke.
        bug: of `engine_bugs.BUGS` or `host_bugs.RARE`, with which it did.
        token: the schedule, made small.
        hosts: on how many hosts engines share a database at most.
    """

    seed: int
    scenario: str
    rule: str
    bug: str
    token: str
    hosts: int = 1


KEPT = [
    Kept(52, "shop", "V16", "a commit of which nobody knows is retried blindly",
         "amends-s1-eNpNzEEKgzAQBdCryF_PIhkTFa9SughRacDU0ghdiHc3aULTzcC8_2duYGHtYk3b6UmJfhAghMf2Ah0IH_P2GA8IjEzgPOPSnwS7uvm5hxKr"
         "nzQyUexKoYeqnDRGknLW_l2ocsGVdPkrE23euz1BlzuLces8NdW_xfN-AWmMORw"),
    Kept(9, "trip", "V08", "the due time is that of the last member",
         "amends-s1-eNqLVjKzSDJJMjM2MzBIS7MwSjJR0lEqKcosUNKpVnJ2DIp38vf3dnXRT8lXsqpWMlCyMtRRMgSStTpKHv4hrj6o8mCZ2lgAyswW4A"),
    # An engine that stood still handed shards over after its lease, between two looks of the one that took over.
    Kept(68, "shop", "V23", "the shards of a dead engine are looked at before the end of its chain",
         "amends-s1-eNo9jkEKwyAQRa9SZu3CUaMmVylZiGlJQGOpQhYhd686oavHPN6HeYLg3r-9k3pYFDeWA4O8pg-wE_LhvhGmszYw6YvBmnLJTdQb6-3D9tr_RlRzuK30hb"
         "iLFCOZoQYMEAmW8lzcvjxy2UJojVZ1xUAPBEsYO4zpGGUHckpRkEYpiIrfRKLR7ZGLyfkHFEg6EA", 3),
]  # fmt: skip


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: f"{kept.scenario}_seed_{kept.seed}_{kept.rule}")
def test_a_seed_that_failed_holds(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds today; with its bug it breaks the same rule, in the same schedule."""
    settings = [Setting(kept.scenario, SCENARIOS[kept.scenario], kept.hosts)]
    assert replayed(settings, kept.token) is None
    plant(next(bug for bug in (*BUGS, *RARE) if bug.name == kept.bug), monkeypatch)
    again = replayed(settings, kept.token)
    assert again is not None, "the schedule does not meet its bug any more: find it anew, by the seeds"
    assert again.broken.rule.split()[0] == kept.rule


STOOD_STILL = (
    "amends-s1-eNqLVjIySE5OS040NjNNMTEwtzBQ0lHy93ON9w9ycQ1S0qlWKi5PLMpVsqpWMlCyMtYBKleyMqnVUUrOyUzNKymGSpgBRYpLEvNSFIpL"
    "MnNyQKKGxkpWhjpKhiYQyhRCmUEocwhlAaRqa2MBX60iPw"
)


def test_who_has_a_file_alone_may_stand_still_within_a_turn() -> None:
    """Seed 3582 of the shop: no server is there that would end what a turn has begun, as the simulated one did."""
    assert replayed([Setting("ONE_ORDER", ONE_ORDER)], STOOD_STILL) is None
