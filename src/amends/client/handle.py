"""What a caller holds of a saga that it asked for by a letter."""

from __future__ import annotations

from typing import Protocol, Self

from amends.client.letters import StartLetter
from amends.engine.handle import Result
from amends.engine.patience import Patience
from amends.views.story import Description


class WaitsByLetters(Protocol):
    """Something that can wait for what a letter leads to: a client."""

    async def start_of(self, start: StartLetter, patience: Patience, /) -> str:
        """See `ClientHandle.started`."""

    async def describe(self, saga_id: str, /) -> Description:
        """See `ClientHandle.describe`."""

    async def end_of(self, saga_id: str, patience: Patience, /) -> Result:
        """See `ClientHandle.result`."""


class ClientHandle:
    """A saga that was asked for: its letter is on stable storage, and an engine starts it.

    Attributes:
        saga_id: of the saga. Under a client key that a letter of another client had, too, it is known for certain once
            `started` has returned.
    """

    __slots__ = ("_client", "_is_started", "_start", "saga_id")

    def __init__(self, start: StartLetter, client: WaitsByLetters, saga_id: str = "") -> None:
        """Keep what was asked for.

        Args:
            start: the letter.
            client: that posted it.
            saga_id: of the saga that the key had started before; empty for none.
        """
        self._start = start
        self._client = client
        self._is_started = bool(saga_id)
        self.saga_id = saga_id or start.saga_id

    def of(self, client: WaitsByLetters) -> Self:
        """The same handle, which asks another client of the store."""
        self._client = client
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
        return await self._client.end_of(self.saga_id, patience)

    async def describe(self) -> Description:
        """The saga, step by step, as it stands; see `Client.describe`.

        Raises:
            RequestRefused: it has not started yet.
        """
        return await self._client.describe(self.saga_id)

    async def _start_by(self, patience: Patience) -> None:
        if not self._is_started:
            self.saga_id = await self._client.start_of(self._start, patience)
            self._is_started = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.saga_id}>"
