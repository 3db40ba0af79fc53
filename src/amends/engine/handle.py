"""What a client holds of a saga that it started, and what it gets at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol, get_args

from amends.core.state import Finished
from amends.core.step import SagaInstance
from amends.engine.overlay import new_row
from amends.storage.codecs.values import opened_all

FINISHED: Final = get_args(Finished)  # a tuple: to look whether one is of a union takes ten times as long


class Result(NamedTuple):
    """How a saga ended.

    Attributes:
        saga_id: of the saga.
        state: `Completed`, `Compensated` or `Abandoned`.
        reason: why it turned back; empty when it did not.
        answers: what its steps answered, by event, as the types that they declare, or plain JSON; a copy, which its
            receiver owns.
        trouble: why it waited for an operator last; empty when it never did.
        owed: the steps that took effect after all, as was heard only after they had been given up; an operator has
            them undone with `Undo`.
    """

    saga_id: str
    state: Finished
    reason: str
    answers: Mapping[str, Any]
    trouble: str = ""
    owed: tuple[str, ...] = ()


class Waits(Protocol):
    """Something that can wait for the end of a saga: an engine."""

    async def result(self, saga_id: str, timeout: float | None = None, /) -> Result:  # noqa: ASYNC109 - as a Future has it
        """See `Handle.result`."""


class Handle:
    """A saga whose start is on stable storage.

    Attributes:
        saga_id: of the saga.
    """

    __slots__ = ("_engine", "_result", "saga_id")

    def __init__(self, begun: SagaInstance | str, engine: Waits) -> None:
        """Keep how it ended, if it has, and nothing else of it.

        Args:
            begun: where it stands, or its id alone.
            engine: knows the rest.
        """
        self._engine = engine
        self.saga_id, self._result = (begun, None) if isinstance(begun, str) else (begun.saga_id, _kept(begun))

    async def result(self, timeout: float | None = None) -> Result:  # noqa: ASYNC109 - as a Future has it
        """Wait for the end. Giving up waiting changes nothing for the saga.

        Args:
            timeout: how long to wait, in seconds; ``None`` for as long as it takes.

        Raises:
            OperatorNeeded: it waits for an operator, or does so from now on; a ``TimeoutError``, too.
            TimeoutError: it had not ended by then; it goes on.
            EngineStopped: the engine was closed before; the saga goes on when it is opened again.
        """
        return self.ended() or await self._engine.result(self.saga_id, timeout)

    def ended(self) -> Result | None:
        """How it ended, if it had when it was started; ``None`` when its end is still to be waited for."""
        return None if self._result is None else _owned(self._result)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.saga_id}>"


def result_of(run: SagaInstance) -> Result | None:
    """How a run ended; ``None`` while it has not."""
    kept = _kept(run)
    return None if kept is None else _owned(kept)


def _kept(run: SagaInstance) -> Result | None:
    if not isinstance(run.state, FINISHED):
        return None
    result: Result = new_row(Result, (run.saga_id, run.state, run.reason, run.answers, run.trouble, run.owed()))
    return result


def _owned(result: Result) -> Result:
    """A result with answers of its own, which its receiver may change."""
    return result._replace(answers=opened_all(result.answers))
