"""`amends new`: a project that runs as it is, and writes over nothing."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import chdir
from pathlib import Path

import pytest

from amends import __version__
from amends.entrypoints.cli.starter import project_files
from tests.acceptance.command import ROOT, Ran, amends, environment, process


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a new project."""
    folder = tmp_path_factory.mktemp("new")
    ran = process("new", "My-rooms", folder=folder)
    assert (ran.code, ran.err) == (0, "")
    return folder / "My-rooms"


def python(project: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run our interpreter in a project."""
    command = [sys.executable, "-B", "-W", "error", *words]
    return subprocess.run(
        command, cwd=project, env=environment(**more), capture_output=True, text=True, timeout=240, check=False
    )


def pytest_in(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the project's own tests."""
    return python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words)


def test_its_tests_pass(project: Path) -> None:
    """As they are: the check, the simulation, and durable runs."""
    ran = pytest_in(project)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 passed" in ran.stdout


def test_it_passes_the_type_checker(project: Path, tmp_path: Path) -> None:
    """Strictly, its tests too; as its own metadata says, which name the files."""
    ran = python(project, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), MYPYPATH=str(ROOT / "src"))
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    assert "6 source files" in ran.stdout


def test_a_booking_waits_for_a_person_between_two_processes(project: Path) -> None:
    """As its README tells: each command is a process of its own, and the file is all that is left of the one before."""
    booked = python(project, "-m", "my_rooms", "book", "ada")
    assert (booked.returncode, booked.stderr) == (0, "")
    key = booked.stdout.split()[-1]
    ran = process("sagas", "--db", "my_rooms.db", folder=project)
    assert (ran.code, ran.err) == (0, "")
    assert "HOST" in ran.out
    answered = python(project, "-m", "my_rooms", "answer", key, "yes")
    assert (answered.returncode, answered.stdout, answered.stderr) == (0, "booked\n", "")
    unasked = python(project, "-m", "my_rooms", "answer", "nobody/HOST_AGREED/do", "yes")
    assert (unasked.returncode, unasked.stdout, unasked.stderr.count("\n")) == (1, "", 1)
    assert python(project, "-m", "my_rooms").stdout.startswith("python -m my_rooms book")


def test_what_its_readme_tells_to_run_runs(project: Path) -> None:
    """Each `amends` line of it; the check holds."""
    lines = (project / "README.md").read_text("utf-8").splitlines()
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("amends ")]
    assert [words[1] for words in commands] == ["check", "simulate", "graph"]
    checked, *others = [process(*words[1:], folder=project) for words in commands]
    assert all((ran.code, ran.err) == (0, "") for ran in (checked, *others))
    assert checked.out.count("✔ My-rooms holds within this bound") == 2
    assert "NO SAGA" not in checked.out


def test_what_its_readme_tells_to_try_is_found(project: Path) -> None:
    """Without the probe, the check finds what is not put back."""
    path = project / "my_rooms" / "saga.py"
    whole = path.read_text("utf-8")
    try:
        lines = whole.splitlines(keepends=True)
        first = next(number for number, line in enumerate(lines) if "probe=find_charge" in line)
        assert "settles_within_s=" in lines[first + 1]
        path.write_text("".join(lines[:first] + lines[first + 2 :]))
        ran = process("check", "my_rooms.saga:booking", folder=project)
        assert ran.code == 1
        assert "BANK_CHARGED stands" in ran.out
        assert pytest_in(project, "-k", "whatever").returncode == 1
    finally:
        path.write_text(whole)


def test_it_is_a_project(project: Path) -> None:
    """Its metadata names what it needs, and nothing in it is left to be filled in."""
    metadata = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    assert metadata["project"]["name"] == "My-rooms"
    assert metadata["project"]["dependencies"] == [f"amends>={__version__}"]
    assert metadata["project"]["optional-dependencies"] == {"dev": ["mypy", "pytest"]}
    for path, text in project_files("My-rooms", "my_rooms").items():
        assert not re.search(r"@[A-Z]+@", text), path
        assert (project / path).read_text("utf-8") == text


def test_it_passes_the_style_checker(project: Path) -> None:
    """The one that most projects have, as it comes."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "E,F,I,B,UP"]
    ran = subprocess.run(
        [*command, "--line-length", "120", "."], cwd=project, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout


def refused(name: str, folder: Path) -> Ran:
    """Return what is said of a name that is refused."""
    before = sorted(folder.rglob("*"))
    with chdir(folder):
        ran = amends("new", name)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert sorted(folder.rglob("*")) == before
    return ran


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A folder, a file, or a link that leads nowhere."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("folder", "file", "link"):
        assert refused(name, tmp_path).err == f"amends: {name}: is there already; nothing was written\n"


@pytest.mark.parametrize("name", ["", "1st", "a/b", "../x", ".", "ä", "x" * 62, "a b"])
def test_what_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    """It becomes a folder, a module and a package."""
    assert "cannot be a project's name" in refused(name, tmp_path).err


@pytest.mark.parametrize("name", ["amends", "json", "tests", "Pytest", "class"])
def test_a_name_that_would_hide_a_module_is_refused(name: str, tmp_path: Path) -> None:
    """Its own imports would find the wrong one."""
    assert "is the name of a module" in refused(name, tmp_path).err


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "write_text", full)
    ran = amends("new", "x")
    assert (ran.code, ran.out, ran.err) == (2, "", "amends: x: cannot be written: No space left on device\n")
