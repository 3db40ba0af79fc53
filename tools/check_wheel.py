"""Build the wheel by way of the sdist, and run it where the source tree is not.

An environment of its own gets the pinned requirements and the wheel; then the commands run in an empty
folder. The part that needs no package is imported from the bare wheel, by a Python without site-packages.

Usage: python tools/check_wheel.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = [ROOT / "examples" / f"example-{number}.json" for number in (1, 2)]
FROM_THE_WHEEL = "import amends, sys; assert amends.__file__.startswith(sys.argv[1]), amends.__file__"
NEEDS_NO_PACKAGE = """
import sys
sys.path.insert(0, sys.argv[1])
from amends.shop import Session, ecommerce_saga_processor
assert not ecommerce_saga_processor([])["orders"]
"""


def main() -> None:
    """Build, install, run; the first thing that fails ends it."""
    with TemporaryDirectory(prefix="amends-wheel-") as name:
        folder = Path(name).resolve()
        wheel = build(folder / "dist")
        away = folder / "empty"
        away.mkdir()
        run_bare(wheel, folder / "bare", away)
        run_installed(install(wheel, folder / "venv"), away)
    print(f"{wheel.name}: built, installed and run without the source tree")


def build(target: Path) -> Path:
    """Return the wheel, made from the sdist, which is made from the tree."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", target, ROOT, cwd=ROOT)
    (wheel,) = target.glob("*.whl")
    files = set(ZipFile(wheel).namelist())
    assert "amends/py.typed" in files, "the wheel has no py.typed"
    assert not {file for file in files if not file.startswith(("amends/", "amends-"))}, "the wheel has strange files"
    return wheel


def run_bare(wheel: Path, folder: Path, away: Path) -> None:
    """Import the shop from the unpacked wheel, with no package around."""
    ZipFile(wheel).extractall(folder)  # we have just made it
    run(sys.executable, "-I", "-S", "-c", NEEDS_NO_PACKAGE, folder, cwd=away)


def install(wheel: Path, folder: Path) -> Path:
    """Return where a new environment has its commands: it gets the wheel and the pinned requirements."""
    venv.create(folder, with_pip=True)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    pip: list[str | Path] = [
        commands / "python",
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
    ]
    run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "runtime.txt", cwd=folder)
    run(*pip, "--no-deps", wheel, cwd=folder)
    run(commands / "python", "-m", "pip", "check", cwd=folder)
    return commands


def run_installed(commands: Path, away: Path) -> None:
    """Run the installed command as a user does, far from the source tree."""
    run(commands / "python", "-I", "-c", FROM_THE_WHEEL, commands.parent, cwd=away)
    run(commands / "amends", "--help", cwd=away)
    run(commands / "amends", "demo", cwd=away)
    run(commands / "amends", "check", "shop", "--faults", "1", cwd=away)
    run(commands / "amends", "new", "started", cwd=away)
    run(commands / "amends", "check", "started.saga:booking", cwd=away / "started")
    printed = run(commands / "amends", "run", "--json", *EXAMPLES, cwd=away)
    expected = [json.loads(path.read_text("utf-8"))["report"] for path in EXAMPLES]
    assert [json.loads(line) for line in printed.splitlines()] == expected, "amends run gave other reports"


def run(*command: str | Path, cwd: Path) -> str:
    """Return what a command prints; when it fails, show all it said and stop."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [str(word) for word in command]
    ran = subprocess.run(words, cwd=cwd, env=surroundings, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{ran.stdout}{ran.stderr}check_wheel: {' '.join(words[:6])} ... ended with {ran.returncode}")
    return ran.stdout


if __name__ == "__main__":
    main()
