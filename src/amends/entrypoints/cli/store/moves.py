"""``amends move``: a shop goes from one database to another."""

from __future__ import annotations

import sys
from functools import partial
from typing import Final

from amends.auditing.chain import head_text
from amends.entrypoints.drawing.progress import status_line
from amends.lines import counted, grouped
from amends.storage.location import LastingLocation
from amends.storage.moving import MovedShop, cancel, move

SHOWN: Final = {
    "saga": ("sagas",), "entity row": ("entities",), "client key": ("client_keys",),
    "letter": ("letters", "mailbox"), "block": ("blocks",),
}  # fmt: skip
"""What is said of a move: the words, and the tables that are counted for them."""


def move_shop(source: LastingLocation, target: LastingLocation) -> None:
    """Move a shop, and say what was moved, and where its audit ends.

    Raises:
        UnusableInput: one of the two cannot be used.
        StoreError: it ended before its end.
    """
    words = partial(_line_of, source, target)
    with source.move_source() as here, target.move_target() as there, status_line(words) as report:
        moved = move(here, there, lambda *reached: report(reached) if report else None)
    sys.stdout.write(f"{source.shown} moved to {target.shown}: {_numbers(moved)}\n{head_text(moved.head)}\n")


def cancel_move(source: LastingLocation, target: LastingLocation) -> None:
    """End a move before its end.

    Raises:
        UnusableInput: there is no such move, or one of the two cannot be used.
    """
    with source.move_source() as here, target.move_target() as there:
        cancel(here, there)
    sys.stdout.write(f"{source.shown}: its shop stays there\n")


def _numbers(moved: MovedShop) -> str:
    return ", ".join(counted(sum(moved.rows[table] for table in tables), word) for word, tables in SHOWN.items())


def _line_of(source: LastingLocation, target: LastingLocation, reached: tuple[int, ...]) -> str:
    done, of_rows = reached
    return f"{source.shown}: {grouped(done)} of {counted(of_rows, 'row')} moved to {target.shown}"
