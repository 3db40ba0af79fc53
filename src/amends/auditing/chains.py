"""All chains of a store as one: their blocks in an order in which they can have been committed, and every takeover."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from amends.auditing.chain import Chain, KeptHead
from amends.auditing.findings import Finding, block_name
from amends.storage.blocks import Contents
from amends.storage.ports import Records
from amends.storage.records import ChainFenced, ChainTakenOver
from amends.storage.rows import Block, Head

IsNext = Callable[[Contents], bool]
"""Whether all that a block changes stands as it stood when the block was committed."""


class BlockToVerify(NamedTuple):
    """A block that was not met yet, and its contents."""

    block: Block
    contents: Contents


class Fence(NamedTuple):
    """The block that ended a chain.

    Attributes:
        number: of the block.
        head: of the block.
        by: the engine that took over, as the fence says.
    """

    number: int
    head: bytes
    by: str


class Chains:
    """The chains of a store, as far as their blocks were met."""

    def __init__(self, records: Records, kept: Iterable[KeptHead] = ()) -> None:
        """Begin before the first block of each.

        Args:
            records: the store.
            kept: heads to look for, each in the chain that it is of.
        """
        self._records = records
        self._kept = {each.chain: each for each in kept}
        self._chains: dict[str, Chain] = {}
        self._fences: dict[str, Fence] = {}
        self._takeovers: list[tuple[str, ChainTakenOver]] = []
        for chain in self._kept:
            self._chain(chain)

    @property
    def heads(self) -> dict[str, Head]:
        """Where each chain ends that has a block; of an empty store, its only one."""
        met = {name: chain.head for name, chain in sorted(self._chains.items()) if chain.head.number}
        return met or {"": Head()}

    @property
    def number(self) -> int:
        """How many blocks were met, those that are missing among them."""
        return sum(head.number for head in self.heads.values())

    def blocks(self, is_next: IsNext, until: Mapping[str, int] | None = None) -> Iterator[BlockToVerify]:
        """The blocks that were not met yet; each is to be given to `add` before the next one.

        Two engines write at the same time, and by clocks of their own. So a block comes when all that it changes stands
        as it stood when it was committed; where no block does, something is wrong, and the earliest one comes. The
        chain without a name comes before all others: it is that of a file, which moved here before they began.

        Args:
            is_next: says so of a block.
            until: the last block of each chain that is wanted; of all blocks when it is left out.
        """
        waiting: dict[str, BlockToVerify] = {}
        sources, is_fresh = dict[str, Iterator[Block]](), False
        while True:
            self._fill(waiting, sources, until)
            names = sorted(waiting, key=lambda name: (name != "", waiting[name].block.at_ms, name))
            following = (
                name for name in names if not name or len(self._chains) == 1 or is_next(waiting[name].contents)
            )
            name = next(following, None)
            if name is None and not is_fresh:  # what it follows may have been committed since its chain was read
                sources, is_fresh = self._sources(besides=waiting), True
                continue
            if not names:
                return
            yield waiting.pop(names[0] if name is None else name)
            is_fresh = False

    def add(self, block: Block, contents: Contents) -> Iterator[Finding]:
        """What is wrong with a block, and with its place in its chain."""
        yield from self._chain(block.chain).add(block)
        fence = self._fences.get(block.chain)
        if fence is not None:
            yield Finding(
                block_name(block.number, block.chain), f"it comes after block {fence.number}, which ended its chain"
            )
        for record in contents.about(block.chain) if block.chain else ():
            if isinstance(record.cause, ChainFenced):
                self._fences[block.chain] = Fence(block.number, block.head, record.cause.by)
            elif isinstance(record.cause, ChainTakenOver):
                self._takeovers.append((block.chain, record.cause))

    def end(self) -> Iterator[Finding]:
        """What is wrong once there are no more blocks: with a head that was kept, and with each takeover."""
        for chain in self._chains.values():
            yield from chain.end()
        for taker, taken in self._takeovers:
            if fault := self._fault_of(taker, taken):
                yield Finding(f"chain {taken.chain}", fault)
        named = {(taken.chain, taker) for taker, taken in self._takeovers}
        for name, fence in self._fences.items():
            if (name, fence.by) not in named:
                yield Finding(f"chain {name}", f"it was ended by {fence.by}, whose chain says nothing of it")

    def _fault_of(self, taker: str, taken: ChainTakenOver) -> str:
        fence = self._fences.get(taken.chain)
        if fence is None:
            return f"{taker} took its shards, and it has no fence"
        if (fence.number, fence.head.hex()) != (taken.number, taken.head):
            return f"it ends with block {fence.number}, and {taker} took over after another block {taken.number}"
        return ""

    def _chain(self, name: str) -> Chain:
        if name not in self._chains:
            self._chains[name] = Chain(self._kept.get(name), name)
        return self._chains[name]

    def _sources(self, besides: Collection[str]) -> dict[str, Iterator[Block]]:
        """What is still to be read of each chain, besides those of which a block waits."""
        return {
            name: self._records.blocks(self._chain(name).head.number, name)
            for name in self._records.chains()
            if name not in besides
        }

    def _fill(
        self, waiting: dict[str, BlockToVerify], sources: dict[str, Iterator[Block]], until: Mapping[str, int] | None
    ) -> None:
        for name, source in [*sources.items()]:
            if name not in waiting:
                block = next(source, None)
                if block is None or (until is not None and block.number > until.get(name, 0)):
                    del sources[name]
                else:
                    waiting[name] = BlockToVerify(block, Contents(block))
