"""What clients were told: the other side of every promise, kept by those to whom it was made."""

from __future__ import annotations

from typing import Any


class Journal:
    """What was answered so far, in this schedule, by any process.

    Attributes:
        promised: ids of sagas that were answered to a client.
        by_key: client key to what was answered under it: a saga's id, or why it was refused.
        strays: requests without a key of which no answer came: each may have started a saga.
        ended: saga to the status that was told as its end.
        letters: ids of the letters that were posted.
        cancels: sagas whose cancel was taken.
    """

    def __init__(self) -> None:
        self.promised: dict[str, None] = {}
        self.by_key: dict[str, str] = {}
        self.strays = 0
        self.ended: dict[str, str] = {}
        self.letters: dict[str, None] = {}
        self.cancels: dict[str, None] = {}

    def answered(self, key: str, answer: Any) -> str:
        """Write down what was answered to a request; what is wrong with it, or nothing."""
        said = answer if isinstance(answer, str) else f"refused: {answer}"
        if isinstance(answer, str):
            self.promised[answer] = None
        if not key:
            return ""
        first = self.by_key.setdefault(key, said)
        return "" if first == said else f"key {key} was answered {first}, and then {said}"
