-- Version 3, for engines from 1: the budgets of participants whose limit is for all engines together. Engines of before
-- go on beside it, and are not counted.

-- What each engine has of a budget, and needs (amends.storage.budgets). It ends with the engine's lease, whoever ends that.
CREATE TABLE budgets (
    since_ms bigint NOT NULL, -- since when the engine has places, or had some last; 0 for never
    at_once  bigint NOT NULL, -- the limit, as this engine was told
    common   bigint NOT NULL, -- places for calls of any kind
    reserved bigint NOT NULL, -- places for compensations and probes alone
    wanted   bigint NOT NULL, -- actions for which it needs a place
    urgent   bigint NOT NULL, -- compensations and probes for which it needs one
    per_s    double precision, -- calls a second, as this engine was told; NULL for any number
    engine   text NOT NULL COLLATE "C" REFERENCES leases ON DELETE CASCADE,
    service  text NOT NULL COLLATE "C",
    PRIMARY KEY (engine, service)
) WITH (fillfactor = 50);
