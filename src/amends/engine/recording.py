"""The records of one commit, as they are made: typed causes and changes as text, and the values beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from json.encoder import encode_basestring_ascii as quoted
from operator import attrgetter, itemgetter
from typing import Any, Final

from amends.core.messages import Answered, Done, Halt, Input, Refused, Resolve, TimedOut, Unknown, Verb, worded
from amends.storage.blocks import beside_text, head_after, head_line, key_text
from amends.storage.causes import cause_text
from amends.storage.codecs.values import Sealed, encode, json_of
from amends.storage.digests import SEED_BYTES, digests, salts_of
from amends.storage.records import Cause
from amends.storage.rows import Block, EntityRow, Head, KeyRow

Salts = Callable[[int], bytes]
"""Gives so many bytes that cannot be guessed."""

NOTHING: Final = "[]"
_NAME: Final[Callable[[EntityRow], Any]] = itemgetter(*map(EntityRow._fields.index, ("entity_id", "version")))
_BODY: Final[Callable[[EntityRow], Any]] = attrgetter("body")
WRITTEN_ONCE: Final = frozenset((Done, Refused, TimedOut))  # as a cause: step, kind and attempt are all of it
CAUSES_MAX: Final = 10_000  # that are written once; of each step a few, and one for each attempt


class Recording:
    """What a commit adds to the audit.

    Attributes:
        size: characters so far.
    """

    def __init__(self, now_ms: int, fresh: Collection[str] = (), salts: Salts = os.urandom) -> None:
        """Begin with no record.

        Args:
            now_ms: the time of all of them; not before that of the last block.
            fresh: ids of sagas that start in this commit: the store finds their records by their rows.
            salts: where the salts of values come from; in a simulation, something that repeats itself.
        """
        self.size = 0
        self._now_ms = now_ms
        self._salts = salts
        self._fresh = fresh
        self._lines: list[str] = []
        self._values: list[str] = []
        self._of_rows: list[str] = []  # values that lie in rows, and not beside the records
        self._transitions: dict[tuple[str, str], int] = {}
        self._subjects: dict[str, None] = {}

    def __len__(self) -> int:
        """How many records there are."""
        return len(self._lines)

    def add(self, subject: str, number: int, cause: Cause, value: str | None = None) -> None:
        """Add a record of what changed no state of a saga.

        Args:
            subject: what it is about.
            number: position of the change in its saga, from 1; 0 for what is not numbered.
            cause: what happened.
            value: what the cause is about, JSON; ``None`` for nothing.
        """
        self.write(subject, number, cause_text(cause), NOTHING, value)

    def write(self, subject: str, number: int, cause: str, changes: str, value: str | None) -> None:
        """The same, of causes and changes that are text already."""
        transition = self._transitions.get((cause, changes))
        if transition is None:
            transition = self._add_transition(cause, changes)
        if value is None:
            line = f"[{quoted(subject)},{number},{transition}]"
        else:
            line = f"[{quoted(subject)},{number},{transition},{len(self._values)}]"
            self._values.append(value)
            self.size += len(value)
        self._lines.append(line)
        self.size += len(line)
        if subject and subject not in self._fresh:
            self._subjects[subject] = None

    def write_entities(self, service: str, rows: Sequence[EntityRow]) -> None:
        """Add which rows of a service's entities the commit stores; after all other records."""
        names, bodies = _in_ascii([*map(_NAME, rows)]), [*map(_BODY, rows)]
        if None in bodies:
            bodies = [body or "null" for body in bodies]
        self._write_rows(f'["entities",{quoted(service)},{names}]', bodies)

    def write_reads(self, service: str, versions: Iterable[tuple[str, int]]) -> None:
        """Add on which rows of a service's entities the commit was decided, besides those that it stores."""
        names = ",".join([f"[{quoted(entity_id)},{version}]" for entity_id, version in versions])
        if names:
            self.write("", 0, f'["read",{quoted(service)},[{names}]]', NOTHING, None)

    def write_keys(self, rows: Sequence[KeyRow]) -> None:
        """Add which client keys the commit stores; after all other records."""
        names = ",".join([f"[{quoted(row.key)},{quoted(row.saga_id)}]" for row in rows])
        self._write_rows(f'["keys",[{names}]]', map(key_text, rows))

    def _write_rows(self, cause: str, texts: Iterable[str]) -> None:
        self._lines.append(f'["",0,{self._add_transition(cause, NOTHING)},{len(self._values) + len(self._of_rows)}]')
        self._of_rows += texts

    def _add_transition(self, cause: str, changes: str) -> int:
        """Where it is among those of the block. They are few: most sagas of a commit go the same ways."""
        self.size += len(cause) + len(changes)
        return self._transitions.setdefault((cause, changes), len(self._transitions))

    def block(self, head: Head, started: int = 0, ended: int = 0) -> Block:
        """The block after the last one.

        Args:
            head: where its chain ends.
            started: how many sagas started.
            ended: how many became final.
        """
        texts = self._values + self._of_rows
        seed = self._salts(SEED_BYTES).hex()
        of_values = digests(salts_of(seed, len(texts)), texts)
        records = "\n".join((head_line(self._now_ms, of_values, self._transitions), *self._lines))
        after, beside = head_after(head.head, records), beside_text(seed, self._values)
        return Block(
            head.number + 1, self._now_ms, head.head, after, records, tuple(self._subjects), started, ended, beside,
            head.chain,
        )  # fmt: skip


def _in_ascii(value: Any) -> str:
    text = encode(value).decode()
    return text if text.isascii() else json.dumps(value, separators=(",", ":"))  # which takes ten times as long


_CAUSES: Final[dict[Any, str]] = {}


def said_text(said: Input) -> tuple[str, str | None]:
    """An input that a saga took, as it is recorded: what happened, and the value of that as JSON."""
    happened = said.outcome if isinstance(said, Answered) else said
    if happened.__class__ not in WRITTEN_ONCE or getattr(said, "by", None) or getattr(said, "why", None):
        return cause_text(said), _value_of(said)
    key = said.step, said.kind, happened.__class__, said.attempt  # type: ignore[union-attr]  # both have these
    cause = _CAUSES.get(key)
    if cause is None:
        if len(_CAUSES) >= CAUSES_MAX:
            _CAUSES.clear()
        cause = _CAUSES[key] = cause_text(said)
    return cause, _of_outcome(happened)


def reason_text(reason: str) -> str | None:
    """A reason as a value."""
    return quoted(worded(reason)) if reason else None


def _value_of(said: Input) -> str | None:
    if isinstance(said, Answered | Resolve):
        outcome = _of_outcome(said.outcome)
        is_pair = said.why or (isinstance(said, Resolve) and outcome)
        return f"[{outcome or 'null'},{quoted(worded(said.why))}]" if is_pair else outcome
    if isinstance(said, Halt):
        return reason_text(said.error)
    return reason_text(said.why) if isinstance(said, Verb) else None


def _of_outcome(outcome: Any) -> str | None:
    if isinstance(outcome, Done):
        answer = outcome.answer
        return None if answer is None else answer.text if type(answer) is Sealed else json_of(answer)
    if isinstance(outcome, Refused):
        return reason_text(outcome.reason)
    return reason_text(outcome.error) if isinstance(outcome, Unknown) else None
