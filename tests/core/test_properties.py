"""What holds for any definition, whatever participants, wire, clock, clients and operators do.

The laws themselves are checked after every input, in tests/core/worlds.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from amends.core.decide import WAITS_FOR_ACTION, AnswerSignal, Halted, ReportedOutcome, Signal, TryAgain, Wish, decide
from amends.core.definition import Saga
from amends.core.messages import Kind
from amends.core.state import (
    ASKED,
    Backward,
    Finished,
    Forward,
    NeedsOperator,
    State,
    Status,
    Underway,
    awaited,
    begin,
    evolve,
    outstanding,
    underway,
)
from amends.core.table import node
from tests.core.worlds import World, definitions

LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
EACH_STATE = settings(LAW, max_examples=LAW.max_examples // 10)  # each walks through all states of a saga
STATES_MAX = 150

chances = st.integers(0, 2**32).map(Random)  # a failure is a number


@LAW
@given(definitions(), chances, st.integers(0, 60))
def test_any_saga_keeps_the_rules_and_ends_with_all_or_nothing(saga: Saga, chance: Random, moves: int) -> None:
    """Every participant is behind the wire; then all faults stop, and it has to end."""
    live(World(saga, chance), moves)


@LAW
@given(definitions(), chances, st.integers(0, 60))
def test_so_does_a_saga_with_its_own_entities_at_hand(saga: Saga, chance: Random, moves: int) -> None:
    """Local participants answer within the step, external ones over the wire."""
    events = [member.event for member in saga.every_step()]
    after_pivot = {member.event for group in saga.groups[saga.pivot + 1 :] for member in group}
    refusing = frozenset(name for name in events if name not in after_pivot and chance.random() < 0.1)
    entities: dict[str, dict[str, Any]] = {member.service: {} for member in saga.every_step()}
    live(AtHand(saga, chance, refusing, entities), moves)


class AtHand(World):
    """A world whose local steps are carried out by the saga: their facts are what their entities say."""

    def take_in(self, effects: tuple[object, ...]) -> None:
        """Read the facts before anything is checked."""
        assert self.entities is not None
        for member in self.saga.every_step():
            if member.is_local:
                self.facts[member.event].effects = self.entities[member.service].get("the one", 0)
        super().take_in(effects)  # type: ignore[arg-type]


def live(world: World, moves: int) -> None:
    """Let things happen; then heal, and look at the end."""
    for _ in range(moves):
        world.happen()
    event(f"after the faults: {type(world.run.state).__name__}")
    world.heal()
    world.settle()
    world.check_end()
    event(f"ended: {type(world.run.state).__name__}")


# --- the table ------------------------------------------------------------------------------------------------------


def signals(saga: Saga, state: State) -> Iterator[Signal]:
    """Yield every signal that can be given in a state."""
    yield from Wish
    at = underway(state)
    for member in range(len(at.members) if at else 0):
        yield Halted(member)
        for kind in (Kind.DO, Kind.UNDO, Kind.PROBE):
            yield from (AnswerSignal(member, kind, said) for said in ReportedOutcome)
        if at:
            yield from (TryAgain(member, kind) for kind in last_asked(saga, at, member))


def last_asked(saga: Saga, at: Underway, member: int) -> set[Kind]:
    """Return what a member can have been asked last."""
    if at.members[member] in ASKED:
        return {ASKED[at.members[member]]}
    kinds = {Kind.DO}
    if saga.groups[at.group][member].probe and (isinstance(at, Backward) or at.group >= saga.pivot):
        kinds.add(Kind.PROBE)
    if isinstance(at, Backward) and WAITS_FOR_ACTION.isdisjoint(at.members):
        kinds.add(Kind.UNDO)
    return kinds


def reachable(saga: Saga) -> Iterator[State]:
    """Yield states that can be reached, the nearest first, by `decide` and `evolve` alone."""
    seen: dict[State, None] = {fold(begin(saga), decide(saga, begin(saga), Wish.BEGIN)): None}
    for count, state in enumerate(seen_growing(seen)):
        if count == STATES_MAX:
            return
        yield state
        for signal in signals(saga, state):
            seen.setdefault(fold(state, decide(saga, state, signal)), None)


def seen_growing(seen: dict[State, None]) -> Iterator[State]:
    """Yield the keys of a dict that grows meanwhile."""
    place = 0
    while place < len(seen):
        yield list(seen)[place]
        place += 1


def fold(state: State, changes: tuple[object, ...]) -> State:
    """Return the state after changes."""
    for change in changes:
        state = evolve(state, change)  # type: ignore[arg-type]
    return state


@EACH_STATE
@given(definitions())
def test_the_table_is_what_decide_says(saga: Saga) -> None:
    """In every state, for every signal, the first time and again: the same changes, which lead to the same state."""
    for state in reachable(saga):
        for signal in signals(saga, state):
            changes = decide(saga, state, signal)
            after = fold(state, changes)
            for _ in range(2):
                link = node(saga, state).follow(signal)
                assert link.story.changes == changes
                assert link.node.state == after
            assert len(link.story.recorded) == len(changes)


@EACH_STATE
@given(definitions())
def test_no_signal_is_taken_for_another(saga: Saga) -> None:
    """The table finds a decision by its signal, and signals are tuples: two that are equal would be one."""
    given_here = list(signals(saga, next(iter(reachable(saga)))))
    assert len(set(given_here)) == len(given_here)


@EACH_STATE
@given(definitions())
def test_every_state_is_one_that_the_rules_know(saga: Saga) -> None:
    """No contradiction can be reached: who is asked is waited for, and who is stuck is for an operator."""
    for state in reachable(saga):
        at = underway(state)
        if at is None:
            assert isinstance(state, Finished)
            continue
        members = set(at.members)
        assert Status.PENDING not in members
        assert isinstance(state, NeedsOperator) == (Status.STUCK in members)
        assert any(True for _ in awaited(state)) or isinstance(state, NeedsOperator)
        here = zip(saga.groups[at.group], at.members, strict=True)
        left = [step for step, status in here if status not in {Status.REFUSED, Status.UNDONE}]
        left += [step for group in saga.groups[: at.group] for step in group]
        assert outstanding(saga, state) or all(step.asks for step in left)
        if isinstance(at, Forward):
            assert not members & {Status.REFUSED, Status.UNKNOWN, Status.UNDOING, Status.UNDONE}
            assert Status.PROBING not in members or at.group >= saga.pivot
        else:
            assert isinstance(at, Backward)
            assert at.group < saga.pivot
            assert not ({Status.SENT, Status.RESENT} & members and {Status.UNDOING, Status.PROBING} & members)


@EACH_STATE
@given(definitions())
def test_a_signal_that_was_taken_changes_nothing_the_second_time(saga: Saga) -> None:
    """Done and refused are told once; only asking again, and an unknown attempt, can be repeated."""
    for state in reachable(saga):
        for signal in signals(saga, state):
            if isinstance(signal, AnswerSignal) and signal.said in (
                ReportedOutcome.DONE,
                ReportedOutcome.CONFIRMED,
                ReportedOutcome.REFUSED,
                ReportedOutcome.RULED_OUT,
            ):
                at, after = underway(state), fold(state, decide(saga, state, signal))
                then = underway(after)
                if at and then and at.group == then.group and signal.kind is not Kind.PROBE:
                    assert fold(after, decide(saga, after, signal)) == after
