"""One SQLite file: one engine writes it, anybody reads it (docs/storage.md)."""
