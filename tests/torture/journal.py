"""What the clients of an engine were told, kept where no kill reaches it: what was answered has to be true for ever."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.torture.broken import demand
from tests.torture.shop import Asked, opening, wanted


class Journal:
    """What was asked, and what was answered.

    Attributes:
        seed: of what is asked.
        asked: so many clients asked something.
        answers: client key to what it was answered: ``["saga", id]``, ``["refused", why]`` or ``["done", ""]``.
        ends: saga to the state that was told as its end.
        canceled: sagas of which a cancel was taken.
        heard: keys of requests whose answer from outside was taken.
        said: how many lines were heard, by their first word.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked = 0
        self.answers: dict[str, list[str]] = {}
        self.ends: dict[str, str] = {}
        self.canceled: set[str] = set()
        self.heard: set[str] = set()
        self.said: Counter[str] = Counter()

    def hear(self, line: str) -> None:
        """Take a line of a client.

        Raises:
            BrokenPromise: it contradicts what was said before.
        """
        values: list[Any]
        word, *values = json.loads(line)
        self.said[word] += 1
        match word:
            case "asked":
                self.asked = max(self.asked, values[0])
            case "answered":
                key, answer = values[0], values[1:]
                known = self.answers.setdefault(key, answer)
                demand(known == answer, f"key {key} was answered {known}, and now {answer}")
            case "ended":
                before = self.ends.setdefault(*values)
                demand(before == values[1], f"saga {values[0]} had ended as {before}, and now as {values[1]}")
            case "canceled":
                self.canceled.add(values[0])
            case "heard":
                self.heard.add(values[0])

    def unanswered(self) -> list[list[Asked]]:
        """Return what was asked and not answered: its clients ask again."""
        asked = [[one] for one in opening()] + [list(wanted(self.seed, number + 1)) for number in range(self.asked)]
        return [some for some in asked if any(one.key not in self.answers for one in some)]

    def sagas(self) -> dict[str, str]:
        """Return client key to saga, of those that started one."""
        return {key: answer[1] for key, answer in self.answers.items() if answer[0] == "saga"}


def line_of(*words: Any) -> bytes:
    """Return a line for `Journal.hear`; short, so that a pipe takes it whole or not at all."""
    return f"{json.dumps(words)}\n".encode()
