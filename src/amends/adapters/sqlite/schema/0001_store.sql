-- Version 1: sagas, entities, client keys, the audit, and what is known of them.
--
-- Every table is STRICT. Long texts are the last columns, so that what is looked for is found without reading them.
-- `checksum` is a CRC-32 over all other values of the row (amends.storage.rows.checksum).

-- In the order in which they were started: the row id is that order.
CREATE TABLE sagas (
    id         TEXT    NOT NULL UNIQUE,
    definition TEXT    NOT NULL, -- name/version/fingerprint
    status     TEXT    NOT NULL,
    due_ms     INTEGER,          -- NULL once it is final
    started_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    checksum   INTEGER NOT NULL,
    request    TEXT    NOT NULL, -- JSON
    body       TEXT    NOT NULL  -- JSON
) STRICT;

-- Which sagas move next. Sagas that are final are not in it, so a million of them cost it nothing.
CREATE INDEX sagas_due ON sagas (definition, due_ms, id) WHERE due_ms IS NOT NULL;

-- Sagas by their status, in the order in which they were started. Most sagas are completed: those are found by
-- walking the table.
CREATE INDEX sagas_not_completed ON sagas (status) WHERE status <> 'completed';

CREATE TABLE entities (
    service  TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    body     TEXT,             -- JSON; NULL when it no longer exists
    PRIMARY KEY (service, id)
) STRICT, WITHOUT ROWID;

-- In the order in which they came.
CREATE TABLE client_keys (
    row      INTEGER PRIMARY KEY,
    digest   INTEGER NOT NULL, -- of the key (amends.adapters.sqlite.rows.digest_of); two keys may have the same
    key      TEXT    NOT NULL,
    request  TEXT    NOT NULL, -- a digest of what was asked under it
    answer   TEXT    NOT NULL, -- JSON
    saga     TEXT    NOT NULL, -- the saga that it started; empty when it started none
    checksum INTEGER NOT NULL
) STRICT;

-- Where a client key is, by its digest. Clients choose keys at random: sorted in one by one, a thousand new ones would
-- touch a thousand pages. So they come here a slice of the digests at a time (amends.adapters.sqlite.client_keys).
CREATE TABLE client_key_rows (
    digest INTEGER NOT NULL,
    row    INTEGER NOT NULL, -- in client_keys
    PRIMARY KEY (digest, row)
) STRICT, WITHOUT ROWID;

-- How far each slice of the digests is sorted in; one that is not here has not begun.
CREATE TABLE client_key_slices (
    slice   INTEGER PRIMARY KEY,
    through INTEGER NOT NULL -- the last row of client_keys that is in client_key_rows, if it is of this slice
) STRICT;

-- The audit: one row for each commit.
CREATE TABLE blocks (
    number   INTEGER PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    before   BLOB    NOT NULL, -- head of the block before
    head     BLOB    NOT NULL, -- SHA-256 over `before` and the records (amends.core.audit.chain)
    started  INTEGER NOT NULL, -- how many sagas started in it
    ended    INTEGER NOT NULL, -- how many sagas became final in it
    checksum INTEGER NOT NULL, -- over all of these, not the records: the head covers them
    records  TEXT    NOT NULL  -- one a line: ["subject", number, at_ms, "cause", ["change", ...]]
) STRICT;

-- Which blocks hold a record of whom.
CREATE TABLE subjects (
    subject TEXT    NOT NULL,
    block   INTEGER NOT NULL,
    PRIMARY KEY (subject, block)
) STRICT, WITHOUT ROWID;

CREATE TABLE counts (
    definition TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    sagas      INTEGER NOT NULL,
    PRIMARY KEY (definition, status)
) STRICT, WITHOUT ROWID;

-- Rows that were found not to be what was written. They are left as they are.
CREATE TABLE set_aside (
    number   INTEGER PRIMARY KEY,
    kind     TEXT    NOT NULL, -- saga, entity or key
    name     TEXT    NOT NULL,
    why      TEXT    NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (kind, name)
) STRICT;

-- What the engine that opened the store last runs with.
CREATE TABLE in_force (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
