"""States that contradict themselves cannot be built."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from amends.core.state import (
    Abandoned,
    Backward,
    Compensated,
    Completed,
    Ended,
    Finished,
    Forward,
    NeedsOperator,
    State,
    Status,
    evolve,
    goes_back,
    underway,
)

STUCK = Forward(0, (Status.STUCK,))
CONTRADICTIONS: dict[str, Callable[[], object]] = {
    "going on, and undoing": lambda: Forward(0, (Status.DONE, Status.UNDOING)),
    "going on, and undone": lambda: Forward(1, (Status.UNDONE,)),
    "going back, and never asked": lambda: Backward(0, (Status.DONE, Status.PENDING)),
    "waiting for an operator, and nothing is stuck": lambda: NeedsOperator(Forward(0, (Status.SENT,))),
    "completed, and waiting for an operator": lambda: NeedsOperator(Completed()),  # type: ignore[arg-type]
    "compensated, and waiting for an operator": lambda: NeedsOperator(Compensated()),  # type: ignore[arg-type]
    "waiting for an operator twice": lambda: NeedsOperator(NeedsOperator(STUCK)),  # type: ignore[arg-type]
    "compensated, and something is outstanding": lambda: Compensated(("A/undo",)),  # type: ignore[call-arg]
    "completed, and at a group": lambda: Completed(group=0),  # type: ignore[call-arg]
    "abandoned, with nothing said of what is outstanding": Abandoned,  # type: ignore[dict-item]
}
STATES: list[State] = [STUCK, NeedsOperator(STUCK), Completed(), Compensated(), Abandoned(("A/undo",))]


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_cannot_be_built(name: str) -> None:
    """There is no field for it, or the state refuses it."""
    with pytest.raises((TypeError, ValueError, AttributeError)):
        CONTRADICTIONS[name]()


@pytest.mark.parametrize("state", STATES, ids=repr)
def test_a_saga_is_under_way_or_final(state: State) -> None:
    """Never both, and never neither."""
    assert (underway(state) is None) == isinstance(state, Finished)


@pytest.mark.parametrize("state", STATES, ids=repr)
@pytest.mark.parametrize("final", [Completed(), Compensated(), Abandoned(())], ids=repr)
def test_an_end_leaves_nothing_of_the_state_before(state: State, final: Finished) -> None:
    """A saga that was going back and completes is completed, and no more."""
    assert evolve(state, Ended(final)) == final
    assert goes_back(final) == isinstance(final, Compensated)
