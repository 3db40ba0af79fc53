"""A store in memory, for one engine, or for several that share one database."""

from amends.adapters.memory.store import MemoryStore

__all__ = ["MemoryStore"]
