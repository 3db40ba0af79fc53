"""Which store file a command is about: ``--db FILE``, else the environment's ``AMENDS_DB``."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from amends.errors import UnusableInput

VARIABLE: Final = "AMENDS_DB"

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
    return db
