"""The Pythons at hand that start, one of each version from 3.11 up: of equal ones, the present one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

NAME = re.compile(r"python3\.(\d+)")
OLDEST = 11
SAY_VERSION = "import sys; print('.'.join(map(str, sys.version_info[:2])))"


@cache
def interpreters() -> dict[str, Path]:
    """Return the paths of the interpreters, by version, the present one included."""
    found = {_version(Path(sys.executable)): Path(sys.executable)}
    for path in _candidates():
        if path.name.removeprefix("python") not in found:
            found.setdefault(_version(path), path)
    return {version: found[version] for version in sorted(found) if version}


def others() -> dict[str, Path]:
    """Return those that are not the present one."""
    return {version: path for version, path in interpreters().items() if path != Path(sys.executable)}


def _candidates() -> list[Path]:
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted(Path.home().glob(".pyenv/versions/*/bin"))
    paths = [path for folder in folders if folder.is_dir() for path in sorted(folder.glob("python3.*"))]
    return [path for path in paths if (name := NAME.fullmatch(path.name)) and int(name[1]) >= OLDEST]


def _version(path: Path) -> str:
    """Return the version that an interpreter says, or nothing when it does not start, as a shim may."""
    command = [str(path), "-I", "-S", "-c", SAY_VERSION]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stdout.strip()
