"""What is stored is read back: where the explorer hands a value on, it hands on what would be read back of it.

An engine knows how (`amends.engine.round_trip`), and needs a package for it. Without one, values stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from amends.core.definition import Saga
from amends.core.messages import Kind, Outcome

READ_BACK: Final = "what is stored is read back as it was"
"""The rule that a value breaks which would come back as another one."""


class ReadBack(Protocol):
    """There and back: what the values of a definition become.

    Each raises `ParticipantError` where a value would come back as another one, or not at all, with what to do.
    """

    def request(self, request: Any) -> Any:
        """A request as the steps are asked with it."""

    def entity(self, service: str, entity_id: Any, entity: Any) -> Any:
        """An entity as the next function gets it; ``None`` of none."""

    def answer_types(self, event: str) -> Sequence[Any] | None:
        """The types that a step's answers are read back as, none for plain JSON; ``None`` where that is not known."""

    def outcome(self, event: str, kind: Kind, outcome: Outcome, *, is_typed: bool = True) -> Outcome:
        """What a step said, as the saga hears it; `is_typed` where its own functions said it."""


class AsItIs:
    """Values stay as they are."""

    def __init__(self, saga: Saga) -> None:
        self.saga = saga

    def request(self, request: Any) -> Any:
        """The request as it is."""
        return request

    def entity(self, service: str, entity_id: Any, entity: Any) -> Any:  # noqa: ARG002 - as a `ReadBack` has it
        """The entity as it is."""
        return entity

    def answer_types(self, event: str) -> Sequence[Any] | None:  # noqa: ARG002 - as a `ReadBack` has it
        """``None``: without codecs that is not known."""
        return None

    def outcome(self, event: str, kind: Kind, outcome: Outcome, *, is_typed: bool = True) -> Outcome:  # noqa: ARG002
        """The outcome as it is."""
        return outcome
