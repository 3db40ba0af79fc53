"""Audit records read back, and where a saga stands by them: what can be told without its definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from amends.core.definition import MOVES
from amends.storage.rows import BACKWARD, FINAL, FORWARD, NEEDS_OPERATOR, Block

ARCHIVED: Final = "archived in "
"""Begins the cause of a saga's very last record, which is not numbered: it left for another file."""
ENTERS_FORWARD, ENTERS_BACKWARD = MOVES
OUTCOMES: Final = {"done", "refused", "unknown", "undone"}  # what goes into a saga's trail
OWED: Final = "owed"  # as do these, which are of no step of the current group
SETTLED: Final = "settled"
LINKS_MAX: Final = 10_000  # changes that lead on from one stand; there are a few dozen unless somebody made them up


class Recorded(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """A record; see `amends.core.audit.Record`. Its number is 0 when it is not about a saga's state."""

    subject: str
    number: int
    at_ms: int
    cause: str
    changes: tuple[str, ...]


_LINES: Final = msgspec.json.Decoder(Recorded)


def lines_of(block: Block) -> list[str]:
    """The canonical records of a block, as text."""
    return block.records.split("\n") if block.records else []


def records_of(lines: Sequence[str]) -> list[Recorded]:
    """Records, read back.

    Raises:
        msgspec.DecodeError: a line is no record.
    """
    records = _LINES.decode_lines("\n".join(lines))
    if len(records) != len(lines):
        raise msgspec.DecodeError("a line is not one record")
    return records


def readable_of(lines: Sequence[str]) -> Iterator[Recorded | None]:
    """Records, read back one by one; ``None`` for a line that is no record."""
    for line in lines:
        try:
            yield _LINES.decode(line)
        except (msgspec.DecodeError, UnicodeEncodeError):
            yield None


def owed_in(trail: Iterable[str]) -> tuple[str, ...]:
    """The steps whose effect is owed, by the lines of a trail; see `amends.core.debts.owed`."""
    told = (words.rpartition(" ")[::2] for words in trail)
    last = {event: status for event, status in told if status in (OWED, SETTLED)}
    return tuple(event for event, status in last.items() if status == OWED)


class Stand:
    """Where a saga stands. Stands are linked by the changes that lead from one to the next, so each is made once.

    Attributes:
        end: the final status; empty while there is none.
        phase: ``forward`` or ``backward``.
        members: step of the current group to its status, of those that something was said of.
        others: the status of the other members of the group.
        trail: the outcomes so far, as ``EVENT status``; of what was undone, the event is the step's.
    """

    __slots__ = ("_links", "end", "members", "others", "phase", "trail")

    def __init__(self, phase: str, members: dict[str, str], others: str, trail: tuple[str, ...], end: str) -> None:
        self.phase = phase
        self.members = members
        self.others = others
        self.trail = trail
        self.end = end
        self._links: dict[tuple[str, ...], Stand] = {}

    @property
    def status(self) -> str:
        """One of `amends.storage.rows.STATUSES`."""
        return self.end or (NEEDS_OPERATOR if "stuck" in self.members.values() else self.phase)

    def after(self, changes: tuple[str, ...]) -> Stand:
        """The stand after what one record says."""
        stand = self._links.get(changes)
        if stand is None:
            stand = self._made(changes)
            if len(self._links) < LINKS_MAX:
                self._links[changes] = stand
        return stand

    def _made(self, changes: tuple[str, ...]) -> Stand:
        phase, members, others, end = self.phase, dict(self.members), self.others, self.end
        trail = list(self.trail)
        for words in changes:
            if words in FINAL:
                members, end = {}, words
            elif words.startswith(ENTERS_FORWARD):
                phase, members, others = FORWARD, {}, "pending"
            elif words.startswith(ENTERS_BACKWARD):
                if phase == BACKWARD:  # turning back, it stays in its group
                    members, others = {}, "done"
                phase = BACKWARD
            else:
                event, _, status = words.rpartition(" ")
                if status in (OWED, SETTLED):
                    trail.append(words)
                    continue
                members[event] = status
                if status in OUTCOMES:
                    trail.append(words)
        return Stand(phase, members, others, tuple(trail), end)


START: Final = Stand(FORWARD, {}, "pending", (), "")
"""Before the first record."""
