"""The audit of a store, read by a second pair of eyes: nothing here is the engine's."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from operator import itemgetter

from amends.core.audit import GENESIS
from amends.storage.ports import Records
from amends.storage.rows import FINAL
from tests.torture.broken import demand

Line = tuple[int, list[object], list[list[str]]]
"""A record of a saga: its number, its cause, what changed."""


@dataclass
class Told:
    """What the audit tells of one saga.

    Attributes:
        numbers: of its records, in order.
        starts: how often it was started.
        end: its final state; empty while there is none.
        causes: the tags of what it heard, each with step and kind, in order.
    """

    numbers: list[int] = field(default_factory=list)
    starts: int = 0
    end: str = ""
    causes: list[list[object]] = field(default_factory=list)

    def add(self, number: int, cause: list[object], changes: list[list[str]]) -> None:
        """Add a record."""
        moves = [change for change in changes if change[0] != "owed"]  # of an answer that came behind the end
        demand(not (self.end and moves), f"a saga that was {self.end} changed: {moves}")
        self.numbers.append(number)
        self.starts += cause[0] == "started"
        self.causes.append(cause)
        if changes and changes[-1][0] in FINAL:
            self.end = changes[-1][0]


def told_by(records: Records) -> dict[str, Told]:
    """Read the whole audit, and check its chains; saga to what is told of it."""
    lines: dict[str, list[Line]] = {}
    for chain in records.chains():
        _read(records, chain, lines)
    told = {name: Told() for name in lines}
    for name, of_one in told.items():
        for number, cause, changes in sorted(lines[name], key=itemgetter(0)):  # a saga may have had several owners
            of_one.add(number, cause, changes)
        demand(of_one.numbers == list(range(1, len(of_one.numbers) + 1)), f"{name}: records {of_one.numbers}")
        demand(of_one.starts == 1, f"{name} was started {of_one.starts} times")
    return told


def _read(records: Records, chain: str, lines: dict[str, list[Line]]) -> None:
    """Read a chain from its first block to its last; adds saga to its records."""
    head, number, at_ms = GENESIS, 0, 0
    for block in records.blocks(chain=chain):
        (_, _, _, transitions), *others = map(json.loads, block.records.split("\n"))
        demand((block.number, block.before) == (number + 1, head), f"block {block.number} does not follow {number}")
        demand(block.at_ms >= at_ms, f"block {block.number} is of a time before {number}")
        demand(
            block.head == hashlib.sha256(head + block.records.encode()).digest(),
            f"block {number} is not what was written",
        )
        head, number, at_ms = block.head, block.number, block.at_ms
        for subject, place, at, *_ in others:
            if place:
                lines.setdefault(subject, []).append((place, *transitions[at]))
    demand((number, head) == records.head(chain)[:2], "the head is not the last block's")
