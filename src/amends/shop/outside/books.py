"""What the services outside keep: their entities, and an inbox of their own.

These are another company's books. They are no part of our store, and a crash of ours does not touch them.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from threading import RLock

from amends.core.messages import Done, Refused
from amends.core.straight import Entities
from amends.shop.payments import PAYMENT
from amends.shop.shipping import SHIPPING


class Books:
    """Where the services outside keep everything; here in memory, so that it ends with the process.

    Attributes:
        entities: PAYMENT and SHIPPING, then id, to entity: what a session has under the same names.
        inbox: idempotency key to the first answer.
    """

    def __init__(self) -> None:
        """Open books in which nothing is written."""
        self.entities: Entities = {PAYMENT: {}, SHIPPING: {}}
        self.inbox: MutableMapping[str, Done | Refused] = {}
        self._lock = RLock()

    def transaction(self) -> AbstractContextManager[object]:
        """One thread at a time is inside, and what is written inside is there when it ends, all of it.

        Who reads outside of one may see what is half done. When its block raises, nothing that is durable was written;
        what ends with the process is as far as it was: who decides first and writes then has no such block.
        """
        return self._lock
