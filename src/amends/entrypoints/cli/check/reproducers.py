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

TEST: Final = '''"""Found by `amends {command} {definition}`: {rule}.

{picture}
"""

{imports}


def test_{name}() -> None:
    """{words}"""
    {call}
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
    assert answer.counterexample is not None, "only a counterexample is reproduced"
    name, more = answer.name, ", operators=True" if answer.scenario.operators else ""
    return _write(
        file,
        command="check",
        definition=definition,
        rule=answer.counterexample.broken.rule,
        picture=plain(answer.lines(ASCII)),
        imports=_imports(Path(file), definition, name, "amends", "check"),
        name=f"{name.lower()}_holds",
        words="Looks at the counterexample first, then at everything else within the bound.",
        call=f'check({name}, faults={answer.found.faults}, name="{name}", replay="{answer.token}"{more})',
    )


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
    setting = answer.settings[failure.place]
    name, hosts = setting.name, setting.hosts
    found_at = f"seed_{failure.seed}" if failure.seed else "replayed"
    more = (f", hosts={hosts}" if hosts > 1 else "") + (", apart=True" if setting.apart else "")
    return _write(
        file,
        command="simulate",
        definition=definition,
        rule=failure.broken.rule,
        picture=plain(answer.lines(ASCII)),
        imports=_imports(Path(file), definition, name, "amends.checking", "simulate"),
        name=f"{name.lower()}_{found_at}_{failure.broken.rule.split()[0]}",
        words="Plays the failing schedule first, then those of other seeds.",
        call=f'simulate({name}, name="{name}", seeds={SEEDS}{more}, replay="{answer.token}")',
    )


def _write(file: str, *, command: str, picture: str, **words: str) -> str:
    path, quoted = Path(file), picture.replace("\\", "\\\\").replace('"""', "'''")
    try:
        if path.exists() and f"Found by `amends {command} ".encode() not in path.read_bytes():
            raise UnusableInput(f"{file}: is there already, and is not from `amends {command} --pytest`; left alone")
        path.write_text(TEST.format(command=command, picture=quoted, **words), "utf-8")
    except OSError as error:
        raise UnusableInput(f"{file}: cannot be written: {error.strerror}") from error
    return f"amends: wrote {file}; it is red until the saga is mended: pytest {file}"


def _imports(path: Path, definition: str, scenario: str, source: str, function: str) -> str:
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
