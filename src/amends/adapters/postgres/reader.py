"""A store as others see it: read while engines write, or when there is none."""

from __future__ import annotations

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.opening import look
from amends.adapters.postgres.reading import PostgresRecords
from amends.adapters.postgres.settings import OF_READS


class PostgresReader(PostgresRecords):
    """See `amends.storage.ports.Records`, whose promises these are."""

    def __init__(self, address: Address) -> None:
        """Open a store that is there.

        Raises:
            StoreUnusable: there is no store that this version can read; one line says why.
        """
        look(address)
        super().__init__(PostgresConnection(address, OF_READS))

    @property
    def has_failed(self) -> bool:
        """Whether it is not to be read any more: it is closed, or this is a child of its process."""
        return self._database.has_failed

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        self._database.close()
