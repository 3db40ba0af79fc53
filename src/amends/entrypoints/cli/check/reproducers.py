"""``amends check --pytest FILE``, ``amends simulate --pytest FILE``: a test that is red while the failure is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from amends.checking import CheckResult
from amends.checking.simulator.answer import Simulated
from amends.entrypoints.cli.definitions import SCENARIOS_OF_THE_SHOP, SHOP, parted
from amends.errors import UnusableInput
from amends.lines import ASCII, plain

TEST: Final = '''"""Found by `amends check {definition}`: {rule}.

{picture}
"""

{imports}


def test_{name}_holds() -> None:
    """Looks at the counterexample first, then at everything else within the bound."""
    check({scenario}, faults={faults}, name="{scenario}", replay="{token}"{operators})
'''


SIMULATION: Final = '''"""Found by `amends simulate {definition}`: {rule}.

{picture}
"""

{imports}


def test_{name}_{found_at}_{rule_number}() -> None:
    """Plays the failing schedule first, then those of other seeds."""
    simulate({scenario}, name="{scenario}", seeds={seeds}{hosts}, replay="{token}")
'''
SEEDS: Final = 200  # that a test plays once it is green: a second or two


def write_reproducer(file: str, definition: str, answer: CheckResult) -> str:
    """Write the test, and give a line that says so.

    Args:
        file: where to.
        definition: that was checked.
        answer: with a counterexample.

    Raises:
        UnusableInput: there is something else, or it cannot be written.
    """
    return _written(file, _test(Path(file), definition, answer), "check")


def write_simulation(file: str, definition: str, answer: Simulated) -> str:
    """Write a test that plays a failing schedule, and give a line that says so.

    Args:
        file: where to.
        definition: that was simulated.
        answer: with a failure.

    Raises:
        UnusableInput: there is something else, or it cannot be written.
    """
    failure = answer.failure
    assert failure is not None, "only a failure is replayed"
    scenario, hosts = answer.settings[failure.place].name, answer.settings[failure.place].hosts
    text = SIMULATION.format(
        definition=definition,
        rule=failure.broken.rule,
        picture=_quoted(plain(answer.lines(ASCII))),
        imports=_imports(Path(file), definition, scenario, "simulate"),
        name=scenario.lower(),
        found_at=f"seed_{failure.seed}" if failure.seed else "replayed",
        rule_number=failure.broken.rule.split()[0],
        scenario=scenario,
        hosts=f", hosts={hosts}" if hosts > 1 else "",
        seeds=SEEDS,
        token=answer.token,
    )
    return _written(file, text, "simulate")


def _written(file: str, text: str, command: str) -> str:
    path = Path(file)
    try:
        if path.exists() and f"Found by `amends {command} ".encode() not in path.read_bytes():
            raise UnusableInput(f"{file}: is there already, and is not from `amends {command} --pytest`; left alone")
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UnusableInput(f"{file}: cannot be written: {error.strerror}") from error
    return f"amends: wrote {file}; it is red until the saga is mended: pytest {file}"


def _test(path: Path, definition: str, answer: CheckResult) -> str:
    assert answer.counterexample is not None, "only a counterexample is reproduced"
    picture = _quoted(plain(answer.lines(ASCII)))
    return TEST.format(
        definition=definition,
        rule=answer.counterexample.broken.rule,
        picture=picture,
        imports=_imports(path, definition, answer.name),
        name=answer.name.lower(),
        scenario=answer.name,
        faults=answer.found.faults,
        token=answer.token,
        operators=", operators=True" if answer.scenario.operators else "",
    )


def _quoted(picture: str) -> str:
    return picture.replace("\\", "\\\\").replace('"""', "'''")


def _imports(path: Path, definition: str, scenario: str, function: str = "check") -> str:
    source = "amends" if function == "check" else "amends.checking"
    home = SCENARIOS_OF_THE_SHOP if definition == SHOP else parted(definition)[0]
    if not home.endswith(".py"):
        return f"from {home} import {scenario}\n\nfrom {source} import {function}"
    folder = os.path.relpath(Path(home).resolve().parent, path.resolve().parent).replace(os.sep, "/")
    here = "Path(__file__).resolve().parent" + ("" if folder == "." else f' / "{folder}"')
    lines = [
        "import sys",
        "from pathlib import Path",
        "",
        f"from {source} import {function}",
        "",
        f"sys.path.insert(0, str({here}))",
    ]
    return "\n".join([*lines, f"from {Path(home).stem} import {scenario}  # noqa: E402"])
