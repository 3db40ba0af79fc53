"""What an engine does before a turn: it keeps its lease and its shards, and looks for letters to them.

It is one code for every store. Where a store has one owner, the lease does not run out, no step of keeping it is ever
due, and only letters are looked for. All but what is said of it is done in the thread that takes the turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import Final

from amends.core.waiting import SECOND_MS
from amends.engine.batch import BatchResult
from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import AttemptId
from amends.engine.letters import ActOnLetter, LettersToActOn
from amends.engine.logger import log
from amends.engine.ownership import ShardKeeper
from amends.engine.queue import batch_max
from amends.engine.store_clock import StoreClock
from amends.engine.turn_io import drive
from amends.errors import StoreBusy, StoreConflict, StoreError, StoreFull
from amends.exceptions import raised
from amends.storage.letters import is_start
from amends.storage.ports import EngineClock, Store
from amends.storage.rows import NEVER

LETTERS_MAX: Final = 1_000  # starts that a turn acts on: a third of a full turn, so that clients here wait no longer
LETTERS_SHARE: Final = 32  # beside requests of this process one letter to so many: it costs four, its client included
LETTERS_LEAST: Final = 16  # beside few requests: they cost what a turn costs that acts on none
LOOK_MS: Final = 500  # between two looks for letters, where some come: what a person does not wait for
QUIET_LOOK_MS: Final = 5_000  # the same where none came yet: as often as a sleeping loop looks at the clock
NOTHING: Final[Sequence[ActOnLetter]] = ()


class SharedTime:
    """The time of an engine that shares its store: the store's, reckoned on the machine's clock of elapsed time."""

    def __init__(self, reckoned: StoreClock, machine: EngineClock) -> None:
        """Tell it.

        Args:
            reckoned: of the engine's `ShardKeeper`, which looks at the store's time.
            machine: the machine's clock.
        """
        self._reckoned = reckoned
        self._machine = machine

    def now_ms(self) -> int:
        """Milliseconds since 1970 (UTC). Never less than it said before."""
        return self._reckoned.now_ms(self._machine.elapsed_ms())


class Upkeep:
    """The lease, the shards and the letters of one engine.

    Attributes:
        takes_letters: whether it still acts on letters; not once the engine is to end.
    """

    def __init__(self, store: Store, coordinator: Coordinator, keeper: ShardKeeper, machine: EngineClock) -> None:
        """Have no shard of a shared store yet.

        Args:
            store: with its ownership and its mailbox.
            coordinator: takes the engine's turns.
            keeper: of the engine's shards.
            machine: the machine's clock.
        """
        self._store = store
        self._coordinator = coordinator
        self._keeper = keeper
        self._machine = machine
        self._letters = LettersToActOn(coordinator.left_alone)
        self._moved: list[AttemptId] = []
        self._look_ms = 0
        self._batch_max = batch_max(is_shared=store.is_shared)
        self._starts = min(LETTERS_MAX, self._batch_max)
        self._asked = self._posted = 0
        self._pause_ms = LOOK_MS if store.is_shared else QUIET_LOOK_MS
        self._trouble = ""
        self.takes_letters = True

    # From any thread ------------------------------------------------------------------------------------------

    def lease_left_s(self) -> float:
        """For how many seconds participants may be called, and their answers count here; none where it is below 0."""
        until_ms = self._keeper.until_ms
        return inf if until_ms == NEVER else (until_ms - self._machine.elapsed_ms()) / SECOND_MS

    def pause_ms(self) -> int:
        """For how long there is nothing to do; milliseconds, below 0 where it is time."""
        return min(self._keeper.next_ms, self._look_ms) - self._machine.elapsed_ms()

    def fenced(self) -> None:
        """Call nothing any more: another engine took over."""
        self._keeper.until_ms = 0

    def look_often(self) -> None:
        """Look as often as where letters come: nothing wakes the engine here."""
        self._pause_ms = LOOK_MS

    def look_soon(self) -> None:
        """Look for letters before the next turn."""
        self._look_ms = 0

    # In the thread of the turns -------------------------------------------------------------------------------

    def keep(self, asked: int) -> Sequence[ActOnLetter]:
        """Do what it is time for; gives what letters ask for, as tasks of the next turn.

        Args:
            asked: how many requests of callers in this process are in that turn. Where there are any, letters of
                clients that start sagas get a share of it, and so they do in the turn after it, while those callers ask
                for more: neither keeps the other from being done. Letters that commits wrote come beside them, and so
                do answers and verbs, as many as a turn carries out: they never wait behind new work.

        Raises:
            LeaseLost: another engine took over. This engine is not to be used any more.
            StoreFailed: the storage failed.
        """
        beside, self._asked = asked or self._asked, asked
        share = min(max(LETTERS_LEAST, beside // LETTERS_SHARE), LETTERS_MAX) if beside else LETTERS_MAX
        self._starts = min(share, self._batch_max) + min(self._posted, self._batch_max)
        elapsed_ms = self._machine.elapsed_ms()
        if self._keeper.next_ms <= elapsed_ms:
            with suppress(StoreFull, StoreBusy, StoreConflict):  # it is taken again soon
                self._moved += drive(self._keeper.step(elapsed_ms), self._store)
        letters = NOTHING
        if elapsed_ms >= self._look_ms:
            self._look_ms = elapsed_ms + self._pause_ms  # before the look: what comes in it may come with a wake-up
            letters = self._read() if self.takes_letters else NOTHING
        for definition in self._coordinator.left_alone.news():
            log.warning("sagas wait under %s, which is not known here: they are left", definition)
        return letters

    def settled(self, letters: Sequence[ActOnLetter], result: BatchResult) -> BatchResult:
        """A turn is committed: remove the letters that it acted on, and look soon for those that it wrote.

        Args:
            letters: the first tasks of the turn, as `keep` gave them.
            result: of the turn.

        Returns:
            The result of the other tasks, and which attempts are not to be sent as their shards are another engine's.
        """
        if letters:
            number = len(letters)
            self._remove(self._letters.removable(letters, result.replies[:number]))
            result = result._replace(replies=result.replies[number:], letters=number)
        self._posted = max(0, self._posted - sum(is_start(task.letter) for task in letters)) + result.posts
        if result.posts:
            self.look_soon()
        if self._moved:
            result, self._moved = result._replace(moved=self._moved), []
        return result

    def leave(self) -> None:
        """Give the shards back: no call of theirs is under way any more. Where that fails, the lease runs out."""
        with suppress(StoreError):
            drive(self._keeper.leave(), self._store)

    def _read(self) -> Sequence[ActOnLetter]:
        try:
            letters = self._letters.read(
                self._store.mailbox, self._coordinator.shards.all, self._batch_max, self._starts
            )
        except (StoreError, ValueError) as error:
            self._say(error)
            return NOTHING
        if letters:
            self._pause_ms = LOOK_MS
        return letters

    def _remove(self, done: Sequence[str]) -> None:
        try:
            self._store.mailbox.remove(done)
        except (StoreError, ValueError) as error:  # acted on again, they do no harm
            self._say(error)
        else:
            if done and not self._letters.has_all:
                self.look_soon()

    def _say(self, error: Exception) -> None:
        """Say what is wrong with the mailbox, once; sagas go on without it."""
        if self._trouble != raised(error):
            self._trouble = raised(error)
            log.error("letters are not acted on for now: %s", self._trouble)
