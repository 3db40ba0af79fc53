"""A client, as asyncio programs use it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from amends.client.handle import ClientHandle
from amends.client.letters import LetterWriter, StartLetter, acted_on
from amends.client.watch import Row, StoreWatch, Subject
from amends.core.definition import Saga
from amends.core.messages import Outcome, Verb
from amends.engine.arguments import take_name, take_requests
from amends.engine.definitions import Definitions
from amends.engine.ends import end_of
from amends.engine.handle import Result
from amends.engine.home import Home
from amends.engine.looking import Look, Looks
from amends.engine.patience import Patience
from amends.engine.telling import Tells
from amends.engine.thread import OneThread
from amends.errors import AmendsError, EngineMisused, EngineStopped, OperatorNeeded, RequestRefused
from amends.exceptions import raised
from amends.generic import Wanted
from amends.storage.letters import StartAsked, asked_in
from amends.storage.ports import ALL, ClientStore
from amends.storage.rows import KeyRow, Letter, SagaRow, Unreadable
from amends.storage.shards import shard_of
from amends.views.sagas import AsOf
from amends.views.story import Description

ACTED_WITHIN_S: Final = 30.0  # for the owner to act on a letter: an engine that is restarted meanwhile takes less
CLOSED: Final = "the client was closed; what it posted is acted on all the same"
NOT_OPEN: Final = "the client is not open; use it inside `async with` or `with`"
OTHER_LOOP: Final = (
    "this client was opened in another event loop: await it there; connect one in each asyncio.run; or use the "
    "blocking client, a plain `with amends.connect(...)`, from whatever thread"
)

Answer = TypeVar("Answer")


class Client(Looks, Tells):
    """Submits sagas, waits for them and tells them, and runs none. Made by `amends.connect`, used in ``async with``."""

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
        self._open_store = store
        self._definitions = definitions
        self._writer = LetterWriter(definitions, prefix, value_bytes_max)
        self._closed: str | None = NOT_OPEN

    # Opening and closing --------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect. Whether there is an engine, or a store yet, does not matter.

        Raises:
            StoreUnusable: no store can be there.
        """
        self._home, self._loop = Home(), asyncio.get_running_loop()
        self._store = self._open_store()
        self._reading, self._posting = OneThread("amends-read"), OneThread("amends-post")
        self._watch = StoreWatch(self._rows_of, self._is_woken)
        self._is_woken()
        self._closed = None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client; see `close`."""
        await self.close()

    async def close(self) -> None:
        """As at the end of ``async with``. What was posted is acted on all the same; callers that wait are told."""
        if self._closed is not None or not self._home.is_here:
            return
        self._closed = CLOSED
        await self._watch.close(CLOSED)
        self._store.wakeup.close()
        await self._posting.call(self._store.mailbox.close)
        await self._reading.call(self._store.close)
        self._posting.shutdown(wait=False)
        self._reading.shutdown(wait=False)

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
            Overloaded: the mailbox is full; nothing was posted.
            StoreFull, StoreBusy: there is no space, or another program keeps the mailbox locked; nothing was posted.
        """
        self._expect_caller()
        (handle,) = await self._ask([self._writer.start(saga, request, key, _now_ms())])
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
        self._expect_caller()
        given, names = take_requests(requests, keys)
        self._definitions.codec_of(saga)
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
        self._expect_caller()
        return await self.end_of(take_name(saga_id), Patience(timeout))

    async def describe(self, saga_id: str) -> Description:
        """A saga, step by step: what is done, asked and undone, why it turned back, what it waits for, what is owed.

        Args:
            saga_id: of the saga.

        Raises:
            RequestRefused: there is no such saga, or it has not started yet, or it cannot be read.
        """
        try:
            return await super().describe(saga_id)
        except RequestRefused as refused:
            if isinstance(await self._standing(take_name(saga_id)), Letter):
                raise RequestRefused(
                    f"saga {saga_id!r} has not started yet: its letter waits for an engine"
                ) from refused
            raise

    # Answers and verbs ----------------------------------------------------------------------------------------

    async def answer(
        self,
        key: str,
        outcome: Outcome,
        *,
        by: str = "",
        timeout: float | None = ACTED_WITHIN_S,  # noqa: ASYNC109 - as a Future has it
    ) -> None:
        """Bring the answer to a request that a participant took with `Later`, and wait until its saga has taken it.

        Args:
            key: `Call.key` of the request.
            outcome: what became of it.
            by: who brings it, for the record.
            timeout: how long to wait, in seconds; ``None`` for as long as it takes. Raise it where engines may be away
                for longer; lower it where the caller is called again anyhow, as a webhook is.

        Raises:
            RequestRefused: the saga did not take it, and why: as `Engine.answer`.
            TimeoutError: no engine had acted on it by then. The letter stays, and an engine acts on it once one runs;
                the same answer may be brought again.
            Overloaded, StoreFull, StoreBusy: nothing was posted.
        """
        self._expect_caller()
        await self._tell(self._writer.answer(key, outcome, by, _now_ms()), Patience(timeout))

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
        self._expect_caller()
        await self._tell(self._writer.verb(saga_id, verb, _now_ms()), Patience(timeout))

    # For its handles ------------------------------------------------------------------------------------------

    async def start_of(self, start: StartLetter, patience: Patience) -> str:
        """Wait until a letter has started its saga; the saga's id. See `ClientHandle.started`."""
        self._expect_caller()
        key = start.letter.letter_id
        try:
            return start.started(await self._answer_to(key, patience))
        except TimeoutError as error:
            raise TimeoutError(
                f"saga {start.saga_id} was not started within {patience.words}; its letter stays, and it starts once "
                "an engine runs"
            ) from error

    async def end_of(self, saga_id: str, patience: Patience) -> Result:
        """Wait for the end of a saga; see `result`."""
        self._expect_caller()
        try:
            standing = await patience.look(self._standing(saga_id))
            if isinstance(standing, Letter):
                await self._started_instead(standing, saga_id, patience)
                standing = await patience.look(self._standing(saga_id))
            if ended := self._ended(saga_id, standing):
                return ended
            ended = self._ended(saga_id, await patience.end_with(self._watch.wait(Subject("saga", saga_id))))
        except OperatorNeeded:
            raise
        except TimeoutError as error:
            raise TimeoutError(f"saga {saga_id} has not ended within {patience.words}; it goes on") from error
        assert ended is not None, "it is over"
        return ended

    # ----------------------------------------------------------------------------------------------------------

    def _start_or_fault(self, saga: Saga, request: Any, key: object) -> StartLetter | RequestRefused:
        try:
            return self._writer.start(saga, request, key, _now_ms())
        except RequestRefused as refused:
            return refused

    async def _ask(self, starts: Sequence[StartLetter]) -> list[ClientHandle | AmendsError]:
        """Post letters, but for those whose keys have an answer already."""
        keys = [start.letter.letter_id for start in starts if start.is_keyed]
        known = dict(zip(keys, await self._rows_of([Subject("key", key) for key in keys]), strict=True)) if keys else {}
        answered = {key: row for key, (is_there, row) in known.items() if is_there}
        await self._post([start.letter for start in starts if start.letter.letter_id not in answered])
        return [self._handle(start, answered.get(start.letter.letter_id)) for start in starts]

    def _handle(self, start: StartLetter, known: Any) -> ClientHandle | AmendsError:
        try:
            return ClientHandle(start, self, start.started(known) if known else "")
        except RequestRefused as refused:
            return refused

    async def _tell(self, letter: Letter, patience: Patience) -> None:
        await self._post([letter])
        try:
            acted_on(await self._answer_to(letter.letter_id, patience))
        except TimeoutError as error:
            raise TimeoutError(
                f"no engine has acted on it within {patience.words}; the letter stays, and an engine acts on it once "
                "one runs"
            ) from error

    async def _answer_to(self, letter_id: str, patience: Patience) -> KeyRow | Unreadable:
        row = await patience.end_with(self._watch.wait(Subject("key", letter_id)))
        assert isinstance(row, KeyRow | Unreadable), "it was waited for"
        return row

    async def _started_instead(self, letter: Letter, saga_id: str, patience: Patience) -> None:
        """Wait until the letter that is to start a saga is acted on.

        Raises:
            RequestRefused: that started none, or another one.
        """
        started = acted_on(await self._answer_to(letter.letter_id, patience))
        if started != saga_id:
            raise RequestRefused(f"there is no saga {saga_id!r}: its key had started saga {started!r} before")

    def _ended(self, saga_id: str, standing: Row | Letter) -> Result | None:
        """How a saga ended; ``None`` while it goes on.

        Raises:
            RequestRefused: there is none, or it cannot be read.
            OperatorNeeded: it waits for an operator.
        """
        if isinstance(standing, Unreadable):
            raise RequestRefused(f"saga {saga_id!r} cannot be read: {standing.why}")
        if not isinstance(standing, SagaRow):
            raise RequestRefused(f"there is no saga {saga_id!r}")
        codec = self._definitions.by_name.get(standing.definition)
        if codec is None:
            raise RequestRefused(
                f"saga {saga_id!r} cannot be read: its definition {standing.definition} was not given to connect()"
            )
        try:
            return end_of(codec.run_of(standing))
        except (KeyError, ValueError) as error:
            raise RequestRefused(f"saga {saga_id!r} cannot be read: {raised(error)}") from error

    async def _standing(self, saga_id: str) -> Row | Letter:
        """What is stored of a saga; the letter that starts it, where it waits; ``None`` for neither."""
        subject = Subject("saga", saga_id)
        ((_, row),) = await self._rows_of([subject])
        letter: Letter | None = None if row else await self._posting.call(self._letter_for, saga_id)
        if letter:
            return letter
        if row is None:  # it may have been acted on between the two looks
            ((_, row),) = await self._rows_of([subject])
        return row

    async def _post(self, letters: Sequence[Letter]) -> None:
        if letters:
            await self._posting.call(self._store.mailbox.post, letters)
            self._store.wakeup.ring()

    def _expect_caller(self) -> None:
        """See that a caller here can be answered.

        Raises:
            EngineStopped: the client is not open.
            EngineMisused: this is another process, or another event loop.
        """
        if self._closed is not None:
            raise EngineStopped(self._closed)
        self._home.expect_process()
        if asyncio.get_running_loop() is not self._loop:
            raise EngineMisused(OTHER_LOOP)

    def _is_woken(self) -> bool:
        return self._store.wakeup.listen(self._loop, self._watch.look_soon)

    async def _rows_of(self, subjects: Sequence[Subject]) -> Sequence[tuple[bool, Row]]:
        found: Sequence[tuple[bool, Row]] = await self._reading.call(self._rows, subjects)
        return found

    async def _look(self, look: Look[Answer]) -> Answer:
        self._expect_caller()
        seen: Answer = await self._reading.call(self._seen, look)
        return seen

    def _sagas(self) -> Mapping[str, Saga]:
        return self._definitions.sagas

    # In the threads of the store ------------------------------------------------------------------------------

    def _rows(self, subjects: Sequence[Subject]) -> Sequence[tuple[bool, Row]]:
        records = self._store.records()
        return [subject.row_in(records) for subject in subjects]

    def _seen(self, look: Look[Answer]) -> Answer:
        records = self._store.records()
        return look(records, AsOf.of(records, _now_ms()))

    def _letter_for(self, saga_id: str) -> Letter | None:
        """The letter that starts a saga, where it waits for an engine."""
        waiting = self._store.mailbox.letters([shard_of(saga_id)], ALL)
        return next((letter for letter in waiting if _starts(letter, saga_id)), None)


def _starts(letter: Letter, saga_id: str) -> bool:
    try:
        asked = asked_in(letter)
    except ValueError:
        return False
    return isinstance(asked, StartAsked) and asked.saga_id == saga_id


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
