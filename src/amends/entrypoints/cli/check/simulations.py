"""``amends simulate``: a definition on the engine's own loop, seed after seed, and what came of it."""

from __future__ import annotations

import os
import sys
from typing import Any, Final, NamedTuple

from rich.text import Text

from amends.checking.simulator.answer import Simulated
from amends.checking.simulator.api import of_failure, replayed
from amends.checking.simulator.runs import Reached, SimulationResult, simulated
from amends.checking.simulator.schedule import by_seed
from amends.checking.simulator.setting import Setting
from amends.checking.usable import refuse_unusable
from amends.entrypoints.cli.check.checks import blaming
from amends.entrypoints.cli.check.reproducers import write_simulation
from amends.entrypoints.cli.definitions import load_scenarios
from amends.entrypoints.cli.store.documents import write_document
from amends.entrypoints.drawing.paper import FAINT, painted, paper
from amends.entrypoints.drawing.progress import status_line
from amends.lines import grouped

HELD: Final = 0
BROKEN: Final = 1
NOT_SEEN: Final = 1  # a run that never got where bugs are has shown nothing
FORM: Final = 1


class SimulationOptions(NamedTuple):
    """What is asked of a simulation.

    Attributes:
        definition: its name.
        seeds: how many.
        first: the first of them.
        seed: one of which everything is to be told; ``None`` for none.
        processes: among how many the seeds are divided; 0 for as many as there are processors.
        hosts: how many engines share a database at most; 1 for a database of its own.
        apart: whether each service has a store and engines of its own.
        as_json: whether to print a document in place of a picture.
        pytest: where to write a test that replays a failure; empty for nowhere.
        replay: a token to play in place of seeds; empty for none.
        whole: whether every moment of a failing schedule is told.
    """

    definition: str
    seeds: int = 1000
    first: int = 1
    seed: int | None = None
    processes: int = 0
    hosts: int = 1
    apart: bool = False
    as_json: bool = False
    pytest: str = ""
    replay: str = ""
    whole: bool = False


def simulate_definition(wanted: SimulationOptions) -> int:
    """Simulate a definition in all its scenarios, and show the answer.

    Returns:
        The exit code: 0 when all held, 1 when a rule was broken or what can be seen never was.

    Raises:
        UnusableInput: the definition, its scenarios or the token cannot be used.
    """
    scenarios = load_scenarios(wanted.definition)
    for name, scenario in scenarios.items():
        refuse_unusable(name, scenario)
    with blaming(wanted.definition):
        settings = [Setting(name, each, wanted.hosts, apart=wanted.apart) for name, each in scenarios.items()]
        if wanted.seed is not None:
            return _tell(settings, wanted.seed)
        found = _replayed(settings, wanted.replay) if wanted.replay else _found(settings, wanted)
    if found is None:
        sys.stderr.write("amends: played to its end, nothing is broken in it any more\n")
        return HELD
    answer = Simulated(wanted.definition, settings, found)
    if wanted.as_json:
        write_document({"definition": wanted.definition, **_document(answer)}, FORM)
    else:
        _draw(wanted, answer)
    if wanted.pytest and answer.failure is not None:
        sys.stderr.write(f"{write_simulation(wanted.pytest, wanted.definition, answer)}\n")
    return {"holds": HELD, "broken": BROKEN, "not seen": NOT_SEEN}[answer.verdict]


def _replayed(settings: list[Setting], token: str) -> SimulationResult | None:
    failure = replayed(settings, token)
    return of_failure(failure) if failure else None


def _found(settings: list[Setting], wanted: SimulationOptions) -> SimulationResult:
    processes = wanted.processes or os.cpu_count() or 1
    with status_line(_words) as report:
        return simulated(settings, wanted.seeds, wanted.first, processes, report)


def _words(reached: Reached) -> str:
    each_second = int(reached.schedules / reached.seconds) if reached.seconds else 0
    schedules = f"{grouped(reached.schedules)} of {grouped(reached.wanted)} schedules"
    return f"{schedules}, {grouped(each_second)}/s, {reached.seconds:.0f} s"


def _tell(settings: list[Setting], seed: int) -> int:
    """Everything that happens in the schedules of one seed."""
    code = HELD
    for setting in settings:
        played = by_seed(setting, seed, traced=True)
        sys.stdout.write("\n".join([f"{setting.name}, seed {seed}", *played.trace, ""]))
        rules = f"broken: {played.broken.rule}: {played.broken.text}" if played.broken else "all rules hold"
        sys.stdout.write(f"{rules}; digest {played.head.hex()[:16]}\n\n")
        code = BROKEN if played.broken else code
    return code


def _draw(wanted: SimulationOptions, answer: Simulated) -> None:
    out = paper()
    out.title(wanted.definition)
    out.write(*painted(answer.lines(out.signs, out.width, whole=wanted.whole)))
    if answer.token and not wanted.replay:
        out.write(Text(f"   amends simulate {wanted.definition} --replay {answer.token}", FAINT))


def _document(answer: Simulated) -> dict[str, Any]:
    found, failure = answer.found, answer.failure
    return {
        "verdict": answer.verdict,
        "scenarios": [setting.name for setting in answer.settings],
        "hosts": answer.settings[0].hosts,
        "apart": answer.settings[0].apart,
        "first": found.first,
        "seeds": found.seeds,
        "schedules": found.schedules,
        "sagas": found.sagas,
        "moments": found.moments,
        "seen": dict(sorted(found.seen.items())),
        "not_seen": answer.missing,
        "out_of_reach": answer.out_of_reach,
        "digest": found.digest,
        "failure": None
        if failure is None
        else {
            "scenario": answer.settings[failure.place].name,
            "seed": failure.seed,
            "rule": failure.broken.rule,
            "text": failure.broken.text,
            "trace": [*failure.trace],
            "token": answer.token,
        },
        "seconds": round(found.seconds, 3),
    }
