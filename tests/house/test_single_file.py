"""The build in one file: it runs on every Python at hand, and refuses source that it could not hold."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.house.interpreters import interpreters
from tools.single_file import EXAMPLES, ROOT, CannotFlatten, flatten, read, take_apart, write

IMPORT_IT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import main
session = main.Session()
print(json.dumps([session.process(batch) for batch in json.load(sys.stdin)]))
print(json.dumps(main.ecommerce_saga_processor([])))
"""


def examples(part: str) -> list[Any]:
    """Return a part of each example: its operations, or its report."""
    return [json.loads((ROOT / "examples" / f"{name}.json").read_text("utf-8"))[part] for name in EXAMPLES]


def isolated(python: Path, *arguments: str | Path, given: str = "") -> list[Any]:
    """Run an interpreter without site-packages, and return what it prints: one JSON document a line."""
    command: list[str | Path] = [python, "-I", "-S", "-W", "error", *arguments]
    run = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.parametrize("python", interpreters().values(), ids=list(interpreters()))
def test_prints_both_examples(python: Path, single_file_path: Path) -> None:
    """As a program it prints the two reports of the examples, as one session."""
    assert isolated(python, single_file_path) == examples("report")


@pytest.mark.parametrize("python", interpreters().values(), ids=list(interpreters()))
def test_can_be_imported(python: Path, single_file_path: Path) -> None:
    """As a module it gives the session and the function."""
    given = json.dumps(examples("operations"))
    reports, empty = isolated(python, "-c", IMPORT_IT, single_file_path.parent, given=given)
    assert reports == examples("report")
    assert empty == {"customers": {}, "products": {}, "orders": {}, "saga_log": []}


def test_can_be_executed_as_a_string(single_file_path: Path) -> None:
    """A page that runs Python hands the text to `exec`, with a namespace that is no module."""
    namespaces: list[dict[str, Any]] = [{}, {"__name__": "__page__"}]
    for namespace in namespaces:
        exec(single_file_path.read_text("utf-8"), namespace)  # noqa: S102  # this is what such a page does
        assert namespace["ecommerce_saga_processor"]([])["saga_log"] == []


def test_the_tool_needs_no_package(tmp_path: Path) -> None:
    """`make single-file` runs the tool on a Python that has nothing installed."""
    target = tmp_path / "main.py"
    command = [sys.executable, "-I", "-S", str(ROOT / "tools" / "single_file.py"), str(target)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert "Session" in runpy.run_path(str(target))


def test_the_same_source_gives_the_same_file(tmp_path: Path, single_file_path: Path) -> None:
    """The build knows no date and no order of a set."""
    assert write(tmp_path / "main.py").read_bytes() == single_file_path.read_bytes()


def test_holds_every_module_of_core_and_shop() -> None:
    """Only the views, the scenarios and the `__init__` files, which hand names on, stay out."""
    source = ROOT / "src" / "amends"
    names = {path.stem for folder in ("core", "shop") for path in (source / folder).glob("*.py")}
    assert {module.name.rpartition(".")[2] for module in read(ROOT / "src")} - {
        "declared",
        "errors",
        "generic",
    } == names - {
        "__init__",
        "scenarios",
        "views",
    }


def run(*sources: str) -> dict[str, object]:
    """Flatten modules named a, b, ... and return what the file defines; the session is a stand-in."""
    modules = [take_apart(f"amends.core.{chr(97 + place)}", source) for place, source in enumerate(sources)]
    namespace: dict[str, object] = {}
    exec(flatten(modules, []), namespace)  # noqa: S102  # the file is what is tested
    return namespace


def test_modules_stand_in_the_order_of_their_imports() -> None:
    """What a module needs while it is imported stands before it."""
    assert (
        run("from amends.core.b import B\nA = B + 1\n", "from .c import (\n    C,\n)\nB = C + 1\n", "C = 1\n")["A"] == 3
    )


def test_an_import_in_a_function_gives_no_order() -> None:
    """An import that waits for the call is how two modules use each other."""
    lazy = "def a():\n    from amends.core.b import B\n    return B\n"
    defined = run(lazy, "from amends.core.a import a\nB = 1\n")
    assert defined["a"]() == 1  # type: ignore[operator]


def test_imports_for_types_alone_give_no_order() -> None:
    """Below `TYPE_CHECKING` two modules may name each other."""
    below = "if TYPE_CHECKING:\n    import math\n    from amends.core.b import B\n"
    first = f"from typing import TYPE_CHECKING\n{below}A = 1\n"
    assert run(first, "from amends.core.a import A\nB = A + 1\n")["B"] == 2


def test_text_that_looks_like_an_import_stays() -> None:
    """Only the statements are cut, wherever the words stand."""
    words = "\nimport json\nfrom amends import x\n"
    source = f'"""Doc."""\nfrom __future__ import annotations\n__all__ = ["A"]\nA = """{words}"""\n'
    assert run(source)["A"] == words


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (["A = 1\n", "A = 2\n"], "A is defined twice: by amends.core.b, and by amends.core.a"),
        (["def filter(): pass\n"], "amends.core.a defines filter, which hides the builtin"),
        (
            ["from amends.core.b import B as C\n", "B = 1\n"],
            "amends.core.a, line 1: import B under its own name",
        ),
        (["from amends.core.b import *\n", "B = 1\n"], "amends.core.a, line 1: import * under its own name"),
        (["import amends.core.b\n", "B = 1\n"], "line 1: write `from amends.core.x import Name`"),
        (["from amends.core import b\n", "B = 1\n"], "line 1: none of the modules defines b"),
        (["\nimport numpy\n"], "amends.core.a, line 2: numpy is not of the standard library"),
        (["import json as j\n"], "line 1: import json under its own name"),
        (["from json import loads\n", "def loads(): pass\n"], "loads is defined twice"),
        (["import datetime\n", "from datetime import datetime\n"], "datetime is two things"),
        (
            ["from amends.core.b import B\nA = 1\n", "from amends.core.a import A\nB = 1\n"],
            "modules import each other",
        ),
        (["import json; A = 1\n"], "line 1: give this statement lines of its own"),
        (["if TYPE_CHECKING:\n    A = 1\n"], "line 2: below `if TYPE_CHECKING:` only imports"),
        (["if TYPE_CHECKING:\n    import math\nelse:\n    A = 1\n"], "only imports can be left out"),
        (["_print_examples = 1\n"], "_print_examples is defined twice"),
    ],
)
def test_refuses_what_one_file_cannot_hold(sources: list[str], words: str) -> None:
    """A form that would mean something else in one namespace is an error that names the place."""
    with pytest.raises(CannotFlatten) as caught:
        run(*sources)
    assert words in str(caught.value)
