"""The posting of a client's letters: what its callers post at the same time goes together, and waits for room."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from amends.engine.thread import OneThread, settle
from amends.errors import EngineStopped, Overloaded
from amends.storage.letters import is_start
from amends.storage.ports import LETTERS_MAX, Mailbox
from amends.storage.rows import Letter

ROOM_WITHIN_S: Final = 5.0  # a full mailbox is waited for as long as one that another process keeps locked
FIRST_PAUSE_S: Final = 0.01  # before a full mailbox is tried again: an engine removes some ten letters meanwhile
LAST_PAUSE_S: Final = 0.5  # the same in the long run: what a person does not wait for
ENDED: Final = "the client's event loop ended before its letters were posted"


class Post(NamedTuple):
    """What one caller posts, all or none.

    Attributes:
        letters: at least one.
        until: for how long it waits for room, by the clock of the event loop.
        stored: set once they are on stable storage.
    """

    letters: Sequence[Letter]
    until: float
    stored: asyncio.Future[None]


class LetterPosting:
    """Posts the letters of a client in a thread of its own: answers and verbs before starts, each in their order.

    It is used in one event loop. A caller that posts while others do waits for one commit, and not for theirs before.
    """

    def __init__(self, mailbox: Mailbox, posted: Callable[[], None]) -> None:
        """Start the thread, in the event loop that runs.

        Args:
            mailbox: used by that thread alone.
            posted: called after letters were stored, in the event loop.
        """
        self._thread = OneThread("amends-post")
        self._mailbox = mailbox
        self._posted = posted
        self._inputs, self._starts = deque[Post](), deque[Post]()
        self._task: asyncio.Task[None] | None = None
        self._closed = ""

    async def post(self, letters: Sequence[Letter]) -> None:
        """Post letters, all or none; on stable storage once this returns. A caller that stops waiting may have posted.

        Raises:
            Overloaded: there was no room for them within `ROOM_WITHIN_S`.
            StoreFull, StoreBusy, StoreFailed, StoreUnusable: see `Mailbox.post`.
            EngineStopped: the client was closed before they were posted.
        """
        self._expect_open()
        loop = asyncio.get_running_loop()
        post = Post(letters, loop.time() + ROOM_WITHIN_S, loop.create_future())
        self._lane_of(post).append(post)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._post_all(), name="amends-post")
        await post.stored

    async def look(self, look: Callable[..., Any], *given: Any) -> Any:
        """What a function gives that reads the mailbox, in the thread of it.

        Raises:
            EngineStopped: the client was closed.
        """
        self._expect_open()
        return await self._thread.call(look, *given)

    async def close(self, reason: str, *, has_ended: bool = False) -> None:
        """Post nothing more, tell the callers whose letters wait, and give the mailbox back after what is under way.

        That is a commit at most: where another process keeps the mailbox locked, some five seconds.

        Args:
            reason: why.
            has_ended: whether the event loop has in which it was used, and nothing is under way any more.
        """
        self._closed = reason
        try:
            if self._task is not None and not has_ended:
                await asyncio.wait([self._task])
            await self._thread.call(self._mailbox.close)
        finally:
            self._thread.shutdown(wait=False)

    def _expect_open(self) -> None:
        if self._closed:
            raise EngineStopped(self._closed)

    async def _post_all(self) -> None:
        """Post what waits, until nothing does."""
        try:
            await self._post_in_groups()
        finally:  # however it ended: no caller waits for what will not be posted
            self._tell([*self._inputs, *self._starts], EngineStopped(self._closed or ENDED))

    async def _post_in_groups(self) -> None:
        """Post all of it at once, or as much as there is room for."""
        clock, together, pause_s = asyncio.get_running_loop(), LETTERS_MAX, FIRST_PAUSE_S
        while (self._inputs or self._starts) and not self._closed:
            group = [*islice(chain(self._inputs, self._starts), together)]
            letters = [letter for post in group if not post.stored.done() for letter in post.letters]
            error = await self._refusal_of(letters)
            if isinstance(error, Overloaded) and len(group) > 1:
                together = 1
            elif isinstance(error, Overloaded) and clock.time() < group[0].until:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LAST_PAUSE_S)
            else:
                self._tell(group, error)
                together, pause_s = min(2 * together, LETTERS_MAX), FIRST_PAUSE_S

    async def _refusal_of(self, letters: Sequence[Letter]) -> Exception | None:
        """Post letters; why that failed, or nothing."""
        try:
            if letters:
                await self._thread.call(self._mailbox.post, letters)
                self._posted()
        except Exception as error:  # noqa: BLE001 - it is told to those whose letters they are
            return error
        return None

    def _tell(self, group: Sequence[Post], error: Exception | None) -> None:
        for post in group:
            self._lane_of(post).popleft()
            settle(post.stored, error, None)

    def _lane_of(self, post: Post) -> deque[Post]:
        return self._starts if any(map(is_start, post.letters)) else self._inputs
