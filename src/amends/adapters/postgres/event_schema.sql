-- Version 1: events as they were published, and how far each source was.

CREATE TABLE events (
    position bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- what has a lower one was committed before
    source   text   NOT NULL,
    id       text   NOT NULL,
    type     text   NOT NULL,
    subject  text   NOT NULL,
    event    json   NOT NULL  -- all of it, a CloudEvent
);
CREATE INDEX events_subject ON events (subject);

-- How far a source is published: of each chain of its audit, the last row. Rows are appended, and those before deleted:
-- a row that is updated would leave as many versions to walk over as there were updates, while a transaction is open.
CREATE TABLE cursors (
    number bigint NOT NULL,
    source text   NOT NULL COLLATE "C",
    chain  text   NOT NULL COLLATE "C",
    head   bytea  NOT NULL, -- empty where the block cannot be read
    PRIMARY KEY (source, chain, number)
);
