"""``amends tail``: what happened to sagas, a line each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from amends.auditing.findings import block_name
from amends.entrypoints.cli.store.documents import write_all
from amends.entrypoints.cli.store.sagas import now
from amends.entrypoints.drawing.paper import FAINT, STYLES, Paper, paper
from amends.entrypoints.drawing.words import moment_of, one_line
from amends.errors import UnusableInput
from amends.events.cloud_events import SOURCE, cloud_events
from amends.events.following import followed
from amends.events.log import EventBlock, EventLog
from amends.lines import moment
from amends.storage.location import LastingLocation
from amends.storage.ports import Records
from amends.storage.records import Record
from amends.storage.rows import Head, SagaRow
from amends.storage.words import cause_in_words, changes_in_words
from amends.views.story import no_saga

ALL_READ: Final = 0
DAMAGED: Final = 1
RECENTLY: Final = "10m"
TEXT_MAX: Final = 500  # characters of what happened; --json has all of it


@dataclass(frozen=True, slots=True, kw_only=True)
class TailOptions:
    """What is shown of a store, and how.

    Attributes:
        since: from which moment on, as a person writes it; empty for the usual.
        saga_id: of which saga alone; empty for all.
        follows: whether it goes on until Ctrl-C.
        as_json: whether as CloudEvents.
        source: of these; empty for the usual.
    """

    since: str
    saga_id: str
    follows: bool
    as_json: bool
    source: str


def show_events(db: LastingLocation, wanted: TailOptions, audit_files: Sequence[str]) -> int:
    """Show them. Returns the exit code: 1 where a part of the audit cannot be read.

    Raises:
        UnusableInput: the store cannot be used, or the moment is none.
        StoreError: the audit cannot be read any further.
    """
    code, out = ALL_READ, paper()
    try:
        with closing(db.records(audit_files)) as store:
            log = EventLog(store, _cursor(db, store, wanted))
            for batch in followed(log, is_live=wanted.follows, busy=say_busy):
                for block in batch:
                    code = max(code, _show(out, block, wanted))
                sys.stdout.flush()
    except KeyboardInterrupt:
        if not wanted.follows:
            raise
    return code


def _cursor(db: LastingLocation, store: Records, wanted: TailOptions) -> dict[str, Head]:
    """Where each chain was at the moment from which on is shown."""
    row = store.saga(wanted.saga_id) if wanted.saga_id and not wanted.since else None
    if wanted.saga_id and row is None and not (wanted.since or wanted.follows):
        raise UnusableInput(f"{db.shown}: {no_saga(store, wanted.saga_id)}; --since shows what is on record of it")
    since_ms = row.started_ms if isinstance(row, SagaRow) else moment_of(wanted.since or RECENTLY, now())
    return {chain: Head(number, b"", 0, chain) for chain, number in store.block_numbers(since_ms).items()}


def _show(out: Paper, block: EventBlock, wanted: TailOptions) -> int:
    """Show one block's. Returns the exit code so far."""
    about = [each for each in block.records if wanted.saga_id in ("", each.subject)]
    seen = block._replace(records=tuple(about))
    if wanted.as_json:
        write_all(
            sys.stdout.buffer, b"".join(each.as_json() + b"\n" for each in cloud_events(seen, wanted.source or SOURCE))
        )
    else:
        for line in (*map(_line, seen.records), *[_damage(block.head)] * block.is_damaged):
            out.write(line)
    return DAMAGED if block.is_damaged else ALL_READ


def _line(record: Record) -> Text:
    what = "started" if record.number == 1 else one_line(cause_in_words(record), TEXT_MAX)
    changes = one_line(", ".join(changes_in_words(record)), TEXT_MAX)
    about = (one_line(record.subject, TEXT_MAX), "bold")
    return Text.assemble((f"{moment(record.at_ms)}  ", FAINT), about, f"  {what}", (f"  {changes}", FAINT))


def _damage(head: Head) -> Text:
    name = block_name(head.number, head.chain)
    return Text(f"{name} cannot be read; `amends audit verify` says why", STYLES["refused"])


def say_busy(why: str) -> None:
    """Say on standard error what is waited for, where anything is."""
    if why:
        sys.stderr.write(f"amends: {why}; it is looked at again\n")
