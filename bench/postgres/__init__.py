"""Many engines on one PostgreSQL, measured against what that server can do: ``python -m bench.postgres``."""
