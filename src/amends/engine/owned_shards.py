"""The shards that an engine has, and since when: what may have been sent by another engine counts from then."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from amends.errors import RequestRefused
from amends.storage.rows import NEVER
from amends.storage.shards import ALL_SHARDS, shard_of


class OwnedShards:
    """Whose sagas an engine moves.

    Attributes:
        are_shared: whether shards come and go, and other engines have the others.
        not_before_ms: when the last of them was gained: the engine's time goes on from there.
    """

    def __init__(self, since_ms: int, *, is_shared: bool) -> None:
        """Have every shard, or none where the store is shared.

        Args:
            since_ms: when this process took over, milliseconds since 1970 (UTC).
            is_shared: whether shards come and go.
        """
        self.not_before_ms = since_ms
        self.are_shared = is_shared
        self._since_ms = {} if is_shared else dict.fromkeys(sorted(ALL_SHARDS), since_ms)

    @property
    def all(self) -> Collection[int]:
        """Which ones."""
        return self._since_ms.keys()

    def has(self, saga_id: str) -> bool:
        """Whether a saga is moved by this engine."""
        return not self.are_shared or shard_of(saga_id) in self._since_ms

    def since_ms(self, saga_id: str) -> int:
        """Since when a saga is moved by this engine. Of another engine's, `NEVER`: nothing of it is to be sent here."""
        return self._since_ms.get(shard_of(saga_id), NEVER) if self.are_shared else self.not_before_ms

    def expect(self, saga_id: str) -> None:
        """Refuse what another engine has to do.

        Args:
            saga_id: of the saga that it is about; empty for none, or a new one.

        Raises:
            RequestRefused: the saga is moved by another engine.
        """
        if saga_id and not self.has(saga_id):
            raise RequestRefused(f"saga {saga_id!r} is moved by another engine of this store: post that one a letter")

    def gain(self, shards: Iterable[int], at_ms: int) -> None:
        """Have more of them.

        Args:
            shards: those that no other engine has any more.
            at_ms: not before anything that their former owners committed.
        """
        self._since_ms.update((shard, at_ms) for shard in shards)
        self.not_before_ms = max(self.not_before_ms, at_ms)

    def lose(self, shards: Iterable[int]) -> None:
        """Have them no longer."""
        for shard in shards:
            self._since_ms.pop(shard, None)
