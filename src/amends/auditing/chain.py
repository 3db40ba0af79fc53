"""The chain of the blocks: every head from its records, every block on the one before, numbers, times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from amends.auditing.findings import Finding, block_name
from amends.core.audit import GENESIS, HEAD_BYTES
from amends.errors import UnusableInput
from amends.storage.blocks import head_after
from amends.storage.rows import Block, Head

HEX_DIGITS: Final = 2 * HEAD_BYTES
WRITTEN: Final = re.compile(rf"(?:(?:(\S+):)?(\d{{1,18}}):)?([0-9a-f]{{{HEX_DIGITS}}})", re.IGNORECASE)
NOT_AS_WRITTEN: Final = "its row is not what was written"


class KeptHead(NamedTuple):
    """A chain head that was kept outside of the file.

    Attributes:
        head: 32 bytes.
        number: of its block; ``None`` when it was kept without.
        chain: that it is of; empty where there is one, without a name.
    """

    head: bytes
    number: int | None = None
    chain: str = ""


def head_text(head: Head) -> str:
    """A head as it is kept outside: ``number:64 hex digits``, behind the chain's name where it has one."""
    text = f"{head.number}:{head.head.hex()}"
    return f"{head.chain}:{text}" if head.chain else text


def heads_text(heads: Iterable[Head]) -> str:
    """The heads of all chains on one line, which is kept as a whole; a store in a file has one."""
    return " ".join(map(head_text, heads))


def heads_of(text: str) -> list[KeptHead]:
    """The same, read back.

    Raises:
        UnusableInput: one is none, or is of a chain that has another one.
    """
    kept = [*map(head_of, text.split() or [text])]
    if len({each.chain for each in kept}) < len(kept):
        raise UnusableInput("two heads of one chain: give one line of those that `amends audit head` printed")
    return kept


def head_of(text: str) -> KeptHead:
    """A head, read back; the number may be left out.

    Raises:
        UnusableInput: it is none.
    """
    found = WRITTEN.fullmatch(text.strip())
    if found is None:
        form = f"number:{HEX_DIGITS} hex digits"
        raise UnusableInput(f"{text!r:.100} is no head: give what `amends audit head` printed, {form}")
    chain, number, digits = found.groups()
    return KeptHead(bytes.fromhex(digits), None if number is None else int(number), chain or "")


class Chain:
    """The blocks of one chain met so far.

    Attributes:
        head: where they end.
        is_met: whether the kept head is among them.
    """

    def __init__(self, kept: KeptHead | None = None, name: str = "") -> None:
        """Begin before the first block.

        Args:
            kept: a head to look for.
            name: of the chain.
        """
        self.head = Head(chain=name)
        self._name = name
        self._kept = kept
        self.is_met = kept is None or kept.head == GENESIS

    def add(self, block: Block) -> Iterator[Finding]:
        """What is wrong with the next block that there is."""
        where, before = block_name(block.number, self._name), self.head
        is_sound = bool(block.head)
        head = head_after(block.before if is_sound else before.head, block.records)
        yield from self._gap(block.number)
        if not is_sound:
            yield Finding(where, NOT_AS_WRITTEN)
        else:
            if block.number == before.number + 1 and block.before != before.head:
                yield Finding(where, "it does not follow the block before it")
            if block.head != head:
                yield Finding(where, "its head is not the hash of its records")
            if block.at_ms < before.at_ms:
                yield Finding(where, "its time is before that of the block before it")
        self.head = Head(block.number, block.head or head, block.at_ms or before.at_ms, self._name)
        yield from self._look_for_kept()

    def end(self) -> Iterator[Finding]:
        """What is wrong once there are no more blocks."""
        if self._kept is None or self.is_met:
            return
        number = self._kept.number
        if number is None:
            yield Finding("head", "no block has the given head: the file was cut, or built anew, or is an older copy")
        elif number > self.head.number:
            what = f"the chain {self._name}" if self._name else "the file"
            ends = f"{what} ends with block {self.head.number}"
            yield Finding("head", f"{ends}, the given head is of block {number}: it was cut")
        # otherwise it was told at its block, or the block is missing

    def _gap(self, number: int) -> Iterator[Finding]:
        first, last = self.head.number + 1, number - 1
        if first == last:
            yield Finding(block_name(first, self._name), "it is missing")
        elif first < last:
            yield Finding(block_name(first, self._name), f"it is missing, with all up to block {last}")

    def _look_for_kept(self) -> Iterator[Finding]:
        kept, here = self._kept, self.head
        if kept is None or self.is_met:
            return
        if kept.head == here.head and kept.number in (None, here.number):
            self.is_met = True
        elif kept.number == here.number:
            yield Finding("head", f"block {here.number} has another head than the given one: it was built anew")
