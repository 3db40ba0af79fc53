"""One SQLite file: one engine writes it, any process reads it (docs/storage.md)."""
