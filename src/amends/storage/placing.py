"""Which steps are asked over a wire: those of services that are elsewhere, in processes of their own.

Where a service is says nothing of what its steps are: a definition is written once, and each process is told which
services are elsewhere. To it, a step whose entities another process keeps is one that is asked, as any outside is.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import replace

from amends.core.definition import Parallel, Saga, Step


def placed(saga: Saga, elsewhere: Collection[str]) -> Saga:
    """A definition as an engine runs it that asks some services over a wire.

    To everyone else it is the same one: its name, version and fingerprint are. The steps of those services are its own,
    and no other definition's.

    Args:
        saga: the definition as it was written.
        elsewhere: the services.
    """
    if not any(step.service in elsewhere for step in saga.every_step()):
        return saga
    groups = tuple(tuple(_placed_step(step, elsewhere) for step in group) for group in saga.groups)
    entries = zip(saga.steps, groups, strict=True)
    steps = tuple(Parallel(group) if isinstance(entry, Parallel) else group[0] for entry, group in entries)
    there = copy.copy(saga)  # it was checked when it was written; a step that is asked elsewhere has another shape
    for name, value in (("steps", steps), ("groups", groups), ("compiled", {})):
        object.__setattr__(there, name, value)
    return there


def _placed_step(step: Step, elsewhere: Collection[str]) -> Step:
    return replace(step, entity=None) if step.service in elsewhere else step
