"""What a client or an operator tells a saga to do, a method for each verb: the same for an engine and for a client."""

from __future__ import annotations

from abc import ABC, abstractmethod

from amends.core.messages import Abandon, Cancel, Done, Refused, Resolve, Retry, Undo, Verb


class Tells(ABC):
    """The verbs, in asyncio. Each is taken by the saga or refused; of two at once the first is taken.

    Who says it (`by`: a name or an address, up to 255 characters) and why (`reason`) are in the saga's record, and
    `describe` and ``amends show`` tell both.
    """

    async def cancel(self, saga_id: str, *, by: str = "", reason: str = "") -> None:
        """Have a saga undone. It is taken until the pivot's request is committed.

        Args:
            saga_id: of the saga.
            by: who wants it.
            reason: why, for the record; participants that undo are told it as `Call.reason`.

        Raises:
            RequestRefused: there is no such saga, or it is too late; the message says which.
        """
        await self.tell(saga_id, Cancel(reason, by))

    async def retry(self, saga_id: str, step: str, *, by: str = "", reason: str = "") -> None:
        """Ask a step again now, also one that is stuck: once what stood in the way is mended.

        Args:
            saga_id: of the saga.
            step: its event.
            by: who wants it.
            reason: why, for the record.

        Raises:
            RequestRefused: there is no such saga, it has no such step, or the step is not waited for now.
        """
        await self.tell(saga_id, Retry(step, reason, by))

    async def resolve(
        self, saga_id: str, step: str, outcome: Done | Refused, *, by: str = "", reason: str = ""
    ) -> None:
        """Tell what became of what a step was asked last. Tell it only when it is certain: the saga goes by it.

        Args:
            saga_id: of the saga.
            step: its event.
            outcome: `Done` with the answer when it took effect; `Refused` when it did not and no longer can.
            by: who knows it.
            reason: from where, for the record.

        Raises:
            RequestRefused: there is no such saga, it has no such step, or the step is not waited for now.
        """
        await self.tell(saga_id, Resolve(step, outcome, reason, by))

    async def abandon(self, saga_id: str, *, by: str = "", reason: str = "") -> None:
        """End a saga as it stands. What it owes stays listed as outstanding, and nothing more is done about it.

        Args:
            saga_id: of the saga.
            by: who wants it.
            reason: why, for the record.

        Raises:
            RequestRefused: there is no such saga, or it has ended.
        """
        await self.tell(saga_id, Abandon(reason, by))

    async def undo(self, saga_id: str, step: str, *, by: str = "", reason: str = "") -> None:
        """Have undone what a step owes: it took effect, as was heard only after the saga had given it up.

        Args:
            saga_id: of the saga.
            step: its event, one of `SagaView.owed`.
            by: who wants it.
            reason: why, for the record.

        Raises:
            RequestRefused: there is no such saga, nothing is owed of the step, or it is not undone; it is still owed
                then.
        """
        await self.tell(saga_id, Undo(step, reason, by))

    @abstractmethod
    async def tell(self, saga_id: str, verb: Verb) -> None:
        """Hand a verb to a saga."""


class BlockingTells(ABC):
    """The same for callers without asyncio."""

    def cancel(self, saga_id: str, *, by: str = "", reason: str = "") -> None:
        """See `Tells.cancel`."""
        self.tell(saga_id, Cancel(reason, by))

    def retry(self, saga_id: str, step: str, *, by: str = "", reason: str = "") -> None:
        """See `Tells.retry`."""
        self.tell(saga_id, Retry(step, reason, by))

    def resolve(self, saga_id: str, step: str, outcome: Done | Refused, *, by: str = "", reason: str = "") -> None:
        """See `Tells.resolve`."""
        self.tell(saga_id, Resolve(step, outcome, reason, by))

    def abandon(self, saga_id: str, *, by: str = "", reason: str = "") -> None:
        """See `Tells.abandon`."""
        self.tell(saga_id, Abandon(reason, by))

    def undo(self, saga_id: str, step: str, *, by: str = "", reason: str = "") -> None:
        """See `Tells.undo`."""
        self.tell(saga_id, Undo(step, reason, by))

    @abstractmethod
    def tell(self, saga_id: str, verb: Verb) -> None:
        """Hand a verb to a saga."""
