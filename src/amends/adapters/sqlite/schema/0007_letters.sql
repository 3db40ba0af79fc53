-- Version 7: letters that commits write to the engine itself, for the sagas that follow from those which have completed.

-- In the order in which they were written: the row id is that order. Those of clients are in the mailbox beside the store.
CREATE TABLE letters (
    number    INTEGER PRIMARY KEY,
    id        TEXT    NOT NULL UNIQUE,
    shard     INTEGER NOT NULL, -- amends.storage.shards
    posted_ms INTEGER NOT NULL,
    checksum  INTEGER NOT NULL, -- CRC-32 over all other values but the number (amends.storage.rows.checksum)
    body      TEXT    NOT NULL  -- JSON (amends.storage.letters)
) STRICT;
