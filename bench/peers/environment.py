"""What the other engines need, set up by itself: packages into ``.venv/peers``, Restate's server into ``build/peers``.

Both are pinned with hashes (requirements/peers.txt, requirements/npm/) and are set up anew when their pins change.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PINS: Final = ROOT / "requirements" / "peers.txt"
NPM_PINS: Final = (ROOT / "requirements" / "npm" / "package.json", ROOT / "requirements" / "npm" / "package-lock.json")
PACKAGES: Final = ROOT / ".venv" / "peers"
SERVER: Final = ROOT / "build" / "peers" / "npm"
RESTATE_SERVER: Final = "AMENDS_RESTATE_SERVER"  # the variable that tells the script where its server is
LIMIT_S: Final = 600.0


class CannotBeHadError(Exception):
    """An engine is left out, and why."""


def peers_python() -> Path:
    """The Python that has the other engines' packages.

    Raises:
        CannotBeHadError: they could not be installed.
    """
    python = PACKAGES / "bin" / "python"
    if _is_old(PACKAGES, [PINS]):
        _run(sys.executable, "-m", "venv", "--clear", str(PACKAGES))
        _run(str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(PINS))
        _is_new(PACKAGES, [PINS])
    return python


def restate_server() -> Path:
    """The program of Restate's server.

    Raises:
        CannotBeHadError: there is no npm, it could not be installed, or there is none for this machine.
    """
    if _is_old(SERVER, NPM_PINS):
        npm = shutil.which("npm")
        if npm is None:
            raise CannotBeHadError("its server is an npm package, and there is no npm here")
        shutil.rmtree(SERVER, ignore_errors=True)
        SERVER.mkdir(parents=True)
        for pins in NPM_PINS:
            shutil.copy(pins, SERVER)
        _run(npm, "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(SERVER))
        _is_new(SERVER, NPM_PINS)
    found = list(SERVER.glob("node_modules/@restatedev/*/bin/restate-server"))
    if not found:
        raise CannotBeHadError(f"there is no server for {platform.system()} on {platform.machine()}")
    return found[0]


def _digest(pins: list[Path] | tuple[Path, ...]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in pins)).hexdigest()


def _is_old(folder: Path, pins: list[Path] | tuple[Path, ...]) -> bool:
    """Whether a folder was not set up to the end from these pins."""
    stamp = folder / "ready"
    return not stamp.exists() or stamp.read_text() != _digest(pins)


def _is_new(folder: Path, pins: list[Path] | tuple[Path, ...]) -> None:
    (folder / "ready").write_text(_digest(pins))


def _run(*command: str) -> None:
    print(f"  setting up: {' '.join(command).replace(f'{ROOT}{os.sep}', '')}", flush=True)
    try:
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines()
        raise CannotBeHadError(said[-1] if said else f"{command[0]} failed") from error
    except subprocess.TimeoutExpired as error:
        raise CannotBeHadError(f"{command[0]} took longer than {LIMIT_S:.0f} s") from error
