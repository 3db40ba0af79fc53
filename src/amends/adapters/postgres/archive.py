"""A store that sagas leave for an archive, while engines may run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.commits import TableWrite
from amends.adapters.postgres.opening import prepare
from amends.adapters.postgres.rights import ARCHIVING, OWNS
from amends.adapters.postgres.settings import OF_READS
from amends.adapters.postgres.store import PostgresStore
from amends.adapters.postgres.texts import stored
from amends.errors import StoreConflict
from amends.storage.rows import Block

CHAIN_LENGTH: Final = 8  # as of an engine's name, which is that of its chain


class DepartureStore(PostgresStore):
    """Writes to a chain of the audit that no engine has. Each commit has a lease, which ends with it.

    So no engine sees it: to an engine with a lease the others would give shards, and one that was killed they would
    take over from.
    """

    def __init__(self, address: Address) -> None:
        """Open a store that is there.

        Raises:
            StoreUnusable: as `PostgresStore`; or the role may not remove sagas.
        """
        prepare(address, ARCHIVING, OWNS)
        super().__init__(address, OF_READS)  # the archive's disk may be slow, and what is locked ended long ago

    def _write(self, block: Block, writes: Iterable[TableWrite]) -> str:
        lease = {"engine": stored(block.chain)}
        self._database.work([("begin_lease", lease)])
        transaction = super()._write(block, writes)
        self._database.work([("leave", lease)])
        return transaction

    def _expect_chain(self, block: Block, conflict: StoreConflict) -> None:
        """No other process writes to it, or ends it."""
