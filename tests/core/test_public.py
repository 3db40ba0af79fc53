"""What the package exports: every name is there, is documented, and is the same for the type checker."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest

import amends
import amends.checking
import amends.testing
from tests.house.source import AMENDS


@pytest.mark.parametrize("name", amends.__all__)
def test_every_public_name_can_be_imported_and_is_documented(name: str) -> None:
    """A value documents itself with its type; everything else has a docstring of its own."""
    value = getattr(amends, name)
    doc = inspect.getdoc(value) or ""
    assert doc
    if inspect.isclass(value):
        assert not doc.startswith(f"{name}("), "a dataclass's own text is no documentation"


@pytest.mark.parametrize("package", [amends, amends.checking])
def test_public_are_the_names_that_type_checkers_see(package: ModuleType) -> None:
    """They are listed once, in the stub, each on a line of its own."""
    lines = Path(f"{package.__file__}i").read_text("utf-8").splitlines()
    listed = [line for line in lines if line.startswith("from ")]
    assert package.__all__ == sorted(line.split()[3] for line in listed)


def test_the_package_can_be_imported_from_a_zip_file(tmp_path: Path) -> None:
    """Some programs are shipped as one file."""
    with ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in [*AMENDS.rglob("*.py"), *AMENDS.rglob("*.pyi")]:
            archive.write(path, path.relative_to(AMENDS.parent))
    code = "import sys; sys.path.insert(0, sys.argv[1]); from amends import Saga; print(Saga.__module__)"
    command = [sys.executable, "-I", "-c", code, str(tmp_path / "all.zip")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == "amends.core.definition\n"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="module 'amends' has no attribute 'nothing'"):
        amends.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert set(amends.__all__) <= set(dir(amends))


def test_names_are_loaded_when_they_are_used() -> None:
    """Importing the package alone loads no module of it but the one that loads them."""
    loaded = "[name for name in sys.modules if name.startswith('amends.')]"
    code = f"import sys, amends; print({loaded}); print(amends.run)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[0] == "['amends.public']"
    assert "function run" in ran.stdout.splitlines()[1]


def test_all_that_a_dialogue_offers_is_documented() -> None:
    """`amends.testing` is public too."""
    public = {name: value for name, value in vars(amends.testing).items() if not name.startswith("_")}
    ours = {name: value for name, value in public.items() if getattr(value, "__module__", "") == "amends.testing"}
    assert {"given", "do", "undo", "probe", "Dialogue", "Ask"} <= set(ours)
    methods = {name: value for name, value in vars(amends.testing.Dialogue).items() if inspect.isfunction(value)}
    for name, value in {**ours, **methods}.items():
        assert name.startswith("_") or inspect.getdoc(value), name
