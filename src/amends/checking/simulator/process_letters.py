"""The letters to the sagas of one process: what they ask for, and what became of them.

It does what an engine does before and after a turn. `LettersToActOn` is the engine's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from amends.adapters.memory.mailbox import MemoryMailbox
from amends.checking.simulator.storage import ProcessStore
from amends.engine.coordinator import Coordinator
from amends.engine.letters import ActOnLetter, LettersToActOn
from amends.engine.task import Task

LETTERS_MAX: Final = 20  # letters that a turn acts on: several turns have to, now and then


class ProcessLetters:
    """What a process is asked by letters."""

    def __init__(self, store: ProcessStore, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._letters = LettersToActOn(coordinator.left_alone)
        self._mailbox = MemoryMailbox(store.database)

    @property
    def are_there(self) -> bool:
        """Whether there are any."""
        return bool(self._mailbox.letters(self._coordinator.shards.all, 1))

    def tasks(self) -> list[ActOnLetter]:
        """What they ask for."""
        return self._letters.read(self._mailbox, self._coordinator.shards.all, LETTERS_MAX)

    def remove(self, tasks: Sequence[Task], replies: Sequence[Any]) -> None:
        """Remove those that a turn acted on."""
        for task, reply in zip(tasks, replies, strict=True):
            if isinstance(task, ActOnLetter):
                self._mailbox.remove(self._letters.removable([task], [reply]))
