"""Letters to the engines, written in the caller's own transaction: its rollback takes them back with all else."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol, TypeVar, overload

from amends.client.letters import LetterWriter
from amends.core.definition import Saga
from amends.core.messages import Cancel, Outcome
from amends.databases.database import Values, expect_transaction
from amends.databases.kinds import async_database_of, database_of, is_async
from amends.engine.definitions import Definitions
from amends.engine.limits import VALUE_BYTES_MAX, expect_value_bytes
from amends.engine.names import new_name
from amends.errors import DefinitionError, UnusableInput
from amends.generic import Wanted
from amends.outbox.rows import POST, WRITE, row_in_mailbox, row_of
from amends.storage.codecs.values import shown
from amends.storage.letters import OUTBOX
from amends.storage.rows import Letter

ID_LENGTH: Final = 16  # 80 bits for each letter: two of 10**9 share one with a chance of 1 in 2 million
NO_DEFINITIONS: Final = Definitions((), ())

Answer = TypeVar("Answer")


class AsyncTransaction(Protocol):
    """An async connection or session, by which a type checker knows that a call is to be awaited."""

    def commit(self) -> Coroutine[Any, Any, None]:
        """Commit what was written."""


class SyncTransaction(Protocol):
    """A connection or session, by which a type checker knows that a call is not awaited."""

    def commit(self) -> None:
        """Commit what was written."""


class HasCursor(Protocol):
    """A connection of a driver that has no `commit`, as apsw."""

    def cursor(self) -> Any:
        """What carries out statements."""


class OutboxHandle(NamedTuple):
    """A saga that was asked for: an engine starts it, once the transaction is committed.

    Attributes:
        saga_id: of the saga, if no other request under the key came first.
        key: the client key, the caller's or one that was made: `amends.connect(...).find(key)` finds the saga.
    """

    saga_id: str
    key: str


@overload
def submit(
    connection: AsyncTransaction,
    saga: Saga[Any, Wanted],
    request: Wanted,
    *,
    key: str | None = None,
    schema: str = "",
    value_bytes_max: int = VALUE_BYTES_MAX,
) -> Coroutine[Any, Any, OutboxHandle]: ...


@overload
def submit(
    connection: SyncTransaction | HasCursor,
    saga: Saga[Any, Wanted],
    request: Wanted,
    *,
    key: str | None = None,
    schema: str = "",
    value_bytes_max: int = VALUE_BYTES_MAX,
) -> OutboxHandle: ...


def submit(
    connection: Any,
    saga: Saga[Any, Wanted],
    request: Wanted,
    *,
    key: str | None = None,
    schema: str = "",
    value_bytes_max: int = VALUE_BYTES_MAX,
) -> OutboxHandle | Coroutine[Any, Any, OutboxHandle]:
    """Ask for a saga in a transaction of one's own. Its commit is enough that the saga starts, once.

    Args:
        connection: of sqlite3, apsw, psycopg 3 or Django, or a connection or session of SQLAlchemy 2, on SQLite or
            PostgreSQL; inside a transaction, which is neither committed nor rolled back here. Of one that is async
            (psycopg 3, aiosqlite, SQLAlchemy 2) the call is awaited.
        saga: its definition.
        request: what it is to do; where the definition has a `prepare`, what that gets, as plain JSON.
        key: a client key: the same key and request give the same saga, however often and from wherever they come. Give
            one wherever the transaction may be tried again after its commit, as with a key of a business row.
        schema: of the engines' store, where that is in the very database of the connection: the letter goes there. By
            default it goes into the table ``amends_outbox`` of the connection's database, and the engines are opened
            with ``outboxes=`` to fetch it.
        value_bytes_max: how large the request may be, as JSON in UTF-8. Bytes; 16 MiB by default. Set it to what the
            engines were opened with.

    Returns:
        The saga's id, and its key.

    Raises:
        RequestRefused: the request cannot be stored, or the key is none; nothing was written.
        DefinitionError: `saga` is no definition, or its requests or answers cannot be stored.
        UnusableInput: the connection is of no known kind, or commits each statement by itself; or `schema` or
            `value_bytes_max` is none.
        Exception: what the driver raises.
    """
    expect_value_bytes(value_bytes_max)
    if not isinstance(saga, Saga):
        raise DefinitionError(f"{shown(saga)} is no Saga: give the definition that the engines are opened with")
    start = _writer(_definitions(saga), value_bytes_max).start(saga, request, key, _now_ms())
    return _written(connection, start.letter, schema, OutboxHandle(start.saga_id, start.letter.letter_id))


@overload
def answer(
    connection: AsyncTransaction, key: str, outcome: Outcome, *, by: str = "", reason: str = "", schema: str = ""
) -> Coroutine[Any, Any, None]: ...


@overload
def answer(
    connection: SyncTransaction | HasCursor,
    key: str,
    outcome: Outcome,
    *,
    by: str = "",
    reason: str = "",
    schema: str = "",
) -> None: ...


def answer(
    connection: Any, key: str, outcome: Outcome, *, by: str = "", reason: str = "", schema: str = ""
) -> Coroutine[Any, Any, None] | None:
    """Bring the answer to a request that a participant took with `Later`, in a transaction of one's own.

    Whether the saga takes it is not told here: an answer that it does not take is in its record, or in the engine's
    log.

    Args:
        connection: as for `submit`.
        key: `Call.key` of the request.
        outcome: what became of it.
        by: who brings it, for the record.
        reason: why, for the record.
        schema: as for `submit`.

    Raises:
        RequestRefused: no request can have the key, or the outcome is none, or cannot be stored; nothing was written.
        UnusableInput, Exception: as for `submit`.
    """
    letter = _writer(NO_DEFINITIONS).answer(key, outcome, by, reason, _now_ms())
    return _written(connection, letter, schema, None)


@overload
def cancel(
    connection: AsyncTransaction, saga_id: str, *, by: str = "", reason: str = "", schema: str = ""
) -> Coroutine[Any, Any, None]: ...


@overload
def cancel(
    connection: SyncTransaction | HasCursor, saga_id: str, *, by: str = "", reason: str = "", schema: str = ""
) -> None: ...


def cancel(
    connection: Any, saga_id: str, *, by: str = "", reason: str = "", schema: str = ""
) -> Coroutine[Any, Any, None] | None:
    """Have a saga undone, in a transaction of one's own. It is taken until the pivot's request is committed.

    Whether it came in time is not told here: one that came too late is in the engine's log.

    Args:
        connection: as for `submit`.
        saga_id: of the saga.
        by: who wants it.
        reason: why, for the record; participants that undo are told it as `Call.reason`.
        schema: as for `submit`.

    Raises:
        RequestRefused: no saga can have the id; nothing was written.
        UnusableInput, Exception: as for `submit`.
    """
    letter = _writer(NO_DEFINITIONS).verb(saga_id, Cancel(reason, by), _now_ms())
    return _written(connection, letter, schema, None)


def _written(connection: Any, letter: Letter, schema: str, answer: Answer) -> Answer | Coroutine[Any, Any, Answer]:
    """Write a letter; what the caller gets of it, or of an async connection what gives that."""
    sql, values = _statement(letter, schema)
    if is_async(connection):
        return _written_async(connection, sql, values, answer)
    database = database_of(connection)
    expect_transaction(database.driver)
    database.execute(sql, values)
    return answer


async def _written_async(connection: Any, sql: str, values: Values, answer: Answer) -> Answer:
    await async_database_of(connection).execute(sql, values)
    return answer


def _statement(letter: Letter, schema: str) -> tuple[str, Values]:
    if schema == "":
        return WRITE, row_of(letter, time.time_ns())
    if not (str(schema).isascii() and str(schema).isidentifier()):
        raise UnusableInput(f"schema is {shown(schema)}; give the name that the engines' address has as ?schema=")
    return POST.replace("{schema}", schema), row_in_mailbox(letter)


def _writer(definitions: Definitions, value_bytes_max: int = VALUE_BYTES_MAX) -> LetterWriter:
    """Writes one letter, under a name that no other one has: a process may be forked between two."""
    return LetterWriter(definitions, OUTBOX + new_name(ID_LENGTH), value_bytes_max)


@lru_cache
def _definitions(saga: Saga) -> Definitions:
    return Definitions([saga], ())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
