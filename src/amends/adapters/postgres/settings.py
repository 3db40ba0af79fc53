"""The settings that the promises need: set for each transaction, read back when a store is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from amends.engine.ownership import LEASE_MS

TURN_MS: Final = LEASE_MS // 3
"""A third of a lease: an engine whose turn waits still renews its lease in time, and one that was stopped in the middle
of a turn holds no lock when another one takes over."""
READ_MS: Final = 30_000
"""For a look at what is stored: a listing of many sagas takes seconds, and holds no lock."""
OLDEST: Final = 140_000  # server_version_num: the oldest version that its makers still mend


class Timeouts(NamedTuple):
    """How long the server waits, in milliseconds, before it ends a transaction of ours.

    Attributes:
        lock_ms: for a row that another transaction has locked.
        statement_ms: for the end of a statement, those waits among it.
        idle_ms: for the next statement.
    """

    lock_ms: int = TURN_MS
    statement_ms: int = TURN_MS
    idle_ms: int = TURN_MS

    def parameters(self, schema: str) -> dict[str, Any]:
        """Those of the query `settings`."""
        milliseconds = zip(("lock", "statement", "idle"), self, strict=True)
        return {"schema": f'"{schema}"', **{name: f"{number}ms" for name, number in milliseconds}}


OF_TURNS: Final = Timeouts()
OF_READS: Final = Timeouts(READ_MS, READ_MS, READ_MS)


def faults(found: Sequence[str]) -> Iterator[str]:
    """What keeps a server from being the place of a store, each in words that name the setting.

    Args:
        found: what the query `in_force_at_server` gives, inside a transaction with our settings.
    """
    number, version, fsync, full_pages, synchronous, encoding, is_replica, is_read_only = found
    if int(number) < OLDEST:
        yield f"it is PostgreSQL {version}; at least 14 is needed"
    if is_replica == "true":
        yield "it is a replica: give the address of the primary, or several hosts and target_session_attrs=read-write"
    elif is_read_only == "on":
        yield "its transactions are read-only (default_transaction_read_only)"
    if fsync != "on":
        yield f"fsync is {fsync}: a power cut would lose what was answered, or the whole database"
    if full_pages != "on":
        yield f"full_page_writes is {full_pages}: a power cut can leave pages that are torn"
    if synchronous in ("off", "local"):
        yield f"synchronous_commit is {synchronous}, though it was set to on: commits would not be safe"
    if encoding != "UTF8":
        yield f"its encoding is {encoding}, and has to be UTF8"
