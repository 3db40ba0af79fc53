"""What the services outside keep: their entities, and an inbox of their own.

These are somebody else's books. They are no part of our store, and a crash of ours does not touch them.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from threading import RLock
from typing import Protocol

from amends.core.messages import Done, Refused
from amends.core.straight import Entities
from amends.shop.payments import PAYMENT
from amends.shop.shipping import SHIPPING


class Books(Protocol):
    """Where the services outside keep everything. Who reads outside a transaction may see one that is half done."""

    @property
    def entities(self) -> Entities:
        """PAYMENT and SHIPPING, then id, to entity: what a session has under the same names."""
        ...

    @property
    def inbox(self) -> MutableMapping[str, Done | Refused]:
        """Idempotency key to the first answer."""
        ...

    def transaction(self) -> AbstractContextManager[object]:
        """What is written inside is there when it ends, all of it; one thread at a time is inside.

        When its block raises, nothing that is durable was written.
        """
        ...


class BooksInMemory:
    """Books that end with the process; any mappings serve.

    A block that raises after it wrote leaves what it wrote: whoever decides first and writes then has no such block.
    """

    def __init__(
        self, entities: Entities | None = None, inbox: MutableMapping[str, Done | Refused] | None = None
    ) -> None:
        """Open books.

        Args:
            entities: of PAYMENT and SHIPPING; empty by default.
            inbox: idempotency key to the answer given; empty by default.
        """
        self.entities: Entities = {PAYMENT: {}, SHIPPING: {}} if entities is None else entities
        self.inbox: MutableMapping[str, Done | Refused] = {} if inbox is None else inbox
        self._lock = RLock()

    def transaction(self) -> AbstractContextManager[object]:
        """One thread at a time."""
        return self._lock
