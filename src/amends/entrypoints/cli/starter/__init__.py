"""``amends new NAME``: a folder with a project to start from, ready to run."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Final

from amends import __version__
from amends.errors import UnusableInput

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")
TAKEN: Final = frozenset({"amends", "pytest", "tests", "msgspec", "mypy", "rich", "typer"}) | sys.stdlib_module_names
FILES: Final = {
    "pyproject.toml": "pyproject.toml.in",
    "README.md": "README.md.in",
    "{module}/__init__.py": "",
    "{module}/__main__.py": "__main__.py.in",
    "{module}/outside.py": "outside.py.in",
    "{module}/participants.py": "participants.py.in",
    "{module}/saga.py": "saga.py.in",
    "tests/test_saga.py": "test_saga.py.in",
}


def write_project(name: str) -> None:
    """Write the project into a new folder, and say what to do with it.

    Args:
        name: of the project and of the folder.

    Raises:
        UnusableInput: the name cannot be one, the folder is there already, or it cannot be written.
    """
    module = name.lower().replace("-", "_")
    if not NAME.fullmatch(name):
        raise UnusableInput(f"{name!r} cannot be a project's name: give letters, digits, - and _, a letter first")
    if module in TAKEN or keyword.iskeyword(module):
        raise UnusableInput(f"{name!r} is the name of a module of Python or of this project's tools; take another")
    folder = Path(name)
    if folder.exists() or folder.is_symlink():
        raise UnusableInput(f"{name}: is there already; nothing was written")
    try:
        for path, text in project_files(name, module).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    except OSError as error:
        raise UnusableInput(f"{name}: cannot be written: {error.strerror}") from error
    sys.stdout.write(_said(name, module))


def project_files(name: str, module: str) -> dict[str, str]:
    """The text of each file, by its path within the folder."""
    home = files(__name__)
    return {
        path.replace("{module}", module): _filled((home / source).read_text("utf-8"), name, module) if source else ""
        for path, source in FILES.items()
    }


def _filled(text: str, name: str, module: str) -> str:
    words = {"@NAME@": name, "@MODULE@": module, "@VERSION@": __version__}
    return re.sub("|".join(words), lambda found: words[found[0]], text)


def _said(name: str, module: str) -> str:
    paths = "".join(f"  {name}/{path}\n" for path in project_files(name, module))
    return f"{paths}\nNext:\n  cd {name}\n  pip install -e '.[dev]'\n  pytest\n  amends check {module}.saga:booking\n"
