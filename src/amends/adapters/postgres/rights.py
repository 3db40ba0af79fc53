"""What each role may do: an engine adds to what is recorded and cannot change it, a client reads and posts letters."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import psycopg

from amends.adapters.postgres.queries import QUERIES
from amends.errors import StoreUnusable
from amends.storage.location import DatabaseRoles, StoreFact

NAME_BYTES_MAX: Final = 63  # of a name in PostgreSQL

Rights = Mapping[str, Sequence[str]]
"""By table, the privileges beside SELECT."""
Right = tuple[str, str]
"""A table, and a privilege that a role has or lacks on it."""

ADDS: Final = ("INSERT",)
CHANGES: Final = (*ADDS, "UPDATE")
ALL: Final = (*CHANGES, "DELETE")
LOCKS: Final = "UPDATE (number)"
"""What it takes to lock a row, on a column that the server alone gives a value."""
ENGINE: Final[Rights] = {
    "blocks": ADDS, "heads": ADDS, "subjects": ADDS, "set_aside": ADDS, "knows": ADDS, "sagas": CHANGES,
    "shapes": CHANGES, "in_force": CHANGES, "budgets": CHANGES, "counts": (*ADDS, "DELETE"),
    "letters": (*ADDS, LOCKS, "DELETE"), "entity_names": (*ADDS, "DELETE"),
    "standings": ALL, "entities": ALL, "client_keys": ALL, "leases": ALL, "owners": ALL,
}  # fmt: skip
CLIENT: Final[Rights] = {table: ADDS if table == "letters" else () for table in ENGINE}
ARCHIVING: Final[Rights] = {**ENGINE, "sagas": ALL}
READER: Final[Rights] = dict.fromkeys(ENGINE, ())
CAME_WITH: Final[Mapping[str, int]] = {"knows": 2, "budgets": 3, "heads": 4, "entity_names": 5}
"""The version of the schema that a table came with, where that is not the first."""
RECORDED: Final = ("blocks", "heads", "subjects")
"""The tables that a role for engines must not change."""

GRANTING: Final = "`amends db init --print` with --engine-role or --client-role says how they are granted"
OWNS: Final = "`amends archive` is for the role that owns the schema"
NAMED_MAX: Final = 4  # rights in one line; a role that lacks more lacks all of a kind


def grants(schema: str, roles: DatabaseRoles) -> Iterator[str]:
    """The statements that give roles what they need; given again, they change nothing.

    Args:
        schema: its name.
        roles: that are there already.

    Raises:
        StoreUnusable: a name is none.
    """
    for role, rights in ((roles.engine, ENGINE), (roles.client, CLIENT)):
        if role:
            yield from grants_to(role, schema, rights)


def grants_to(role: str, schema: str, rights: Rights) -> Iterator[str]:
    """The statements that give a role some rights.

    Raises:
        StoreUnusable: it is no name for a role.
    """
    to = f"TO {_quoted(role)}"
    yield f'GRANT USAGE ON SCHEMA "{schema}" {to};'
    for table, privileges in rights.items():
        yield f'GRANT {", ".join(("SELECT", *privileges))} ON "{schema}".{table} {to};'


def given(driver: psycopg.Connection[Any], schema: str) -> list[DatabaseRoles]:
    """The roles that have been given rights: those of a table that is new are to be given to them, too."""
    found = driver.execute(QUERIES["grantees"], {"of_schema": schema}).fetchall()
    return [DatabaseRoles(engine=role) if is_engine else DatabaseRoles(client=role) for role, is_engine in found]


def as_of(version: int, rights: Rights) -> Rights:
    """Those of some rights that there are in a schema of an earlier version."""
    return {table: privileges for table, privileges in rights.items() if CAME_WITH.get(table, 1) <= version}


def lacking(held: Collection[Right], rights: Rights) -> list[str]:
    """What a role lacks of some rights, in words."""
    wanted = [("", "USAGE"), *((table, privilege) for table in rights for privilege in ("SELECT", *rights[table]))]
    return [_in_words(*right) for right in _without_columns(wanted) if right not in held]


def beyond(held: Collection[Right], rights: Rights) -> list[str]:
    """What a role may do beyond some rights, in words."""
    given = {*_without_columns((table, privilege) for table in rights for privilege in rights[table])}
    return [_in_words(*right) for right in sorted(held) if right not in given and right[1] not in ("USAGE", "SELECT")]


def held_by(driver: psycopg.Connection[Any], schema: str, role: str = "") -> set[Right]:
    """What a role may do.

    Args:
        driver: in a transaction.
        schema: its name.
        role: the connection's own when empty.

    Raises:
        psycopg.Error: there is no such role.
    """
    return {*driver.execute(QUERIES["rights"], {"of_schema": schema, "role": role})}


def expect(driver: psycopg.Connection[Any], schema: str, rights: Rights, remedy: str = GRANTING) -> None:
    """See that the connection's role may do what it is to do.

    Raises:
        StoreUnusable: it may not; the rights are named.
    """
    if missing := lacking(held_by(driver, schema), rights):
        raise StoreUnusable(f"role {own_role(driver)!r} lacks {_some(missing)}; {remedy}")


def expect_owner(driver: psycopg.Connection[Any], schema: str) -> None:
    """See that the connection's role owns the audit, and so may drop months of it.

    Raises:
        StoreUnusable: it does not.
    """
    if not driver.execute(QUERIES["owns_audit"], {"of_schema": schema}).fetchall()[0][0]:
        raise StoreUnusable(f"role {own_role(driver)!r} does not own the audit; {OWNS}")


def facts(driver: psycopg.Connection[Any], schema: str, roles: DatabaseRoles) -> Iterator[StoreFact]:
    """What roles may do that engines and clients log in as; where none is named, what the connection's own may.

    Raises:
        psycopg.Error: there is no such role.
    """
    for name, role, rights in (("engine's", roles.engine, ENGINE), ("client's", roles.client, CLIENT)):
        if role:
            yield fact_of(f"{name} role", role, held_by(driver, schema, role), rights)
    if roles == DatabaseRoles():
        yield _own_fact(own_role(driver), held_by(driver, schema))


def fact_of(name: str, role: str, held: Collection[Right], rights: Rights, remedy: str = GRANTING) -> StoreFact:
    """Whether what a role may do is what it is to do."""
    missing, more = lacking(held, rights), beyond(held, rights)
    faults = [f"it lacks {_some(missing)}; {remedy}"] if missing else []
    faults += [f"it may do more than it needs: {_some(more)}"] if more else []
    return StoreFact(name, role, "; ".join(faults))


def role_fact(driver: psycopg.Connection[Any], schema: str, named: str, rights: Rights, granting: str) -> StoreFact:
    """What a role may do; of the connection's own, which may own the schema, whether that is enough.

    Args:
        driver: in a transaction.
        schema: its name.
        named: the role; empty for the connection's own.
        rights: that it needs.
        granting: says how they are granted.
    """
    role = named or own_role(driver)
    held = held_by(driver, schema, role)
    if named:
        return fact_of("role", role, held, rights, granting)
    missing = ", ".join(lacking(held, rights))
    return StoreFact("role", role, f"it lacks {missing}; {granting}" if missing else "")


def _own_fact(role: str, held: Collection[Right]) -> StoreFact:
    if not lacking(held, ENGINE):
        may_change = [right for right in beyond(held, ENGINE) if right.split()[-1] in RECORDED]
        beside = f", and may change what is recorded: {_some(may_change)}" if may_change else ""
        return StoreFact("role", f"{role}: an engine's{beside}")
    missing = lacking(held, CLIENT)
    return StoreFact("role", f"{role}: a client's", f"it lacks {_some(missing)}; {GRANTING}" if missing else "")


def own_role(driver: psycopg.Connection[Any]) -> str:
    """The role of a connection."""
    role: str = driver.execute(QUERIES["own_role"]).fetchall()[0][0]
    return role


def _without_columns(rights: Collection[Right] | Iterator[Right]) -> Iterator[Right]:
    return ((table, privilege.partition(" ")[0]) for table, privilege in rights)


def _in_words(table: str, privilege: str) -> str:
    return f"{privilege} on {table or 'the schema'}"


def _some(rights: Sequence[str]) -> str:
    more = f" and {len(rights) - NAMED_MAX} more" if len(rights) > NAMED_MAX else ""
    return ", ".join(rights[:NAMED_MAX]) + more


def _quoted(role: str) -> str:
    if not role.isprintable() or len(role.encode()) > NAME_BYTES_MAX:
        raise StoreUnusable(f"{role!r:.100} is no name for a role: give printable text of at most 63 bytes")
    doubled = role.replace('"', '""')
    return f'"{doubled}"'
