"""A store in a file that is to move, with a row of every kind; and a process of its own that moves one."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from amends import Done
from amends.adapters.postgres.address import address_of
from amends.adapters.postgres.moving import PostgresMoveTarget
from amends.adapters.sqlite import moving
from amends.adapters.sqlite.mailbox import SqliteMailbox
from amends.adapters.sqlite.store import SqliteStore
from amends.core.messages import Answered, Kind
from amends.storage.letters import answer_letter, start_letter
from amends.storage.moving import MovedShop, cancel, move
from amends.storage.ports import ALL, Records, SagaFilter
from amends.storage.rows import (
    BACKWARD,
    COMPENSATED,
    COMPLETED,
    FORWARD,
    NEEDS_OPERATOR,
    WAITS_FOR_OPERATOR,
    Letter,
    Unreadable,
)
from tests.contract.rows import START_MS, TICKETS, TRIPS, Writer, completed, entity, key, saga, shape

ODD = "a \0 and a \1, \"quoted\" \\ {'x'} \N{SNOWMAN}"
"""What is hard to carry: texts that PostgreSQL does not take as they are, and what has a meaning in its arrays."""


def write(path: Path, *, damaged: Sequence[str] = ()) -> None:
    """Write a store whose sagas are in every state, and in whose mailbox letters wait.

    Args:
        path: of the store.
        damaged: statements that change rows behind its back.
    """
    with closing(SqliteStore(path)) as store:
        put = Writer(store)
        put(
            shape(), shape(5, kind="entity", name="SHOWS"), saga("S0"), entity("E0"), key("K0", "S0"),
            subjects=["S0"], counts={(TICKETS, FORWARD): 1},
        )  # fmt: skip
        put(
            completed(saga("S0")), saga("S1"), entity(ODD, '{"x":"\\u0000"}'), key(ODD, "S1"),
            subjects=["S0", "S1", "SHOWS/E0"], counts={(TICKETS, COMPLETED): 1},
        )  # fmt: skip
        put(
            saga("S2", definition=TRIPS, due_ms=START_MS + 7, status=BACKWARD),
            saga("S3", status=NEEDS_OPERATOR, due_ms=WAITS_FOR_OPERATOR),
            saga("S4", status=COMPENSATED, due_ms=None),
            saga("S5", status=COMPENSATED, due_ms=WAITS_FOR_OPERATOR),  # something of it is owed
            saga(ODD), entity("E0", None, 2), entity("E0", service=ODD), key("K2"),
            Unreadable("entity", ODD, "a flipped bit"),
            subjects=["S2", "S3", "S4", "S5", ODD],
            counts={
                (TRIPS, BACKWARD): 1, (TICKETS, NEEDS_OPERATOR): 1, (TICKETS, COMPENSATED): 2, (TICKETS, FORWARD): 1,
            },
        )  # fmt: skip
        store.commit(put.changes()._replace(posted=[start("own 1"), start("own 2")]))
    with closing(SqliteMailbox(path)) as mailbox:
        mailbox.post([start("first"), answer_letter("said", "S2", Answered("BOOKED", Kind.DO, Done(7)), START_MS)])
        mailbox.post([start(ODD)])
    with closing(apsw.Connection(str(path))) as database:
        for statement in damaged:
            database.execute(statement).fetchall()


def start(letter_id: str) -> Letter:
    """Return a letter that starts a saga."""
    return start_letter(letter_id, f"of {letter_id}", TICKETS, '{"n":1}', START_MS)


def moved(path: Path, url: str, page_rows: int = moving.PAGE_ROWS) -> MovedShop:
    """Move a store, or go on."""
    with moving.SqliteMoveSource(str(path), page_rows) as source, PostgresMoveTarget(address_of(url)) as target:
        return move(source, target, lambda *_: None)


def canceled(path: Path, url: str) -> None:
    """End a move before its end."""
    with moving.SqliteMoveSource(str(path)) as source, PostgresMoveTarget(address_of(url)) as target:
        cancel(source, target)


def everything(records: Records) -> dict[str, Any]:
    """Return all that can be read of a store, in the order in which it is read."""
    sagas = list(records.listing(SagaFilter(limit=ALL)))
    names = [row.name if isinstance(row, Unreadable) else row.saga_id for row in sagas]
    return {
        "sagas": sagas,
        "waiting": list(records.listing(SagaFilter(statuses=[BACKWARD, NEEDS_OPERATOR, COMPENSATED], limit=ALL))),
        "due": records.due([TICKETS, TRIPS], WAITS_FOR_OPERATOR, ALL),
        "oldest": records.oldest_waiting_ms(),
        "entities": sorted(records.all_entities(), key=repr),
        "keys": sorted(records.all_keys(), key=repr),
        "counts": dict(records.counts()),
        "set aside": list(records.set_aside()),
        "head": records.head(),
        "blocks": list(records.blocks()),
        "about": {name: list(records.blocks_about(name)) for name in (*names, "SHOWS/E0")},
    }


if __name__ == "__main__":
    moved(Path(sys.argv[1]), sys.argv[2], page_rows=int(sys.argv[3]))
    sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\n")
