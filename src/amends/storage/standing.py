"""Where a saga stands by its records, without its definition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from amends.core.records import GroupEntered, SagaEnded, StateChange, StepBecame
from amends.core.state import Debt, Status
from amends.storage.records import FormerWords
from amends.storage.rows import BACKWARD, FORWARD, NEEDS_OPERATOR

OUTCOMES: Final = {Status.DONE, Status.REFUSED, Status.UNKNOWN, Status.UNDONE}  # what goes into a saga's trail
LINKS_MAX: Final = 10_000  # changes that lead on from one stand; there are a few dozen in records that an engine wrote


def owed_in(trail: Iterable[str]) -> tuple[str, ...]:
    """The steps whose effect is owed, by the lines of a trail; see `amends.core.debts.owed`."""
    told = (words.rpartition(" ")[::2] for words in trail)
    last = {event: status for event, status in told if status in (Debt.OWED.value, Debt.SETTLED.value)}
    return tuple(event for event, status in last.items() if status == Debt.OWED.value)


Changes = tuple[StateChange | FormerWords, ...]


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

    def __init__(
        self, phase: str, members: dict[str, Status], others: Status, trail: tuple[str, ...], end: str
    ) -> None:
        self.phase = phase
        self.members = members
        self.others = others
        self.trail = trail
        self.end = end
        self._links: dict[int, tuple[Changes, Stand]] = {}

    @property
    def status(self) -> str:
        """The saga's status, one of `amends.storage.rows.STATUSES`."""
        return self.end or (NEEDS_OPERATOR if Status.STUCK in self.members.values() else self.phase)

    def after(self, changes: Changes) -> Stand:
        """The stand after what one record says.

        Args:
            changes: equal ones are the same object where they are read (`amends.storage.blocks`), which is looked for.
        """
        known = self._links.get(id(changes))
        if known is None:
            known = changes, self._made(changes)
            if len(self._links) < LINKS_MAX:
                self._links[id(changes)] = known
        return known[1]

    def _made(self, changes: Changes) -> Stand:
        phase, members, others, end = self.phase, dict(self.members), self.others, self.end
        trail = list(self.trail)
        for change in changes:
            if isinstance(change, SagaEnded):
                members, end = {}, change.status
            elif isinstance(change, GroupEntered):
                if change.phase == FORWARD:
                    members, others = {}, Status.PENDING
                elif phase == BACKWARD:  # else it turns back, and stays in its group
                    members, others = {}, Status.DONE
                phase = change.phase
            elif isinstance(change, StepBecame):
                if not isinstance(change.status, Debt):
                    members[change.step] = change.status
                if change.status in OUTCOMES or isinstance(change.status, Debt):
                    trail.append(f"{change.step} {change.status.value}")
        return Stand(phase, members, others, tuple(trail), end)


START: Final = Stand(FORWARD, {}, Status.PENDING, (), "")
"""Before the first record."""
