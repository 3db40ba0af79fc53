"""docs/promises.md: every promise is marked, and a promise that is kept names tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.house.source import ROOT, functions

TEXT = (ROOT / "docs" / "promises.md").read_text("utf-8")
SECTION = re.compile(r"^### (P\d+) [^\n]+\n(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
PROMISES = dict(SECTION.findall(TEXT))
PARTS = {"core", "shop", "checker", "durable", "service", "distributed"}
MARK = re.compile(r"^- \*\*(kept|not yet)\*\*, (\w+): (.+?)(?=^- |\Z)", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"\[`(tests/[\w/]+\.py)::(\w+)`\]\(\.\./(tests/[\w/]+\.py)\)")


def test_all_promises_are_there() -> None:
    """P1 to P18, in order."""
    assert list(PROMISES) == [f"P{number}" for number in range(1, 19)]


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_is_marked(promise: str) -> None:
    """Each item under a promise says kept or not yet, where, and why."""
    marks = MARK.findall(PROMISES[promise])
    assert marks
    assert len(marks) == len(re.findall(r"^- ", PROMISES[promise], re.MULTILINE))
    assert {part for _, part, _ in marks} <= PARTS


@pytest.mark.parametrize("promise", PROMISES)
def test_a_kept_promise_has_its_test(promise: str) -> None:
    """What is kept links to tests, and each linked test exists; what is not kept links to none."""
    for mark, part, words in MARK.findall(PROMISES[promise]):
        links = TEST.findall(words)
        assert bool(links) == (mark == "kept"), f"{promise}, {part}"
        assert words.count("::") == len(links), f"{promise}, {part}: a link is not written as the others"
        for path, name, target in links:
            assert path == target
            assert name in {function.name for function in functions(ROOT / path)}, f"{path} has no {name}"
            assert name.startswith("test_")
