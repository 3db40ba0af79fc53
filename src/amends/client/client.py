"""A client, as asyncio programs use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, Self, TypeVar

from amends.client.connection import StoreConnection, now_ms
from amends.client.handle import ClientHandle
from amends.client.letters import LetterWriter, StartLetter, acted_on
from amends.client.tracking import SagaTracker
from amends.client.watch import Subject
from amends.core.definition import Saga
from amends.core.messages import Outcome, Verb
from amends.engine.arguments import take_name, take_requests
from amends.engine.definitions import Definitions
from amends.engine.handle import Result
from amends.engine.looking import Look, Looks
from amends.engine.patience import Patience
from amends.engine.telling import Tells
from amends.errors import AmendsError, RequestRefused
from amends.generic import Wanted
from amends.storage.ports import ClientStore
from amends.storage.rows import Letter
from amends.views.story import Description

ACTED_WITHIN_S: Final = 30.0  # for the owner to act on a letter: an engine that is restarted meanwhile takes less

Answer = TypeVar("Answer")


class Client(Looks, Tells):
    """Submits sagas, waits for them and tells them, and runs none. Made by `amends.connect`, used in ``async with``.

    Attributes:
        definitions: those whose sagas it submits and reads.
        connection: to the store.
    """

    def __init__(
        self, store: Callable[[], ClientStore], definitions: Definitions, prefix: str, value_bytes_max: int
    ) -> None:
        """Open nothing yet.

        Args:
            store: opens the store, without an engine.
            definitions: those whose sagas it submits and reads.
            prefix: of the ids of its sagas and letters; no client and no engine before may have had it.
            value_bytes_max: of one request, as JSON in UTF-8.
        """
        self.connection = StoreConnection(store)
        self.tracker = SagaTracker(self.connection, definitions)
        self.definitions = definitions
        self._writer = LetterWriter(definitions, prefix, value_bytes_max)

    # Opening and closing --------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect. Whether there is an engine, or a store yet, does not matter.

        Raises:
            StoreUnusable: no store can be there.
        """
        self.connection.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client; see `close`."""
        await self.close()

    async def close(self) -> None:
        """As at the end of ``async with``. What was posted is acted on all the same; callers that wait are told."""
        await self.connection.close()

    # Sagas ----------------------------------------------------------------------------------------------------

    async def submit(self, saga: Saga[Any, Wanted], request: Wanted, *, key: str | None = None) -> ClientHandle:
        """Ask for a saga. Once this returns, its letter is on stable storage, and an engine starts it, now or later.

        Args:
            saga: its definition, one of those that the client was connected with.
            request: what it is to do; where the definition has a `prepare`, what that gets, as plain JSON.
            key: a client key: the same key and request give the same saga, however often and from wherever they come.

        Raises:
            RequestRefused: nothing was posted, and why; or the key had been refused before.
            KeyReused: the key stands for another request.
            Overloaded: the mailbox is full, and there was no room within five seconds; nothing was posted.
            StoreFull, StoreBusy: there is no space, the database is away, or another program keeps the mailbox locked;
                nothing was posted.
            StoreFailed: whether it was posted is not known, as the connection was lost meanwhile: ask again under the
                same key.
        """
        self.connection.expect_caller()
        (handle,) = await self._ask([self._writer.start(saga, request, key, now_ms())])
        if isinstance(handle, AmendsError):
            raise handle
        return handle

    async def submit_many(
        self, saga: Saga[Any, Wanted], requests: Sequence[Wanted], *, keys: Sequence[str] | None = None
    ) -> list[ClientHandle | AmendsError]:
        """Ask for many sagas of one definition, by letters that are stored at once.

        Args:
            saga: as for `submit`.
            requests: one for each saga.
            keys: a client key for each; or none at all.

        Returns:
            For each its handle, or `RequestRefused`: why it is not asked for.

        Raises:
            RequestRefused: it is no list of requests, or there are not as many keys; nothing was posted.
            Overloaded, StoreFull, StoreBusy: as for `submit`; nothing was posted.
        """
        self.connection.expect_caller()
        given, names = take_requests(requests, keys)
        self.definitions.codec_of(saga)
        asked = [self._start_or_fault(saga, *pair) for pair in zip_longest(given, names)]
        begun = iter(await self._ask([one for one in asked if isinstance(one, StartLetter)]))
        return [next(begun) if isinstance(one, StartLetter) else one for one in asked]

    async def result(self, saga_id: str, timeout: float | None = None) -> Result:  # noqa: ASYNC109 - as a Future has it
        """Wait for the end of a saga that any process has asked for.

        Args:
            saga_id: of the saga.
            timeout: how long to wait, in seconds, >= 0; ``None`` for as long as it takes. How the saga stands is told
                in any case, also with 0: of one that has ended its result, of one that waits for an operator that.

        Raises:
            RequestRefused: there is no such saga, and no letter that starts it; it cannot be read; or `timeout` is no
                number of seconds.
            OperatorNeeded: it waits for an operator, or does so from now on; a ``TimeoutError``, too.
            TimeoutError: it had not ended by then; it goes on, or starts once an engine runs.
        """
        self.connection.expect_caller()
        return await self.tracker.end_of(take_name(saga_id), Patience(timeout))

    async def describe(self, saga_id: str) -> Description:
        """A saga, step by step: what is done, asked and undone, why it turned back, what it waits for, what is owed.

        Args:
            saga_id: of the saga.

        Raises:
            RequestRefused: there is no such saga, or it has not started yet, or it cannot be read.
        """
        return await self.tracker.describe(take_name(saga_id))

    # Answers and verbs ----------------------------------------------------------------------------------------

    async def answer(
        self,
        key: str,
        outcome: Outcome,
        *,
        by: str = "",
        reason: str = "",
        timeout: float | None = ACTED_WITHIN_S,  # noqa: ASYNC109 - as a Future has it
    ) -> None:
        """Bring the answer to a request that a participant took with `Later`, and wait until its saga has taken it.

        Args:
            key: `Call.key` of the request.
            outcome: what became of it.
            by: who brings it, for the record.
            reason: why, for the record.
            timeout: how long to wait, in seconds; ``None`` for as long as it takes. Raise it where engines may be away
                for longer; lower it where the caller is called again anyhow, as a webhook is.

        Raises:
            RequestRefused: the saga did not take it, and why: as `Engine.answer`.
            TimeoutError: no engine had acted on it by then. The letter stays, and an engine acts on it once one runs;
                the same answer may be brought again.
            Overloaded, StoreFull, StoreBusy: nothing was posted.
        """
        self.connection.expect_caller()
        await self._tell(self._writer.answer(key, outcome, by, reason, now_ms()), Patience(timeout))

    async def tell(
        self,
        saga_id: str,
        verb: Verb,
        *,
        timeout: float | None = ACTED_WITHIN_S,  # noqa: ASYNC109 - as a Future has it
    ) -> None:
        """Hand a verb to a saga, and wait until it has taken it.

        Args:
            saga_id: of the saga.
            verb: what it is to do, with who wants it, and why. Of an `Undo`, the saga has taken it once the participant
                is asked; whether it is undone then, `describe` tells.
            timeout: as for `answer`.

        Raises:
            RequestRefused: there is no such saga, or it cannot take the verb now; the message says why.
            TimeoutError: no engine had acted on it by then. The letter stays, and an engine acts on it once one runs.
            Overloaded, StoreFull, StoreBusy: nothing was posted.
        """
        self.connection.expect_caller()
        await self._tell(self._writer.verb(saga_id, verb, now_ms()), Patience(timeout))

    # ----------------------------------------------------------------------------------------------------------

    def _start_or_fault(self, saga: Saga, request: Any, key: object) -> StartLetter | RequestRefused:
        try:
            return self._writer.start(saga, request, key, now_ms())
        except RequestRefused as refused:
            return refused

    async def _ask(self, starts: Sequence[StartLetter]) -> list[ClientHandle | AmendsError]:
        """Post letters, but for those whose keys have an answer already."""
        keys = [Subject("key", start.letter.letter_id) for start in starts if start.is_keyed]
        known = await self.connection.rows_of(keys) if keys else ()
        answered = {key.name: row for key, (is_there, row) in zip(keys, known, strict=True) if is_there}
        await self.connection.post([start.letter for start in starts if start.letter.letter_id not in answered])
        return [self._handle(start, answered.get(start.letter.letter_id)) for start in starts]

    def _handle(self, start: StartLetter, known: Any) -> ClientHandle | AmendsError:
        try:
            return ClientHandle(start, self.tracker, start.started(known) if known else "")
        except RequestRefused as refused:
            return refused

    async def _tell(self, letter: Letter, patience: Patience) -> None:
        await self.connection.post([letter])
        try:
            acted_on(await self.tracker.answer_to(letter.letter_id, patience))
        except TimeoutError as error:
            raise TimeoutError(
                f"no engine has acted on it within {patience.words}; the letter stays, and an engine acts on it once "
                "one runs"
            ) from error

    async def _look(self, look: Look[Answer]) -> Answer:
        return await self.connection.look(look)

    def _sagas(self) -> Mapping[str, Saga]:
        return self.definitions.sagas
