"""The client keys of one batch: what was answered under them before, and what is answered now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from amends.engine.recording import Recording, reason_text
from amends.engine.unreadable import UnreadableRows
from amends.errors import KeyReused, RequestRefused
from amends.storage.codecs.values import shown, text_of
from amends.storage.records import KeyRefused
from amends.storage.rows import KeyRow, Unreadable

SAGA: Final = "saga"
REFUSED: Final = "refused"


def started_by(answer: str) -> str | RequestRefused:
    """The saga that a key started, by what was answered under it; or why it started none."""
    known = msgspec.json.decode(answer)
    return known[SAGA] if SAGA in known else RequestRefused(known[REFUSED])


def row_of_request(row: KeyRow | Unreadable, key: str, digest: str, earlier: Callable[[], str] | None = None) -> KeyRow:
    """What is stored under a client key, where it is of the same request; see `BatchKeys.recall`."""
    if isinstance(row, Unreadable):
        raise RequestRefused(f"client key {shown(key)} cannot be read: {row.why}")
    if row.request != digest and (earlier is None or row.request != earlier()):
        raise KeyReused(f"client key {shown(key)} stands for another request; give every request a key of its own")
    return row


class BatchKeys:
    """The client keys of one batch.

    Attributes:
        new: the rows of keys that are new.
    """

    def __init__(
        self, known: Mapping[str, KeyRow | Unreadable], unreadable: UnreadableRows, recording: Recording
    ) -> None:
        """Begin with no new key.

        Args:
            known: what the store has of the keys of the batch.
            unreadable: gets a row that cannot be read.
            recording: gets a record of what was refused under a key.
        """
        self.new: dict[str, KeyRow] = {}
        self._known = known
        self._unreadable = unreadable
        self._recording = recording

    def recall(self, key: str, digest: str, earlier: Callable[[], str] | None = None) -> str | None:
        """What was answered under a client key, as JSON; ``None`` when the key is new.

        Args:
            key: as the client gave it.
            digest: of the request that comes under it now.
            earlier: gives the digest that an earlier version kept of the same request; ``None`` when that was no other.

        Raises:
            KeyReused: another request came under this key.
            RequestRefused: what the key stands for cannot be read any more.
        """
        row = self.new.get(key) or self._known.get(key)
        if row is None:
            return None
        if isinstance(row, Unreadable):
            self._unreadable.add(row)
        return row_of_request(row, key, digest, earlier).answer

    def remember(self, key: str, digest: str, answer: Any, saga_id: str = "") -> KeyRow:
        """Keep what is answered under a client key, for as long as its saga is kept; without one, as its record is."""
        return self.keep(key, digest, text_of(answer), saga_id)

    def keep(self, key: str, digest: str, answer: str, saga_id: str) -> KeyRow:
        """The same, of an answer that is JSON already."""
        row = self.new[key] = KeyRow(key, digest, answer, saga_id)
        return row

    def refuse(self, key: str, digest: str, reason: str, of: str = "") -> None:
        """Note that a request was refused under a key, and why; `of` what, where that is no saga."""
        self.remember(key, digest, {REFUSED: reason})
        self._recording.add(f"client key {key}", 0, KeyRefused(key, of), reason_text(reason))
