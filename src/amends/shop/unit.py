"""The small unit of work that a session needs, and the ledger that gives it out.

Two dicts serve (`amends.shop.ledger`); so does that of the engine (`amends.storefront`). A session does not know
which it has: docs/adr/0013-one-session-on-two-units-of-work.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from amends.core.definition import Command
from amends.core.straight import Entities
from amends.shop.purchase import Purchase
from amends.shop.report import Row

Given = TypeVar("Given")

NAMED: Final = "named"
CREATED: Final = "created"
REFUSED: Final = "refused"
NOTED: Final = "noted"


class StoredReply(NamedTuple):
    """What became of an operation that placed no order; plain values, which can be kept.

    Attributes:
        kind: `NAMED`: it names its entity; `CREATED`: that is new as well; `REFUSED`, or `NOTED`.
        place: of the value in the operation that a remark is about.
        rule: of the remark, as a sentence.
    """

    kind: str
    place: int = 1
    rule: str = ""


Upshot = Row | StoredReply
"""What became of an operation: the row of the order that it placed, or a reply."""


class Unit(Protocol):
    """What a batch reads and writes in one go; all of it is kept, or nothing.

    Attributes:
        waits_for: the order that is still under way, which has to end before anything else is done; empty for none.
    """

    waits_for: str

    @property
    def entities(self) -> Entities:
        """For each of `SERVICES` a mapping, in which ids are looked up. It may be that they cannot be listed."""

    @property
    def answered(self) -> Sequence[Upshot]:
        """What the first of the operations that this unit is for were answered by a process before this one."""

    def prefetch(self, names: Iterable[tuple[str, str]], /) -> None:
        """Have read at once what is looked at next.

        Args:
            names: of entities, service and id; those of ORDER stand for sagas.
        """

    def execute(self, order: Command, entity_id: str, body: Any, /) -> object:
        """Carry out a command on its entity."""

    def start(self, purchase: Purchase, failing: int | None, /) -> Row:
        """Start an order's saga, and carry it as far as it gets.

        Args:
            purchase: the saga's request; its order has the saga's id.
            failing: the place in `SERVICES` of the service where a failure is injected, if one is.
        """

    def order(self, order_id: str, /) -> Row | None:
        """The saga, as it stands, of an order that was placed before; ``None`` when there is none of this id."""

    def keep(self, answers: Sequence[Upshot], placed: dict[str, Row], /) -> None:
        """Keep what the operations that this unit is for were answered, from the first one on.

        Args:
            answers: in order.
            placed: the orders among them, by order id.
        """


class Ledger(Protocol):
    """Where a session keeps everything.

    Attributes:
        piece_max: how many operations one unit of work takes.
    """

    piece_max: int

    @property
    def entities(self) -> Mapping[str, Mapping[str, Any]]:
        """What the services keep, to be looked at between batches: service, then id, to entity."""

    def transact(self, do: Callable[[Any], Given], keys: Sequence[str] = (), /) -> Given:
        """Run a function on a `Unit`, and keep what it did; its answer.

        Args:
            do: it may be called more than once, and has to do the same each time; one call is kept.
            keys: of the operations that it carries out, in order, where their answers are to be remembered.
        """

    def wait_for(self, order_id: str, /) -> None:
        """Wait for the end of an order."""
