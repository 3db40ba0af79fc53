"""The rare things: each that a definition can come to has to be seen in a run, or the run has shown little.

"Sometimes" assertions: a simulator that never gets into the places where bugs are proves nothing by finding none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, NamedTuple, get_type_hints

Reach = Sequence[str]
"""The fields of `ReachableParts` that have to be true."""


class ReachableParts(NamedTuple):
    """What a definition can come to. Beside each stands what is said of a definition, or its scenarios, that cannot.

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
        people: a step waits for a person.
        shared: several engines share a database, and clients write letters.
        direct: clients call the one engine.
        children: other sagas follow from one that has completed.
        asked: it has steps that are asked: outside, or apart.
        apart: services have stores of their own.
        hosted: a step on entities of one of these is undone.
    """

    local: Annotated[bool, "no step is local"]
    outside: Annotated[bool, "every step is local"]
    undone_outside: Annotated[bool, "no step that is asked is undone"]
    probed: Annotated[bool, "no step outside before the pivot has a probe"]
    can_cancel: Annotated[bool, "the pivot comes first"]
    has_pivot: Annotated[bool, "no step outside comes at the pivot or after it"]
    deadline: Annotated[bool, "it has no deadline_s"]
    can_park: Annotated[bool, "no model refuses an undo, or a step behind the pivot"]
    doubled: Annotated[bool, "no request outside may arrive twice"]
    choice: Annotated[bool, "there is one thing to ask for"]
    moody: Annotated[bool, "no model answers later"]
    inbox: Annotated[bool, "no model keeps our inbox"]
    people: Annotated[bool, "no step waits for a person"]
    shared: Annotated[bool, "one engine has the database for itself"]
    direct: Annotated[bool, "clients write letters"]
    children: Annotated[bool, "no other saga follows from it"]
    asked: Annotated[bool, "every step is carried out in a turn"]
    apart: Annotated[bool, "all services are in one store"]
    hosted: Annotated[bool, "no step on entities apart is undone"]


WHY: Final[Mapping[str, str]] = {
    name: kind.__metadata__[0] for name, kind in get_type_hints(ReachableParts, include_extras=True).items()
}

SOMETIMES: Final[Mapping[str, Reach]] = {
    "a saga completed": (),
    "a saga was compensated": ("can_cancel",),
    "crash before a commit": (),
    "crash after a commit, before anything else": (),
    "crash before an answer to a client": ("direct",),
    "crash between commit and send": ("asked",),
    "crash between two sends": ("asked",),
    "crash when an answer arrives": ("asked",),
    "crash while a process takes over": (),
    "a process stood still": (),
    "a turn waited for a row": ("shared",),
    "a row was not free in time": ("shared",),
    "a transaction was ended by its server": ("shared",),
    "an engine took over from another": ("shared",),
    "an engine found that it was taken over": ("shared",),
    "an engine left, and its shards were free": ("shared",),
    "a send was left to the next owner": ("shared", "outside"),
    "an answer for the saga of another engine": ("shared", "asked"),
    "an engine was to give places back": ("shared", "outside"),
    "a process away for long": (),
    "clock set back between two processes": (),
    "clock set forward between two processes": (),
    "commit unknown: it was written": (),
    "commit unknown: it was not": (),
    "no space, and then it went on": (),
    "a key asked twice at once": (),
    "a key asked again after a crash": ("direct",),
    "a key for something else": ("choice",),
    "cancel taken": ("can_cancel",),
    "cancel too late": (),
    "deadline passed": ("deadline",),
    "a local decider raised": ("local",),
    "asked again after a decider raised": ("local",),
    "a call failed": ("outside",),
    "a request lost": ("outside",),
    "a request arrived twice": ("doubled",),
    "an answer lost": ("outside",),
    "an answer to a process that is gone": ("outside",),
    "an answer arrived twice": ("asked",),
    "a participant down for long": ("outside",),
    "a call waited for a place": ("outside",),
    "timeout, then success": ("asked",),
    "late success while going back": ("undone_outside",),
    "an answer after the saga had ended": ("asked",),
    "a probe found it": ("probed",),
    "a probe found nothing": ("probed",),
    "answered later": ("moody",),
    "answered later, but too late": ("moody",),
    "restart while an answer is to come later": ("moody",),
    "a late action met its tombstone": ("inbox", "undone_outside"),
    "a person answered": ("people",),
    "a person came too late": ("people",),
    "waited for an operator, and went on": ("can_park",),
    "resolved by an operator": ("can_park",),
    "abandoned by an operator": ("can_park",),
    "two operators at once": (),
    "an operator came second": (),
    "an operator said something unasked": (),
    "a saga started that follows from another": ("children",),
    "it started after a crash": ("children",),
    "another engine started it": ("shared", "children"),
    "a shard went to an engine that knows what waits in it": ("shared", "children"),
    "crash before a message is posted": ("apart",),
    "crash after a message was posted": ("apart",),
    "crash before messages are acknowledged": ("apart",),
    "a message was lost": ("apart",),
    "a message came twice": ("apart",),
    "a message was late": ("apart",),
    "a message was not acknowledged, and came again": ("apart",),
    "the wire was away": ("apart",),
    "the wire was away, and had taken all": ("apart",),
    "a message that no host can act on was parked": ("apart",),
    "a host found what it had answered": ("hosted",),
    "a request came after its time": ("apart",),
    "a host met a tombstone": ("hosted",),
    "an answer to an attempt before": ("apart",),
}
"""What must be seen, and which definitions can come to it."""

ENOUGH: Final = 1000
"""So many schedules of a definition see everything that it can come to; fewer may not, and are not judged."""


NEEDS: Final[Mapping[str, str]] = {
    "crash between two sends": "two sends in one turn",
    "a call waited for a place": "calls of one participant together",
}
"""What has to be seen often before, where it is the scenario and not the definition that says whether it can be."""
OFTEN: Final = 100  # met so often, what it needs is no accident any more


def never_seen(shapes: Iterable[ReachableParts], seen: Mapping[str, int]) -> list[str]:
    """What can be come to, and was not.

    Args:
        shapes: of the definition in each of its scenarios.
        seen: rare things, and how often.
    """
    shapes = [*shapes]
    names = [name for name, reach in SOMETIMES.items() if any(_is_reached(shape, reach) for shape in shapes)]
    return [name for name in names if not seen.get(name) and not _lacks(name, seen)]


def out_of_reach(shapes: Iterable[ReachableParts], seen: Mapping[str, int]) -> dict[str, list[str]]:
    """What was not to be seen: why, to which rare things.

    Args:
        shapes: of the definition in each of its scenarios.
        seen: rare things, and how often.
    """
    shapes, found = [*shapes], dict[str, list[str]]()
    for name, reach in SOMETIMES.items():
        if not any(_is_reached(shape, reach) for shape in shapes):
            missing = next(field for field in reach if not all(getattr(shape, field) for shape in shapes))
            found.setdefault(WHY[missing], []).append(name)
        elif not seen.get(name) and _lacks(name, seen):
            found.setdefault(f"{NEEDS[name]}: seen {seen.get(NEEDS[name], 0)} times", []).append(name)
    return found


def _is_reached(shape: ReachableParts, reach: Reach) -> bool:
    return all(getattr(shape, field) for field in reach)


def _lacks(name: str, seen: Mapping[str, int]) -> bool:
    return name in NEEDS and seen.get(NEEDS[name], 0) < OFTEN
