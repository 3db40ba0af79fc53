"""Write core and shop as one `main.py` that runs on any Python from 3.11 up, without a package.

The modules are put one after the other, in the order of their imports. Imports among them are dropped, those
of the standard library are gathered at the top; all else stays as it is written, comments included. This
works while the modules could share one namespace, so what would mean something else there is refused: two
definitions of one name, the name of a builtin, an import under another name, a module of ours as a value.

Usage: python3 tools/single_file.py [main.py]
"""

from __future__ import annotations

import ast
import builtins
import json
import pprint
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from symtable import symtable
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("amends.core.", "amends.shop.", "amends.declared", "amends.errors", "amends.generic")
LEFT_OUT = ("amends.shop.scenarios", "amends.shop.outside.")  # what is checked, simulated
EXAMPLES = ("example-1", "example-2")
WIDTH = 110

HEADER = '''\
"""The order saga of Amends in one file: the modules of amends.core and amends.shop, one after the other.

    ecommerce_saga_processor(operations)   one batch, on a system of its own
    Session().process(operations)          many batches, on one system

Run as a program it prints the reports of two example batches, one JSON document a line.
Made by `make single-file`: change the modules, not this file. License: Apache-2.0.
"""

from __future__ import annotations
'''

PRELUDE = """
if __name__ not in sys.modules:  # text given to exec(): dataclasses look up their module
    sys.modules[__name__] = type(sys)(__name__)
    vars(sys.modules[__name__]).update(globals())
"""

FOOTER = """

def _print_examples() -> None:
    session = Session()
    for operations in _EXAMPLES:
        print(json.dumps(session.process(operations)))


if __name__ == "__main__":
    _print_examples()
"""

OWN_IMPORTS = {("json", ""), ("sys", "")}
OWN_NAMES = {"_EXAMPLES": "the examples", "_print_examples": "the program"}


class CannotFlatten(Exception):
    """The source has a form that one file cannot hold.

    The message names the place and says what to write instead.
    """


class Borrowed(NamedTuple):
    """A name that a module imports from one of ours."""

    name: str
    line: int
    early: bool  # at the import of the module, so that the name must stand before it; not in a function


@dataclass
class Module:
    """One module, taken apart.

    Attributes:
        name: its full name.
        text: its source.
        doc: its docstring.
        borrowed: what it imports from modules of ours.
        stdlib: what it imports of the standard library, as (module, name); the name is "" for a module.
        cuts: ranges of lines (from 1, both included) that stay out, with what stands in their place.
    """

    name: str
    text: str
    doc: str = ""
    borrowed: list[Borrowed] = field(default_factory=list)
    stdlib: set[tuple[str, str]] = field(default_factory=set)
    cuts: list[tuple[int, int, str]] = field(default_factory=list)

    def refuse(self, line: int, reason: str) -> CannotFlatten:
        """Return the error that says what cannot be flattened, and where."""
        return CannotFlatten(f"{self.name}, line {line}: {reason}")

    def cut(self, node: ast.stmt, instead: str = "") -> None:
        """Leave a statement out of the file."""
        lines, last = self.text.splitlines(), node.end_lineno or node.lineno
        before = lines[node.lineno - 1].encode()[: node.col_offset].strip()  # ast counts in bytes
        after = lines[last - 1].encode()[node.end_col_offset :].strip()
        if before or (after and not after.startswith(b"#")):
            raise self.refuse(node.lineno, "give this statement lines of its own")
        self.cuts.append((node.lineno, last, " " * node.col_offset + instead if instead else ""))


def write(target: Path, *, source: Path = ROOT / "src", examples: Path = ROOT / "examples") -> Path:
    """Write the file.

    Args:
        target: where to.
        source: the folder that holds `amends`.
        examples: the folder that holds the example batches.

    Returns:
        The target.

    Raises:
        CannotFlatten: when the modules cannot share one namespace.
    """
    batches = [json.loads((examples / f"{name}.json").read_text("utf-8"))["operations"] for name in EXAMPLES]
    text = flatten(list(read(source)), batches)
    compile(text, str(target), "exec")
    target.write_text(text, "utf-8")
    return target


def read(source: Path) -> Iterator[Module]:
    """Yield the modules that go into the file, each taken apart.

    The `__init__` files only hand names on, which a common namespace does by itself.
    """
    for path in sorted((source / "amends").rglob("*.py")):
        name = ".".join(path.relative_to(source).with_suffix("").parts)
        if name.startswith(PARTS) and path.stem != "__init__" and not name.startswith(LEFT_OUT):
            yield take_apart(name, path.read_text("utf-8"))


def take_apart(name: str, text: str) -> Module:
    """Return a module with all that cannot stay found, or refuse what cannot be flattened."""
    tree = ast.parse(text)
    module = Module(name, text, ast.get_docstring(tree) or "")
    if module.doc:
        module.cut(tree.body[0])
    top: set[ast.AST] = set()
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            _take_type_checking(module, node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            _take_import(module, node)
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            pass  # one file exports what it has
        else:
            continue
        module.cut(node)
        top.update(ast.walk(node))
    for nested in ast.walk(tree):
        if nested not in top and isinstance(nested, ast.Import | ast.ImportFrom) and _of_ours(module, nested):
            _borrow(module, nested, early=False)
            module.cut(nested, "pass  # one file: the names are here")
    return module


def flatten(modules: Sequence[Module], batches: Iterable[object]) -> str:
    """Return the text of the file.

    Args:
        modules: what goes into it, in any order.
        batches: the operations of each example.

    Returns:
        Python source.

    Raises:
        CannotFlatten: when the modules cannot share one namespace.
    """
    owners = _owners(modules)
    stdlib = OWN_IMPORTS.union(*(module.stdlib for module in modules))
    examples = "".join(textwrap.indent(pprint.pformat(batch, width=WIDTH - 4), "    ") + ",\n" for batch in batches)
    sections = "".join(_section(module) for module in _in_order(modules, owners))
    ending = f"\n\n{_ruler('the examples')}\n\n\n_EXAMPLES = [\n{examples}]\n{FOOTER}"
    return f"{HEADER}\n{_imports(stdlib)}{PRELUDE}{sections}{ending}"


# --- taking a module apart ----------------------------------------------------------------------------------


def _take_import(module: Module, node: ast.Import | ast.ImportFrom, *, early: bool = True) -> None:
    """Take an import at the top of a module: ours gives an order, the standard library's goes to the top."""
    if _of_ours(module, node):
        _borrow(module, node, early=early)
        return
    source = node.module if isinstance(node, ast.ImportFrom) else None
    for alias in node.names:
        if (source or alias.name).partition(".")[0] not in sys.stdlib_module_names:
            raise module.refuse(node.lineno, f"{source or alias.name} is not of the standard library")
        if alias.asname or alias.name == "*":
            raise module.refuse(node.lineno, f"import {alias.name} under its own name")
        if source != "__future__" and alias.name != "TYPE_CHECKING":
            module.stdlib.add((source, alias.name) if source else (alias.name, ""))


def _take_type_checking(module: Module, node: ast.If) -> None:
    """Take an `if TYPE_CHECKING`, whose imports give no order."""
    for inner in node.body:
        if node.orelse or not isinstance(inner, ast.Import | ast.ImportFrom):
            raise module.refuse(inner.lineno, "below `if TYPE_CHECKING:` only imports can be left out")
        _take_import(module, inner, early=False)


def _of_ours(module: Module, node: ast.Import | ast.ImportFrom) -> bool:
    """Tell whether an import is of ours."""
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or (node.module or "").partition(".")[0] == "amends"
    if any(alias.name.partition(".")[0] == "amends" for alias in node.names):
        raise module.refuse(node.lineno, "write `from amends.core.x import Name`")
    return False


def _borrow(module: Module, node: ast.Import | ast.ImportFrom, *, early: bool) -> None:
    for alias in node.names:
        if alias.asname or alias.name == "*":
            raise module.refuse(node.lineno, f"import {alias.name} under its own name")
        module.borrowed.append(Borrowed(alias.name, node.lineno, early))


# --- putting the modules together ---------------------------------------------------------------------------


def _owners(modules: Sequence[Module]) -> dict[str, str]:
    """Return who gives each name its value, or refuse modules that cannot share one namespace."""
    owners = dict(OWN_NAMES)
    for source, name in sorted(OWN_IMPORTS.union(*(module.stdlib for module in modules))):
        package = source.partition(".")[0]
        bound, owner = (name, f"from {source} import {name}") if name else (package, f"import {package}")
        if owners.setdefault(bound, owner) != owner:
            raise CannotFlatten(f"{bound} is two things: {owners[bound]}, and {owner}")
    for module in modules:
        for name in sorted(_defined(module)):
            if name in dir(builtins):
                raise CannotFlatten(f"{module.name} defines {name}, which hides the builtin from all modules")
            if name in owners:
                raise CannotFlatten(f"{name} is defined twice: by {module.name}, and by {owners[name]}")
            owners[name] = module.name
    for module in modules:
        for name, line, _ in module.borrowed:
            if name not in owners:
                raise module.refuse(line, f"none of the modules defines {name} (and a module is no value here)")
    return owners


def _defined(module: Module) -> set[str]:
    """Return the names that a module gives a value at its top, imports aside."""
    symbols = symtable(module.text, module.name, "exec").get_symbols()
    names = {symbol.get_name() for symbol in symbols if symbol.is_assigned() and not symbol.is_imported()}
    return {name for name in names if not name.startswith("__")}


def _in_order(modules: Sequence[Module], owners: Mapping[str, str]) -> Iterator[Module]:
    """Yield each module after those that it imports from."""
    known = {module.name: module for module in modules}
    needs = {
        module.name: sorted({owners[name] for name, _, early in module.borrowed if early} & known.keys())
        for module in modules
    }
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise CannotFlatten("modules import each other: " + " -> ".join(error.args[1])) from None
    return (known[name] for name in order)


def _imports(stdlib: Iterable[tuple[str, str]]) -> str:
    """Return the imports of the standard library, one line for each module."""
    names: dict[str, list[str]] = {}
    for source, name in sorted(stdlib):
        names.setdefault(source if name else "", []).append(name or source)
    lines = [f"import {name}\n" for name in names.pop("", [])]
    for source, imported in names.items():
        line = f"from {source} import {', '.join(imported)}\n"
        wrapped = ",\n    ".join(imported)
        lines.append(line if len(line) <= WIDTH else f"from {source} import (\n    {wrapped},\n)\n")
    return "".join(lines)


def _section(module: Module) -> str:
    """Return what is left of a module, under a ruler with its name and its docstring as a comment."""
    lines = module.text.splitlines()
    for first, last, instead in sorted(module.cuts, reverse=True):
        lines[first - 1 : last] = [instead] if instead else []
    doc = "".join(f"# {line}".rstrip() + "\n" for line in module.doc.splitlines())
    return f"\n\n{_ruler(module.name)}\n{doc}\n\n" + "\n".join(lines).strip("\n") + "\n"


def _ruler(title: str) -> str:
    return f"# === {title} ".ljust(WIDTH, "=")


if __name__ == "__main__":
    try:
        print("wrote", write(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "main.py")))
    except CannotFlatten as error:
        sys.exit(f"single_file: {error}")
