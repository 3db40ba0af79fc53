"""Our own source, as the tests of the house read it."""

from __future__ import annotations

import ast
import io
import subprocess
import tokenize
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AMENDS = ROOT / "src" / "amends"
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(*folders: str) -> list[Path]:
    """Return the modules of these folders of the package, `.` for all of it."""
    return sorted(path for folder in folders for path in (AMENDS / folder).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(path.read_text("utf-8"), str(path))


@cache
def code_lines(path: Path) -> frozenset[int]:
    """Return the lines that hold code: no blank lines, no comments, no docstrings."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
    held = (range(token.start[0], token.end[0] + 1) for token in tokens if token.type not in NO_CODE)
    return frozenset(line for lines in held for line in lines) - _docstrings(path)


def body_lines(path: Path, function: Function) -> int:
    """Return how many lines of code a function's body has."""
    last = function.end_lineno or function.lineno
    return len(code_lines(path).intersection(range(function.body[0].lineno, last + 1)))


def functions(path: Path) -> list[Function]:
    """Return all functions of a module, methods and inner ones included."""
    return [node for node in ast.walk(tree(path)) if isinstance(node, Function)]


def classes(path: Path) -> list[ast.ClassDef]:
    """Return all classes of a module, inner ones included."""
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]


def class_lines(each: ast.ClassDef) -> int:
    """Return how many lines a class has, with all that is written in it."""
    return (each.end_lineno or each.lineno) - each.lineno + 1


def _docstrings(path: Path) -> frozenset[int]:
    """Return the lines of strings that stand alone: docstrings, and those that document a constant."""
    strings = (node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Expr))
    return frozenset(
        line
        for value in strings
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
        for line in range(value.lineno, (value.end_lineno or value.lineno) + 1)
    )


@cache
def files_of_the_repository() -> tuple[Path, ...]:
    """Return what git keeps, and what it would keep: new files that are not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = (ROOT / name for name in names.split("\0") if name)
    return tuple(sorted({path for path in paths if path.is_file()}))
