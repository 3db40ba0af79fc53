-- Version 1: sagas, entities, client keys, the audit, who owns what, and the letters.
--
-- Names are compared byte by byte (COLLATE "C"), the same in every database. What is updated has no index on what
-- changes, so that PostgreSQL can update it in its page (HOT); where an index is needed, the table is narrow, and a saga
-- that needs no place in it never enters it. All else is appended. `checksum` is a CRC-32 over all other values of the
-- row (amends.storage.rows.checksum). Texts are escaped: PostgreSQL takes no U+0000 (amends.adapters.postgres.texts).

-- The time of leases: the server's, in milliseconds since 1970 (UTC).
CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
    $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE TABLE sagas (
    position   bigint  GENERATED ALWAYS AS IDENTITY, -- the order in which they were started
    due_ms     bigint,                               -- NULL once it is final
    started_ms bigint  NOT NULL,
    changed_ms bigint  NOT NULL,
    version    bigint  NOT NULL,
    checksum   bigint  NOT NULL,
    block      bigint  NOT NULL,                     -- in which it started, of `chain`; not in the checksum
    chain      text    NOT NULL COLLATE "C",
    id         text    NOT NULL COLLATE "C" PRIMARY KEY,
    definition text    NOT NULL COLLATE "C",         -- name/version/fingerprint
    status     text    NOT NULL,
    request    text    NOT NULL,                     -- JSON
    body       text    NOT NULL                      -- JSON
) WITH (fillfactor = 80);

CREATE UNIQUE INDEX sagas_in_order ON sagas (position);

-- Sagas that are not completed, or are due: what is looked for by its status or its time. One that starts and completes
-- in one commit is never here.
CREATE TABLE standings (
    position   bigint   NOT NULL,
    due_ms     bigint,
    shard      smallint NOT NULL, -- amends.storage.shards
    id         text     NOT NULL COLLATE "C" PRIMARY KEY,
    definition text     NOT NULL COLLATE "C",
    status     text     NOT NULL
);

CREATE INDEX standings_due ON standings (definition, due_ms, id) WHERE due_ms IS NOT NULL;

CREATE INDEX standings_in_order ON standings (position);

-- One that does not exist, and is held by a turn, has version 0 as long as that turn lasts.
CREATE TABLE entities (
    version  bigint NOT NULL,
    checksum bigint NOT NULL,
    service  text   NOT NULL COLLATE "C",
    id       text   NOT NULL COLLATE "C",
    body     text,            -- JSON; NULL when it no longer exists
    PRIMARY KEY (service, id)
) WITH (fillfactor = 80);

-- One that stands for nothing, and is held by a turn, has no request as long as that turn lasts.
CREATE TABLE client_keys (
    checksum bigint NOT NULL,
    key      text   NOT NULL COLLATE "C" PRIMARY KEY,
    request  text,            -- a digest of what was asked under it
    answer   text,            -- JSON
    saga     text             -- the saga that it started; empty when it started none
) WITH (fillfactor = 80);

-- The audit: one row for each commit. The primary key is the fence: of two commits that are to be the next one of a
-- chain, one is written.
CREATE TABLE blocks (
    number   bigint NOT NULL,
    at_ms    bigint NOT NULL,
    started  bigint NOT NULL, -- how many sagas started in it
    ended    bigint NOT NULL, -- how many sagas became final in it
    checksum bigint NOT NULL, -- over all of these, `chain`, `before` and `head`; the head covers the records
    chain    text   NOT NULL COLLATE "C",
    before   bytea  NOT NULL, -- head of the block before
    head     bytea  NOT NULL,
    records  text   NOT NULL,
    beside   text   NOT NULL, -- what the records are about, each with its salt
    PRIMARY KEY (chain, number)
);

-- Which blocks hold a record of whom; in which block a saga started, its own row says.
CREATE TABLE subjects (
    number  bigint NOT NULL,
    chain   text   NOT NULL COLLATE "C",
    subject text   NOT NULL COLLATE "C",
    PRIMARY KEY (subject, chain, number)
);

-- How many sagas more, or fewer, there are since a block; the sum of all is how many there are. Rows of one chain are
-- added up now and then, by its own engine, so that no two engines wait for one row.
CREATE TABLE counts (
    number     bigint NOT NULL,
    sagas      bigint NOT NULL,
    chain      text   NOT NULL COLLATE "C",
    definition text   NOT NULL COLLATE "C",
    status     text   NOT NULL COLLATE "C",
    PRIMARY KEY (chain, number, definition, status)
);

-- Rows that were found not to be what was written. They are left as they are.
CREATE TABLE set_aside (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    checksum bigint NOT NULL,
    kind     text   NOT NULL COLLATE "C",
    name     text   NOT NULL COLLATE "C",
    why      text   NOT NULL,
    UNIQUE (kind, name)
);

-- As what requests, answers and entities are stored.
CREATE TABLE shapes (
    since_ms bigint NOT NULL,
    checksum bigint NOT NULL,
    kind     text   NOT NULL COLLATE "C",
    name     text   NOT NULL COLLATE "C",
    shape    text   NOT NULL, -- JSON
    PRIMARY KEY (kind, name, since_ms)
);

-- What the engine that said it last runs with.
CREATE TABLE in_force (
    name  text NOT NULL PRIMARY KEY,
    value text NOT NULL
);

-- The engines, each as long as no other one took over from it.
CREATE TABLE leases (
    until_ms bigint NOT NULL,
    engine   text   NOT NULL COLLATE "C" PRIMARY KEY
) WITH (fillfactor = 50);

-- Which engine has a shard; free ones are not here.
CREATE TABLE owners (
    shard  smallint NOT NULL PRIMARY KEY,
    engine text     NOT NULL COLLATE "C"
) WITH (fillfactor = 50);

-- Letters to the engines, in the order in which they were posted: those that start sagas, and answers and verbs.
CREATE TABLE letters (
    number    bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    posted_ms bigint   NOT NULL,
    checksum  bigint   NOT NULL,
    shard     smallint NOT NULL,
    id        text     NOT NULL COLLATE "C" UNIQUE,
    body      text     NOT NULL, -- JSON (amends.storage.letters)
    is_start  boolean  NOT NULL GENERATED ALWAYS AS (body LIKE '["start",%' OR body LIKE '["child",%') STORED
);

-- By which answers and verbs are found before starts that were posted earlier.
CREATE INDEX letters_of_kind ON letters (is_start, number);
