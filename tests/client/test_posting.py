"""Letters that callers of one client post at the same time go together, and wait for room in a full mailbox."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Sequence

import pytest

from amends.client import posting
from amends.client.posting import LetterPosting
from amends.errors import EngineStopped, Overloaded, StoreBusy
from amends.storage.letters import start_letter
from amends.storage.rows import Letter
from tests.client.sagas import PATIENCE_S, in_loop


def letter(name: str) -> Letter:
    """Return a letter of that id."""
    return Letter(name, 0, "[]", 0)


class SlowMailbox:
    """A mailbox for so many letters, whose writer can be kept waiting."""

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.posted: list[list[str]] = []
        self.tries = 0
        self.is_free = threading.Event()
        self.is_free.set()
        self.is_closed = False
        self.fails: Exception | None = None

    def post(self, letters: Sequence[Letter]) -> None:
        """Write all or none."""
        self.tries += 1
        assert self.is_free.wait(PATIENCE_S)
        if self.fails:
            raise self.fails
        if len(letters) > self.room:
            raise Overloaded("it is full")
        self.room -= len(letters)
        self.posted.append([letter.letter_id for letter in letters])

    def letters(self, shards: Collection[int], limit: int, starts: int | None = None) -> Sequence[Letter]:
        """There are none to be read."""
        raise NotImplementedError

    def remove(self, letter_ids: Collection[str]) -> None:
        """They are not removed."""
        raise NotImplementedError

    def close(self) -> None:
        """It is not used any more."""
        self.is_closed = True


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, and fail rather than hang."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.001)


@in_loop
async def test_what_is_posted_at_once_is_one_commit() -> None:
    """The first caller's letters go at once, those that come meanwhile together, in order; each caller is told."""
    mailbox, rings = SlowMailbox(), list[int]()
    posts = LetterPosting(mailbox, lambda: rings.append(1))
    mailbox.is_free.clear()
    first = asyncio.create_task(posts.post([letter("first")]))
    await until(lambda: mailbox.tries == 1)
    others = [asyncio.create_task(posts.post([letter(f"{n}a"), letter(f"{n}b")])) for n in range(50)]
    await asyncio.sleep(0)
    mailbox.is_free.set()
    await asyncio.wait_for(asyncio.gather(first, *others), PATIENCE_S)
    assert mailbox.posted == [["first"], [f"{n}{part}" for n in range(50) for part in "ab"]]
    assert len(rings) == 2
    await posts.close("over")
    assert mailbox.is_closed


@in_loop
async def test_a_full_mailbox_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several callers those go first that came first, as soon as there is room; the tries become fewer and fewer."""
    monkeypatch.setattr(posting, "ROOM_WITHIN_S", PATIENCE_S)
    mailbox = SlowMailbox(room=0)
    posts = LetterPosting(mailbox, lambda: None)
    callers = [asyncio.create_task(posts.post([letter(f"{n}a"), letter(f"{n}b")])) for n in range(3)]
    await asyncio.sleep(0.3)
    assert mailbox.tries < 30
    mailbox.room = 3
    await asyncio.wait_for(callers[0], PATIENCE_S)
    assert mailbox.posted == [["0a", "0b"]]
    mailbox.room = 100
    await asyncio.wait_for(asyncio.gather(*callers), PATIENCE_S)
    assert [name for group in mailbox.posted for name in group] == ["0a", "0b", "1a", "1b", "2a", "2b"]
    await posts.close("over")


@in_loop
async def test_answers_and_verbs_wait_behind_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that waits for room keeps none of them waiting that the mailbox takes."""
    monkeypatch.setattr(posting, "ROOM_WITHIN_S", PATIENCE_S)
    mailbox = SlowMailbox(room=1)
    posts = LetterPosting(mailbox, lambda: None)
    starts = [start_letter(f"{n}", f"saga {n}", "tickets/1/a", "[]", 0) for n in range(2)]
    starting = asyncio.create_task(posts.post(starts))
    await until(lambda: mailbox.tries == 1)
    await asyncio.wait_for(posts.post([letter("verb")]), PATIENCE_S)
    assert mailbox.posted == [["verb"]]
    mailbox.room = 2
    await asyncio.wait_for(starting, PATIENCE_S)
    assert mailbox.posted == [["verb"], ["0", "1"]]
    await posts.close("over")


@in_loop
async def test_a_mailbox_that_stays_full_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each caller is told so when its time is over, and what is posted later has its own."""
    monkeypatch.setattr(posting, "ROOM_WITHIN_S", 0.05)
    mailbox = SlowMailbox(room=0)
    posts = LetterPosting(mailbox, lambda: None)
    for _ in range(2):
        callers = [posts.post([letter(f"{n}")]) for n in range(3)]
        told = await asyncio.wait_for(asyncio.gather(*callers, return_exceptions=True), PATIENCE_S)
        assert [type(one) for one in told] == [Overloaded] * 3
    mailbox.room = 1
    await asyncio.wait_for(posts.post([letter("x")]), PATIENCE_S)
    assert mailbox.posted == [["x"]]
    await posts.close("over")


@in_loop
async def test_what_fails_is_told_to_those_whose_letters_they_are() -> None:
    """And what comes after that is posted."""
    mailbox = SlowMailbox()
    posts = LetterPosting(mailbox, lambda: None)
    mailbox.fails = StoreBusy("another program has it")
    with pytest.raises(StoreBusy, match="another program has it"):
        await asyncio.wait_for(posts.post([letter("a")]), PATIENCE_S)
    mailbox.fails = None
    await asyncio.wait_for(posts.post([letter("b")]), PATIENCE_S)
    assert mailbox.posted == [["b"]]
    await posts.close("over")


@in_loop
async def test_a_caller_that_stops_waiting_posts_nothing_later() -> None:
    """What was not begun when it stopped is not posted, and keeps nothing from being so."""
    mailbox = SlowMailbox()
    posts = LetterPosting(mailbox, lambda: None)
    mailbox.is_free.clear()
    first = asyncio.create_task(posts.post([letter("first")]))
    await until(lambda: mailbox.tries == 1)
    gone, stays = (asyncio.create_task(posts.post([letter(name)])) for name in ("gone", "stays"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    mailbox.is_free.set()
    await asyncio.wait_for(asyncio.gather(first, stays), PATIENCE_S)
    assert mailbox.posted == [["first"], ["stays"]]
    await posts.close("over")


@in_loop
async def test_the_end_waits_for_one_commit_alone() -> None:
    """What is under way is told what came of it; what waits behind it is told that it was not posted."""
    mailbox = SlowMailbox()
    posts = LetterPosting(mailbox, lambda: None)
    mailbox.is_free.clear()
    first = asyncio.create_task(posts.post([letter("first")]))
    await until(lambda: mailbox.tries == 1)
    others = [asyncio.create_task(posts.post([letter(f"{n}")])) for n in range(20)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(posts.close("it was closed"))
    await asyncio.sleep(0)
    mailbox.is_free.set()
    await asyncio.wait_for(asyncio.gather(first, closing), PATIENCE_S)
    for other in others:
        with pytest.raises(EngineStopped, match="it was closed"):
            await asyncio.wait_for(other, PATIENCE_S)
    with pytest.raises(EngineStopped, match="it was closed"):
        await posts.post([letter("late")])
    assert mailbox.posted == [["first"]]
    assert mailbox.is_closed
