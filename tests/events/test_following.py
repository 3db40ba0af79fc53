"""`amends.events.following`: batches of what was committed, none of which is lost where reading fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from amends.adapters.memory import MemoryStore
from amends.errors import StoreBusy, StoreFailed
from amends.events import following
from amends.events.following import followed
from amends.events.log import EventBlock, EventLog
from amends.storage.rows import Block
from tests.contract.rows import Writer


class Failing(MemoryStore):
    """A store that cannot be read behind a block, once."""

    def __init__(self, error: Exception, behind: int) -> None:
        super().__init__()
        self.error: Exception | None = error
        self.behind = behind

    def blocks(self, after: int = 0, chain: str = "") -> Iterator[Block]:
        """Fail behind it."""
        for block in super().blocks(after, chain):
            yield block
            if block.number == self.behind and self.error:
                error, self.error = self.error, None
                raise error


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait, and a batch be of two records."""
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0)
    monkeypatch.setattr(following, "RECORDS_MAX", 2)


def numbers(batches: Iterator[list[EventBlock]]) -> list[list[int]]:
    """Return the blocks of each batch."""
    return [[block.head.number for block in batch] for batch in batches]


def written(store: MemoryStore) -> EventLog:
    """Return the log of a store with five blocks of a record each."""
    for number in range(1, 6):
        Writer(store)(subjects=[f"S{number}"])
    return EventLog(store, {})


def test_what_is_there_comes_in_batches() -> None:
    """Each block whole; none is empty, also where there is nothing."""
    log = written(MemoryStore())
    assert numbers(followed(log, is_live=False)) == [[1, 2], [3, 4], [5]]
    assert numbers(followed(log, is_live=False)) == []


@pytest.mark.parametrize("error", [StoreBusy("away"), StoreFailed("torn")])
def test_what_was_read_before_a_failure_is_not_lost(error: Exception) -> None:
    """It comes, and then the error."""
    batches = followed(written(Failing(error, 3)), is_live=False)
    assert [[block.head.number for block in next(batches)] for _ in range(2)] == [[1, 2], [3]]
    with pytest.raises(type(error)):
        next(batches)


def test_a_store_that_is_away_is_waited_for() -> None:
    """And said to be; one that is torn is not."""
    said: list[str] = []
    batches = followed(written(Failing(StoreBusy("away"), 3)), is_live=True, busy=said.append)
    assert [[block.head.number for block in next(batches)] for _ in range(3)] == [[1, 2], [3], [4, 5]]
    assert said == ["away"]
    torn = followed(written(Failing(StoreFailed("torn"), 1)), is_live=True)
    assert [block.head.number for block in next(torn)] == [1]
    with pytest.raises(StoreFailed):
        next(torn)


def test_it_goes_on_with_what_is_committed_meanwhile() -> None:
    """For ever; after each look it says that nothing is in the way."""
    store, said = MemoryStore(), list[str]()
    batches = followed(EventLog(store, {}), is_live=True, busy=said.append)
    for number in (1, 2, 3):
        Writer(store)(subjects=["S"])
        assert [block.head.number for block in next(batches)] == [number]
    assert said == ["", ""]
