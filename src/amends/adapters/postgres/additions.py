"""What others have added to our tables, and runs inside our transactions: triggers and rules."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from amends.adapters.postgres.queries import QUERIES
from amends.adapters.postgres.rights import ENGINE
from amends.adapters.postgres.texts import text_array
from amends.storage.location import StoreFact

NAME: Final = "triggers and rules"
WRONG: Final = "it runs inside transactions of Amends, and may change or refuse what these write: drop it"


def fact(driver: psycopg.Connection[Any], schema: str) -> StoreFact:
    """Which there are on the tables of a schema; but for ours, none is to be there.

    Args:
        driver: in a transaction.
        schema: its name.
    """
    found = driver.execute(QUERIES["additions"], {"of_schema": schema, "tables": text_array([*ENGINE])}).fetchall()
    added = ", ".join(f"{name} on {table}" for name, table in found)
    return StoreFact(NAME, added or "none", f"{added}: {WRONG}" if added else "")
