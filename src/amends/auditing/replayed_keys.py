"""What the records of client keys lead to."""

from __future__ import annotations

from amends.storage.codecs.values import json_of
from amends.storage.records import KeyRefused, KeyRemembered, KeysArchived, KeysStored, Record

KeyCause = KeyRefused | KeyRemembered | KeysStored | KeysArchived


class ReplayedKeys(dict[str, tuple[str, str]]):
    """Client keys: the saga that each started, and what it stands for.

    Attributes:
        remembered: the answers that were told under keys which were not stored yet, by key.
    """

    def __init__(self) -> None:
        super().__init__()
        self._refused: dict[str, str] = {}
        self.remembered: dict[str, str] = {}

    def take(self, record: Record, cause: KeyCause, *, takes_over: bool) -> None:
        """Take in what keys stand for, or that they left.

        Args:
            record: about them.
            cause: of the record.
            takes_over: whether it is of a store that an earlier version wrote: what its keys stand for is not told.
        """
        if isinstance(cause, KeyRefused):
            self._refused[cause.key] = record.value or '""'
        elif isinstance(cause, KeyRemembered):
            self.remembered[cause.key] = record.value or "null"
        elif isinstance(cause, KeysArchived):
            for key in cause.keys:
                self.pop(key, None)
        elif not takes_over:
            for key, saga_id in cause.keys:
                reason = self._refused.pop(key, "null")
                told = f'{{"saga":{json_of(saga_id)}}}' if saga_id else f'{{"refused":{reason}}}'
                self[key] = saga_id, self.remembered.pop(key, told)
