"""Making, listing and ending access keys."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.text import Text

from amends.entrypoints.cli.store.sagas import now
from amends.entrypoints.drawing.paper import FAINT, paper
from amends.entrypoints.drawing.tables import table
from amends.entrypoints.drawing.words import one_line, span_of
from amends.entrypoints.http.access.keys import NAME_MAX, AccessKey, KeyFile
from amends.entrypoints.http.scopes import GRANTED, Scope
from amends.errors import UnusableInput
from amends.lines import moment

TITLES = ("key", "name", "scopes", "made", "ends")


def make_key(file: KeyFile, name: str, scopes: Sequence[str], expires: str) -> None:
    """Make a key, and print it.

    Raises:
        UnusableInput: there is no such scope, name or span, or the file cannot be written.
    """
    for scope in scopes:
        if scope not in {*GRANTED}:
            raise UnusableInput(f"{scope!r:.100} is no scope; those are {', '.join(sorted(GRANTED))}")
    key, shown = file.add(name, [Scope(scope) for scope in scopes], now() + span_of(expires) if expires else None)
    _print(key, shown)


def list_keys(file: KeyFile) -> None:
    """List them.

    Raises:
        UnusableInput: the file cannot be read.
    """
    out, now_ms = paper(), now()
    rows = [_row(key, now_ms) for key in file.listed()]
    out.write(*(table(TITLES, rows) if rows else [Text(f"{file.path} has no key")]))


def revoke_key(file: KeyFile, key_id: str) -> None:
    """End a key.

    Raises:
        UnusableInput: there is none, or the file cannot be written.
    """
    key = file.end(key_id, now())
    sys.stdout.write(f"key {key.key_id} of {key.name} has ended\n")


def rotate_key(file: KeyFile, key_id: str, overlap: str) -> None:
    """Make another key for the same, and have the old one end.

    Raises:
        UnusableInput: there is none, or the file cannot be written.
    """
    ends_ms = now() + span_of(overlap)
    old = file.end(key_id, ends_ms)
    key, shown = file.add(old.name, old.scopes)
    _print(key, shown)
    sys.stdout.write(f"key {old.key_id} ends at {moment(ends_ms)}\n")


def _print(key: AccessKey, shown: str) -> None:
    sys.stdout.write(f"{shown}\n")
    sys.stderr.write(f"amends: key {key.key_id} of {key.name}, which is shown this once\n")


def _row(key: AccessKey, now_ms: int) -> tuple[Text, ...]:
    style = "" if key.holds(now_ms) else FAINT
    ends = "never" if key.ends_ms is None else moment(key.ends_ms)
    words = (key.key_id, one_line(key.name, NAME_MAX), " ".join(key.scopes), moment(key.made_ms), ends)
    return tuple(Text(word, style) for word in words)
