"""`amends new`: a project that runs as it is, and writes over nothing."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from amends.entrypoints.starter import project_files
from tests.acceptance.command import ROOT, Ran, amends, environment, process


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a new project."""
    folder = tmp_path_factory.mktemp("new")
    ran = process("new", "My-rooms", folder=folder)
    assert (ran.code, ran.err) == (0, "")
    return folder / "My-rooms"


def pytest_in(project: Path) -> subprocess.CompletedProcess[str]:
    """Run the project's own tests."""
    command = [sys.executable, "-B", "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    surroundings = environment(PYTHONPATH=str(ROOT / "src"))
    return subprocess.run(command, cwd=project, env=surroundings, capture_output=True, text=True, check=False)


def test_its_tests_pass(project: Path) -> None:
    """As they are."""
    ran = pytest_in(project)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


def test_what_its_readme_tells_to_run_runs(project: Path) -> None:
    """Each `amends` line of it; the check holds."""
    lines = (project / "README.md").read_text("utf-8").splitlines()
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("amends ")]
    assert [words[1] for words in commands] == ["check", "graph"]
    for words in commands:
        ran = process(*words[1:], folder=project)
        assert (ran.code, ran.err) == (0, "")
    ran = process(*commands[0][1:], folder=project)
    assert ran.out.count("✔ My-rooms holds within this bound") == 2
    assert "NO SAGA" not in ran.out


def test_what_its_readme_tells_to_try_is_found(project: Path) -> None:
    """Without the probe, the check finds what is not put back."""
    path = project / "my_rooms" / "saga.py"
    whole = path.read_text("utf-8")
    try:
        lines = whole.splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "probe=" not in line and "settles_" not in line))
        ran = process("check", "my_rooms.saga:booking", folder=project)
        assert ran.code == 1
        assert "BANK_CHARGED stands" in ran.out
        assert pytest_in(project).returncode == 1
    finally:
        path.write_text(whole)


def test_it_is_a_project(project: Path) -> None:
    """Its metadata names what it needs, and nothing in it is left to be filled in."""
    metadata = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    assert metadata["project"]["name"] == "My-rooms"
    assert metadata["project"]["dependencies"] == ["amends"]
    for path, text in project_files("My-rooms", "my_rooms").items():
        assert "@" not in text, path
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
    ran = process("new", name, folder=folder)
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
