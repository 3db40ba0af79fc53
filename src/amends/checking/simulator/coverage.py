"""The rare things: each that a definition can come to has to be seen in a run, or the run has shown little.

"Sometimes" assertions: a simulator that never gets into the places where bugs are proves nothing by finding none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from amends.core.definition import Saga

Reach = Callable[["Shape"], bool]


class Shape(NamedTuple):
    """What a definition can come to.

    Attributes:
        local: it has steps that we keep the state of.
        outside: it has steps outside.
        undone_outside: a step outside is undone.
        probed: a step outside can be looked up before its saga is undone.
        can_cancel: a saga can wait, be it for a moment, before its pivot's request is committed.
        has_pivot: a cancel can come too late while a saga is under way.
        deadline: the saga as a whole has one.
        can_park: a saga can come to wait for an operator.
        doubled: a request outside may arrive twice.
        choice: there is more than one thing to ask for.
        moody: a system outside may answer later.
        inbox: a system outside keeps our inbox.
    """

    local: bool
    outside: bool
    undone_outside: bool
    probed: bool
    can_cancel: bool
    has_pivot: bool
    deadline: bool
    can_park: bool
    doubled: bool
    choice: bool
    moody: bool
    inbox: bool


def shape_of(saga: Saga, *, moody: bool, doubled: bool, choice: bool, inbox: bool) -> Shape:
    """The shape of a definition.

    Args:
        saga: the definition.
        moody: whether an outside system may refuse to undo, or to go on behind the pivot.
        doubled: see `Shape`.
        choice: see `Shape`.
        inbox: see `Shape`.
    """
    steps = [(number, step) for number, group in enumerate(saga.groups) for step in group]
    outside = [(number, step) for number, step in steps if not step.is_local]
    return Shape(
        local=len(outside) < len(steps),
        outside=bool(outside),
        undone_outside=any(number < saga.pivot for number, _ in outside),
        probed=any(step.probe and number < saga.pivot for number, step in outside),
        can_cancel=saga.pivot > 0,
        has_pivot=saga.pivot < len(saga.groups) and any(number >= saga.pivot for number, _ in outside),
        deadline=saga.deadline_s is not None and saga.pivot > 0,
        can_park=moody and any(number != saga.pivot for number, _ in outside),
        doubled=doubled,
        choice=choice,
        moody=moody and bool(outside),
        inbox=inbox,
    )


def _always(_: Shape) -> bool:
    return True


SOMETIMES: Final[Mapping[str, Reach]] = {
    "a saga completed": _always,
    "a saga was compensated": lambda shape: shape.can_cancel,
    "crash before a commit": _always,
    "crash after a commit, before anything else": _always,
    "crash before an answer to a client": _always,
    "crash between commit and send": lambda shape: shape.outside,
    "crash between two sends": lambda shape: shape.outside,
    "crash when an answer arrives": lambda shape: shape.outside,
    "crash while a process takes over": _always,
    "a process away for long": _always,
    "clock set back between two processes": _always,
    "clock set forward between two processes": _always,
    "commit unknown: it was written": _always,
    "commit unknown: it was not": _always,
    "no space, and then it went on": _always,
    "a key asked twice at once": _always,
    "a key asked again after a crash": _always,
    "a key for something else": lambda shape: shape.choice,
    "cancel taken": lambda shape: shape.can_cancel,
    "cancel too late": _always,
    "deadline passed": lambda shape: shape.deadline,
    "a local decider raised": lambda shape: shape.local,
    "asked again after a decider raised": lambda shape: shape.local,
    "a call failed": lambda shape: shape.outside,
    "a request lost": lambda shape: shape.outside,
    "a request arrived twice": lambda shape: shape.doubled,
    "an answer lost": lambda shape: shape.outside,
    "an answer to a process that is gone": lambda shape: shape.outside,
    "an answer arrived twice": lambda shape: shape.outside,
    "a participant down for long": lambda shape: shape.outside,
    "a call waited for a place": lambda shape: shape.outside,
    "timeout, then success": lambda shape: shape.outside,
    "late success while going back": lambda shape: shape.undone_outside,
    "an answer after the saga had ended": lambda shape: shape.outside,
    "a probe found it": lambda shape: shape.probed,
    "a probe found nothing": lambda shape: shape.probed,
    "answered later": lambda shape: shape.moody,
    "answered later, but too late": lambda shape: shape.moody,
    "restart while an answer is to come later": lambda shape: shape.moody,
    "a late action met its tombstone": lambda shape: shape.inbox and shape.undone_outside,
    "waited for an operator, and went on": lambda shape: shape.can_park,
    "resolved by an operator": lambda shape: shape.can_park,
    "abandoned by an operator": lambda shape: shape.can_park,
}
"""What must be seen, and which definitions can come to it."""

ENOUGH: Final = 1000
"""So many schedules of a definition see everything that it can come to; fewer may not, and are not judged."""


NEEDS: Final[Mapping[str, str]] = {
    "crash between two sends": "two sends in one turn",
    "a call waited for a place": "calls of one participant together",
}
"""What has to be seen often before, where it is the scenario and not the definition that says whether it can be."""
OFTEN: Final = 100


def never_seen(shapes: Iterable[Shape], seen: Mapping[str, int]) -> list[str]:
    """What can be come to, and was not.

    Args:
        shapes: of the definition in each of its scenarios.
        seen: rare things, and how often.
    """
    shapes = [*shapes]
    names = (name for name, reach in SOMETIMES.items() if any(reach(shape) for shape in shapes))
    return [name for name in names if not seen.get(name) and (name not in NEEDS or seen.get(NEEDS[name], 0) >= OFTEN)]
