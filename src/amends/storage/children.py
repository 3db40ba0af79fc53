"""Which sagas follow from one that has completed: by its definition, its request, and the answers of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from amends.core.definition import Child, Saga
from amends.core.messages import Call
from amends.core.state import Completed
from amends.core.step import SagaInstance
from amends.declared import as_taken
from amends.exceptions import is_interrupt, raised
from amends.storage.codecs.values import opened, opened_all


class ChildToStart(NamedTuple):
    """A saga that is to start.

    Attributes:
        saga_id: its id.
        key: the client key under which it starts.
        saga: its definition.
        asked: what it is asked for; ``None`` where the function that is to say so raised.
        fault: what that raised; empty when it did not.
    """

    saga_id: str
    key: str
    saga: Saga
    asked: Any
    fault: str = ""


def children_of(run: SagaInstance) -> Iterator[ChildToStart]:
    """The sagas that follow from one; none while it has not completed."""
    if isinstance(run.state, Completed):
        for child in run.saga.starts:
            to_start = _child_of(run, child)
            if to_start.asked is not None or to_start.fault:
                yield to_start


def child_id(parent: str, name: str) -> str:
    """The id of a saga that follows from another one.

    Args:
        parent: the id of the other one.
        name: of its definition.
    """
    return f"{parent}.{name}"


def child_key(parent: str, name: str) -> str:
    """The client key under which a saga starts that follows from another one; see `child_id`."""
    return f"{parent}/{name}"


def _child_of(run: SagaInstance, child: Child) -> ChildToStart:
    parent, name = run.saga_id, child.saga.name
    to_start = ChildToStart(child_id(parent, name), child_key(parent, name), child.saga, None)
    try:
        call = Call(to_start.key, answers=opened_all(run.answers))
        return to_start._replace(asked=child.request(*as_taken(child.request, opened(run.request), call)))
    except BaseException as error:
        if is_interrupt(error):
            raise
        return to_start._replace(fault=f"what {parent} asks it for is not known: {raised(error)}")
