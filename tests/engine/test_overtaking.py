"""Answers and verbs go before starts, but not before the start of their own saga."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from amends import Cancel, RequestRefused
from amends.adapters.memory import MemoryStore
from amends.engine.letters import LetterAnswer, LettersToActOn, StartAwaited
from amends.storage.letters import start_letter, verb_letter
from amends.storage.rows import Letter
from amends.storage.shards import ALL_SHARDS
from tests.engine.world import Life, tickets

MORE_TURNS = 9  # than any test here takes


class Desk:
    """A process that acts on two starts in a turn, and what became of each letter."""

    def __init__(self) -> None:
        self.life = Life(MemoryStore(), tickets())
        self.letters = LettersToActOn(self.life.coordinator.left_alone)
        self.outcomes: list[list[tuple[str, Any]]] = []

    def start(self, number: int) -> Letter:
        """Return a letter that starts a saga."""
        (definition,) = self.life.coordinator.definitions.by_name
        return start_letter(f"start {number}", f"client-{number}", definition, '["Hamlet",1]', 1)

    def act(self, limit: int = 9) -> Sequence[tuple[str, Any]]:
        """Take a turn, and give the ids of the letters that it was given, each with what it came to."""
        mailbox = self.life.store.mailbox
        tasks = self.letters.read(mailbox, ALL_SHARDS, limit, 2)
        replies = self.life.turn(*tasks).replies
        mailbox.remove(self.letters.removable(tasks, replies))
        self.outcomes.append([(task.letter.letter_id, reply) for task, reply in zip(tasks, replies, strict=True)])
        return self.outcomes[-1]

    def act_on_all(self) -> list[list[str]]:
        """Take turns until no letter is left, and give the ids of the letters of each."""
        for _ in range(MORE_TURNS):
            if not self.life.store.mailbox.letters(ALL_SHARDS, 1):
                break
            self.act()
        return [[letter_id for letter_id, _ in turn] for turn in self.outcomes]


def cancel(number: int, name: str = "cancel") -> Letter:
    """Return a letter that cancels a saga."""
    return verb_letter(name, f"client-{number}", Cancel("sold out", "ann"), 1)


@pytest.mark.parametrize(
    ("of", "turns"),
    [
        (2, [["start 1", "start 2", "cancel"], ["start 3", "start 4"], ["start 5"]]),
        (3, [["start 1", "start 2", "cancel"], ["start 3", "start 4"], ["start 5", "cancel"]]),
        (5, [["start 1", "start 2", "cancel"], ["start 3", "start 4"], ["start 5", "cancel"]]),
    ],
)
def test_a_cancel_waits_for_the_start_of_its_own_saga(of: int, turns: list[list[str]]) -> None:
    """It is tried again in the turn that starts the last ones, or in the one after its saga was started."""
    desk = Desk()
    desk.life.store.mailbox.post([*(desk.start(number) for number in range(1, 6)), cancel(of)])
    assert desk.act_on_all() == turns
    (*early, (_, last)) = [each for turn in desk.outcomes for each in turn if each[0] == "cancel"]
    assert [reply for _, reply in early] == [StartAwaited(f"client-{of}")] * len(early)
    assert isinstance(last, LetterAnswer)
    assert last.answer.saga_id == f"client-{of}"  # type: ignore[union-attr]  # it was not refused
    assert "sold out" in desk.life.run(f"client-{of}").reason


def test_a_cancel_of_a_saga_that_is_nowhere_is_refused_once_no_start_waits() -> None:
    """Those behind it, also more than a turn acts on, wait for it in no turn."""
    desk = Desk()
    desk.life.store.mailbox.post([*(desk.start(number) for number in range(1, 6)), cancel(9), cancel(1, "behind")])
    assert [letter_id for letter_id, _ in desk.act(limit=1)] == ["start 1", "start 2", "cancel"]
    assert [letter_id for letter_id, _ in desk.act(limit=1)] == ["start 3", "start 4", "behind"]
    (_, _), (_, refused) = desk.act(limit=1)
    assert isinstance(refused.answer, RequestRefused)
    assert "there is no saga 'client-9'" in str(refused.answer)
    assert desk.letters.has_all
    assert not desk.life.store.mailbox.letters(ALL_SHARDS, 1)
