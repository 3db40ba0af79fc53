"""Amends runs sagas, and finds the rollback that doesn't.

Public is what this module, `amends.inbox`, `amends.shop`, `amends.checking` and `amends.testing` export. The names of
this module are listed in `__init__.pyi`, where type checkers look. Each is loaded when it is first used, so that
importing one needs no package that another needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

__version__ = "0.1.0"

_LISTED: Final[bytes] = __loader__.get_data(f"{__file__}i")  # the loader, not a path: the package may be in a zip file
_WORDS: Final = [line.split() for line in _LISTED.decode().splitlines()]
_HOME_OF: Final = {words[3]: words[1] for words in _WORDS if words[:1] == ["from"]}  # from HOME import NAME as NAME

__all__ = [*_HOME_OF]  # noqa: PLE0604 - computed, so that a name is listed once


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'amends' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
