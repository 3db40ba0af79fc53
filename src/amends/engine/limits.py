"""How much an engine takes, does at a time, and waits for; what `amends.open` is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from amends.errors import UnusableInput
from amends.lines import SECOND_MS
from amends.storage.codecs.values import shown
from amends.storage.ports import WORRIED_AFTER_MS

QUEUE_MAX: Final = 20_000  # requests of clients that may wait before `Overloaded`: what a second or two can do
DRAIN_S: Final = 10.0  # for the calls under way at the end: as long as one may take by default (`Step.timeout_s`)

VALUE_BYTES_MAX: Final = 16 * 2**20  # of one value as JSON: far above what is a message, far below what a row may hold
VALUE_BYTES_MOST: Final = 256 * 2**20
"""What `VALUE_BYTES_MAX` may be set to. A record quotes a request, which takes three times its bytes at most; with that
it is still below the 10**9 bytes that SQLite takes for one text."""

COMMIT_LETTERS_MAX: Final = 64 * 2**20
"""What one commit holds, unless it is about one saga or command alone: characters of records and rows.

A block's records are one text, of which SQLite takes 10**9 bytes at most (SQLITE_MAX_LENGTH in its "Limits"), and all
that a commit writes is in memory at once. A full turn of small sagas is a hundredth of this.
"""


WORRIED_AFTER_S: Final = WORRIED_AFTER_MS / SECOND_MS
LEASE_MS: Final = 4_500
"""Other engines look around three times in it: sagas of an engine that died go on within 6 s, and no pause of a garbage
collector or a busy machine is as long."""
CONCURRENCY: Final = 64  # calls of one participant at a time by default: fewer than most servers take at once
AT_ONCE_MAX: Final = 1_000_000_000  # more calls than the memory of all engines is enough for
PER_S_MAX: Final = 1_000_000.0  # far above what engines of one database send (docs/speed.md)


@dataclass(frozen=True, slots=True)
class Limit:
    """How much is asked of one participant: given by service, as in ``amends.open(concurrency={"CARD": Limit(8)})``.

    Attributes:
        at_once: how many of its calls run at a time, 1 to 1000000000. Lower it for a participant that allows fewer;
            raise it for one that is slow and takes more. One in eight is kept for compensations and probes, at least
            one where there are two or more.
        per_s: how many calls begin in a second, above 0 and up to 1000000; ``None`` for any number. Set it where the
            participant counts calls. No more than a tenth of a second's calls begin at the same moment, or one.
        fleet: whether this is for all engines of the store together. Set it where the participant counts the calls of
            all of them; leave it where each machine has a pool of connections of its own.

    Raises:
        UnusableInput: one of these is not what it has to be.
    """

    at_once: int = CONCURRENCY
    per_s: float | None = None
    fleet: bool = False

    def __post_init__(self) -> None:
        """Look at each value."""
        if type(self.at_once) is not int or not 1 <= self.at_once <= AT_ONCE_MAX:
            raise UnusableInput(f"at_once is {self.at_once!r:.100}; give a whole number of calls, 1 to {AT_ONCE_MAX}")
        if self.per_s is not None and (type(self.per_s) not in (int, float) or not 0 < self.per_s <= PER_S_MAX):
            raise UnusableInput(
                f"per_s is {self.per_s!r:.100}; give calls a second, up to {PER_S_MAX:.0f}, or None for any number"
            )
        if type(self.fleet) is not bool:
            raise UnusableInput(f"fleet is {self.fleet!r:.100}; give True for all engines together, or False")


ALONE: Final = Limit()


class Limits(NamedTuple):
    """What an engine keeps to.

    Attributes:
        concurrency: by service, how much is asked of it; `CONCURRENCY` calls at a time of the others.
        queue_max: how many requests of clients may wait, and how many of sagas for a place at one participant, >= 1.
        drain_s: for how long its end waits for calls that are under way. Seconds, >= 0.
        value_bytes_max: of one request, answer, entity or command's body, as JSON in UTF-8. 1 to `VALUE_BYTES_MOST`.
        worried_after_s: for how long a step has failed that counts as failing. Seconds, >= 0.
        lease_ms: how long the lease of an engine of a shared store is, milliseconds, >= 3; three times what the store
            waits for at most. Tests that kill many engines have a short one.
    """

    concurrency: Mapping[str, Limit] = MappingProxyType({})
    queue_max: int = QUEUE_MAX
    drain_s: float = DRAIN_S
    value_bytes_max: int = VALUE_BYTES_MAX
    worried_after_s: float = WORRIED_AFTER_S
    lease_ms: int = LEASE_MS


def expect_value_bytes(value_bytes_max: object) -> None:
    """See that a number of bytes is one that a value may be limited to.

    Raises:
        UnusableInput: it is none.
    """
    if type(value_bytes_max) is not int or not 1 <= value_bytes_max <= VALUE_BYTES_MOST:
        said = shown(value_bytes_max)
        raise UnusableInput(f"value_bytes_max is {said}; give a number of bytes, 1 to {VALUE_BYTES_MOST}")
