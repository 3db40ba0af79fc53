"""What a client holds of a saga that it started, and what it gets at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol, get_args

from amends.core.state import Finished
from amends.core.step import SagaInstance
from amends.storage.codecs.values import opened_all
from amends.views.story import Description

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
    """Something that can wait for the end of a saga, and tell how it stands: an engine."""

    async def result(self, saga_id: str, timeout: float | None = None, /) -> Result:  # noqa: ASYNC109 - as a Future has it
        """See `Handle.result`."""

    async def describe(self, saga_id: str, /) -> Description:
        """See `Handle.describe`."""


class StartedSaga:
    """A saga whose start is on stable storage, and how it ended if it had by then; nothing else of it is kept.

    Attributes:
        saga_id: of the saga.
    """

    __slots__ = ("_answers", "_owed", "_reason", "_state", "_trouble", "saga_id")

    def __init__(self, begun: SagaInstance | str) -> None:
        """Keep what is known. A client may hold very many of these: all of it is one object.

        Args:
            begun: where it stands, or its id alone.
        """
        if isinstance(begun, str):
            self.saga_id, self._state = begun, None
            return
        self.saga_id, self._state = begun.saga_id, begun.state
        if isinstance(begun.state, FINISHED):
            self._reason, self._trouble = begun.reason, begun.trouble
            self._answers, self._owed = begun.answers, begun.owed()

    def ended(self) -> Result | None:
        """How it ended, if it had when it was started; ``None`` when its end is still to be waited for."""
        if not isinstance(self._state, FINISHED):
            return None
        answers = opened_all(self._answers)
        return Result(self.saga_id, self._state, self._reason, answers, self._trouble, self._owed)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.saga_id}>"


class Handle(StartedSaga):
    """A saga whose start is on stable storage."""

    __slots__ = ("_engine",)

    def __init__(self, begun: SagaInstance | str, engine: Waits) -> None:
        """Keep how it ended, if it has.

        Args:
            begun: where it stands, or its id alone.
            engine: knows the rest.
        """
        super().__init__(begun)
        self._engine = engine

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

    async def describe(self) -> Description:
        """The saga, step by step, as it stands; see `Looks.describe`.

        Raises:
            RequestRefused: it cannot be read, or has left for an archive.
            EngineStopped: the engine was closed.
        """
        return await self._engine.describe(self.saga_id)


def result_of(run: SagaInstance) -> Result | None:
    """How a run ended; ``None`` while it has not."""
    return StartedSaga(run).ended()
