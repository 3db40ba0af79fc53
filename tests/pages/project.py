"""The pages docs/with-*.md as their readers copy them: a folder with the files that a page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.house.source import AMENDS, ROOT

PAGES: Final = sorted(path.name for path in (ROOT / "docs").glob("with-*.md"))
FILE: Final = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHELL: Final = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
PATIENCE_S: Final = 120.0


def copy_of(page: str, folder: Path) -> Path:
    """Write the files that a page shows, each named in the first line of its block, into a folder."""
    files = FILE.findall(text_of(page))
    for name, text in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert len(files) == text_of(page).count("```python"), "each block names its file"
    return folder


def commands_of(page: str) -> list[str]:
    """Return the lines that a page has its reader type at a shell, without what is said behind a `#`."""
    lines = "".join(SHELL.findall(text_of(page))).splitlines()
    return [line.split(" # ")[0].strip() for line in lines if not line.startswith("#")]


def run(folder: Path, *words: str, **environment: str) -> None:
    """Run a module of Python in the folder, with warnings as errors, and expect that it ends well.

    Args:
        folder: where it is to run.
        words: of the command.
        environment: what it finds there beside the usual.
    """
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", *words],
        cwd=folder,
        env=surroundings() | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def surroundings() -> dict[str, str]:
    """Return an environment in which the package is this one."""
    return os.environ | {"PYTHONPATH": str(AMENDS.parent), "PYTHONDONTWRITEBYTECODE": "1"}


def text_of(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / "docs" / page).read_text("utf-8")


PYTEST: Final[Sequence[str]] = ("pytest", "-q", "-p", "no:cacheprovider", "--timeout", "100")
