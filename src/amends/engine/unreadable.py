"""The rows that turn out to be unreadable in one batch: they are set aside, left as they are, and listed."""

from __future__ import annotations

from collections.abc import Collection

from amends.engine.recording import Recording, reason_text
from amends.storage.records import RowSetAside
from amends.storage.rows import Unreadable


class UnreadableRows:
    """The rows that one batch sets aside.

    Attributes:
        new: those that were not known to be unreadable, by kind and name.
        sagas: the sagas among them, whether or not it was known, and why they cannot be read.
    """

    def __init__(self, known: Collection[tuple[str, str]], recording: Recording) -> None:
        """Begin with none.

        Args:
            known: kind and name of those that were set aside before.
            recording: gets a record of each new one.
        """
        self.new: dict[tuple[str, str], Unreadable] = {}
        self.sagas: dict[str, str] = {}
        self._known = known
        self._recording = recording

    def add(self, row: Unreadable) -> None:
        """Set a row aside."""
        if row.kind == "saga":
            self.sagas[row.name] = row.why
        name = row.kind, row.name
        if name not in self.new and name not in self._known:
            self.new[name] = row
            self._recording.add(row.name, 0, RowSetAside(row.kind), reason_text(row.why))
