"""The picture of a counterexample: the sagas on the left, the wire in the middle, what was asked on the right.

::

     1  CARD_CHARGED   do    ───────▶  CARD  charges: a1 nothing → 42.00
    ↯2                          ✘────  the answer is lost: done
     3                                 waits no longer: turns back
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from amends.checking.answer import Answer
from amends.checking.differences import Difference
from amends.checking.signs import ARROW, Line, Look, Signs, Span, width_of, wrapped
from amends.checking.stage import Stage
from amends.checking.trace import ARRIVED, RECEIVED, Change, Row, changes_between, rows_of, standing
from amends.checking.world import World
from amends.core.messages import Kind

KIND: Final = 5
RIGHT_MIN: Final = 24  # columns: with fewer, what happened has lines of its own
WORDS_FOR: Final = {
    "times out": "no answer in time",
    "gives up": "no answer within its limit",
    "cancel": "the client cancels",
    "deadline": "the deadline of the saga passes",
    "crash": "the coordinator crashes and starts again",
}
BECOMES_LOOK: Final[dict[str, Look]] = {"completed": "done", "compensated": "undone", "turns back": "undone"}


def draw_counterexample(answer: Answer, signs: Signs, width: int) -> Iterator[Line]:
    """The lines of a counterexample: the timeline, the rule that is broken, what is not as before."""
    found = answer.found
    assert found.counterexample is not None, "there is one to draw"
    stage, trace = found.moves.stage, found.counterexample.trace
    columns = _Columns(stage, signs, width)
    for row in rows_of(stage, found.counterexample):
        yield from columns.lines(row)
    yield ()
    yield from _verdict(found.counterexample.broken, signs, width)
    first = stage.first(found.faults)
    yield from _what_is_left(stage, first, trace[-1].after if trace else first, signs, width)


class _Columns:
    """Where everything stands."""

    def __init__(self, stage: Stage, signs: Signs, width: int) -> None:
        self.signs = signs
        self.width = width
        self.saga = max(map(width_of, stage.ids)) + 1 if len(stage.ids) > 1 else 0
        self.step = max(map(width_of, stage.steps)) + 1
        left = 5 + self.saga + self.step + KIND + 1
        self.right = left + ARROW + 1
        self.has_room = width - self.right >= RIGHT_MIN

    def lines(self, row: Row) -> Iterator[Line]:
        """The lines of a row: the move, what it changed, what became of the sagas."""
        signs = self.signs
        cost: Span = Span(f"{signs.fault}" if row.move.cost else " ", "refused")
        about = row.move.what in RECEIVED | ARRIVED
        saga = Span(f"{row.saga:{self.saga}}" if self.saga else "", "saga")
        step = Span(f"{row.move.step:{self.step}}")
        kind = Span(f"{row.move.kind.value if row.move.step else '':{KIND}} ", "faint")
        arrow = _arrow(row, signs) if about else Span(" " * ARROW)
        head: Line = (Span(" "), cost, Span(f"{row.number:>2} ", "faint"), saga, step, kind, arrow, Span(" "))
        yield from self._told([*_words(row, signs)], head)
        for name, words in row.became:
            who = f"{name} " if self.saga else ""
            sign = signs.turn if words == "turns back" else signs.end
            look = BECOMES_LOOK.get(words, "refused")
            blank: Line = (Span(" " * self.right),) if self.has_room else (Span(" " * 5),)
            yield from self._told([Span(f"{sign} {who}{words}", look)], blank)

    def _told(self, words: list[Span], head: Line) -> Iterator[Line]:
        if self.has_room or len(head) == 1:
            yield from wrapped(words, head, self.right if self.has_room else 5, self.width)
        else:
            yield head
            yield from wrapped(words, (Span(" " * 5),), 5, self.width)


def _arrow(row: Row, signs: Signs) -> Span:
    is_request = row.move.what in RECEIVED
    if row.move.what.startswith("lost"):
        return Span(signs.to_lost if is_request else signs.back_lost, "refused")
    if row.move.aside.startswith("a double"):
        return Span(signs.to_twice if is_request else signs.back_twice, "refused")
    if row.is_late:
        return Span(signs.to_late if is_request else signs.back_late, "unknown")
    return Span(signs.to if is_request else signs.back, "undone" if row.move.kind is Kind.UNDO else "done")


def _words(row: Row, signs: Signs) -> Iterator[Span]:
    """What happened, in words."""
    what = row.move.what
    if row.is_late:
        yield Span("late:", "unknown")
    if what.startswith("lost"):
        yield Span(f"{what.removeprefix('lost ')} lost" + (f": {row.said}" if row.said else ""), "refused")
    elif what in WORDS_FOR:
        yield Span(WORDS_FOR[what] + (f"; the {row.flying} is still on its way" if row.flying else ""), "unknown")
        if what == "crash" and row.move.note:
            yield Span(row.move.note, "faint")
    else:
        if row.where:
            yield Span(row.where, "strong")
        if row.said:
            yield Span(row.said, _look_of(row))
    for change in row.changes:
        yield from _change(change, signs, named=change.where != row.where)
    if row.move.aside:
        yield Span(f"; {row.move.aside}", "refused")


def _look_of(row: Row) -> Look:
    if row.said.startswith("refused") or row.move.what in ("fails", "refuses"):
        return "refused"
    return "done" if row.move.what == "hears" else ""


def _change(change: Change, signs: Signs, *, named: bool) -> Iterator[Span]:
    if named:
        yield Span(change.where, "strong")
    for number, part in enumerate(change.parts, 1):
        yield from _difference(part, signs, "," if number < len(change.parts) else "")


def _difference(part: Difference, signs: Signs, comma: str) -> Iterator[Span]:
    if part.part:
        yield Span(part.part)
    yield Span(f"{part.before} {signs.becomes}", "faint")
    yield Span(part.after + comma)


def _verdict(broken: tuple[str, str], signs: Signs, width: int) -> Iterator[Line]:
    rule, text = broken
    yield (Span(f" {signs.refused} ", "refused"), Span(f"broken: {rule}", "refused"))
    yield from wrapped([Span(text)], (Span("   "),), 3, width)


def _what_is_left(stage: Stage, first: World, last: World, signs: Signs, width: int) -> Iterator[Line]:
    """What differs from the start; equal sagas' effects outside by name, where books are not told apart."""
    changes = [*changes_between(stage, first, last)]
    outside = [(saga, each, times) for saga, each, times in standing(stage, last) if not each.is_local]
    if not (changes or outside):
        return
    yield ()
    yield (Span("   not as before", "strong"),)
    for change in changes:
        words = [*_change(change, signs, named=True)]
        if change.on_purpose:
            words.append(Span("(left on purpose)", "faint"))
        yield from wrapped(words, (Span("   "),), 5, width)
    for saga, each, times in outside:
        words = [Span(each.service, "strong"), Span(f"{each.event} of {saga} stands" + _how_often(times))]
        yield from wrapped(words, (Span("   "),), 5, width)


def _how_often(times: int) -> str:
    return f" {times} times" if times > 1 else ""
