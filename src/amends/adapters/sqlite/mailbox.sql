-- The mailbox of a store, in a file of its own: who posts never keeps the engine's own file locked.

-- In the order in which they were posted: the row id is that order. Letters that start sagas have numbers from 1 on; answers and
-- verbs, which go before them, have numbers below 0 (amends.adapters.sqlite.rows). Those that clients of earlier versions wrote
-- are all from 1 on.
CREATE TABLE letters (
    number    INTEGER PRIMARY KEY,
    id        TEXT    NOT NULL UNIQUE,
    shard     INTEGER NOT NULL, -- amends.storage.shards
    posted_ms INTEGER NOT NULL,
    checksum  INTEGER NOT NULL, -- CRC-32 over all other values but the number (amends.storage.rows.checksum)
    body      TEXT    NOT NULL  -- JSON (amends.storage.letters)
) STRICT;
