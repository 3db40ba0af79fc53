"""The package's own facts: dependencies, pins, and the files that it ships."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.house.source import AMENDS, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^([a-z0-9.-]+)(?:\[([a-z0-9,-]+)\])?==[^ ]+", re.MULTILINE)


def wanted(name: str) -> list[str]:
    """Return the lines of a requirements file that are requirements."""
    lines = (ROOT / "requirements" / f"{name}.in").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def test_runtime_requirements_are_the_dependencies() -> None:
    """One list for those who install the package, the same for the pins."""
    assert wanted("runtime") == PROJECT["project"]["dependencies"]


@pytest.mark.parametrize("name", ["runtime", "dev", "lock"])
def test_every_requirement_is_pinned(name: str) -> None:
    """A requirement that was added without `make lock` is found here."""
    pinned = {package for package, _ in PIN.findall((ROOT / "requirements" / f"{name}.txt").read_text("utf-8"))}
    assert {re.split(r"[<>=~!\[ ]", line)[0] for line in wanted(name)} <= pinned


def test_what_is_wanted_with_extras_is_pinned_with_them() -> None:
    """Where only the bare name is pinned, pip takes the newest release for the extra, and finds no hash of it."""
    pins = dict(PIN.findall((ROOT / "requirements/dev.txt").read_text("utf-8")))
    lines = [Requirement(line) for name in pins for line in _requires(name)]
    extras = [(line.name.lower(), extra) for line in lines for extra in line.extras if _applies(line)]
    assert ("coverage", "toml") in extras
    assert [(name, extra) for name, extra in extras if extra not in pins[name].split(",")] == []


def _requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # a pin for another system
        return []


def _applies(line: Requirement) -> bool:
    return line.marker is None or line.marker.evaluate({"extra": ""})


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_hashes_and_no_address(path: Path) -> None:
    """Whatever pip downloads is checked, wherever it comes from."""
    text = path.read_text("utf-8")
    blocks = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert all(PIN.match(block) and "--hash=sha256:" in block for block in blocks)
    assert not re.search(r"^ *(-i|-f|--(extra-)?index|--find|--trusted)|://| @ ", text, re.MULTILINE)


def test_runtime_pins_are_among_the_pins_for_work() -> None:
    """What the tests run with is what a user gets."""
    pins = [
        set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / f"{name}.txt").read_text("utf-8"), re.MULTILINE))
        for name in ("runtime", "dev")
    ]
    assert pins[0] <= pins[1]


def test_the_package_is_typed() -> None:
    """Type checkers read our annotations only when this file is there."""
    assert (AMENDS / "py.typed").exists()


def test_every_exception_from_a_rule_has_its_reason() -> None:
    """A rule of the style checker is switched off with a comment that says why."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    rules = re.findall(r'^\s+"[A-Z]+\d+",?(.*)$|^"[^"]+" = \["[A-Z]+\d+"\](.*)$', text, re.MULTILINE)
    assert rules
    assert all("#" in first + second for first, second in rules)


def test_no_test_may_run_for_ever(pytestconfig: pytest.Config) -> None:
    """One that hangs fails and is named, instead of keeping a machine busy: docs/adr/0002-build-and-pins.md."""
    assert 0 < float(pytestconfig.getini("timeout")) < float(pytestconfig.getini("faulthandler_timeout"))
    assert pytestconfig.getini("faulthandler_exit_on_timeout")
