"""The command as its users meet it: in this process, and as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from typer import testing
from typer.main import get_command
from typer.testing import CliRunner

from amends.entrypoints.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = [ROOT / "examples" / f"example-{number}.json" for number in (1, 2)]
DRAWINGS = Path(__file__).parent / "drawings"
setattr(testing, "_get_command", cache(get_command))  # noqa: B010 - it is Typer's own; built anew for each call it takes ten times as long as that
PLAIN = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}


class Ran(NamedTuple):
    """What a command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str


def amends(*arguments: str | Path, given: bytes = b"", columns: int = 80) -> Ran:
    """Run the command in this process; an exception that it lets out fails the test."""
    surroundings = PLAIN | {"COLUMNS": str(columns)}
    ran = CliRunner().invoke(app, [str(word) for word in arguments], input=given, env=surroundings)
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return Ran(ran.exit_code, ran.stdout, ran.stderr)


def process(
    *arguments: str | Path, given: bytes = b"", folder: Path = ROOT, timeout_s: float = 60, **surroundings: str
) -> Ran:
    """Run the command as a process of its own."""
    ran = subprocess.run(
        command_line(*arguments),
        input=given,
        cwd=folder,
        env=environment(**surroundings),
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout.decode(errors="replace"), ran.stderr.decode(errors="replace"))


def command_line(*arguments: str | Path) -> Sequence[str]:
    """Return the words that start the command in a process of its own."""
    return [sys.executable, "-W", "error", "-m", "amends", *map(str, arguments)]


def environment(**surroundings: str) -> dict[str, str]:
    """Return this process's environment without what changes how Python writes, plain; the package is this one."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "LC_", "LANG", "FORCE_COLOR"))
    }
    return inherited | PLAIN | {"PYTHONPATH": str(ROOT / "src")} | surroundings


@contextmanager
def running(words: Sequence[str], folder: Path, **surroundings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have a command run in a folder that says when it does, until it is told to end."""
    process = subprocess.Popen(words, cwd=folder, env=environment(**surroundings), stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"amends: ")
        yield process
    finally:
        process.kill()
        process.communicate()


def batch(path: Path, *operations: object) -> Path:
    """Write operations as JSON Lines, and return the path."""
    path.write_text("".join(f"{json.dumps(operation)}\n" for operation in operations), "utf-8")
    return path


def assert_drawn_as(name: str, drawn: str) -> None:
    """A drawing is what it was; where a change is meant, `DRAW=1 pytest` writes it anew, to be looked at."""
    path = DRAWINGS / f"{name}.txt"
    if os.environ.get("DRAW"):
        path.write_text(drawn, "utf-8")
    assert drawn == path.read_text("utf-8")
