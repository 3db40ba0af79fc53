"""``amends db init`` and ``amends db migrate``: a store made, or brought up to date, or the SQL for it."""

from __future__ import annotations

import sys

from amends.errors import UnusableInput
from amends.storage.location import DatabaseRoles, LastingLocation, SchemaPlace


def initialise(db: SchemaPlace, engine_role: str, client_role: str, *, only_print: bool) -> None:
    """Make a store that is not there, or print how; no server is asked for that.

    Raises:
        UnusableInput: it cannot be made, or there is no SQL of it.
    """
    roles = DatabaseRoles(engine_role, client_role)
    if only_print:
        sys.stdout.write(db.script(0, roles))
        return
    before = db.version()
    db.migrate(roles)
    if before in (0, db.newest):
        sys.stdout.write(f"{db.shown}: {'made' if not before else 'it was there already'}, with version {db.newest}\n")
    else:
        _say_migrated(db, before)


def bring_up_to_date(db: SchemaPlace, engine_role: str, client_role: str, *, only_print: bool) -> None:
    """Bring a store that is there to the version of this Amends, or print how.

    Raises:
        UnusableInput: it is not there, or cannot be changed.
    """
    roles, before = DatabaseRoles(engine_role, client_role), db.version()
    if not before:
        raise UnusableInput(f"{db.shown}: there is no store yet: `amends db init` makes it")
    if only_print:
        sys.stdout.write(db.script(before, roles))
        return
    db.migrate(roles)
    _say_migrated(db, before)


def finish(db: LastingLocation, *, only_print: bool) -> None:
    """Take away what programs of before alone need, or print how.

    Raises:
        UnusableInput: the store has not the version of this Amends, or cannot be changed.
    """
    if only_print:
        sys.stdout.write(db.finishing_script())
        return
    db.finish()
    sys.stdout.write(f"{db.shown}: finished, with version {db.newest}\n")


def _say_migrated(db: SchemaPlace, before: int) -> None:
    what = f"brought from version {before} to {db.newest}" if before < db.newest else f"it has version {before}"
    sys.stdout.write(f"{db.shown}: {what}\n")
