-- Version 4: as what requests and entities are stored, so that nothing is read back as something else.

CREATE TABLE shapes (
    kind     TEXT    NOT NULL, -- request or entity
    name     TEXT    NOT NULL, -- of requests their definition, name/version/fingerprint; of entities their service
    since_ms INTEGER NOT NULL, -- of what is stored since; 0 from the beginning
    checksum INTEGER NOT NULL,
    shape    TEXT    NOT NULL, -- JSON (amends.engine.shapes): the names, types and order of its fields
    PRIMARY KEY (kind, name, since_ms)
) STRICT, WITHOUT ROWID;
