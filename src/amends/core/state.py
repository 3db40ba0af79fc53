"""Where a saga stands: one closed union of small frozen states, and how a change leads from one to the next.

The state is all that `amends.core.decide` looks at, beside the definition. It is finite, so a definition compiles
into a table of it (`amends.core.table`). Answers, attempts and times travel beside it (`amends.core.step`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from amends.core.definition import Saga, Step
from amends.core.messages import Kind, Word


class Status(Word):
    """Where one step of the current group stands."""

    PENDING = "pending"  # nothing was asked
    SENT = "sent"  # asked to do; no attempt had an unknown outcome yet
    RESENT = "resent"  # asked to do again, after an attempt that may have taken effect
    DONE = "done"
    REFUSED = "refused"  # it did not take effect, for certain
    UNKNOWN = "unknown"  # given up going forward; it may have taken effect
    PROBING = "probing"  # asked whether the action took effect
    UNDOING = "undoing"  # asked to undo
    UNDONE = "undone"
    STUCK = "stuck"  # only an operator can tell how to go on


class Debt(Word):
    """What is heard of a step that was given up: its effect stands, and nothing that the saga does takes it back."""

    OWED = "owed"
    SETTLED = "settled"


Awaited = tuple[tuple[int, Kind], ...]
"""Members of the current group that were asked and have not answered, and what they were asked."""


@dataclass(frozen=True, slots=True)
class _AtAGroup:
    group: int
    members: tuple[Status, ...]
    awaited: Awaited = field(init=False, repr=False, compare=False)
    never: ClassVar[frozenset[Status]]

    def __post_init__(self) -> None:
        """Look once who is asked: a state is made once, and looked at by every saga that comes to it.

        Raises:
            ValueError: a member cannot stand there while the saga goes that way.
        """
        if not self.never.isdisjoint(self.members):
            raise ValueError(f"{self} contradicts itself")
        object.__setattr__(self, "awaited", _awaited(self.members))


@dataclass(frozen=True, slots=True)
class Forward(_AtAGroup):
    """Going on. All groups before `group` are done, all after it pending."""

    never: ClassVar = frozenset((Status.UNDOING, Status.UNDONE))


@dataclass(frozen=True, slots=True)
class Backward(_AtAGroup):
    """Going back. All groups before `group` are done, all after it undone. It never becomes `Forward` again."""

    never: ClassVar = frozenset((Status.PENDING,))


@dataclass(frozen=True, slots=True)
class NeedsOperator:
    """Waiting for an operator: a member of the group is stuck.

    Raises:
        ValueError: none is.
    """

    at: Forward | Backward

    def __post_init__(self) -> None:
        """Check that there is something to decide."""
        if Status.STUCK not in self.at.members:
            raise ValueError(f"{self} contradicts itself")


@dataclass(frozen=True, slots=True)
class Completed:
    """Final: every step took effect."""


@dataclass(frozen=True, slots=True)
class Compensated:
    """Final: no step's effect is left, but for what steps declare that they leave."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Final, by an operator only.

    Attributes:
        outstanding: what was owed at that moment, as ``STEP/do`` or ``STEP/undo``.
    """

    outstanding: tuple[str, ...]


State = Forward | Backward | NeedsOperator | Completed | Compensated | Abandoned
Underway = Forward | Backward
Finished = Completed | Compensated | Abandoned


@dataclass(frozen=True, slots=True)
class Marked:
    """A change: one step of the current group has a new status (or the same one: it is asked again)."""

    member: int
    status: Status


@dataclass(frozen=True, slots=True)
class Entered:
    """A change: the saga went on to a group, back to one, or turned back within one."""

    at: Underway


@dataclass(frozen=True, slots=True)
class Ended:
    """A change: the saga is final."""

    final: Finished


Change = Marked | Entered | Ended

ASKED = {
    Status.SENT: Kind.DO,
    Status.RESENT: Kind.DO,
    Status.PROBING: Kind.PROBE,
    Status.UNDOING: Kind.UNDO,
}
MAY_STAND = {Status.SENT, Status.RESENT, Status.DONE, Status.UNKNOWN, Status.PROBING, Status.UNDOING, Status.STUCK}


def evolve(state: State, change: Change) -> State:
    """The state after one change."""
    if isinstance(change, Ended):
        return change.final
    at = change.at if isinstance(change, Entered) else underway(state)
    assert at is not None, "a final state has no members to mark"
    if isinstance(change, Marked):
        at = type(at)(at.group, (*at.members[: change.member], change.status, *at.members[change.member + 1 :]))
    return NeedsOperator(at) if Status.STUCK in at.members else at


def goes_back(state: State) -> bool:
    """Whether the saga goes back, also while it waits for an operator, or has gone back."""
    return state.__class__ is not Forward and isinstance(underway(state) or state, (Backward, Compensated))


def begin(saga: Saga) -> Forward:
    """The state before anything was asked."""
    return Forward(0, (Status.PENDING,) * len(saga.groups[0]))


def underway(state: State) -> Underway | None:
    """Where the saga is on its way, also while it waits for an operator; ``None`` when it is final."""
    if state.__class__ is Forward or state.__class__ is Backward:  # not isinstance: each input asks twenty times
        return state
    return state.at if isinstance(state, NeedsOperator) else None


def member_of(saga: Saga, state: State, member: int) -> Step:
    """The step that a member of the current group is."""
    at = underway(state)
    assert at is not None, "a final state has no members"
    return saga.groups[at.group][member]


def awaited(state: State) -> Awaited:
    """What participants have been asked and have not answered: member of the current group, and what."""
    return at.awaited if (at := underway(state)) else ()


def _awaited(members: tuple[Status, ...]) -> Awaited:
    return tuple((member, ASKED[status]) for member, status in enumerate(members) if status in ASKED)


def outstanding(saga: Saga, state: State) -> tuple[str, ...]:
    """What would be left to do if nothing more happened, as ``STEP/do`` or ``STEP/undo``, in the order of the steps.

    Before the pivot everything that may have taken effect is owed its undo; from the pivot on, every step that is not
    done is owed.
    """
    if isinstance(state, Abandoned):
        return state.outstanding
    at = underway(state)
    if at is None:
        return ()
    here = list(zip(saga.groups[at.group], at.members, strict=True))
    if isinstance(at, Forward) and at.group >= saga.pivot:
        owed = [step for step, status in here if status is not Status.DONE]
        owed += [step for group in saga.groups[at.group + 1 :] for step in group]
        return tuple(f"{step.event}/do" for step in owed)
    owed = [step for group in saga.groups[: at.group] for step in group]
    owed += [step for step, status in here if status in MAY_STAND]
    return tuple(f"{step.event}/undo" for step in owed if not step.asks)


def word_for(value: object) -> str:
    """What a state, or any value of a closed union, is called in sentences."""
    return type(value).__name__.lower()
