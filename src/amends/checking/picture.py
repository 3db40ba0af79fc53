"""The picture of an answer: what people see in the terminal and in a failing test.

A counterexample is a timeline: on the left what the saga asks, waits for and becomes, in the middle the wire, on the
right who was asked, what they answered, and what is other than before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from amends.checking.differences import Difference, instead
from amends.checking.explore import Counterexample, Exploration
from amends.checking.layout import WorldLayout
from amends.checking.trace import ARRIVED, RECEIVED, Change, TraceLine, changes_between, rows_of, standing
from amends.checking.world import Broken, World
from amends.core.messages import Kind
from amends.lines import ARROW, Line, Look, Signs, Span, counted, width_of, wrapped

LEFT: Final = 6  # columns before the saga: a margin, the mark of a fault, a number
INDENT: Final = 3
KIND: Final = 6
RIGHT_MIN: Final = 24  # columns: with fewer, what happened has lines of its own
LABEL: Final = 13  # columns of the longest one, "not covered", and two
WORDS_FOR: Final = {
    "times out": "no answer in time",
    "gives up": "no answer within its limit",
    "cancel": "the client cancels",
    "deadline": "the deadline of the saga passes",
    "halts": "it can be neither asked nor heard any more",
    "pause ends": "its time has passed",
    "crash": "the coordinator crashes and starts again",
}
BECOMES_LOOK: Final[dict[str, Look]] = {"completed": "done", "compensated": "undone", "turns back": "undone"}


def draw_counterexample(found: Exploration, shown: Counterexample, signs: Signs, width: int) -> Iterator[Line]:
    """The lines of a counterexample: the timeline, the rule that is broken, what is not as before."""
    layout, first = found.moves.layout, found.moves.layout.first(found.faults)
    last = shown.trace[-1].after if shown.trace else first
    yield from Timeline(layout, signs, width).lines(rows_of(layout, shown))
    yield ()
    yield from verdict(signs.refused, f"broken: {shown.broken.rule}", "refused", width)
    yield from paragraph(shown.broken.text, width)
    yield from _what_is_left(layout, first, last, shown.broken, signs, width)
    yield ()
    yield from paragraph(_found_by(found, shown), width, "faint")


def draw_bound(
    found: Exploration, bound: Sequence[tuple[str, str]], missing: Sequence[str], signs: Signs, width: int
) -> Iterator[Line]:
    """The lines of an answer without a counterexample: the verdict, what is missing, and its bound."""
    name = found.moves.layout.saga.name
    if missing:
        yield from verdict(signs.cut, f"{name} holds, but this scenario shows too little", "unknown", width)
        for text in missing:
            yield from wrapped([Span(text)], (Span(" " * INDENT),), INDENT + 2, width)
        yield (Span(f"{' ' * INDENT}where that is meant, say so: Scenario(..., not_shown=[...])", "faint"),)
    elif found.held:
        yield from verdict(signs.done, f"{name} holds within this bound", "done", width)
    else:
        words = f"cut by {found.cut_by}: nothing broken so far, which says nothing of the rest"
        yield from verdict(signs.cut, words, "unknown", width)
    yield ()
    yield from listed(bound, width)


def verdict(sign: str, words: str, look: Look, width: int) -> Iterator[Line]:
    """What came out, behind its sign."""
    return wrapped([Span(words, look)], (Span(f" {sign} ", look),), INDENT, width)


def paragraph(words: str, width: int, look: Look = "") -> Iterator[Line]:
    """More about a verdict, below it."""
    return wrapped([Span(words, look)], (Span(" " * INDENT),), INDENT, width)


def listed(facts: Iterable[tuple[str, str]], width: int) -> Iterator[Line]:
    """What an answer covers, each behind its label."""
    for label, text in facts:
        yield from wrapped([Span(text)], (Span(f"   {label:{LABEL}}", "strong"),), INDENT + LABEL, width)


class Timeline:
    """The rows of a counterexample, each thing in its column."""

    def __init__(self, layout: WorldLayout, signs: Signs, width: int) -> None:
        self.signs = signs
        self.width = width
        self.saga = max(map(width_of, layout.ids)) + 2 if len(layout.ids) > 1 else 0
        self.step = max(width_of(each.event) for each in layout.steps) + 2
        self.wire = LEFT + self.saga + self.step + KIND
        self.right = self.wire + ARROW + 2
        self.has_room = width - self.right >= RIGHT_MIN

    def lines(self, rows: Sequence[TraceLine]) -> Iterator[Line]:
        """The lines of the picture."""
        if self.has_room:
            lanes = f"{'the saga asks':{self.wire - LEFT}}{'the wire':{ARROW + 2}}who is asked"
            yield (Span(f"{' ' * LEFT}{lanes}", "faint"),)
        for row in rows:
            yield from self._move(row)
            for name, words in row.became:
                yield from self._turn(name, words)

    def _move(self, row: TraceLine) -> Iterator[Line]:
        kind = row.move.kind.value if row.move.step else ""
        left: Line = (
            Span(f" {self.signs.fault if row.move.cost else ' '}", "refused"),
            Span(f"{row.number:>2}  ", "faint"),
            Span(f"{row.saga:{self.saga}}" if self.saga else "", "saga"),
            Span(f"{row.move.step:{self.step}}"),
            Span(f"{kind:{KIND}}", "faint"),
        )
        indent = self.right
        if row.move.what not in RECEIVED | ARRIVED:
            left, indent = (left, self.wire) if row.move.step else (left[:3], LEFT + self.saga)
        elif self.has_room:
            left = (*left, _arrow(row, self.signs), Span("  "))
        else:
            yield (*left, _arrow(row, self.signs))
            left, indent = (Span(" " * (LEFT + 2)),), LEFT + 2
        for words in _words(row, self.signs):
            yield from wrapped(words, left, indent, self.width)
            left = (Span(" " * indent),)

    def _turn(self, name: str, words: str) -> Iterator[Line]:
        """What became of a saga, in its own lane."""
        sign = self.signs.undone if words == "turns back" else self.signs.end
        lane: Line = (Span(" " * LEFT), Span(f"{name:{self.saga}}" if self.saga else "", "saga"))
        said = Span(f"{sign} {words}", BECOMES_LOOK.get(words, "refused"))
        yield from wrapped([said], lane, LEFT + self.saga + 2, self.width)


def _arrow(row: TraceLine, signs: Signs) -> Span:
    is_request = row.move.what in RECEIVED
    if row.move.what.startswith("lost"):
        return Span(signs.request_lost if is_request else signs.answer_lost, "refused")
    if row.move.aside.startswith("a double"):
        return Span(signs.request_twice if is_request else signs.answer_twice, "refused")
    if row.is_late:
        return Span(signs.request_late if is_request else signs.answer_late, "unknown")
    return Span(signs.request if is_request else signs.answer, "undone" if row.move.kind is Kind.UNDO else "done")


def _words(row: TraceLine, signs: Signs) -> Iterator[list[Span]]:
    """What happened, in words: a list for each line of its own."""
    changes = [[*_change(change, signs, named=change.where != row.where)] for change in row.changes]
    first = [*_what(row)]
    if not row.said:  # then the change says what happened
        first += [span for change in changes for span in change]
        changes = []
    if row.move.aside:
        first.append(Span(f"({row.move.aside})", "refused"))
    yield first
    yield from changes


def _what(row: TraceLine) -> Iterator[Span]:
    what = row.move.what
    if row.is_late:
        yield Span("late:", "unknown")
    if what in WORDS_FOR:
        flying = f", and the {row.flying} is still on its way" if row.flying else ""
        yield Span(WORDS_FOR[what] + flying + (f" {row.move.note}" if what == "crash" else ""), "unknown")
    elif what.startswith("lost"):
        yield Span(f"the {what.removeprefix('lost ')} is lost" + (f": {row.said}" if row.said else ""), "refused")
    else:
        yield from _who_said(row)


def _who_said(row: TraceLine) -> Iterator[Span]:
    if row.where:
        yield Span(row.where, "strong")
    if row.said:
        no = row.said.startswith("refused") or row.move.what in ("fails", "refuses")
        yield Span(row.said, "refused" if no else "done" if row.move.what == "hears" else "")


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


def _what_is_left(
    layout: WorldLayout, first: World, last: World, broken: Broken, signs: Signs, width: int
) -> Iterator[Line]:
    """What differs from the start, and which effects stand outside; what is wrong stands apart.

    Among several sagas most of what differs is as it is to be.
    """
    wrong = {each.where: each for each in broken.wrong} if len(layout.ids) > 1 else {}
    changes = [change for change in changes_between(layout, first, last) if change.where not in wrong]
    told = [[*_change(change, signs, named=True), *_purpose(change)] for change in changes]
    told += [
        [Span(each.service, "strong"), Span(f"{each.event} of {saga} stands{f' {times} times' * (times > 1)}")]
        for saga, each, times in standing(layout, last)
        if not each.is_local
    ]
    amiss = [[Span(where, "strong"), Span(instead("", each.expected, each.actual))] for where, each in wrong.items()]
    yield from _block("not as it is to be:", amiss, width)
    yield from _block("beside it, other than at the start:" if wrong else "not as at the start:", told, width)


def _block(title: str, told: Sequence[Sequence[Span]], width: int) -> Iterator[Line]:
    if told:
        yield ()
        yield (Span(f"{' ' * INDENT}{title}", "strong"),)
    for words in told:
        yield from wrapped(words, (Span(" " * INDENT),), INDENT + 2, width)


def _purpose(change: Change) -> Iterator[Span]:
    if change.on_purpose:
        yield Span("(left on purpose)", "faint")


def _found_by(found: Exploration, shown: Counterexample) -> str:
    spent = sum(seen.move.cost for seen in shown.trace)
    size = f"{counted(len(shown.trace), 'move')}, {counted(spent, 'fault')}"
    if found.cut_by:
        return f"{size}; shown again, without a search"
    return f"shortest: {size}; found among {counted(found.progress.states, 'world')}"
