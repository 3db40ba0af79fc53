"""What follows from a saga: whether the functions that say so are pure, and give what the sagas to start can take."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

from amends.checking.exceptions import breaks_rule, name_of
from amends.checking.function_coverage import DeciderCall, FunctionCoverage
from amends.checking.nondeterminism import dependence, reading
from amends.checking.read_back import READ_BACK, ReadBack
from amends.checking.values import frozen, same, told
from amends.checking.world import Broken
from amends.core.definition import Child, Saga
from amends.core.messages import Call
from amends.core.step import SagaInstance
from amends.declared import as_taken
from amends.errors import ParticipantError


class Children:
    """What follows from the sagas of a scenario; each function is looked at once with the same."""

    def __init__(self, read_back: Callable[[Saga], ReadBack], coverage: FunctionCoverage) -> None:
        """Look at none yet.

        Args:
            read_back: what the values of a definition are, once they were stored and read back.
            coverage: is told of each call.
        """
        self._read_back = read_back
        self._coverage = coverage
        self._seen: dict[Any, tuple[Broken | None, tuple[str, ...]]] = {}

    def broken(self, saga_id: str, run: SagaInstance) -> Broken | None:
        """The first rule that a function breaks which says what follows from a completed saga.

        Raises:
            Raised: one raises.
        """
        return self._following(saga_id, run)[0]

    def names(self, saga_id: str, run: SagaInstance) -> tuple[str, ...]:
        """The sagas that follow from a completed one, by the names of their definitions.

        Raises:
            Raised: a function that is to say so raises.
        """
        return self._following(saga_id, run)[1]

    def _following(self, saga_id: str, run: SagaInstance) -> tuple[Broken | None, tuple[str, ...]]:
        if not run.saga.starts:
            return None, ()
        about = saga_id, frozen((run.request, dict(run.answers)))
        if about not in self._seen:
            asked = [(child, *self._asked(saga_id, run, child)) for child in run.saga.starts]
            broken = next((broken for _, _, broken in asked if broken), None)
            self._seen[about] = broken, tuple(child.saga.name for child, value, _ in asked if value is not None)
        return self._seen[about]

    def _asked(self, saga_id: str, run: SagaInstance, child: Child) -> tuple[Any, Broken | None]:
        """What a child is asked for, and what is wrong with that."""
        who = f"{run.saga.name}: the request of {child.saga.name} ({name_of(child.request)})"
        given = partial(_given, child, f"{saga_id}/{child.saga.name}", run)
        handed = given(1)
        with breaks_rule("what follows from a saga can be asked for", who, f"asked with {told(run.request)}"):
            value = child.request(*handed)
            again, reads = reading(lambda: child.request(*given(1)))
        self._coverage.calls.append(DeciderCall(who, child.request, given(1), value))
        if frozen(handed) != frozen(given(1)):
            text = f"{who} changed what it was given: {told(run.request)} became {told(handed[0])}; give back a new one"
            return value, Broken("a decider is pure", text)
        if not same(value, again):
            text = f"{who} gave {told(value)}, and {told(again)} for the same"
            return value, Broken("a decider is deterministic", text)
        if depends := dependence(lambda attempt: child.request(*given(attempt)), value, reads):
            return value, Broken("what differs between two calls does not matter", f"{who} {depends}")
        return value, self._unstorable(who, child, value)

    def _unstorable(self, who: str, child: Child, value: Any) -> Broken | None:
        if value is not None and child.saga.prepare is None:  # else that builds the request
            try:
                self._read_back(child.saga).request(value)
            except ParticipantError as error:
                return Broken(READ_BACK, f"{who}: {error}")
        return None


def _given(child: Child, key: str, run: SagaInstance, attempt: int) -> tuple[Any, ...]:
    """What a function gets: a copy of its own."""
    call = Call(key, attempt, answers=deepcopy(dict(run.answers)))
    return as_taken(child.request, deepcopy(run.request), call)
