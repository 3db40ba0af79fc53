"""Draw the life of a step as a Mermaid diagram: its statuses, and what leads from one to the next, read from the table.

Every state that sagas of three groups can come to is looked up, with every signal: before the pivot, at it and after
it, with and without a probe, with participants that remember what they refused and others.

Usage: python tools/statuses.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from typing import Any, Final

from amends.core.decide import AnswerSignal, Halted, ReportedOutcome, Signal, TryAgain, Wish
from amends.core.definition import Saga, external, parallel
from amends.core.messages import Kind
from amends.core.state import Change, Marked, State, Status, evolve, underway
from amends.core.table import first_way, node

KINDS: Final = (Kind.DO, Kind.PROBE, Kind.UNDO)
SAID: Final[tuple[Signal, ...]] = (
    *(AnswerSignal(member, kind, said) for member, kind, said in product((0, 1), KINDS, ReportedOutcome)),
    *(TryAgain(member, kind) for member, kind in product((0, 1), KINDS)),
    *(Halted(member) for member in (0, 1)),
    Wish.TURN_BACK,
)
OF_OPERATORS: Final = {
    ReportedOutcome.CONFIRMED: ReportedOutcome.DONE,
    ReportedOutcome.RULED_OUT: ReportedOutcome.REFUSED,
}
TURN: Final = "its turn"  # what happens when no signal is about the step: its group is asked, or undone


def act(client: object, request: object, call: object) -> None:
    """Never called: only what the table says of it is looked at."""


def sagas() -> Iterator[Saga]:
    """Give a saga for each way in which a step can be declared, as far as the table tells them apart."""
    for has_probe, remembers in product((False, True), repeat=2):
        more: dict[str, Any] = {"remembers_refusals": remembers, "key_lives_h": 24.0}
        if has_probe:
            more |= {"probe": act, "settles_within_s": 60}
        pair = (external(name, act, undo=act, undone=f"{name}_BACK", **more) for name in ("FIRST", "BESIDE"))
        yield Saga(
            "drawn", str, [parallel(*pair), external("PIVOT", act, pivot=True, **more), external("LAST", act, **more)]
        )


def word_for(signal: Signal) -> str:
    """What a signal is called on an arrow. An operator's word counts as the participant's."""
    if isinstance(signal, AnswerSignal):
        said = OF_OPERATORS.get(signal.said, signal.said)
        return f"{signal.kind.value} {said.value}"
    return "Retry" if isinstance(signal, TryAgain) else "Halt"


def arrows(saga: Saga) -> Iterator[tuple[Status, Status, str]]:
    """Give each pair of statuses of which one leads to the other, and by what."""
    todo: list[State] = [first_way(saga).node.state]
    met = set(todo)
    yield Status.PENDING, Status.SENT, TURN
    for state in todo:
        for signal in SAID:
            if getattr(signal, "member", 0) >= len(members(state)):
                continue
            way = node(saga, state).follow(signal)
            yield from _marked(state, way.story.changes, word_for(signal))
            if way.node.state not in met:
                met.add(way.node.state)
                todo.append(way.node.state)


def members(state: State) -> tuple[Status, ...]:
    """Where the steps of the current group stand; empty once a saga is final."""
    at = underway(state)
    return at.members if at else ()


def _marked(state: State, changes: tuple[Change, ...], word: str) -> Iterator[tuple[Status, Status, str]]:
    for place, change in enumerate(changes):
        if isinstance(change, Marked):
            before = members(state)[change.member]
            if before is not change.status:
                yield before, change.status, word if place == 0 else TURN
        state = evolve(state, change)


def diagram() -> Iterator[str]:
    """Give the lines of the diagram."""
    words: dict[tuple[Status, Status], dict[str, None]] = defaultdict(dict)
    for saga in sagas():
        for before, after, word in arrows(saga):
            words[before, after][word] = None
    order = {status: place for place, status in enumerate(Status)}
    yield "stateDiagram-v2"
    yield f"    [*] --> {Status.PENDING.value}"
    for before, after in sorted(words, key=lambda pair: (order[pair[0]], order[pair[1]])):
        yield f"    {before.value} --> {after.value} : {', '.join(sorted(words[before, after]))}"


if __name__ == "__main__":
    print("\n".join(diagram()))
