"""`simulate`: what holds, what breaks, what is never seen; how a failure is made small, kept and replayed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from amends import Call, Changed, Done, Saga, Scenario, external, local
from amends.checking import Simulated, SimulationFailed, simulate
from amends.checking.simulator import coverage
from amends.checking.simulator.answer import telling
from amends.checking.simulator.api import replayed
from amends.checking.simulator.chance import Listed, RecordedChance, Seeded
from amends.checking.simulator.coverage import SOMETIMES, never_seen
from amends.checking.simulator.replay_token import FORM, read_token, token_of
from amends.checking.simulator.runs import simulated
from amends.checking.simulator.schedule import by_list, by_seed, draws_of
from amends.checking.simulator.setting import Setting
from amends.errors import UnusableInput
from examples.tickets import ada
from tests.checking.simulator.sagas import BROKEN, JOBS, SCENARIOS, SHELF, together

SEEDS = 22  # in each of nine scenarios: everything is seen within the first twenty of each


def test_it_holds() -> None:
    """Every rule, in every schedule; and all was seen in one scenario or another: what is never seen is not tested."""
    seen = set[str]()
    for name in SCENARIOS:  # in one test, so that no worker plays them again to see what is rare
        setting = Setting(name, SCENARIOS[name])
        found = simulated([setting], SEEDS)
        assert found.failure is None, str(Simulated(name, [setting], found))
        assert found.schedules == SEEDS
        seen |= {what for what, times in found.seen.items() if times}
    alone = {name for name, reach in SOMETIMES.items() if not {"shared", "apart", "hosted"} & {*reach}}
    assert not alone - seen


def test_a_run_that_never_saw_something_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what; with few schedules it only says so."""
    monkeypatch.setattr(coverage, "SOMETIMES", {**SOMETIMES, "pigs fly": ("local",)})
    assert simulate(SCENARIOS["shop"], seeds=3).holds
    monkeypatch.setattr("amends.checking.simulator.answer.ENOUGH", 60)
    with pytest.raises(SimulationFailed, match=r"(?s)never happened.*pigs fly") as failed:
        simulate(SCENARIOS["shop"], seeds=60)
    assert failed.value.answer.verdict == "not seen"


def test_what_cannot_be_come_to_is_not_asked_for() -> None:
    """A saga of local steps alone sends nothing, so nothing is lost."""
    local, outside = (Setting(name, SCENARIOS[name]).shape() for name in ("shop", "together"))
    assert "a request lost" not in never_seen([local], {})
    assert {"a request lost", "deadline passed"} <= {*never_seen([outside], {})}
    assert "answered later" not in never_seen([outside], {})


def test_what_cannot_be_come_to_is_said_with_why() -> None:
    """In a line; the document names all of it."""
    answer = simulate(SCENARIOS["shop"], seeds=3)
    assert (
        "every step is carried out in a turn: crash between commit and send, crash between two sends and"
        in " ".join(str(answer).split())
    )
    assert answer.out_of_reach["it has no deadline_s"] == ["deadline passed"]
    known = {name for names in answer.out_of_reach.values() for name in names}
    assert known == SOMETIMES.keys() - {*never_seen([Setting("shop", SCENARIOS["shop"]).shape()], {})}


def test_of_a_long_failure_what_matters_is_told() -> None:
    """The sagas that the rule names, crashes and starts; no more than a screen of 40 lines, and how to see the rest."""
    others = [f"  {number}.000 s  CARD         e1-{number} CARD_CHARGED/do #1: did it" for number in range(2, 90)]
    mine = [f"  {number}.000 s  store        block {number}: e1-1: CARD_CHARGED/do asked again" for number in range(40)]
    crash = "  9.000 s  engine 1     crashes: before a commit"
    told = [*telling([*others, crash, *mine[:5]], "e1-1 is compensated, and CARD_CHARGED stands 1 times")]
    assert told == [crash, *mine[:5], "88 moments left out; all of it: --whole"]
    told = [*telling([*others, crash, *mine], "e1-1 is compensated, and CARD_CHARGED stands 1 times")]
    assert (len(told), told[0], told[-2]) == (32, crash, mine[-1])
    assert [*telling(mine[:30], "e1-1 and e1-2")] == mine[:30]


def test_an_entity_without_a_type_and_an_answer_that_is_a_dict_are_simulated() -> None:
    """Both are read back as plain JSON, in every schedule."""

    def take(kept: Any, buy: Any) -> Changed:
        return Changed({"free": kept["free"] - buy["seats"]}, {"taken": [buy["seats"]]})

    def give(kept: Any, buy: Any, call: Call) -> Any:
        return {"free": kept["free"] + call.answer["taken"][0]}

    def charge(bank: Any, buy: Any, call: Call) -> Done:
        return Done({"receipt": call.answers["SEATS_HELD"]["taken"]})

    steps = [
        local("SEATS_HELD", take, undo=give, undone="SEATS_FREED", entity=lambda buy: buy["show"]),
        external("CARD_CHARGED", charge, pivot=True),
    ]
    scenario = Scenario(Saga("plain", dict, steps), {"SEATS": {"Lear": {"free": 9}}}, [{"show": "Lear", "seats": 2}])
    assert simulate(scenario, seeds=40).holds


@pytest.fixture(scope="module")
def broken() -> SimulationFailed:
    """Return what is said of the ticket sale that most tutorials have."""
    with pytest.raises(SimulationFailed) as failed:
        simulate(BROKEN, seeds=300, name="ada")
    return failed.value


def test_what_breaks_is_made_small_and_told(broken: SimulationFailed) -> None:
    """A charge that nobody heard of is not given back."""
    text, failure = str(broken), broken.answer.failure
    assert failure is not None
    assert failure.broken.rule == "V03 all or nothing is left"
    assert "CARD_CHARGED stands 1 times" in text
    assert len(failure.draws) <= 12 < failure.drawn
    assert len(failure.trace) < 60


def test_a_token_plays_the_failure_again(broken: SimulationFailed) -> None:
    """And nothing else; it is red for as long as the failure is there."""
    token, setting = broken.answer.token, Setting("ada", BROKEN)
    again = replayed([setting], token)
    assert again is not None
    assert again.trace == broken.answer.failure.trace  # type: ignore[union-attr]
    with pytest.raises(SimulationFailed):
        simulate(BROKEN, seeds=1, first=0, name="ada", replay=token)
    assert simulate(SCENARIOS["mended"], seeds=1, replay=token).holds  # another saga: the token is passed over


@pytest.mark.parametrize("text", ["", "amends1-abc", FORM, f"{FORM}!", f"{FORM}AAAA", f"{FORM}eJwDAAAAAAE"])
def test_what_is_no_token_is_refused(text: str) -> None:
    """In one line."""
    with pytest.raises(UnusableInput, match="is no token"):
        read_token(text)


def test_a_token_of_something_else_is_refused() -> None:
    """Of another scenario, and of the definition as it was."""
    setting = Setting("ada", ada)
    token = token_of(setting, {("client 1", 0): 1})
    assert read_token(token).draws == {("client 1", 0): 1}
    with pytest.raises(UnusableInput, match="scenario 'ada', and there are: bob"):
        replayed([Setting("bob", ada)], token)
    with pytest.raises(UnusableInput, match="as it was"):
        replayed([Setting("ada", SCENARIOS["mended"])], token)
    assert replayed([setting], token) is None


def test_several_processes_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same digest, the same counters, the same failure."""
    monkeypatch.setattr("amends.checking.simulator.runs.CHUNK", 5)  # each process gets some of few seeds
    monkeypatch.setattr("amends.checking.simulator.shrink.TRIES_MAX", 0)
    settings = [Setting("together", SCENARIOS["together"])]
    one, two = (simulated(settings, 20, processes=processes) for processes in (1, 2))
    assert one._replace(seconds=0) == two._replace(seconds=0)
    wrong = [Setting("ada", BROKEN)]
    assert simulated(wrong, 40).failure == simulated(wrong, 40, processes=2).failure is not None


@pytest.mark.parametrize("name", ["shop", "moody"])
def test_a_list_plays_what_its_seed_played(name: str) -> None:
    """Seeded, recorded and listed chance come to the same bytes."""
    setting = Setting(name, SCENARIOS[name])
    for seed in range(20):
        played = by_seed(setting, seed, traced=True)
        assert by_list(setting, draws_of(setting, seed), traced=True) == played
        assert not any(moment.rstrip().endswith(":") for moment in played.trace), "of what nothing became, no colon"


def _sources() -> Iterator[Listed | RecordedChance | Seeded]:
    recorded = RecordedChance(7)
    yield from (Seeded(7), recorded)
    yield Listed(recorded.draws)


def test_chance_is_the_same_however_it_is_kept() -> None:
    """Draw by draw; what cannot happen is not drawn for, and nothing goes wrong once all is calm."""
    ways = []
    for chance in _sources():
        drawn = [chance.below("a", 10), chance.hit("b", 500), chance.hit("b", 0), chance.pick("c", (300, 300))]
        drawn += [chance.pick("c", (0, 0)), chance.after("d", 5), chance.after("d", 0), chance.below("a", 3)]
        chance.calm()
        ways.append(drawn)
    assert ways[0] == ways[1] == ways[2]
    calm = Listed({("b", 0): 1, ("c", 0): 2, ("d", 0): 3})
    calm.calm()
    assert (calm.hit("b", 1000), calm.pick("c", (1, 1)), calm.after("d", 1)) == (False, 0, 0)


def test_a_rule_of_the_scenario_is_looked_at_all_the_time() -> None:
    """`never`, with the words of the rule."""

    def shelf_is_touched(given: dict[str, dict[str, int]]) -> str:
        return "somebody took from a" if given["SHELF"]["a"] < 4 else ""

    scenario = Scenario(together(), SHELF, JOBS, never=[shelf_is_touched])  # type: ignore[list-item]
    with pytest.raises(SimulationFailed, match="never what must not be"):
        simulate(scenario, seeds=20)


def test_a_saga_stands_alone_with_given_and_requests() -> None:
    """As `check` takes it; what it does not have is refused."""
    assert simulate(together(probe=print, settles_within_s=30), given=SHELF, requests=JOBS, seeds=5).holds
    with pytest.raises(UnusableInput, match="no requests"):
        simulate(together(), given=SHELF, requests=[], seeds=1)
    with pytest.raises(UnusableInput, match="names the service 'SHELVES'"):
        simulate(together(), given={"SHELVES": {}}, requests=JOBS, seeds=1)
