"""What a client holds of a saga that it started, and what it gets at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from amends.core.state import Finished, underway
from amends.core.step import Run


class Result(NamedTuple):
    """How a saga ended.

    Attributes:
        saga_id: which.
        state: `Completed`, `Compensated` or `Abandoned`.
        reason: why it turned back, or was stuck; empty when nothing went wrong.
        answers: what its steps answered, by event, as plain JSON values.
    """

    saga_id: str
    state: Finished
    reason: str
    answers: Mapping[str, Any]


class Handle:
    """A saga whose start is on stable storage.

    Attributes:
        saga_id: which.
    """

    __slots__ = ("_run", "_wait", "saga_id")

    def __init__(self, saga_id: str, run: Run | None, wait: Callable[[str], Awaitable[Result]]) -> None:
        self.saga_id = saga_id
        self._run = run
        self._wait = wait

    async def result(self, timeout: float | None = None) -> Result:  # noqa: ASYNC109 - as a Future has it
        """Wait for the end. Giving up waiting changes nothing for the saga.

        Args:
            timeout: how long to wait, in seconds; ``None`` for as long as it takes.

        Raises:
            TimeoutError: it had not ended by then; it goes on.
            EngineStopped: the engine was closed before; the saga goes on when it is opened again.
        """
        ended = None if self._run is None else result_of(self._run)
        if ended is not None:
            return ended
        try:
            async with asyncio.timeout(timeout):
                return await self._wait(self.saga_id)
        except TimeoutError as error:
            raise TimeoutError(f"saga {self.saga_id} has not ended within {timeout} s; it goes on") from error

    def __repr__(self) -> str:
        return f"<Handle {self.saga_id}>"


def result_of(run: Run) -> Result | None:
    """How a run ended; ``None`` while it has not."""
    state = run.state
    if underway(state) is not None:
        return None
    assert isinstance(state, Finished)
    return Result(run.saga_id, state, run.reason, run.answers)
