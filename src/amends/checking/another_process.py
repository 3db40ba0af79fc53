"""Asks functions again in one new process: with another hash seed, and with globals as they are at the start.

Only those that might answer something else there (`amends.checking.process_dependence`): most checks need no process.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from amends.checking.exceptions import name_of
from amends.checking.explore import Counterexample, Exploration, counterexample
from amends.checking.function_coverage import DeciderCall
from amends.checking.process_dependence import may_depend_on_process
from amends.checking.values import same, told
from amends.checking.world import Broken, World

LIMIT_S: Final = 60.0  # for all calls together, of which each took microseconds here
RULE: Final = "what differs between two calls does not matter"


class AnswersOfAnotherProcess(NamedTuple):
    """What came of it.

    Attributes:
        broken: the first function that answers something else there; ``None`` when all answer the same.
        not_asked: functions that could not be asked there, to why not.
    """

    broken: Broken | None
    not_asked: Mapping[str, str]


def ask_another_process(calls: list[DeciderCall]) -> AnswersOfAnotherProcess:
    """Make each call once more, in a new process."""
    not_asked: dict[str, str] = {}
    suspects = [each for each in calls if may_depend_on_process(each.function, each.given)]
    pickled = [(each, call) for each in suspects if (call := _pickled(each, not_asked)) is not None]
    answers = _said([call for _, call in pickled], _files(suspects), not_asked)
    for (each, _), (could, said) in zip(pickled, answers, strict=False):
        if not could:
            not_asked.setdefault(each.name, said)
        elif not same(each.said, said):
            text = (
                f"{each.name} gave {told(each.said)}, and in a new process {told(said)}: it depends on the order of a "
                "set, on a hash, or on what earlier calls left in a global"
            )
            return AnswersOfAnotherProcess(Broken(RULE, text), not_asked)
    return AnswersOfAnotherProcess(None, not_asked)


def _pickled(each: DeciderCall, not_asked: dict[str, str]) -> bytes | None:
    try:
        return pickle.dumps((each.function, each.given))
    except Exception:  # noqa: BLE001 - a function inside another, a value that cannot be sent
        why = f"{name_of(each.function)} or what it is asked with cannot be found by a name in its module"
        not_asked.setdefault(each.name, why)
        return None


def _said(calls: list[bytes], files: Mapping[str, str], not_asked: dict[str, str]) -> Iterator[tuple[bool, Any]]:
    if not calls:
        return
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "amends.checking.child"],
            input=pickle.dumps((sys.path, files, calls)),
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            timeout=LIMIT_S,
            check=True,
        )
        answers = pickle.loads(done.stdout)  # noqa: S301 - from our own child
    except (OSError, subprocess.SubprocessError, pickle.PickleError, EOFError) as error:
        not_asked["every function"] = f"the new process ended with {type(error).__name__}"
        return
    for each in answers:
        try:
            yield pickle.loads(each)  # noqa: S301 - from our own child
        except Exception as error:  # noqa: BLE001 - an answer of a class that only the child knows
            yield False, f"{type(error).__name__}: {error}"


def _files(calls: list[DeciderCall]) -> dict[str, str]:
    """The files of the functions' modules: one that a command loaded from a path is found by its name nowhere."""
    homes = dict.fromkeys(each.function.__module__ for each in calls)
    files = ((name, getattr(sys.modules.get(name), "__file__", None)) for name in homes)
    return {name: file for name, file in files if file}


def checked_in_another_process(found: Exploration) -> Exploration:
    """What was found, and, where all of it held, whether every function answers the same in a new process."""
    if not found.held:
        return found
    broken, not_asked = ask_another_process(found.moves.layout.coverage.calls)
    shown = _shown(found, broken) if broken else None
    return replace(found, counterexample=shown, not_asked_afresh=not_asked)


def _shown(found: Exploration, broken: Broken) -> Counterexample:
    """The way to where the function is asked first."""
    first = found.moves.layout.first(found.faults)
    ways: list[tuple[World, tuple[int, ...]]] = [(first, ())]
    met = {first}
    for world, places in ways:  # it grows
        for place, (move, after, _) in enumerate(found.moves.after(world)):
            if move.what == "acts" and broken.text.startswith(f"{move.step}/{move.kind.value} "):
                return counterexample(found.moves, first, (*places, place), broken)
            if after not in met:
                met.add(after)
                ways.append((after, (*places, place)))
    return Counterexample(broken, (), ())
