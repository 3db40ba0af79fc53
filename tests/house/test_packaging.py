"""The package's own facts: dependencies, pins, and the files that it ships."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.house.source import AMENDS, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^([a-z0-9.-]+)==[^ ]+", re.MULTILINE)


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
    pinned = set(PIN.findall((ROOT / "requirements" / f"{name}.txt").read_text("utf-8")))
    assert {re.split(r"[<>=~!\[ ]", line)[0] for line in wanted(name)} <= pinned


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
