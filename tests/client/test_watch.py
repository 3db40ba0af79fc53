"""What the callers of a client wait for: however a look fails, each is told, and nothing goes round meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from amends.client.watch import Row, StoreWatch, Subject
from amends.errors import EngineStopped, StoreFailed
from tests.client.sagas import PATIENCE_S, in_loop

ONE = Subject("saga", "1")


class Fails:
    """A store whose looks fail, and an engine that cannot be reached."""

    def __init__(self, error: Exception | None = None, wakes: Exception | None = None) -> None:
        self.error, self.wakes = error, wakes
        self.looks = self.calls = 0

    async def look(self, subjects: Sequence[Subject]) -> Sequence[tuple[bool, Row]]:
        """What is stored: nothing."""
        self.looks += 1
        if self.error:
            raise self.error
        return [(True, None) for _ in subjects]

    def is_woken(self) -> bool:
        """Whether an engine wakes the client."""
        self.calls += 1
        if self.wakes:
            raise self.wakes
        return False


@pytest.mark.parametrize(
    "error", [StoreFailed("the disk failed"), RuntimeError("the thread was to end"), MemoryError()]
)
@in_loop
async def test_every_caller_is_told_what_a_look_raised(error: Exception) -> None:
    """An exception of any class, where a look or a wake-up raises it; the next caller has a look of its own."""
    for store in (Fails(error=error), Fails(wakes=error)):
        watch = StoreWatch(store.look, store.is_woken)
        callers = [asyncio.ensure_future(watch.wait(ONE)) for _ in range(3)]
        told = await asyncio.wait_for(asyncio.gather(*callers, return_exceptions=True), PATIENCE_S)
        assert told == [error] * 3
        tries = store.calls
        await asyncio.sleep(0.1)
        assert store.calls - tries < 10, "it goes round without a caller"
        store.error = store.wakes = None
        assert await asyncio.wait_for(watch.wait(ONE), PATIENCE_S) is None
        await watch.close("it was closed")


@in_loop
async def test_nothing_is_waited_for_after_the_end() -> None:
    """Neither by callers that were there, nor by one that comes later."""
    store = Fails()
    watch = StoreWatch(store.look, store.is_woken)
    caller = asyncio.ensure_future(watch.wait(ONE))
    closing = asyncio.ensure_future(watch.close("it was closed"))
    late = asyncio.ensure_future(watch.wait(ONE))
    for waits in (caller, late):
        with pytest.raises(EngineStopped, match="it was closed"):
            await asyncio.wait_for(waits, PATIENCE_S)
    await closing
    with pytest.raises(EngineStopped, match="it was closed"):
        await asyncio.wait_for(watch.wait(ONE), PATIENCE_S)
