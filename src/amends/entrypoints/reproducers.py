"""``amends check --pytest FILE``: a test that is red for as long as the counterexample is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from amends.checking import Answer
from amends.checking.signs import ASCII, plain
from amends.entrypoints.definitions import SCENARIOS_OF_THE_SHOP, SHOP, parted
from amends.errors import UnusableInput

TEST: Final = '''"""Found by `amends check {definition}`: {rule}.

{picture}
"""

{imports}


def test_{name}_holds() -> None:
    """Looks at the counterexample first, then at everything else within the bound."""
    check({scenario}, faults={faults}, name="{scenario}", replay="{token}")
'''


def write_reproducer(file: str, definition: str, answer: Answer) -> str:
    """Write the test, and give a line that says so.

    Args:
        file: where to.
        definition: that was checked.
        answer: with a counterexample.

    Raises:
        UnusableInput: there is something else, or it cannot be written.
    """
    path = Path(file)
    text = _test(path, definition, answer)
    try:
        if path.exists() and b"Found by `amends check " not in path.read_bytes():
            raise UnusableInput(f"{file}: is there already, and is not from `amends check --pytest`; left alone")
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UnusableInput(f"{file}: cannot be written: {error.strerror}") from error
    return f"amends: wrote {file}; it is red until the saga is mended: pytest {file}"


def _test(path: Path, definition: str, answer: Answer) -> str:
    assert answer.counterexample is not None, "only a counterexample is reproduced"
    picture = plain(answer.lines(ASCII)).replace("\\", "\\\\").replace('"""', "'''")
    return TEST.format(
        definition=definition,
        rule=answer.counterexample.broken.rule,
        picture=picture,
        imports=_imports(path, definition, answer.name),
        name=answer.name.lower(),
        scenario=answer.name,
        faults=answer.found.faults,
        token=answer.token,
    )


def _imports(path: Path, definition: str, scenario: str) -> str:
    home = SCENARIOS_OF_THE_SHOP if definition == SHOP else parted(definition)[0]
    if not home.endswith(".py"):
        return f"from {home} import {scenario}\n\nfrom amends import check"
    folder = os.path.relpath(Path(home).resolve().parent, path.resolve().parent).replace(os.sep, "/")
    here = "Path(__file__).resolve().parent" + ("" if folder == "." else f' / "{folder}"')
    lines = [
        "import sys",
        "from pathlib import Path",
        "",
        "from amends import check",
        "",
        f"sys.path.insert(0, str({here}))",
    ]
    return "\n".join([*lines, f"from {Path(home).stem} import {scenario}  # noqa: E402"])
