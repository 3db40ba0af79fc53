"""How large the core, a class and a function may be."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from tests.house.source import AMENDS, body_lines, class_lines, classes, code_lines, functions, modules

CORE_LINES_MAX = 1503  # 94 of them for two kinds of steps, `wait_for` and `pause`; 28 for what a definition `starts`
FUNCTION_LINES_MEDIAN_MAX = 8
FUNCTION_LINES_MAX = 60
CLASS_LINES_MAX = 250


def test_the_core_stays_small() -> None:
    """Blank lines, comments and docstrings do not count."""
    lines = {path.name: len(code_lines(path)) for path in modules("core")}
    assert sum(lines.values()) <= CORE_LINES_MAX, lines


def test_most_functions_are_a_few_lines() -> None:
    """Half of all functions have at most 8 lines of code in their bodies."""
    lines = [body_lines(path, function) for path in modules(".") for function in functions(path)]
    assert median(lines) <= FUNCTION_LINES_MEDIAN_MAX


def test_no_function_is_longer_than_a_screen() -> None:
    """Not one has more than 60."""
    long = {
        f"{path.relative_to(AMENDS)}:{function.name}": lines
        for path in modules(".")
        for function in functions(path)
        if (lines := body_lines(path, function)) > FUNCTION_LINES_MAX
    }
    assert not long


def test_no_class_does_too_much() -> None:
    """Not one has more than 250 lines, docstrings among them: a class that needs more has two things to do."""
    long = {
        f"{path.relative_to(AMENDS)}:{each.name}": lines
        for path in modules(".")
        for each in classes(path)
        if (lines := class_lines(each)) > CLASS_LINES_MAX
    }
    assert not long


def test_only_code_is_counted(tmp_path: Path) -> None:
    """The count itself: a docstring, a comment and a blank line are no code, a line of a long string is."""
    path = tmp_path / "example.py"
    body = '    """Doc."""\n\n    # why\n    y = """a\n\n    b"""\n    return y\n'
    path.write_text(f'"""Doc."""\n\n# why\ndef f(x):\n{body}')
    assert sorted(code_lines(path)) == [4, 8, 9, 10, 11]
    assert [body_lines(path, function) for function in functions(path)] == [4]
