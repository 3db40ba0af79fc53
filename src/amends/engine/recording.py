"""The audit records of one commit, as they are made."""

from __future__ import annotations

from collections.abc import Collection
from json.encoder import encode_basestring_ascii as quoted

from amends.core.audit import chain
from amends.core.messages import worded
from amends.storage.rows import Block, Head


class Recording:
    """What a commit adds to the audit.

    Attributes:
        size: characters so far.
    """

    def __init__(self, now_ms: int, fresh: Collection[str] = ()) -> None:
        """Begin with no record.

        Args:
            now_ms: the time of all of them.
            fresh: ids of sagas that start in this commit: the store finds their records by their rows.
        """
        self.size = 0
        self._now_ms = now_ms
        self._fresh = fresh
        self._lines: list[str] = []
        self._subjects: dict[str, None] = {}

    def __len__(self) -> int:
        """How many records there are."""
        return len(self._lines)

    def add(self, subject: str, number: int, cause: str, changes: str = "[]") -> None:
        """Add a record.

        Args:
            subject: what changed.
            number: position of the change in its saga, from 1; 0 for what is not numbered.
            cause: in words.
            changes: what became of it: a JSON list of words.
        """
        if not cause.isascii():
            cause = worded(cause)  # whoever reads it back takes no lone surrogate
        line = f"[{quoted(subject)},{number},{self._now_ms},{quoted(cause)},{changes}]"
        self._lines.append(line)
        self.size += len(line)
        if subject not in self._fresh:
            self._subjects[subject] = None

    def block(self, head: Head, started: int, ended: int) -> Block:
        """The block after the last one.

        Args:
            head: where the audit ends.
            started: how many sagas started.
            ended: how many became final.
        """
        after = chain(head.head, (line.encode("ascii") for line in self._lines))
        return Block(
            head.number + 1, self._now_ms, head.head, after, "\n".join(self._lines), tuple(self._subjects),
            started, ended,
        )  # fmt: skip
