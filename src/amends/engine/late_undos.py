"""Operators who wait until what was owed is undone."""

from __future__ import annotations

from amends.core.messages import Answered, Kind, Outcome
from amends.engine.task import Task
from amends.engine.tasks import Deliver
from amends.engine.waiters import Waiters


class LateUndos(Waiters[tuple[str, str], Outcome]):
    """The operators that wait, by saga and step."""

    def tell(self, task: Task) -> None:
        """Tell the operators that a task concerns which was carried out, and stored."""
        if not self:
            return
        match task:
            case Deliver(saga_id, Answered(event, Kind.UNDO_LATE, outcome)):
                for undone in self.waiting((saga_id, event)):
                    undone.set_result(outcome)
