"""Which store a command is about: ``--db``, a path or a URL, else the environment's ``AMENDS_DB``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from amends.errors import UnusableInput

if TYPE_CHECKING:
    from amends.storage.location import LastingLocation, SchemaPlace

VARIABLE: Final = "AMENDS_DB"
ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+:/|:?memory:$", re.IGNORECASE)  # of more letters than a drive has

Db = Annotated[
    str,
    typer.Option(
        "--db", metavar="STORE", envvar=VARIABLE, show_default=False, show_envvar=False,
        help=f"The store: a file, or postgresql://...; else what {VARIABLE} names.",
    ),
]  # fmt: skip
"""The option, for a parameter that is ``""`` by default."""
WireUrl = Annotated[
    str,
    typer.Option(
        "--wire", metavar="URL", show_default=False,
        help="A wire between services in place of a store: postgresql://...",
    ),
]  # fmt: skip
"""The option for a wire, in place of that for a store."""

EventsUrl = Annotated[
    str,
    typer.Option(
        "--events", metavar="URL", show_default=False,
        help="A table of events in place of a store: postgresql://...",
    ),
]  # fmt: skip
"""The option for where `amends publish` goes, in place of that for a store."""


def named(db: str) -> LastingLocation:
    """Where the store is that a command was given.

    Raises:
        UnusableInput: it was given none.
    """
    if not db:
        raise UnusableInput(f"no store is named: give --db STORE, or set {VARIABLE}")
    return place_of(db)


def schema_named(db: str, wire: str, events: str) -> SchemaPlace:
    """Where the schema is that a command was given: of a wire or of events, if one is named, else of a store.

    Raises:
        UnusableInput: it was given none.
    """
    from amends.bootstrap import events_located, wire_located

    if events:
        return events_located(events)
    return wire_located(wire) if wire else named(db)


def place_of(name: str) -> LastingLocation:
    """Where a store is: in a file, which may be named as `amends.open` names it, or in a PostgreSQL.

    Raises:
        UnusableInput: it names something else.
    """
    from amends.bootstrap import LASTING, located
    from amends.storage.location import SQLITE

    is_file = name.startswith(SQLITE) or not name.startswith((*LASTING,))
    return located(path_of(name) if is_file else name)


def path_of(name: str) -> str:
    """The path of a file, which may be named as a store: ``sqlite:///shop.db``.

    Args:
        name: empty for none.

    Raises:
        UnusableInput: it names something else than a file.
    """
    from amends.storage.location import SQLITE, without_password

    path = name.removeprefix(SQLITE)
    if (name and not path) or ADDRESS.match(path):
        what = f"{without_password(name)!r:.200}"
        raise UnusableInput(f"{what} names no store file; give its path, such as shop.db, or sqlite:///shop.db")
    return path
