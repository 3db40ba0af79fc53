"""Many engines on one PostgreSQL, through psycopg 3 (docs/adr/0025-postgresql.md)."""
