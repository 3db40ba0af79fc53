"""Operators who wait until what was owed is undone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from amends.core.messages import Answered, Kind, Later, Outcome, Undo, Verb
from amends.engine.task import Task
from amends.engine.tasks import Deliver

Undone = asyncio.Future[Outcome]


class LateUndos:
    """The operators that wait, by saga and step."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, str, Undone]] = []

    @contextmanager
    def waiter(self, saga_id: str, verb: Verb) -> Iterator[Undone]:
        """A future for one operator, while it waits in here: it gets the outcome of an `Undo`, and of no other verb."""
        undone: Undone = asyncio.get_running_loop().create_future()
        entry = (saga_id, verb.step if isinstance(verb, Undo) else "", undone)
        self._waiting.append(entry)
        try:
            yield undone
        finally:
            self._waiting.remove(entry)

    def tell(self, task: Task) -> None:
        """Tell the operators that a task concerns which was carried out, and stored."""
        if not self._waiting:
            return
        match task:
            case Deliver(saga_id, Answered(event, Kind.UNDO_LATE, outcome)) if not isinstance(outcome, Later):
                for saga, step, undone in self._waiting:
                    if (saga, step) == (saga_id, event) and not undone.done():
                        undone.set_result(outcome)
