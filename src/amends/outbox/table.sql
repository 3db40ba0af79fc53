-- The outbox: letters to the engines of Amends, which a user's transactions write and engines fetch once these are
-- committed. For SQLite (3.24 or newer) and PostgreSQL.
CREATE TABLE IF NOT EXISTS amends_outbox (
    number    text   NOT NULL PRIMARY KEY, -- when it was written, in nanoseconds since 1970, and chance: hexadecimal
    id        text   NOT NULL,             -- client key: what comes twice under it is acted on once
    body      text   NOT NULL,             -- what is asked for: JSON
    posted_ms bigint NOT NULL,             -- when it was written, in milliseconds since 1970
    refused   text                         -- why it is no letter, and stays here; NULL for one that is to be fetched
)
