"""Who waits for the end of which saga, and what each is told: how it ended, or why nobody can wait for it now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from amends.core.effects import CallOperator
from amends.core.state import NeedsOperator
from amends.core.step import SagaInstance
from amends.engine.coordinator import BatchResult
from amends.engine.handle import Result, result_of
from amends.engine.unit_of_work import set_aside
from amends.errors import EngineStopped, OperatorNeeded

Waiter = asyncio.Future[Result]


class Ends:
    """Those who wait."""

    def __init__(self) -> None:
        self._waiters: dict[str, list[Waiter]] = {}

    @contextmanager
    def waiter(self, saga_id: str) -> Iterator[Waiter]:
        """Who waits for a saga in here: its result, or an exception."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(saga_id, [])
        waiters.append(waiter)
        try:
            yield waiter
        finally:
            waiters.remove(waiter)
            if not waiters and self._waiters.get(saga_id) is waiters:
                del self._waiters[saga_id]

    def refuse(self, reason: EngineStopped) -> None:
        """Tell everyone who waits that the engine stopped."""
        for saga_id in [*self._waiters]:
            self._fail(saga_id, EngineStopped(str(reason)))

    def tell(self, turn: BatchResult) -> None:
        """Tell whom a turn concerns."""
        if not self._waiters:
            return
        for saga_id, run in turn.ended.items():
            for waiter in self._waiting(saga_id):
                waiter.set_result(result_of(run))  # type: ignore[arg-type]  # it ended
        for call in turn.needs_operator:
            self._fail(call.saga_id, operator_needed(call))
        for saga_id, why in turn.immovable.items():
            self._fail(saga_id, set_aside(saga_id, why))

    def _fail(self, saga_id: str, error: Exception) -> None:
        for waiter in self._waiting(saga_id):
            fail(waiter, error)

    def _waiting(self, saga_id: str) -> Iterator[Waiter]:
        return (waiter for waiter in self._waiters.get(saga_id, ()) if not waiter.done())


def fail(waiter: asyncio.Future[Result], error: Exception) -> None:
    """Tell one who waits why it waits in vain; that nobody waits any more is no error."""
    waiter.set_exception(error)
    waiter.exception()


def end_of(run: SagaInstance) -> Result | None:
    """How a saga ended; ``None`` while it goes on.

    Raises:
        OperatorNeeded: it waits for an operator.
    """
    if isinstance(run.state, NeedsOperator):
        raise operator_needed(CallOperator(run.saga_id, run.outstanding(), run.trouble))
    return result_of(run)


def operator_needed(call: CallOperator) -> OperatorNeeded:
    """What whoever waits for a saga is told when only an operator can move it."""
    saga_id, outstanding, trouble = call
    return OperatorNeeded(
        f"saga {saga_id} waits for an operator: {trouble}; outstanding: {', '.join(outstanding)}; "
        f"`amends show {saga_id}` tells more; go on with tell(): Retry(step), Resolve(step, outcome) or Abandon()"
    )
