"""A state of the explored world, as a small tuple of numbers: values are kept once and numbered.

Numbers are given in the order in which values are met, and nothing iterates over a set, so that the same input gives
the same states in the same order everywhere (docs/promises.md, P17).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Hashable
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from amends.checking.values import frozen
from amends.core.messages import Call, Done, Kind, Outcome, Refused, Unknown

Value = TypeVar("Value")


class Interned(Generic[Value]):
    """Values with a number each; equal values of the same type have the same one."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._values: list[Value] = []

    def number(self, value: Value) -> int:
        """The value's number; a new one at the first meeting."""
        key = frozen(value)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._values)
            self._values.append(value)
        return number

    def __getitem__(self, number: int) -> Value:
        return self._values[number]

    def __len__(self) -> int:
        return len(self._values)


class Message(NamedTuple):
    """A request on its way to a participant, or an answer on its way back.

    Attributes:
        saga: place of the saga in the scenario.
        step: event name of the step.
        kind: what is, or was, asked.
        call: the request's key and answers; ``None`` for an answer.
        outcome: the answer; ``None`` for a request.
    """

    saga: int
    step: str
    kind: Kind
    call: Call | None
    outcome: Outcome | None


class Inbox(NamedTuple):
    """What a local participant keeps of one step of one saga, and what it did.

    Attributes:
        answers: key to first answer, as `amends.core.inbox.receive` keeps them.
        done: how often the action took effect.
        undone: how often the undo took effect.
    """

    answers: tuple[tuple[str, Any], ...] = ()
    done: int = 0
    undone: int = 0


class World(NamedTuple):
    """One state. Each number is that of a value in one of the explorer's `Interned` tables.

    Attributes:
        runs: a saga each.
        flight: messages on their way, sorted: a multiset.
        inboxes: one for each saga and local step.
        cells: one for each entity.
        books: one for each outside system.
        faults: how many may still happen.
    """

    runs: tuple[int, ...]
    flight: tuple[int, ...]
    inboxes: tuple[int, ...]
    cells: tuple[int, ...]
    books: tuple[int, ...]
    faults: int


What = Literal[
    "acts", "acts outside", "hears", "lost request", "lost answer", "fails", "refuses", "times out", "gives up",
    "cancel", "deadline", "crash", "halts", "operator", "answers", "pause ends",
]  # fmt: skip
"""Every kind of move; docs/checking.md says what each is."""


class Move(NamedTuple):
    """What happened between two worlds.

    Attributes:
        what: the kind of move.
        saga: whose; place in the scenario.
        step: about which step; empty for the saga as a whole.
        kind: about which request.
        note: more, for a person.
        cost: how many of the faults that are allowed it takes.
        aside: what went wrong beside it: a double, a crash.
    """

    what: What
    saga: int
    step: str = ""
    kind: Kind = Kind.DO
    note: str = ""
    cost: int = 0
    aside: str = ""


class Wrong(NamedTuple):
    """An entity, or the books of a system outside, that is otherwise than it is to be.

    Attributes:
        where: ``SERVICE/id`` of the entity, or the service.
        expected: what it is to be.
        actual: what it is.
    """

    where: str
    expected: Any
    actual: Any


class Broken(NamedTuple):
    """A rule that does not hold.

    Attributes:
        rule: which one, in a few words.
        text: how it was broken, with the values.
        wrong: what is otherwise than it is to be, where the rule compares that.
    """

    rule: str
    text: str
    wrong: tuple[Wrong, ...] = ()


class Next(NamedTuple):
    """A move, the world after it, and the rule that it broke, if it broke one."""

    move: Move
    world: World
    broken: Broken | None = None


def put(numbers: tuple[int, ...], place: int, number: int) -> tuple[int, ...]:
    """The numbers with another one in a place."""
    if numbers[place] == number:
        return numbers
    return (*numbers[:place], number, *numbers[place + 1 :])


def add(flight: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    """A sorted multiset with more in it."""
    if not more:
        return flight
    numbers = list(flight)
    for number in more:
        insort(numbers, number)
    return tuple(numbers)


def short(outcome: Any) -> str:
    """An outcome in a few words."""
    match outcome:
        case None:
            return "no answer"
        case Done(answer):
            return "done" if answer is None else f"done: {answer}"
        case Refused(reason):
            return f"refused: {reason}" if reason else "refused"
        case Unknown(error):
            return f"unknown: {error}"
    return type(outcome).__name__.lower()
