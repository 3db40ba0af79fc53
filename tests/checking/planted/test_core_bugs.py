"""A bug in the core is found: each is planted in a copy of the package, and looked for there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checking.drawn import counted, same_as_drawn
from tests.checking.planted.core_bugs import BUGS, Bug
from tests.house.source import AMENDS, ROOT

TRACES = Path(__file__).parent / "traces"
HELD_WITH = sorted({(bug.scenario, max(bug.faults, 2)) for bug in BUGS})


def look(source: Path, scenario: str, faults: int) -> str:
    """Return what a copy of the package finds of a scenario, in a process of its own without any package."""
    environment = {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-S", "-B", "-m", "tests.checking.planted.look", scenario, str(faults)]
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def planted(bug: Bug, folder: Path) -> Path:
    """Return a folder with a copy of the package that has the bug."""
    shutil.copytree(AMENDS, folder / "amends", symlinks=True)
    path = folder / "amends" / "core" / f"{bug.file}.py"
    text = path.read_text("utf-8")
    assert text.count(bug.old) == 1, f"{bug.file}.py changed; plant {bug.name!r} anew"
    path.write_text(text.replace(bug.old, bug.new), "utf-8")
    return folder


def file_of(name: str) -> Path:
    """Return where a bug's trace is kept."""
    return TRACES / f"core-{re.sub(r'[^a-z]+', '-', name.lower())}.txt"


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_in_the_core_is_found(bug: Bug, tmp_path: Path) -> None:
    """It breaks the rule that says so, and its shortest trace is the one on file."""
    said = look(planted(bug, tmp_path), bug.scenario, bug.faults)
    assert f"broken with {counted(bug.faults)}: {bug.rule}\n" in said
    same_as_drawn(file_of(bug.name), f"{bug.name}\n\n{said}")


@pytest.mark.parametrize(("scenario", "faults"), HELD_WITH)
def test_without_the_bug_it_holds(scenario: str, faults: int) -> None:
    """The same sagas on the core as it is, with at least as many faults."""
    assert look(AMENDS.parent, scenario, faults) == f"holds with up to {counted(faults)}\n"


def test_each_file_belongs_to_a_bug() -> None:
    """No trace is left over."""
    assert {file_of(bug.name) for bug in BUGS} == {*TRACES.glob("core-*.txt")}
