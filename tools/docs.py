"""Write what a command prints into the documents that show it.

A document shows a command by a comment line, ``<!-- $ amends run --help -->`` or ``<!-- $ python tools/layers.py -->``,
and the fenced block after it, which this fills with what the command prints. ``make docs`` renews them all; a test
holds that they are new.

Usage: python tools/docs.py
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from contextlib import chdir
from functools import cache
from pathlib import Path

from typer.testing import CliRunner

from amends.entrypoints.cli.app import app

ROOT = Path(__file__).resolve().parent.parent
SHOWN = re.compile(r"(<!-- \$ (amends|python) (.*?) ?-->\n```(?:text|mermaid)\n).*?(```\n)", re.DOTALL)
GOOD_AND_BAD_NEWS = (0, 1)  # a document may show a check that finds something
PLAIN = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUTF8": "1"}
COLOURED = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")  # by these, rich takes what is no terminal for one


def documents() -> list[Path]:
    """Return the documents that show what a command prints."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    return sorted(path for path in found if SHOWN.search(path.read_text("utf-8")))


def renewed(text: str) -> str:
    """Return a document with each command's output as it is now."""
    return SHOWN.sub(lambda found: found[1] + printed(found[2], *shlex.split(found[3])) + found[4], text)


@cache
def printed(command: str, *arguments: str) -> str:
    """Return what the command prints, as a terminal of 80 columns without colours would show it."""
    code, out, err = (_amends if command == "amends" else _python)(arguments)
    if code not in GOOD_AND_BAD_NEWS or not out.strip():  # with 1 Python ends, too, where it cannot run
        raise RuntimeError(f"{command} {shlex.join(arguments)}: exit {code}: {err}")
    return "".join(f"{line.rstrip()}\n" for line in out.strip("\n").splitlines())


def _amends(arguments: tuple[str, ...]) -> tuple[int, str, str]:
    with chdir(ROOT):
        ran = CliRunner().invoke(app, arguments, env=dict.fromkeys(COLOURED) | PLAIN)
    return ran.exit_code, ran.stdout, ran.stderr


def _python(arguments: tuple[str, ...]) -> tuple[int, str, str]:
    surroundings = {name: value for name, value in os.environ.items() if name not in COLOURED}
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=surroundings | PLAIN,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


def main() -> None:
    """Renew all documents."""
    for path in documents():
        text = path.read_text("utf-8")
        if (new := renewed(text)) != text:
            path.write_text(new, "utf-8")
            print(f"{path.relative_to(ROOT)}: renewed")


if __name__ == "__main__":
    main()
