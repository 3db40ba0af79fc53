"""Drawing what happened to a saga: the steps in a row, and underneath, from right to left, what made amends.

::

     ✔ SEATS_HELD ── ✔ CARD_CHARGED ─── ✘ TICKET_ISSUED
     ↩ SEATS_FREED ← ↩ CARD_REFUNDED ←──╯ the printer is on fire
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from amends.core.definition import Step
from amends.core.state import Debt, Status
from amends.entrypoints.drawing.paper import FAINT, STYLES, Paper
from amends.lines import Signs
from amends.views.story import UNDONE, StepSeen

INDENT: Final = 1
GAP_MIN: Final = 3  # room for one mark with a space on both sides
GAP_MAX: Final = 5
STUCK: Final = "stuck"


def timeline(steps: Iterable[Step], entries: Iterable[tuple[str, str, Status | Debt]]) -> tuple[StepSeen, ...]:
    """Each step of a definition with what became of it; those ahead have no outcome.

    Args:
        steps: in their order.
        entries: a saga's trail: event, service and status, in the order in which they happened.
    """
    outcomes = {event: status.value for event, _, status in entries if isinstance(status, Status)}
    return tuple(
        StepSeen(step.event, outcomes.get(step.event, ""), *((step.undone, UNDONE) if step.undone in outcomes else ()))
        for step in steps
    )


def draw_timeline(paper: Paper, steps: Sequence[StepSeen], reason: str, trouble: str = "") -> list[Text]:
    """The lines of a timeline; one below the other where a row is too wide for the paper.

    Args:
        paper: to draw on.
        steps: those that were reached, and those ahead.
        reason: why the saga turned back; empty when it did not.
        trouble: why a step is stuck, on the way on or back; empty when none is.
    """
    widths = [max(cell_len(step.event), cell_len(step.undone)) + 2 for step in steps]
    room = paper.width - INDENT - sum(widths)
    gaps = max(len(steps) - 1, 1)
    if room < GAP_MIN * gaps:
        return _in_a_column(paper.signs, steps, reason, trouble)
    gap = min(room // gaps, GAP_MAX)
    columns = [INDENT + sum(widths[:number]) + gap * number for number in range(len(steps))]
    rows = [_way_on(paper.signs, steps, columns)]
    if reason or any(step.undone for step in steps):
        rows += _way_back(paper, steps, columns, reason)
    stuck = [column for step, column in zip(steps, columns, strict=True) if STUCK in (step.outcome, step.back)]
    return rows + [_hint(paper, column, trouble) for column in stuck[:1] if trouble]


def step_text(signs: Signs, step: StepSeen) -> Text:
    """A step with the sign of its outcome."""
    mark = getattr(signs, step.outcome or "ahead")
    return Text.assemble((mark, STYLES[step.outcome]), " ", (step.event, FAINT if not step.outcome else ""))


def undone_text(signs: Signs, step: StepSeen) -> Text:
    """A compensation that took place, or is asked for."""
    return Text.assemble((getattr(signs, step.back), STYLES[step.back]), " ", step.undone)


def _way_on(signs: Signs, steps: Sequence[StepSeen], columns: Sequence[int]) -> Text:
    row = Text()
    for step, column in zip(steps, columns, strict=True):
        if row and step.outcome:
            _fill(row, column - 1, " ", signs.line)
        _fill(row, column, "", " ")
        row.append_text(step_text(signs, step))
    return row


def _way_back(paper: Paper, steps: Sequence[StepSeen], columns: Sequence[int], reason: str) -> list[Text]:
    """From the first step that was undone to where the saga turned, and why it did, or where it stopped and why."""
    signs = paper.signs
    turned = max((number for number, step in enumerate(steps) if step.outcome), default=0)
    first = next((number for number, step in enumerate(steps) if step.undone), turned)
    row = Text()
    for number in range(first, turned + 1):
        if not (steps[number].undone or number == turned):  # of a group, one that refused while others were done
            continue
        if row:
            row.append(f" {signs.back}", FAINT)
            _fill(row, columns[number] - bool(steps[number].undone), "", signs.line)
        _fill(row, columns[number], "", " ")
        if steps[number].undone:
            row.append_text(undone_text(signs, steps[number]))
    if steps[turned].undone:
        row.append(f" {signs.back}", FAINT)
    why = Text(reason, STYLES["refused"])
    corner = Text(signs.turn if row.plain.strip() else signs.stop, FAINT)
    if row.cell_len + 2 + why.cell_len <= paper.width:
        return [Text.assemble(row, corner, " ", why)]
    start = max(row.cell_len - 1 - why.cell_len, INDENT)
    return [Text.assemble(row, (signs.hang, FAINT)), Text.assemble(" " * start, why, " ", (signs.turn, FAINT))]


def _hint(paper: Paper, column: int, trouble: str) -> Text:
    """Why a saga waits for an operator, underneath the step that it waits for."""
    hint = Text.assemble((f"{paper.signs.stop} ", FAINT), (trouble, STYLES[STUCK]))
    return Text.assemble(" " * max(min(column, paper.width - hint.cell_len), INDENT), hint)


def _in_a_column(signs: Signs, steps: Sequence[StepSeen], reason: str, trouble: str) -> list[Text]:
    """In the order in which it happened."""
    reached = [step for step in steps if step.outcome]
    lines = [step_text(signs, step) for step in reached]
    lines += [Text(f"  {reason}", STYLES["refused"])] * bool(reason)
    lines += [undone_text(signs, step) for step in reversed(reached) if step.undone]
    lines += [Text(f"  {trouble}", STYLES[STUCK])] * bool(trouble)
    return [Text.assemble(" " * INDENT, line) for line in lines]


def _fill(row: Text, column: int, first: str, mark: str) -> None:
    """Go on to a column: with `first`, then with as many of the signs as it takes."""
    row.append(first)
    row.append(mark * (column - row.cell_len), FAINT)
