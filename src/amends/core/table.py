"""The transition table: `decide` and `evolve`, compiled lazily into linked nodes.

A state is small and there are few, so each is met once, decided once for each signal, and from then on followed by a
lookup. The table lives inside its definition and is made of nothing but `decide`'s own answers: it is fast, and it
is what the diagrams are drawn from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from amends.core.decide import AnswerSignal, ReportedOutcome, Signal, Wish, decide
from amends.core.definition import Saga, Step
from amends.core.messages import Kind
from amends.core.records import GroupEntered, SagaEnded, StateChange, StepBecame
from amends.core.state import Change, Debt, Ended, Marked, State, Status, awaited, begin, evolve, member_of, word_for

TOLD: Final = {Status.DONE, Status.REFUSED, Status.UNKNOWN, Status.UNDONE}


class Entry(NamedTuple):
    """One line of a saga's trail: a step that got an outcome, or was undone.

    Attributes:
        event: the step's event; for a step that was undone, the event of its compensation.
        service: the participant.
        status: `Status.DONE`, `Status.REFUSED`, `Status.UNKNOWN` or `Status.UNDONE`; or a `Debt`.
    """

    event: str
    service: str
    status: Status | Debt


class LocalAsk(NamedTuple):
    """What a participant is asked whose state we keep.

    Attributes:
        service: who keeps the entity.
        entity: from the request to its id.
        function: the pure function, action or undo.
        step: the step.
        kind: `Kind.DO` or `Kind.UNDO`.
        member: the step's place in its group.
    """

    service: str
    entity: Callable[[Any], str]
    function: Callable[..., Any]
    step: Step
    kind: Kind
    member: int


class TransitionPath(NamedTuple):
    """What happened between two nodes.

    Attributes:
        changes: what `decide` gave, in order.
        entries: the outcomes among them, for the saga's trail.
        recorded: the same changes as the audit has them, which know steps by their names.
    """

    changes: tuple[Change, ...] = ()
    entries: tuple[Entry, ...] = ()
    recorded: tuple[StateChange, ...] = ()

    def then(self, later: TransitionPath) -> TransitionPath:
        """Both, one after the other."""
        return TransitionPath(
            self.changes + later.changes, self.entries + later.entries, self.recorded + later.recorded
        )


NOTHING: Final = TransitionPath()


class TableNode:
    """A state with the ways that lead out of it: one entry of the table for each signal.

    Attributes:
        saga: the definition.
        state: the state.
        path: the way on which nothing has happened since.
    """

    __slots__ = ("_ways", "path", "saga", "state")

    def __init__(self, saga: Saga, state: State) -> None:
        self.saga = saga
        self.state = state
        self.path = Way(self, NOTHING)
        self._ways: dict[Signal, Way] = {}

    def follow(self, signal: Signal) -> Way:
        """The way on which a signal leads; decided at the first call and remembered."""
        way = self._ways.get(signal)
        if way is None:
            way = self._ways[signal] = _decided(self, signal)
        return way


class Way:
    """A way through the table from one node on, which a signal opened and local answers took.

    Each way is made once and remembered, so that walking it again costs a lookup a step, and keeping the trail of a
    saga costs a reference. A way ends after each local step has been answered, so there are finitely many.

    Attributes:
        node: where the way has led.
        story: what happened on the way.
        ask: whom to ask next; ``None`` when no local participant is asked.
        done: the way after it is done; ``None`` until it was followed once.
        refused: the way after it refused; ``None`` until it was followed once.
        straight: where `amends.core.straight` keeps what it wrote.
    """

    __slots__ = ("ask", "done", "node", "refused", "story", "straight")

    def __init__(self, at: TableNode, story: TransitionPath) -> None:
        self.node = at
        self.story = story
        self.ask = next(_local_asks(at), None)
        self.done: Way | None = None
        self.refused: Way | None = None
        self.straight: Callable[[Any, Any], tuple[Way, Any]] | None = None

    def follow(self, said: ReportedOutcome) -> Way:
        """The way after the local participant answered ``DONE`` or ``REFUSED``."""
        assert self.ask is not None, "who was not asked does not answer"
        onward = self.then(self.node.follow(AnswerSignal(self.ask.member, self.ask.kind, said)))
        if said is ReportedOutcome.DONE:
            self.done = onward
        else:
            self.refused = onward
        return onward

    def then(self, later: Way) -> Way:
        """Both, one after the other."""
        return Way(later.node, self.story.then(later.story))


def node(saga: Saga, state: State | None = None) -> TableNode:
    """The saga's node of that state; by default the one before anything was asked."""
    found: TableNode | None = saga.compiled.get(state)
    if found is None:
        found = saga.compiled[state] = TableNode(saga, state or begin(saga))
    return found


def first_way(saga: Saga) -> Way:
    """The way on which a saga that has just started asks for its first group."""
    return node(saga).follow(Wish.BEGIN)


def _decided(source: TableNode, signal: Signal) -> Way:
    saga, state = source.saga, source.state
    changes = decide(saga, state, signal)
    entries, recorded = [], []
    for change in changes:
        if isinstance(change, Marked) and change.status in TOLD:
            entries.append(_entry(saga, state, change))
        recorded.append(_as_recorded(saga, state, change))
        state = evolve(state, change)
    return Way(node(saga, state), TransitionPath(changes, tuple(entries), tuple(recorded)))


def _entry(saga: Saga, state: State, change: Marked) -> Entry:
    step = member_of(saga, state, change.member)
    return Entry(step.undone if change.status is Status.UNDONE else step.event, step.service, change.status)


def _as_recorded(saga: Saga, state: State, change: Change) -> StateChange:
    if isinstance(change, Marked):
        return StepBecame(member_of(saga, state, change.member).event, change.status)
    if isinstance(change, Ended):
        return SagaEnded(word_for(change.final))
    return GroupEntered(word_for(change.at), tuple(step.event for step in saga.groups[change.at.group]))


def _local_asks(at: TableNode) -> Iterator[LocalAsk]:
    for member, kind in awaited(at.state):
        step = member_of(at.saga, at.state, member)
        function = step.function(kind)
        if step.entity is not None and function is not None:
            yield LocalAsk(step.service, step.entity, function, step, kind, member)
