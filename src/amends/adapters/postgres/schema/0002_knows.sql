-- Version 2, for engines from 1: which definitions each engine knows, so that other engines hand over to it the shards
-- in which something waits that they do not know. An engine of version 1 goes on beside it, and tells nothing.
--
-- What an engine knows is gone with its lease, whoever ends that: also an engine of version 1.
CREATE TABLE knows (
    engine     text NOT NULL COLLATE "C" REFERENCES leases ON DELETE CASCADE,
    definition text NOT NULL COLLATE "C", -- name/version/fingerprint
    PRIMARY KEY (engine, definition)
);
