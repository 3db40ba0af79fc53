"""What may be imported where, and what the core never calls.

The layers themselves are a contract of import-linter, in pyproject.toml (`make layers`).
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import amends
from tests.house.source import AMENDS, ROOT, modules, tree

VIEWS = AMENDS / "shop" / "views.py"  # what the API and the console read; it may use the libraries that they use
PURE = [path for path in [*modules("core", "shop"), AMENDS / "errors.py", AMENDS / "__init__.py"] if path != VIEWS]
MAY_IMPORT = {  # of our own packages, beside itself
    "core": {"declared", "errors", "generic"},
    "shop": {"core", "errors", "scenario"},
}
RUNTIME_OF_THE_SHOP = {  # not public
    *("Entities", "Entry", "Way", "execute", "first_way", "walk"),
    *("as_plain", "from_plain", "key_of", "parts_of", "receive"),  # what an inbox of one's own needs
}
BANNED_MODULES = {
    "asyncio",
    "datetime",
    "logging",
    "random",
    "secrets",
    "socket",
    "threading",
    "time",
    "uuid",
}
BANNED_CALLS = {"print", "input", "open", "eval", "exec", "float", "breakpoint"}
ALLOWED_CALLS = {"straight.py": {"exec"}}  # of text that holds nothing of a user's: docs/adr/0006-straight-ways.md

IMPORT_ALL = """
import sys
sys.path.insert(0, sys.argv[1])
import importlib
for name in sys.argv[2:]:
    importlib.import_module(name)
homes = {name.partition(".")[0] for name in sys.modules}
print(*sorted(homes - sys.stdlib_module_names - {"__main__", "amends"}))
"""


def name_of(path: Path) -> str:
    """Return a module's full name."""
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each import of a module, wherever it stands, as (module, name)."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            yield from ((node.module or "", alias.name) for alias in node.names)


def needed(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a module imports, for itself or for its types."""
    for module, name in imports(path):
        if module.startswith("amends"):
            folder = ROOT / "src" / Path(*module.split("."))
            is_module = (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
            yield f"{module}.{name}" if is_module else module


def ids(path: Path) -> str:
    """Return a path as the name of a test."""
    return str(path.relative_to(AMENDS))


@pytest.mark.parametrize("path", PURE, ids=ids)
def test_core_and_shop_import_the_standard_library_alone(path: Path) -> None:
    """They run in any online Python, which has no package."""
    homes = {module.partition(".")[0] for module, _ in imports(path)}
    assert homes <= sys.stdlib_module_names | {"amends"}


def test_core_and_shop_run_without_site_packages() -> None:
    """The same, shown by an interpreter that has none."""
    names = [name_of(path) for path in PURE]
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", IMPORT_ALL, str(ROOT / "src"), *names]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, "", "")


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package: str) -> None:
    """The core knows nothing of the shop, and neither knows an entry point."""
    for path in modules(package):
        ours = {module.split(".")[1] for module, _ in imports(path) if module.startswith("amends.")}
        assert ours <= MAY_IMPORT[package] | {package}, path
        assert "amends" not in {module for module, _ in imports(path)}, f"{path}: the facade is for users"


def test_no_module_needs_one_that_needs_it() -> None:
    """Not for types either: an import under ``TYPE_CHECKING`` is one."""
    after = {name_of(path): set(needed(path)) for path in modules(".")}
    while ends := {
        name for name in after if not after[name] & after.keys() or name not in set().union(*after.values())
    }:
        after = {name: others for name, others in after.items() if name not in ends}
    assert not after, "these import each other, or what does"


@pytest.mark.parametrize("path", modules("shop"), ids=ids)
def test_the_shop_uses_public_names(path: Path) -> None:
    """The shop is a user like any other, but where it is a runtime of its own for sagas: one in memory, in one call."""
    borrowed = {name for module, name in imports(path) if module.startswith(("amends.core", "amends.errors"))}
    assert borrowed <= {*amends.__all__, *RUNTIME_OF_THE_SHOP}


def test_what_the_shop_borrows_is_used() -> None:
    """The list of what it may take from inside does not outlive its use."""
    borrowed = {name for path in modules("shop") for _, name in imports(path)}
    assert borrowed >= RUNTIME_OF_THE_SHOP


@pytest.mark.parametrize("path", modules("core"), ids=ids)
def test_the_core_knows_no_clock_chance_log_or_loop(path: Path) -> None:
    """Time arrives as an input, and what is to be done goes out as a value."""
    assert not {module.partition(".")[0] for module, _ in imports(path)} & BANNED_MODULES
    awaits = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Await | ast.AsyncFunctionDef)]
    assert not awaits
    called = {
        node.func.id for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & (BANNED_CALLS - ALLOWED_CALLS.get(path.name, set()))


@pytest.mark.parametrize("path", [path for path in modules("shop") if path != VIEWS], ids=ids)
def test_money_is_whole(path: Path) -> None:
    """No float and no division that makes one, wherever money and stock are counted."""
    for node in ast.walk(tree(path)):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"line {node.lineno}"
        assert not (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)), f"line {node.lineno}"
        assert not (isinstance(node, ast.Name) and node.id in {"float", "Decimal"}), f"line {node.lineno}"
