"""What follows from a saga, by its definition and what is stored of it: computed without the engine's own code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from amends.checking.simulator.setting import Setting
from amends.core.definition import Saga
from amends.core.messages import Call
from amends.declared import as_taken
from amends.storage.codecs.values import text_of
from amends.storage.rows import COMPLETED, SagaRow


class Following(NamedTuple):
    """A saga that is to start.

    Attributes:
        saga_id: its id.
        key: the client key under which it starts, and the id of the letter.
        parent: the saga that it follows from.
        saga: its definition.
        request: what it is asked for, JSON; ``None`` where the function that says so raises.
    """

    saga_id: str
    key: str
    parent: str
    saga: Saga
    request: str | None


def following(setting: Setting, row: SagaRow, bodies: Mapping[str, Any]) -> Iterator[Following]:
    """What follows from a saga; nothing while it has not completed.

    Args:
        setting: the scenario.
        row: of the saga.
        bodies: of its row, by its id.
    """
    if row.status != COMPLETED:
        return
    codec, parent = setting.codecs[row.definition], row.saga_id
    kept = bodies[parent].get("answers", {})
    for child in codec.saga.starts:
        key = f"{parent}/{child.saga.name}"
        answers = {event: codec.answers[event].decode(text_of(answer)) for event, answer in kept.items()}
        given = as_taken(child.request, codec.request.decode(row.request), Call(key, answers=answers))
        try:
            asked = child.request(*given)
        except Exception:  # noqa: BLE001 - a user's function may raise anything
            yield Following(f"{parent}.{child.saga.name}", key, parent, child.saga, None)
        else:
            if asked is not None:
                yield Following(f"{parent}.{child.saga.name}", key, parent, child.saga, text_of(asked))
