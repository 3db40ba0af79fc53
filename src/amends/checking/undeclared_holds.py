"""Fields that steps hold while a saga runs, and do not declare by ``holds=``.

A field is held where a completed saga leaves it as it was, and the step's undo would change it all the same: the step
changed it, and a later one put it back. What a sale takes for good differs at the end, so it is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from amends.checking.values import record, same
from amends.core.definition import Step
from amends.core.messages import Kind, Refused
from amends.core.participant import apply_step
from amends.core.step import SagaInstance
from amends.core.walk import call_of


class UndeclaredHolds:
    """What was seen to be held, in sagas that completed alone."""

    def __init__(self) -> None:
        self._is_held: dict[tuple[str, str], bool] = {}

    def __iter__(self) -> Iterator[str]:
        """Each as ``STEP holds field``: those that were put back whenever the saga completed."""
        return (f"{event} holds {name}" for (event, name), is_held in self._is_held.items() if is_held)

    def look(self, run: SagaInstance, step: Step, before: Any, after: Any, request: Any) -> None:
        """Look at the entity of a step of a saga that completed alone.

        Args:
            run: of the saga.
            step: a local one.
            before: its entity before the saga.
            after: its entity now.
            request: the saga's, a copy.
        """
        if step.undo is None:
            return
        call = call_of(run.saga, run.saga_id, step, Kind.UNDO, run.answers)
        try:
            without, said = apply_step(step, Kind.UNDO, deepcopy(after), request, call)
        except Exception:  # noqa: BLE001 - an undo of the user's, asked behind the end, which it never is
            return
        if isinstance(said, Refused):
            return
        declared = {name for each in run.saga.every_step() if each.service == step.service for name in each.holds}
        was, then = record(before) or {}, record(without) or {}
        for name, value in (record(after) or {}).items():
            if name in was and name in then and name not in declared and not same(value, then[name]):
                key = step.event, name
                self._is_held[key] = self._is_held.get(key, True) and same(value, was[name])
