"""What happened on the way to a counterexample, move by move, as facts that any drawing is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any, Final, NamedTuple

from amends.checking.differences import Difference, differences
from amends.checking.exceptions import Raised
from amends.checking.explore import Counterexample, Seen
from amends.checking.layout import WorldLayout
from amends.checking.models import Effect
from amends.checking.values import same
from amends.checking.world import Message, Move, World, short
from amends.core.definition import Saga, Step
from amends.core.inbox import TOMBSTONE
from amends.core.messages import Kind
from amends.core.state import Backward, Completed, Forward, NeedsOperator, State, awaited, outstanding, word_for

TROUBLE: Final = frozenset({"times out", "gives up", "cancel", "deadline", "crash"})
"""Moves of the coordinator after which what is still on its way is late."""

RECEIVED: Final = frozenset({"acts", "acts outside", "fails", "refuses", "lost request"})
ARRIVED: Final = frozenset({"hears", "lost answer"})


class Change(NamedTuple):
    """What differs in one place.

    Attributes:
        where: ``SEATS/Hamlet`` for an entity, ``CARD`` for the books of a system outside.
        parts: what differs.
        on_purpose: whether it is exactly what a step says that it leaves.
    """

    where: str
    parts: tuple[Difference, ...]
    on_purpose: bool = False


class TraceLine(NamedTuple):
    """One move of a trace, and what it changed.

    Attributes:
        number: from 1.
        move: as the explorer made it.
        saga: the saga's id.
        where: the entity, or the system outside, that was asked; empty when none was.
        said: the answer that was given, heard or lost, in words; empty when there is none.
        is_late: whether what arrived had been given up, or was overtaken by a turn back.
        flying: of a wait that ends, what of it is still on its way: ``request``, ``answer`` or nothing.
        changes: what is other than before.
        became: what became of sagas: ``turns back``, ``compensated``, ...
    """

    number: int
    move: Move
    saga: str
    where: str
    said: str
    is_late: bool
    flying: str
    changes: tuple[Change, ...]
    became: tuple[tuple[str, str], ...]


def rows_of(layout: WorldLayout, counterexample: Counterexample) -> tuple[TraceLine, ...]:
    """The rows of a counterexample, in order."""
    late: Counter[int] = Counter()
    rows = []
    for number, seen in enumerate(counterexample.trace, 1):
        arrived = _consumed(layout, seen)
        is_late = arrived is not None and late[arrived] > 0
        if arrived is not None and is_late:
            late[arrived] -= 1
        rows.append(_row(layout, number, seen, arrived, is_late))
        if seen.move.what in TROUBLE or seen.move.aside.startswith("crashed"):
            late = _all_late(layout, seen.before, seen.move)
    return tuple(rows)


def changes_between(layout: WorldLayout, before: World, after: World) -> Iterator[Change]:
    """Which entities and books differ between two worlds; of ready models' books, nothing (see `standing`)."""
    for place, cell in enumerate(layout.cells):
        was, now = layout.entities[before.cells[place]], layout.entities[after.cells[place]]
        if not same(was, now):
            yield Change("/".join(cell), differences(was, now), _is_left(layout, cell, was, now))
    for place, service in enumerate(layout.models):
        was, now = layout.books[before.books[place]], layout.books[after.books[place]]
        if not same(was, now) and not _is_ready(now):
            yield Change(service, differences(was, now))


def standing(layout: WorldLayout, world: World) -> Iterator[tuple[str, Step, int]]:
    """Each effect that stands, by the participants' own books: saga, step, how often."""
    for saga, name in enumerate(layout.ids):
        for each in layout.steps_of[saga].values():
            with suppress(Raised):  # which is told as what is broken
                if times := layout.stands(world, saga, each):
                    yield name, each, times


def _row(layout: WorldLayout, number: int, seen: Seen, arrived: int | None, is_late: bool) -> TraceLine:
    move = seen.move
    message = None if arrived is None else layout.messages[arrived]
    waited = move.what in ("times out", "gives up")
    return TraceLine(
        number,
        move,
        layout.ids[move.saga],
        _where(layout, move) if message and message.outcome is None else "",
        _said(layout, seen, message),
        is_late,
        _flying(layout, seen) if waited else "",
        tuple(changes_between(layout, seen.before, seen.after)),
        tuple(_became(layout, seen)),
    )


def _consumed(layout: WorldLayout, seen: Seen) -> int | None:
    """The number of the message that a move took from the wire."""
    move, is_request = seen.move, seen.move.what in RECEIVED
    if not is_request and move.what not in ARRIVED:
        return None
    about = [
        number
        for number in seen.before.flight
        if layout.messages[number][:3] == (move.saga, move.step, move.kind)
        and (layout.messages[number].outcome is None) == is_request
    ]
    gone = Counter(about) - Counter(seen.after.flight)
    return next(iter(gone), about[0])  # nothing is gone when a double is on its way


def _all_late(layout: WorldLayout, before: World, move: Move) -> Counter[int]:
    """What was on its way when the wait for it ended."""
    everything = move.what in ("crash", "cancel", "deadline") or move.aside.startswith("crashed")
    about = [
        number
        for number in before.flight
        if layout.messages[number].saga == move.saga
        and (everything or layout.messages[number][1:3] == (move.step, move.kind))
    ]
    return Counter(about)


def _where(layout: WorldLayout, move: Move) -> str:
    each = layout.steps_of[move.saga][move.step]
    if each.entity is None:
        return each.service
    return "/".join(layout.cell_of.get((move.saga, move.step), (each.service,)))


def _said(layout: WorldLayout, seen: Seen, message: Message | None) -> str:
    move = seen.move
    if move.what == "acts":
        return _acted(layout, seen)
    if move.what == "fails":
        return "fails before anything happened"
    if move.what == "refuses":
        return "refuses, for a reason of its own"
    if move.what == "lost answer" and message is not None:
        return short(message.outcome)
    return move.note


def _acted(layout: WorldLayout, seen: Seen) -> str:
    """What a local participant did, beside the change that is seen anyway."""
    move = seen.move
    before = layout.inbox(seen.before, move.saga, move.step)
    after = layout.inbox(seen.after, move.saga, move.step)
    if before.answers == after.answers:
        return f"knew the request, and answers again: {move.note}" if after.answers else move.note
    if after.done + after.undone > before.done + before.undone:
        return "" if move.note == "done" else move.note
    if move.kind is Kind.UNDO and move.note == "done":
        return "has nothing to undo"
    return f"refused: {TOMBSTONE.reason}" if move.note.endswith(TOMBSTONE.reason) else move.note


def _flying(layout: WorldLayout, seen: Seen) -> str:
    """What of a request is still on its way when its wait ends."""
    about = [layout.messages[number] for number in seen.before.flight]
    mine = [message for message in about if message[:3] == (seen.move.saga, seen.move.step, seen.move.kind)]
    if not mine:
        return ""
    return "request" if any(message.outcome is None for message in mine) else "answer"


def _became(layout: WorldLayout, seen: Seen) -> Iterator[tuple[str, str]]:
    for saga, name in enumerate(layout.ids):
        before, run = layout.run(seen.before, saga).state, layout.run(seen.after, saga)
        if words := _turn(layout.sagas[saga], before, run.state):
            yield name, words
        if isinstance(run.state, Completed) and not isinstance(before, Completed):
            with suppress(Raised):  # which is told as what is broken
                yield from ((name, f"{child} follows") for child in layout.children.names(name, run))


def _turn(saga: Saga, before: State, after: State) -> str:
    if type(before) is type(after):
        return ""
    if isinstance(after, Backward):
        return "turns back" if isinstance(before, Forward) else "goes on undoing"
    if isinstance(after, NeedsOperator):
        return f"needs an operator: {', '.join(outstanding(saga, after))}"
    return word_for(after) if not any(awaited(after)) else ""


def _is_left(layout: WorldLayout, cell: tuple[str, str], before: Any, after: Any) -> bool:
    for saga, request in enumerate(layout.requests):
        for each in layout.local_steps[saga]:
            if each.leaves and layout.cell_of.get((saga, each.event)) == cell:
                with suppress(Exception):  # which is told as what is broken
                    return same(each.leaves(deepcopy(before), request), after)
    return False


def _is_ready(books: Any) -> bool:
    return isinstance(books, tuple) and all(isinstance(each, Effect) for each in books)
