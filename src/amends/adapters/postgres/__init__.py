"""Many engines on one PostgreSQL, through psycopg 3 (docs/adr/0025-postgresql.md)."""

from amends.adapters.postgres.address import address_of
from amends.adapters.postgres.client_store import PostgresClientStore
from amends.adapters.postgres.store import PostgresStore

__all__ = ["PostgresClientStore", "PostgresStore", "address_of"]
