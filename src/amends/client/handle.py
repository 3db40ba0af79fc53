"""What a caller holds of a saga that it asked for by a letter."""

from __future__ import annotations

from typing import Self

from amends.client.letters import StartLetter
from amends.client.tracking import SagaTracker
from amends.engine.handle import Result
from amends.engine.patience import Patience
from amends.views.story import Description


class ClientHandle:
    """A saga that was asked for: its letter is on stable storage, and an engine starts it.

    Attributes:
        saga_id: of the saga. Under a client key that a letter of another client had, too, it is known for certain once
            `started` has returned.
    """

    __slots__ = ("_is_started", "_start", "_tracker", "saga_id")

    def __init__(self, start: StartLetter, tracker: SagaTracker, saga_id: str = "") -> None:
        """Keep what was asked for.

        Args:
            start: the letter.
            tracker: follows the saga.
            saga_id: of the saga that the key had started before; empty for none.
        """
        self._start = start
        self._tracker = tracker
        self._is_started = bool(saga_id)
        self.saga_id = saga_id or start.saga_id

    def of(self, tracker: SagaTracker) -> Self:
        """The same handle, which asks by another connection to the store."""
        self._tracker = tracker
        return self

    async def started(self, timeout: float | None = None) -> str:  # noqa: ASYNC109 - as a Future has it
        """Wait until an engine has started the saga; the saga's id.

        Args:
            timeout: how long to wait, in seconds; ``None`` for as long as it takes.

        Raises:
            RequestRefused: the engine refused it, and why: `Saga.prepare` did, or it does not know the definition.
            KeyReused: the key stands for another request.
            TimeoutError: it had not come to it by then. The letter stays, and the saga starts once an engine runs.
        """
        await self._start_by(Patience(timeout))
        return self.saga_id

    async def result(self, timeout: float | None = None) -> Result:  # noqa: ASYNC109 - as a Future has it
        """Wait for the end. Giving up waiting changes nothing for the saga.

        Args:
            timeout: how long to wait, in seconds; ``None`` for as long as it takes.

        Raises:
            RequestRefused, KeyReused: no saga was started; see `started`.
            OperatorNeeded: it waits for an operator, or does so from now on; a ``TimeoutError``, too.
            TimeoutError: it had not ended by then; it goes on, or starts once an engine runs.
        """
        patience = Patience(timeout)
        await self._start_by(patience)
        return await self._tracker.end_of(self.saga_id, patience)

    async def describe(self) -> Description:
        """The saga, step by step, as it stands; see `Client.describe`.

        Raises:
            RequestRefused: it has not started yet.
        """
        return await self._tracker.describe(self.saga_id)

    async def _start_by(self, patience: Patience) -> None:
        if not self._is_started:
            self.saga_id = await self._tracker.started(self._start, patience)
            self._is_started = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.saga_id}>"
