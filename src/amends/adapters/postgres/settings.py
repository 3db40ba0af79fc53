"""The settings that the promises need: set for each transaction, read back when a store is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from amends.engine.limits import LEASE_MS
from amends.lines import SECOND_MS
from amends.storage.location import StoreFact

TURN_MS: Final = LEASE_MS // 3
"""A third of a lease: an engine whose turn waits still renews its lease in time, and one that was stopped in the middle
of a turn holds no lock when another one takes over."""
WAY_MS: Final = 3_000
"""For an answer to be on its way, beside what the server does: ten times what it takes around the world."""
READ_MS: Final = 30_000
"""For a look at what is stored: a listing of many sagas takes seconds, and holds no lock."""
OLDEST: Final = 140_000  # server_version_num: the oldest version that its makers still mend


WRONG: Final = {
    "PostgreSQL": "at least 14 is needed",
    "server": "give the address of the primary, or several hosts and target_session_attrs=read-write; a primary is "
    "read-only by default_transaction_read_only",
    "fsync": "a power cut would lose what was answered, or the whole database",
    "full_page_writes": "a power cut can leave pages that are torn",
    "synchronous_commit": "it was set to on, and commits would not be safe",
    "encoding": "it has to be UTF8",
}
"""What is wrong with a setting that is not as it has to be."""


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

    @property
    def silence_s(self) -> float:
        """After so many seconds without a word a connection counts as lost: the server ends what takes longer."""
        return (self.statement_ms + WAY_MS) / SECOND_MS

    def parameters(self, schema: str) -> dict[str, Any]:
        """Those of the query `settings`."""
        milliseconds = zip(("lock", "statement", "idle"), self, strict=True)
        return {"schema": f'"{schema}"', **{name: f"{number}ms" for name, number in milliseconds}}


OF_TURNS: Final = Timeouts()
OF_READS: Final = Timeouts(READ_MS, READ_MS, READ_MS)


def facts(found: Sequence[str]) -> Iterator[StoreFact]:
    """What the promises need of a server, each with what keeps it from being the place of a store.

    Args:
        found: what the query `in_force_at_server` gives, inside a transaction with our settings.
    """
    number, version, fsync, full_pages, synchronous, encoding, is_replica, is_read_only = found
    server = "a replica" if is_replica == "true" else "read-only" if is_read_only == "on" else "a primary"
    seen = {
        "PostgreSQL": version, "server": server, "fsync": fsync, "full_page_writes": full_pages,
        "synchronous_commit": synchronous, "encoding": encoding,
    }  # fmt: skip
    wrong = {
        "PostgreSQL": int(number) < OLDEST, "server": server != "a primary", "fsync": fsync != "on",
        "full_page_writes": full_pages != "on", "synchronous_commit": synchronous in ("off", "local"),
        "encoding": encoding != "UTF8",
    }  # fmt: skip
    for name, value in seen.items():
        yield StoreFact(name, value, f"{name} is {value}: {WRONG[name]}" if wrong[name] else "")


def faults(found: Sequence[str]) -> Iterator[str]:
    """What keeps a server from being the place of a store, each in words that name the setting."""
    return (fact.fault for fact in facts(found) if fact.fault)
