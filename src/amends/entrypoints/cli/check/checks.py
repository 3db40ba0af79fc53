"""``amends check``: every scenario of a definition, explored, and what came of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, NamedTuple

from rich.text import Text

from amends.checking import CheckResult, explore
from amends.checking.another_process import checked_in_another_process
from amends.checking.api import default_faults, replayed
from amends.checking.document import FORM, document_of
from amends.checking.exceptions import place_of, what_was_raised
from amends.checking.explore import Exploration
from amends.checking.replay_token import is_about, read_token
from amends.checking.usable import refuse_unusable
from amends.engine.round_trip import RoundTrip
from amends.entrypoints.cli.check.reproducers import write_reproducer
from amends.entrypoints.cli.definitions import load_scenarios
from amends.entrypoints.cli.store.documents import write_document
from amends.entrypoints.drawing.paper import FAINT, painted, paper
from amends.entrypoints.drawing.progress import progress_line
from amends.errors import UnusableInput
from amends.scenario import Scenario

HELD: Final = 0
COUNTEREXAMPLE: Final = 1
NO_ANSWER: Final = 3


class CheckOptions(NamedTuple):
    """What is asked of a check.

    Attributes:
        definition: its name.
        faults: at most; ``None`` for what is usual.
        max_states: stop after so many distinct worlds; ``None`` for what is usual.
        timeout_s: stop after so many seconds.
        as_json: whether to print a document in place of a picture.
        pytest: where to write a test that reproduces a counterexample; empty for nowhere.
        replay: a token to follow in place of a search; empty for none.
        operators: whether steps may be halted, and operators say what they may.
    """

    definition: str
    faults: int | None = None
    max_states: int | None = None
    timeout_s: float | None = None
    as_json: bool = False
    pytest: str = ""
    replay: str = ""
    operators: bool = False


def check_definition(wanted: CheckOptions) -> int:
    """Check a definition, and show the answers as they come.

    Returns:
        The exit code: 0 when all was looked at and held, 1 with a counterexample, 3 when a limit cut a search, or a
        scenario shows too little.

    Raises:
        UnusableInput: the definition, its scenarios or the token cannot be used.
    """
    scenarios = load_scenarios(wanted.definition)
    if wanted.operators:
        scenarios = {name: replace(scenario, operators=True) for name, scenario in scenarios.items()}
    if wanted.replay:
        scenarios = _meant(scenarios, wanted.replay)
    for name, scenario in scenarios.items():
        refuse_unusable(name, scenario)
    show = _print if wanted.as_json else _draw
    answers = show(wanted, _answers(wanted, scenarios))
    broken = [answer for answer in answers if answer.verdict == "counterexample"]
    if wanted.pytest and broken:
        sys.stderr.write(f"{write_reproducer(wanted.pytest, wanted.definition, broken[0])}\n")
    if broken:
        return COUNTEREXAMPLE
    return HELD if all(answer.verdict == "holds" for answer in answers) else NO_ANSWER


def _answers(wanted: CheckOptions, scenarios: Mapping[str, Scenario]) -> Iterator[CheckResult]:
    for name, scenario in scenarios.items():
        with blaming(name):
            found = replayed(scenario, wanted.replay) if wanted.replay else _explored(wanted, name, scenario)
        if found is None:
            sys.stderr.write(f"amends: {name}: followed to its end, nothing is broken there any more\n")
        else:
            yield CheckResult(name, scenario, found)


def _explored(wanted: CheckOptions, name: str, scenario: Scenario) -> Exploration:
    limits: dict[str, Any] = {} if wanted.max_states is None else {"max_states": wanted.max_states}
    faults = default_faults(scenario) if wanted.faults is None else wanted.faults
    with progress_line(name) as report:
        found = explore(
            scenario, faults=faults, timeout_s=wanted.timeout_s, report=report, read_back=RoundTrip, **limits
        )
    return checked_in_another_process(found)


@contextmanager
def blaming(name: str) -> Iterator[None]:
    """Turn what a scenario's own functions raise into `UnusableInput`: one line, with its place."""
    try:
        yield
    except UnusableInput:
        raise
    except Exception as error:
        if not place_of(error):
            raise  # our own fault: the whole traceback is wanted
        raise UnusableInput(f"{name}: cannot be checked: {what_was_raised(error)}") from error


def _meant(scenarios: Mapping[str, Scenario], text: str) -> dict[str, Scenario]:
    token = read_token(text)
    meant = {name: scenario for name, scenario in scenarios.items() if is_about(token, name)}
    if not meant:
        raise UnusableInput(f"the token is about none of these scenarios: {', '.join(scenarios)}")
    return meant


def _draw(wanted: CheckOptions, answers: Iterator[CheckResult]) -> list[CheckResult]:
    out, shown = paper(), []
    for answer in answers:
        is_named = wanted.definition.endswith(f":{answer.name}")
        out.title(wanted.definition if is_named else f"{wanted.definition}: {answer.name}")
        out.write(*painted(answer.lines(out.signs, out.width)))
        if answer.token and not wanted.replay:
            out.write(Text(f"   amends check {wanted.definition} --replay {answer.token}", FAINT))
        sys.stdout.flush()
        shown.append(answer)
    return shown


def _print(wanted: CheckOptions, answers: Iterator[CheckResult]) -> list[CheckResult]:
    begun = time.monotonic()
    shown = [*answers]
    checks, seconds = [document_of(answer) for answer in shown], round(time.monotonic() - begun, 3)
    write_document({"definition": wanted.definition, "checks": checks, "seconds": seconds}, FORM)
    return shown
