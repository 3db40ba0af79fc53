"""The public names of a package: each listed once, in the ``.pyi`` beside it, and loaded when it is first used.

So type checkers and the package read the same list, and importing one name needs no package that another needs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

Public = tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]
"""A package's ``__all__``, ``__getattr__`` and ``__dir__``."""


def listed_beside(package: str, loader: Any, file: str) -> Public:
    """What a package has that lists its names, a line each: ``from HOME import NAME as NAME``.

    Args:
        package: its name.
        loader: that reads its files, which may be in a zip file.
        file: of its ``__init__.py``.
    """
    words: Final = [line.split() for line in loader.get_data(f"{file}i").decode().splitlines()]
    home_of: Final = {each[3]: each[1] for each in words if each[:1] == ["from"]}

    def load(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = vars(sys.modules[package])[name] = getattr(import_module(home_of[name]), name)
        return value

    return sorted(home_of), load, lambda: sorted({*vars(sys.modules[package]), *home_of})
