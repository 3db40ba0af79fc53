"""Which store file a command is about: ``--db FILE``, else the environment's ``AMENDS_DB``."""

from __future__ import annotations

import re
from typing import Annotated, Final

import typer

from amends.errors import UnusableInput

VARIABLE: Final = "AMENDS_DB"
ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+:/|:?memory:$", re.IGNORECASE)  # of more letters than a drive has

Db = Annotated[
    str,
    typer.Option(
        "--db", metavar="FILE", envvar=VARIABLE, show_default=False, show_envvar=False,
        help=f"The store; else what {VARIABLE} names.",
    ),
]  # fmt: skip
"""The option, for a parameter that is ``""`` by default."""


def named(db: str) -> str:
    """The path that a command was given.

    Raises:
        UnusableInput: it was given none.
    """
    if not db:
        raise UnusableInput(f"no store is named: give --db FILE, or set {VARIABLE}")
    return path_of(db)


def path_of(name: str) -> str:
    """The path of a store, which may be named as `amends.open` names it: ``sqlite:///shop.db``.

    Args:
        name: empty for none.

    Raises:
        UnusableInput: it names something else than a file.
    """
    from amends.bootstrap import SQLITE

    path = name.removeprefix(SQLITE)
    if (name and not path) or ADDRESS.match(path):
        raise UnusableInput(f"{name!r:.200} names no store file; give its path, such as shop.db, or sqlite:///shop.db")
    return path
