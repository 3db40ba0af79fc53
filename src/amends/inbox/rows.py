"""The inbox's rows: one for each step of a saga, with the first answer to its action and to its undo.

One row for both, because they exclude each other: the transaction that has the row decides, and others wait for it.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final, NamedTuple

import msgspec

from amends.core.inbox import as_plain, from_plain
from amends.core.messages import Done, Refused
from amends.databases.database import Database
from amends.databases.kinds import database_of
from amends.storage.codecs.values import storable


def _sql(name: str) -> str:
    return files(__package__).joinpath(f"{name}.sql").read_text("utf-8")


TABLE: Final = _sql("table")
"""The statement that creates the table, for a user's own migrations."""

CLAIM: Final = _sql("claim")
READ: Final = _sql("read")
WRITE: Final = _sql("write")


class InboxRow(NamedTuple):
    """What a step has answered.

    Attributes:
        acted: to its action; ``None`` when that never came, or did not end.
        undone: to its undo; ``None`` when that never came, or did not end.
    """

    acted: Done | Refused | None
    undone: Done | Refused | None


def create_table(connection: Any) -> None:
    """Create the inbox's table where it is missing; to be committed by the caller.

    Args:
        connection: as for `amends.inbox.once`.

    Raises:
        UnusableInput: the connection is of a kind that is not known.
    """
    database_of(connection).execute(TABLE, {})


def claim(database: Database, saga_id: str, step: str) -> InboxRow:
    """Take the row of a step, until the transaction ends; wait for another transaction that has it.

    Returns:
        What it holds now; nothing when it is new.
    """
    values = {"saga": saga_id, "step": step}
    database.execute(CLAIM, values)
    (row,) = database.rows(READ, values)
    return InboxRow(*map(_read, row))


def write(database: Database, saga_id: str, step: str, row: InboxRow) -> None:
    """Write the row of a step that is claimed."""
    texts = dict(zip(("do_answer", "undo_answer"), map(_written, row), strict=True))
    database.execute(WRITE, {"saga": saga_id, "step": step, **texts})


def as_read(answer: Done | Refused, what: str) -> Done | Refused:
    """An answer as it will be read again, so that the first one equals all that follow.

    Args:
        answer: any.
        what: whose it is, for the error.

    Raises:
        ValueError: it would be read as another one, or not at all.
    """
    storable(answer, what)
    again = _read(_written(answer))
    assert again is not None, "an answer is there"
    return again


def _written(answer: Done | Refused | None) -> str | None:
    return None if answer is None else msgspec.json.encode(as_plain(answer)).decode()


def _read(text: str | bytes | None) -> Done | Refused | None:
    return None if text is None else from_plain(msgspec.json.decode(text))
