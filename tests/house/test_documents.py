"""What the documents show as Python runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from amends import Saga, check
from tests.house.source import ROOT

GUIDES = (
    "business-row.md",
    "clients.md",
    "engine.md",
    "misbehaviour.md",
    "operators.md",
    "simulating.md",
    "spread.md",
    "versions.md",
)  # whose blocks are one program, in their order

BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
BLOCKS = BLOCK.findall((ROOT / "README.md").read_text("utf-8"))


def test_the_readme_shows_python() -> None:
    """The function, and a saga of one's own."""
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("block", BLOCKS, ids=[block.strip().splitlines()[0] for block in BLOCKS])
def test_python_of_the_readme_runs(block: str) -> None:
    """Each block stands for itself, its asserts included."""
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102 - our own text


def test_the_sagas_of_the_readme_hold_in_a_check() -> None:
    """What people copy first; the one that is broken on purpose is shown from a file."""
    names: dict[str, Any] = {"__name__": "readme"}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - our own text
    sagas = sorted(name for name, value in names.items() if isinstance(value, Saga))
    assert sagas == ["payment", "tickets"]
    check(names["payment"], given={}, requests=[1999])
    check(names["tickets"], given={"SEATS": {"Hamlet": 3}}, requests=[names["Buy"]("Hamlet", 2)] * 2)


@pytest.mark.parametrize("guide", GUIDES)
def test_python_of_a_guide_runs(guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its blocks one after the other, as a reader would type them, asserts included."""
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((ROOT / "docs" / guide).read_text("utf-8"))
    assert blocks
    names = {"__name__": "guide"}
    for block in blocks:
        exec(compile(block, guide, "exec"), names)  # noqa: S102 - our own text
