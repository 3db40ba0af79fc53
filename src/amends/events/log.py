"""What happened to the sagas of a store, in an order in which of each saga nothing comes before what it follows.

A saga's records may lie in several chains, since engines take over from each other. A chain has no gaps, so a cursor is
a number for each, and what it has passed never comes late. Where all chains end is asked in one look, and so what is
up to there is a whole: of any two records of a saga in it, the numbers say which one comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Final, NamedTuple

from amends.core.records import SagaEnded
from amends.errors import StoreFailed
from amends.storage.blocks import Contents
from amends.storage.ports import Records
from amends.storage.records import FormerWords, Record
from amends.storage.rows import FINAL, Block, Head

GIVEN_MAX: Final = 100_000  # sagas under way that are known at a time, some 15 MB; of others it is looked up

OLDER: Final = (
    "the chain {chain!r} {there}, and block {number} was read: it is an older copy of the store, or another one; begin "
    "anew elsewhere, as what was told of it did not stay"
)


class EventBlock(NamedTuple):
    """What was committed together.

    Attributes:
        head: of the block: its chain, number and time. Its hash is empty where it cannot be read.
        records: those that are numbered in their sagas, in order.
        is_damaged: whether the block, or a record of it, cannot be read.
    """

    head: Head
    records: tuple[Record, ...] = ()
    is_damaged: bool = False


class EventLog:
    """Reads a store from a cursor on.

    Attributes:
        cursor: each chain to the last block that was given, without its hash where that is not known. It moves with
            each block.
    """

    def __init__(self, records: Records, cursor: Mapping[str, Head]) -> None:
        """Begin behind a cursor.

        Args:
            records: the store.
            cursor: see above.
        """
        self.cursor = dict(cursor)
        self._records = records
        self._given: dict[str, int] = {}

    def blocks(self) -> Iterator[EventBlock]:
        """What was committed behind the cursor until now; what is committed meanwhile comes with the next call.

        Raises:
            StoreError: the store cannot be read now; a part of its audit left for a file that is not given; or what was
                given before is not in it.
        """
        until = self._records.block_numbers()
        sources = {chain: self._read(chain, until.get(chain, 0)) for chain in {**self.cursor, **until}}
        waiting = dict[str, EventBlock]()
        while True:
            for chain in sources.keys() - waiting.keys():
                if block := next(sources[chain], None):
                    waiting[chain] = block
                else:
                    del sources[chain]
            if not waiting:
                return
            block = waiting.pop(self._first_of(waiting))
            self._pass(block)
            yield block

    def _read(self, chain: str, last: int) -> Iterator[EventBlock]:
        """The blocks of a chain up to one, with one that is damaged in the place of each that is missing."""
        before = self.cursor.get(chain, Head())
        if last < before.number:
            raise StoreFailed(OLDER.format(chain=chain, there=f"ends with block {last}", number=before.number))
        if last == before.number:
            return
        for block in takewhile(lambda block: block.number <= last, self._records.blocks(before.number, chain)):
            if block.number == before.number + 1 and before.head not in (b"", block.before) and block.head:
                there = f"has another block {before.number}"
                raise StoreFailed(OLDER.format(chain=chain, there=there, number=before.number))
            for missing in range(before.number + 1, block.number):
                yield EventBlock(Head(missing, b"", block.at_ms, chain), (), True)
            yield _told_by(block)
            before = block.as_head()

    def _first_of(self, waiting: Mapping[str, EventBlock]) -> str:
        """The chain whose block comes next; where none follows what was given, the audit is damaged: the earliest."""
        chains = sorted(waiting, key=lambda chain: (waiting[chain].head.at_ms, chain))
        if len(chains) == 1:
            return chains[0]
        return next((chain for chain in chains if self._follows(waiting[chain])), chains[0])

    def _follows(self, block: EventBlock) -> bool:
        firsts = {record.subject: record.number for record in reversed(block.records)}
        return all(number == 1 or self._was_given(saga_id, number - 1) for saga_id, number in firsts.items())

    def _was_given(self, saga_id: str, number: int) -> bool:
        """Whether a record of a saga was, by this log or one before it; one that is nowhere is not waited for."""
        if saga_id in self._given:
            return self._given[saga_id] >= number
        for block in self._records.blocks_about(saga_id):
            if any(record.number == number for record in Contents(block).about(saga_id)):
                return block.number <= self.cursor.get(block.chain, Head()).number
        return True

    def _pass(self, block: EventBlock) -> None:
        self.cursor[block.head.chain] = block.head
        if len(self._given) > GIVEN_MAX:
            self._given.clear()
        for record in block.records:
            self._given[record.subject] = record.number
            if ended(record):
                del self._given[record.subject]


def ended(record: Record) -> str:
    """How a saga ended with a record: ``completed``, ``compensated`` or ``abandoned``; empty where it did not."""
    last = record.changes[-1] if record.changes else None
    if isinstance(last, FormerWords):
        return last.words if last.words in FINAL else ""
    return last.status if isinstance(last, SagaEnded) else ""


def _told_by(block: Block) -> EventBlock:
    found = [*Contents(block).records()]
    numbered = tuple(_numbered(found))
    return EventBlock(block.as_head(), numbered, None in found or not block.head)


def _numbered(records: Iterable[Record | None]) -> Iterator[Record]:
    return (record for record in records if record and record.number)
