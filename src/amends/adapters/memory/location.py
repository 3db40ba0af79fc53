"""Where a store in memory is: in this process, under its name if it has one."""

from __future__ import annotations

from collections.abc import Callable

from amends.adapters.memory import MemoryStore
from amends.adapters.memory.named import MemoryClientStore, NamedStore, named
from amends.errors import StoreUnusable
from amends.storage.location import MEMORY
from amends.storage.ports import ClientStore, Store


class MemoryLocation:
    """See `amends.storage.location.StoreLocation`.

    Attributes:
        wait_s: none: another engine of this process has it.
    """

    wait_s = 0.0

    def __init__(self, url: str) -> None:
        """Name it.

        Raises:
            StoreUnusable: the name is none.
        """
        self._name = url.removeprefix(MEMORY)
        if not self._name.isprintable():
            raise StoreUnusable(f"{url!r:.200}: the name of a store in memory is printable text")

    def for_engine(self) -> Callable[[], Store]:
        """What opens the store for an engine."""
        return (lambda: NamedStore(named(self._name))) if self._name else MemoryStore

    def for_clients(self) -> Callable[[], ClientStore]:
        """What opens it for clients.

        Raises:
            StoreUnusable: it has no name, by which they would find it.
        """
        if not self._name:
            raise StoreUnusable(
                f"{MEMORY!r} is a store that one engine has for itself: give it a name here and in open(), "
                "as in memory:shop"
            )
        return lambda: MemoryClientStore(named(self._name))
