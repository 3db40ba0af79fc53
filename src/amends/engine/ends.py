"""The clients that wait for the end of a saga, and what each is told: how it ended, or why it waits in vain."""

from __future__ import annotations

from amends.core.effects import CallOperator
from amends.core.state import NeedsOperator
from amends.core.step import SagaInstance
from amends.engine.batch import BatchResult
from amends.engine.handle import Result, result_of
from amends.engine.owned_shards import OwnedShards
from amends.engine.unit_of_work import set_aside
from amends.engine.waiters import Waiters
from amends.errors import EngineStopped, OperatorNeeded, RequestRefused


class Ends(Waiters[str, Result]):
    """The clients that wait, by the saga that they wait for."""

    def refuse(self, reason: EngineStopped) -> None:
        """Tell every client that waits that the engine stopped."""
        for saga_id in [*self]:
            self.fail(saga_id, EngineStopped(str(reason)))

    def tell(self, turn: BatchResult) -> None:
        """Tell the clients that a turn concerns."""
        if not self:
            return
        for saga_id, run in turn.ended.items():
            for waiter in self.waiting(saga_id):
                waiter.set_result(result_of(run))  # type: ignore[arg-type]  # it ended
        for call in turn.needs_operator:
            self.fail(call.saga_id, operator_needed(call))
        for saga_id, why in turn.immovable.items():
            self.fail(saga_id, set_aside(saga_id, why))

    def leave(self, shards: OwnedShards) -> None:
        """Tell the clients that wait for sagas of other engines, which are not told here how these end.

        Args:
            shards: of this engine.
        """
        for saga_id in [*self] if shards.are_shared else ():
            try:
                shards.expect(saga_id)
            except RequestRefused as refused:
                self.fail(saga_id, refused)


def end_of(run: SagaInstance) -> Result | None:
    """How a saga ended; ``None`` while it goes on.

    Raises:
        OperatorNeeded: it waits for an operator.
    """
    if isinstance(run.state, NeedsOperator):
        raise operator_needed(CallOperator(run.saga_id, run.outstanding(), run.trouble))
    return result_of(run)


def operator_needed(call: CallOperator) -> OperatorNeeded:
    """The error for a client that waits for a saga which only an operator can move."""
    saga_id, outstanding, trouble = call
    return OperatorNeeded(
        f"saga {saga_id} waits for an operator: {trouble}; outstanding: {', '.join(outstanding)}; "
        f"`amends show {saga_id}` tells more; go on with retry(), resolve() or abandon(), also as commands"
    )
