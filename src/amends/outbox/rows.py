"""The outbox's rows: letters, as a user's transaction writes them and a relay reads them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final, NamedTuple

from amends.databases.database import Database, Values
from amends.databases.kinds import database_of
from amends.engine.arguments import take_key
from amends.storage.letters import asked_in
from amends.storage.rows import Letter, checksum
from amends.storage.shards import shard_of


def _sql(name: str) -> str:
    return files(__package__).joinpath(f"{name}.sql").read_text("utf-8")


TABLE: Final = _sql("table")
"""The statement that creates the table, for a user's own migrations."""

WRITE: Final = _sql("write")
POST: Final = _sql("post")
READ: Final = _sql("read")
NUMBERS: Final = _sql("numbers")
READ_ONE: Final = _sql("read_one")
REMOVE: Final = _sql("remove")
REFUSE: Final = _sql("refuse")

NUMBER_BYTES: Final = 8  # of chance: two rows of one nanosecond share them with a chance of 1 in 10**19
TIME_DIGITS: Final = 16  # hexadecimal, of nanoseconds: until the year 2554
MS_MAX: Final = 2**53  # more milliseconds than any clock of ours tells


class OutboxRow(NamedTuple):
    """A letter that a user's transaction wrote; any program may have, so that each value may be anything.

    Attributes:
        number: of the row.
        letter_id: the client key.
        body: what it asks for.
        posted_ms: when it was written.
    """

    number: Any
    letter_id: Any
    body: Any
    posted_ms: Any

    def letter(self) -> Letter:
        """The letter.

        Raises:
            ValueError: it is none; the text says why.
        """
        if type(self.body) is not str or type(self.posted_ms) is not int or not 0 <= self.posted_ms < MS_MAX:
            raise ValueError("its body is no text, or its time no number of milliseconds")
        letter = Letter(take_key(self.letter_id), 0, self.body, self.posted_ms)
        return letter._replace(shard=shard_of(take_key(asked_in(letter).saga_id)))


def create_table(connection: Any) -> None:
    """Create the outbox's table where it is missing; to be committed by the caller.

    Args:
        connection: as for `amends.outbox.submit`, and none that is async: use ``await connection.run_sync(...)`` of
            SQLAlchemy, or the text `TABLE`.

    Raises:
        UnusableInput: the connection is of a kind that is not known.
    """
    database_of(connection).execute(TABLE, {})


def number_at(time_ns: int, chance: str = "") -> str:
    """The number of a row that is written at a time: rows are read in about the order in which they were written.

    Args:
        time_ns: nanoseconds since 1970 (UTC), by the writer's clock.
        chance: what tells rows of one moment apart; empty for what comes before all of them.
    """
    return f"{time_ns:0{TIME_DIGITS}x}{chance}"


def row_of(letter: Letter, time_ns: int) -> Values:
    """A row of the outbox, for `WRITE`."""
    number = number_at(time_ns, secrets.token_hex(NUMBER_BYTES))
    return {"number": number, "id": letter.letter_id, "body": letter.body, "posted_ms": str(letter.posted_ms)}


def row_in_mailbox(letter: Letter) -> Values:
    """A row of the mailbox in PostgreSQL, for `POST`."""
    values = zip(("id", "shard", "body", "posted_ms", "checksum"), (*letter, checksum(letter)), strict=True)
    return {name: str(value) for name, value in values}


def read(database: Database, since: str, limit: int) -> Sequence[OutboxRow]:
    """The first letters behind a number.

    Args:
        database: of the outbox.
        since: the number; empty for the beginning.
        limit: at most so many, >= 1.
    """
    wanted = {"since": since, "limit": str(limit)}
    try:
        return [OutboxRow(*row) for row in database.rows(READ, wanted)]
    except Exception as error:
        if not _is_garbled(error):
            raise
    return [_row_at(database, number) for (number,) in database.rows(NUMBERS, wanted)]


def _row_at(database: Database, number: Any) -> OutboxRow:
    try:
        (row,) = database.rows(READ_ONE, {"number": number})
    except Exception as error:
        if not _is_garbled(error):
            raise
        return OutboxRow(number, "", None, 0)
    return OutboxRow(*row)


def _is_garbled(error: Exception) -> bool:
    """Whether a text is no UTF-8, as SQLite keeps any bytes in one: by what the drivers raise, whose errors differ."""
    return isinstance(error, UnicodeError) or "Could not decode to UTF-8" in str(error)


def remove(database: Database, rows: Sequence[OutboxRow]) -> None:
    """Remove letters that are in the mailbox."""
    if rows:
        database.execute_many(REMOVE, [{"number": row.number} for row in rows])


def refuse(database: Database, row: OutboxRow, why: str) -> None:
    """Leave what is no letter where it is, with why, and read it no more."""
    database.execute(REFUSE, {"number": row.number, "refused": why})
