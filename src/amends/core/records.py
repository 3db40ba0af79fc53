"""What became of a saga, as it is recorded: a closed union of small frozen values, which know steps by their names."""

from __future__ import annotations

from dataclasses import dataclass

from amends.core.state import Debt, Status


@dataclass(frozen=True, slots=True)
class StepBecame:
    """A step of the current group has a new status (or the same one: it is asked again); of any step, a debt."""

    step: str
    status: Status | Debt


@dataclass(frozen=True, slots=True)
class GroupEntered:
    """The saga went on to a group, back to one, or turned back within one.

    Attributes:
        phase: ``forward`` or ``backward``.
        steps: the group's.
    """

    phase: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SagaEnded:
    """The saga is final: ``completed``, ``compensated`` or ``abandoned``."""

    status: str


StateChange = StepBecame | GroupEntered | SagaEnded
