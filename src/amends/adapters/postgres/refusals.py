"""What PostgreSQL's errors are to us. None of the driver's goes beyond this package."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors

from amends.errors import LockTimeout, StoreBusy, StoreConflict, StoreError, StoreFailed, StoreFull, StoreTooBig

UNFINISHED: Final = (
    "a move of a shop into this schema is not finished: run `amends move` again with the same source, or "
    "`amends move --cancel`"
)
REFUSALS: Final[tuple[tuple[type[psycopg.Error], type[StoreError], str], ...]] = (
    (errors.UniqueViolation, StoreConflict, "a row is there already"),
    (errors.ForeignKeyViolation, StoreConflict, "a row that it is about is gone"),
    (errors.CheckViolation, StoreFailed, UNFINISHED),  # of leases, which no table but that has
    (errors.CardinalityViolation, StoreConflict, "a row is there twice"),
    (errors.SerializationFailure, StoreConflict, "another transaction was faster"),
    (errors.DeadlockDetected, StoreConflict, "two transactions waited for each other"),
    (errors.LockNotAvailable, LockTimeout, "another engine has locked a row"),
    (errors.QueryCanceled, LockTimeout, "the server ended a statement that took too long"),
    (errors.IdleInTransactionSessionTimeout, StoreConflict, "the server ended a turn that did nothing for too long"),
    (errors.DiskFull, StoreFull, "there is no space left"),
    (errors.OutOfMemory, StoreTooBig, "it is more than the server's memory takes"),
    (errors.ProgramLimitExceeded, StoreTooBig, "it is more than PostgreSQL takes at once"),
    (errors.ReadOnlySqlTransaction, StoreBusy, "the server takes no writes: it is a replica now"),
)
"""Those of which it is known what to do. Any other that did not end the connection is a `StoreFailed`."""

NEVER: Final = (
    "authentication failed",
    "no password supplied",
    "does not exist",
    "no such database",
    "no such user",
    "no pg_hba.conf entry",
    "not permitted to log in",
    "permission denied",
    "does not support SSL",
    "certificate verify failed",
    "unsupported startup parameter",
    "invalid ",
)
"""Words of servers, poolers and libpq about a connection that no waiting brings: its address or the server has to be
changed. libpq gives no code for these. A server that speaks another language is waited for, and the log has its words.
"""


def is_passing(error: psycopg.Error) -> bool:
    """Whether a connection that could not be had may be had later, with nothing changed: a server is away, or full."""
    return isinstance(error, psycopg.OperationalError) and not any(words in str(error) for words in NEVER)


def ends_session(error: psycopg.Error) -> bool:
    """Whether the connection is over with it, also where its end is not seen yet: a pooler says so, and closes then."""
    return (error.diag.severity_nonlocalized or error.diag.severity) in {"FATAL", "PANIC"}


def refusal_of(error: psycopg.Error, *, is_lost: bool) -> StoreError:
    """What an error is to a reader or writer of a store, before a commit was asked for.

    Args:
        error: the driver's.
        is_lost: whether the connection is gone with it: then the server has rolled back, or will.
    """
    for kind, refusal, words in REFUSALS:
        if isinstance(error, kind):
            return refusal(f"{words} ({line_of(error)})")
    return StoreBusy(f"the database is away: {line_of(error)}") if is_lost else StoreFailed(line_of(error))


def line_of(error: psycopg.Error) -> str:
    """What the driver said, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
