-- Every query that a running store uses. Each has a name, what it is for, and the query.
--
-- What is written and asked for comes in arrays, one for each column: a batch is one statement for each table, never
-- one for each saga. Rows are locked in the order of their names.

-- name: begin
-- Start a transaction.
BEGIN;

-- name: begin_reading
-- Start to read.
BEGIN READ ONLY;

-- name: commit
-- Put it on stable storage.
COMMIT;

-- name: rollback
-- Forget what was written since `begin`.
ROLLBACK;

-- name: settings
-- What the promises need, for this transaction alone: the connection may be another one for the next. What a batch
-- names is found by an index, row by row, whatever the server believes of a table that was empty a moment ago.
SELECT set_config('search_path', %(schema)s, true),
    set_config('synchronous_commit', 'on', true),
    set_config('lock_timeout', %(lock)s, true),
    set_config('statement_timeout', %(statement)s, true),
    set_config('idle_in_transaction_session_timeout', %(idle)s, true),
    set_config('enable_seqscan', 'off', true),
    set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true),
    set_config('jit', 'off', true);

-- name: in_force_at_server
-- What the server runs with.
SELECT current_setting('server_version_num'), current_setting('server_version'), current_setting('fsync'),
    current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('server_encoding'),
    pg_is_in_recovery()::text, current_setting('transaction_read_only');

-- name: rights
-- What a role may do with each table of a schema; of a privilege that can be had on columns, on one of them.
SELECT t.relname::text, p.privilege
FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
    CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) AS p (privilege)
    CROSS JOIN (SELECT coalesce(nullif(%(role)s, '')::name, current_user)) AS asked (whose)
WHERE n.nspname = %(of_schema)s AND t.relkind IN ('r', 'p') AND NOT t.relispartition
    AND CASE WHEN p.privilege IN ('DELETE', 'TRUNCATE') THEN has_table_privilege(whose, t.oid, p.privilege)
        ELSE has_any_column_privilege(whose, t.oid, p.privilege) END
UNION ALL
SELECT '', 'USAGE'
FROM pg_namespace CROSS JOIN (SELECT coalesce(nullif(%(role)s, '')::name, current_user)) AS asked (whose)
WHERE nspname = %(of_schema)s AND has_schema_privilege(whose, oid, 'USAGE');

-- name: grantees
-- Who was given rights in a schema beside its owner, and whether as an engine, which adds blocks; others post letters.
SELECT pg_get_userbyid(given.grantee)::text, bool_or(t.relname = 'blocks')
FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace CROSS JOIN aclexplode(t.relacl) AS given
WHERE n.nspname = %(of_schema)s AND t.relname IN ('blocks', 'letters') AND given.privilege_type = 'INSERT'
    AND given.grantee NOT IN (0, t.relowner)
GROUP BY given.grantee ORDER BY 1;

-- name: additions
-- Triggers and rules on some tables of a schema, and on their partitions. Those of the server itself are left out, and ours.
SELECT added.name, there.relname::text
FROM (
        SELECT tgname::text, tgrelid FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0
        UNION ALL SELECT rulename::text, ev_class FROM pg_rewrite
    ) AS added (name, relation)
    JOIN pg_class AS there ON there.oid = added.relation
    JOIN pg_class AS root ON root.oid = coalesce(pg_partition_root(there.oid)::oid, there.oid)
WHERE root.relnamespace = to_regnamespace(quote_ident(%(of_schema)s)) AND root.relname = ANY(%(tables)s::text[])
    AND (added.name, root.relname::text) NOT IN (('keep_head', 'blocks'), ('keep_entity_name', 'entities'))
ORDER BY there.relname, added.name;

-- name: owns_audit
-- Whether the role of this connection is the owner of the audit, or in it.
SELECT pg_has_role(t.relowner, 'USAGE') FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = %(of_schema)s AND t.relname = 'blocks';

-- name: own_role
-- The role of this connection.
SELECT current_user::text;

-- name: sagas
-- Some sagas, locked.
SELECT id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum FROM sagas
WHERE id = ANY(%(ids)s::text[]) ORDER BY id FOR UPDATE;

-- name: see_sagas
-- Some sagas, as they are.
SELECT id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum FROM sagas
WHERE id = ANY(%(ids)s::text[]);

-- name: entities
-- Some entities, locked: of each the newest version, which is found first. The order is that of all engines, and from
-- the end: stock, which many orders want, is locked behind accounts, which few want, and so for a shorter time.
SELECT newest.* FROM (
    SELECT service, id FROM unnest(%(services)s::text[], %(ids)s::text[]) AS given (service, id) ORDER BY service DESC, id DESC
) AS wanted CROSS JOIN LATERAL (
    SELECT e.service, e.id, e.body, e.version, e.checksum FROM entities AS e
    WHERE e.service = wanted.service AND e.id = wanted.id ORDER BY e.version DESC LIMIT 1 FOR UPDATE
) AS newest;

-- name: hold_entities
-- Names for entities that do not exist, so that they are locked. Gives those that it made.
INSERT INTO entity_names (service, id)
SELECT service, id FROM unnest(%(services)s::text[], %(ids)s::text[]) AS wanted (service, id) ORDER BY service DESC, id DESC
ON CONFLICT DO NOTHING RETURNING service, id;

-- name: let_go_entities
-- Take away those names of which nothing came.
DELETE FROM entity_names AS n USING unnest(%(services)s::text[], %(ids)s::text[]) AS held (service, id)
WHERE n.service = held.service AND n.id = held.id;

-- name: see_entity
-- One entity, as it is.
SELECT service, id, body, version, checksum FROM entities
WHERE service = %(service)s AND id = %(id)s AND version > 0 ORDER BY version DESC LIMIT 1;

-- name: entity_page
-- A page of the entities of a service, from an id on.
SELECT service, id, body, version, checksum FROM entities
WHERE service = %(service)s AND id >= %(first)s AND version > 0 ORDER BY id LIMIT %(limit)s::bigint;

-- name: next_service
-- The first service from a name on that has an entity.
SELECT min(service) FROM entities WHERE service >= %(first)s;

-- name: keys
-- What some client keys stand for, locked.
SELECT key, request, answer, saga, checksum FROM client_keys
WHERE key = ANY(%(keys)s::text[]) ORDER BY key FOR UPDATE;

-- name: hold_keys
-- Rows for client keys that are new, so that they can be locked. Gives those that it made.
INSERT INTO client_keys (key, checksum)
SELECT key, 0 FROM unnest(%(keys)s::text[]) AS wanted (key) ORDER BY key
ON CONFLICT DO NOTHING RETURNING key;

-- name: let_go_keys
-- Take away those rows of which nothing came.
DELETE FROM client_keys WHERE key = ANY(%(keys)s::text[]) AND request IS NULL;

-- name: see_key
-- What one client key stands for.
SELECT key, request, answer, saga, checksum FROM client_keys WHERE key = %(key)s AND request IS NOT NULL;

-- name: key_page
-- A page of all client keys, after a key.
SELECT key, request, answer, saga, checksum FROM client_keys
WHERE key > %(after)s AND request IS NOT NULL ORDER BY key LIMIT %(limit)s::bigint;

-- name: first_key
-- The client key that is empty, before all pages.
SELECT key, request, answer, saga, checksum FROM client_keys WHERE key = '' AND request IS NOT NULL;

-- name: insert_block
-- The next block of a chain, if its engine has a lease. Gives the transaction, for who loses the answer to its commit.
INSERT INTO blocks (chain, number, at_ms, before, head, started, ended, checksum, records, beside)
SELECT %(chain)s::text, %(number)s::bigint, %(at_ms)s::bigint, %(before)s::bytea, %(head)s::bytea, %(started)s::bigint,
    %(ended)s::bigint, %(checksum)s::bigint, %(records)s::text, %(beside)s::text
WHERE EXISTS (SELECT FROM leases WHERE engine = %(chain)s::text)
    AND coalesce((SELECT head FROM heads WHERE chain = %(chain)s::text AND number = %(number)s::bigint - 1),
        CASE WHEN %(number)s::bigint = 1 THEN %(genesis)s::bytea END) = %(before)s::bytea
RETURNING pg_current_xact_id()::text;

-- name: transaction_status
-- What became of a transaction; NULL where it is not known any more.
SELECT pg_xact_status(%(transaction)s::xid8);

-- name: missing_block
-- A head whose block is not there, and whether that has left with its partition: it is of a time before all of these.
SELECT h.at_ms < (SELECT min(since_ms) FROM partitions()) FROM heads AS h
WHERE h.chain = %(chain)s AND h.number = %(number)s
    AND NOT EXISTS (SELECT FROM blocks AS b WHERE b.at_ms = h.at_ms AND b.chain = h.chain AND b.number = h.number);

-- name: head_of_block
-- The head of one block.
SELECT head FROM heads WHERE chain = %(chain)s AND number = %(number)s;

-- name: end_lease
-- End the lease of another engine, if it ran out.
DELETE FROM leases WHERE engine = %(chain)s AND engine <> %(own)s AND until_ms <= now_ms();

-- name: has_lease
-- Whether an engine has a lease, run out or not.
SELECT EXISTS (SELECT FROM leases WHERE engine = %(engine)s);

-- name: take_shards
-- The shards of engines that were fenced.
UPDATE owners SET engine = %(own)s WHERE engine = ANY(%(fenced)s::text[]);

-- name: hold_leases
-- Engines that are to get shards: their leases stay until this is committed.
SELECT engine FROM leases WHERE engine = ANY(%(engines)s::text[]) ORDER BY engine FOR SHARE;

-- name: give_shards
-- Shards for other engines.
UPDATE owners AS o SET engine = moved.engine
FROM unnest(%(shards)s::smallint[], %(engines)s::text[]) AS moved (shard, engine)
WHERE o.shard = moved.shard AND o.engine = %(own)s;

-- name: free_shards
-- Shards for the engine that claims them first.
DELETE FROM owners WHERE shard = ANY(%(shards)s::smallint[]) AND engine = %(own)s;

-- name: insert_sagas
-- Their first rows. Fails when an id is taken.
INSERT INTO sagas (id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum, chain, block)
SELECT id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum, %(chain)s::text,
    %(number)s::bigint
FROM unnest(%(saga_id)s::text[], %(definition)s::text[], %(request)s::text[], %(status)s::text[], %(body)s::text[],
    %(due_ms)s::bigint[], %(started_ms)s::bigint[], %(changed_ms)s::bigint[], %(version)s::bigint[],
    %(checksum)s::bigint[])
    WITH ORDINALITY AS new (id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum,
        place)
ORDER BY place;

-- name: update_sagas
-- Their next rows, of those that are as it was decided on.
UPDATE sagas AS s SET
    definition = new.definition, request = new.request, status = new.status, body = new.body, due_ms = new.due_ms,
    started_ms = new.started_ms, changed_ms = new.changed_ms, version = new.version, checksum = new.checksum
FROM unnest(%(saga_id)s::text[], %(definition)s::text[], %(request)s::text[], %(status)s::text[], %(body)s::text[],
    %(due_ms)s::bigint[], %(started_ms)s::bigint[], %(changed_ms)s::bigint[], %(version)s::bigint[],
    %(checksum)s::bigint[])
    AS new (id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum)
WHERE s.id = new.id AND s.version = new.version - 1;

-- name: put_standings
-- Where sagas stand that are not completed, or are due.
INSERT INTO standings AS there (position, id, definition, status, due_ms, shard)
SELECT s.position, s.id, s.definition, s.status, s.due_ms, new.shard
FROM unnest(%(ids)s::text[], %(shards)s::smallint[]) AS new (id, shard) JOIN sagas AS s ON s.id = new.id
ON CONFLICT (id) DO UPDATE SET
    definition = excluded.definition, status = excluded.status, due_ms = excluded.due_ms;

-- name: remove_standings
-- Those of sagas that are completed, or gone.
DELETE FROM standings WHERE id = ANY(%(ids)s::text[]);

-- name: insert_entities
-- Their first rows, under names that this transaction has made (`hold_entities`).
INSERT INTO entities (service, id, body, version, checksum)
SELECT * FROM unnest(%(service)s::text[], %(entity_id)s::text[], %(body)s::text[], %(version)s::bigint[], %(checksum)s::bigint[]);

-- name: update_entities
-- Their next rows, of those that are as it was decided on.
UPDATE entities AS e SET body = new.body, version = new.version, checksum = new.checksum
FROM unnest(%(service)s::text[], %(entity_id)s::text[], %(body)s::text[], %(version)s::bigint[], %(checksum)s::bigint[])
    AS new (service, id, body, version, checksum)
WHERE e.service = new.service AND e.id = new.id AND e.version = new.version - 1;

-- name: insert_keys
-- What client keys stand for. Leaves those that stand for something.
INSERT INTO client_keys AS there (key, request, answer, saga, checksum)
SELECT * FROM unnest(%(key)s::text[], %(request)s::text[], %(answer)s::text[], %(saga_id)s::text[], %(checksum)s::bigint[])
ON CONFLICT (key) DO UPDATE SET
    request = excluded.request, answer = excluded.answer, saga = excluded.saga, checksum = excluded.checksum
WHERE there.request IS NULL;

-- name: keep_first_blocks
-- That the blocks in which sagas started hold records of them, for when their rows are gone.
INSERT INTO subjects (subject, chain, number, at_ms)
SELECT s.id, h.chain, h.number, h.at_ms FROM sagas AS s JOIN heads AS h ON h.chain = s.chain AND h.number = s.block
WHERE s.id = ANY(%(ids)s::text[]) ON CONFLICT DO NOTHING;

-- name: delete_sagas
-- Sagas leave for an archive, of those that are as they were archived.
DELETE FROM sagas AS s USING unnest(%(ids)s::text[], %(checksums)s::bigint[]) AS gone (id, checksum)
WHERE s.id = gone.id AND s.checksum = gone.checksum;

-- name: delete_keys
-- Client keys leave with them.
DELETE FROM client_keys AS k USING unnest(%(keys)s::text[], %(checksums)s::bigint[]) AS gone (key, checksum)
WHERE k.key = gone.key AND k.checksum = gone.checksum;

-- name: insert_subjects
-- That a block holds records of some subjects.
INSERT INTO subjects (subject, chain, number, at_ms)
SELECT unnest(%(subjects)s::text[]), %(chain)s::text, %(number)s::bigint, %(at_ms)s::bigint;

-- name: insert_counts
-- How many sagas more, or fewer, there are since a block.
INSERT INTO counts (chain, number, definition, status, sagas)
SELECT %(chain)s::text, %(number)s::bigint, *
FROM unnest(%(definitions)s::text[], %(statuses)s::text[], %(sagas)s::bigint[]);

-- name: add_up_counts
-- Those of the last blocks of a chain, in the place of the last one but this.
WITH earlier AS (
    DELETE FROM counts WHERE chain = %(chain)s::text AND number >= %(since)s::bigint AND number < %(number)s::bigint
    RETURNING definition, status, sagas
)
INSERT INTO counts (chain, number, definition, status, sagas)
SELECT %(chain)s::text, %(number)s::bigint - 1, definition, status, sum(sagas) FROM earlier
GROUP BY definition, status HAVING sum(sagas) <> 0;

-- name: insert_set_aside
-- Rows that were found to be unreadable. They may have been found before.
INSERT INTO set_aside (kind, name, why, checksum)
SELECT kind, name, why, checksum
FROM unnest(%(kind)s::text[], %(name)s::text[], %(why)s::text[], %(checksum)s::bigint[])
    WITH ORDINALITY AS found (kind, name, why, checksum, place)
ORDER BY place
ON CONFLICT DO NOTHING;

-- name: put_shapes
-- As what requests or entities are stored, from some time on.
INSERT INTO shapes (kind, name, since_ms, shape, checksum)
SELECT * FROM unnest(%(kind)s::text[], %(name)s::text[], %(since_ms)s::bigint[], %(shape)s::text[], %(checksum)s::bigint[])
ON CONFLICT (kind, name, since_ms) DO UPDATE SET shape = excluded.shape, checksum = excluded.checksum;

-- name: shapes
-- As what requests and entities are stored.
SELECT kind, name, since_ms, shape, checksum FROM shapes ORDER BY kind, name, since_ms;

-- name: put_in_force
-- What the engine runs with.
INSERT INTO in_force (name, value) VALUES (%(name)s, %(value)s) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: in_force
-- What the engine that said it last runs with.
SELECT name, value FROM in_force;

-- name: due
-- Which sagas of some definitions and shards move next, after a page of them.
SELECT found.due_ms, found.id
FROM unnest(%(definitions)s::text[]) AS wanted (definition)
    CROSS JOIN LATERAL (
        SELECT due_ms, id FROM standings
        WHERE definition = wanted.definition AND due_ms IS NOT NULL
            AND (due_ms, id) > (%(after_ms)s::bigint, %(after_id)s::text COLLATE "C") AND due_ms <= %(until_ms)s::bigint
            AND shard = ANY(%(shards)s::smallint[])
        ORDER BY due_ms, id LIMIT %(limit)s::bigint
    ) AS found
ORDER BY found.due_ms, found.id LIMIT %(limit)s::bigint;

-- name: listing
-- A page of the sagas that were started before a place, the one that started last first.
SELECT position, id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum FROM sagas
WHERE position < %(before)s::bigint
    AND (%(definition)s::text = '' OR starts_with(definition, %(definition)s::text || '/'))
    AND (%(statuses)s::text[] = '{}' OR status = ANY(%(statuses)s::text[]))
    AND started_ms < %(started_before_ms)s::bigint
ORDER BY position DESC LIMIT %(limit)s::bigint;

-- name: listing_not_completed
-- The same when completed ones are not wanted: by way of the others, so that those are not walked.
SELECT s.position, s.id, s.definition, s.request, s.status, s.body, s.due_ms, s.started_ms, s.changed_ms, s.version,
    s.checksum
FROM standings AS o JOIN sagas AS s ON s.id = o.id
WHERE o.position < %(before)s::bigint
    AND (%(definition)s::text = '' OR starts_with(o.definition, %(definition)s::text || '/'))
    AND o.status = ANY(%(statuses)s::text[])
    AND s.started_ms < %(started_before_ms)s::bigint
ORDER BY o.position DESC LIMIT %(limit)s::bigint;

-- name: ended_before
-- A page of the sagas in the order of their starts: the place of each, and its id where it ended before a time.
SELECT position, CASE WHEN due_ms IS NULL AND changed_ms < %(before_ms)s::bigint THEN id END FROM sagas
WHERE position > %(after)s::bigint ORDER BY position LIMIT %(limit)s::bigint;

-- name: started_first
-- Of a page of the sagas in the order of their starts, the place of the last, and when the first of them started.
SELECT max(position), min(started_ms) FROM (
    SELECT position, started_ms FROM sagas WHERE position > %(after)s::bigint ORDER BY position LIMIT %(limit)s::bigint
) AS page;

-- name: keep_partitions
-- Have partitions of the audit for this month and the next.
SELECT keep_partitions();

-- name: partitions
-- The partitions of the audit: when each begins and ends, in their order.
SELECT since_ms, until_ms FROM partitions() ORDER BY until_ms;

-- name: until_when
-- Until when there are partitions, the time, and whether there is a block that none was made for.
SELECT made.until_ms, now_ms(), EXISTS (SELECT FROM blocks WHERE at_ms >= made.until_ms)
FROM (SELECT max(until_ms) FROM partitions()) AS made (until_ms);

-- name: leaving_blocks
-- Some blocks of a partition, after one of them.
SELECT chain, number, at_ms, before, head, started, ended, checksum, records, beside FROM blocks
WHERE at_ms >= %(since_ms)s::bigint AND at_ms < %(until_ms)s::bigint
    AND (chain, number) > (%(chain)s::text COLLATE "C", %(number)s::bigint)
ORDER BY chain, number LIMIT %(limit)s::bigint;

-- name: drop_partition
-- Drop the partition that ends at a time, if it has so many blocks.
SELECT drop_partition(%(until_ms)s::bigint, %(copied)s::bigint);

-- name: position_of_saga
-- Where a saga is in the order of their starts.
SELECT position FROM sagas WHERE id = %(id)s;

-- name: oldest_waiting
-- When the oldest saga was started of those that are not final.
SELECT min(started_ms) FROM (
    SELECT s.started_ms FROM standings AS o JOIN sagas AS s ON s.id = o.id
    WHERE o.status = ANY(%(statuses)s::text[]) ORDER BY o.position LIMIT 100
) AS oldest;

-- name: counts
-- How many sagas there are of each definition and status.
SELECT definition, status, sum(sagas)::bigint FROM counts
GROUP BY definition, status HAVING sum(sagas) <> 0 ORDER BY definition, status;

-- name: set_aside
-- The rows that were found to be unreadable, in the order in which they were found.
SELECT kind, name, why, checksum FROM set_aside ORDER BY number;

-- name: chains
-- The names of the chains, each found by a look into the index behind the one before.
WITH RECURSIVE found (chain) AS (
    SELECT min(chain) FROM heads
    UNION ALL SELECT (SELECT min(chain) FROM heads WHERE chain > found.chain) FROM found WHERE found.chain IS NOT NULL
)
SELECT chain FROM found WHERE chain IS NOT NULL ORDER BY chain;

-- name: block_numbers
-- Each chain, and the number of its last block before a time; a chain is found as for `chains`.
WITH RECURSIVE found (chain) AS (
    SELECT min(chain) FROM heads
    UNION ALL SELECT (SELECT min(chain) FROM heads WHERE chain > found.chain) FROM found WHERE found.chain IS NOT NULL
)
SELECT found.chain, last.number FROM found CROSS JOIN LATERAL (
    SELECT number FROM heads WHERE chain = found.chain AND at_ms < %(before_ms)s::bigint ORDER BY number DESC LIMIT 1
) AS last;

-- name: head
-- The last block of a chain, without its records.
SELECT chain, number, at_ms, before, head, started, ended, checksum FROM heads
WHERE chain = %(chain)s ORDER BY number DESC LIMIT 1;

-- name: blocks
-- Some blocks of a chain after a number, each found by its head, which has its time, and so in which partition it is.
SELECT h.chain, h.number, h.at_ms, h.before, h.head, h.started, h.ended, h.checksum, b.records, b.beside
FROM heads AS h JOIN blocks AS b ON b.at_ms = h.at_ms AND b.chain = h.chain AND b.number = h.number
WHERE h.chain = %(chain)s AND h.number > %(after)s::bigint ORDER BY h.number LIMIT %(limit)s::bigint;

-- name: blocks_about
-- Some blocks of any chain that hold a record of a subject, after one of them.
SELECT h.chain, h.number, h.at_ms, h.before, h.head, h.started, h.ended, h.checksum, b.records, b.beside
FROM (
    SELECT chain, block AS number FROM sagas WHERE id = %(subject)s
    UNION SELECT chain, number FROM subjects WHERE subject = %(subject)s
) AS found JOIN heads AS h ON h.chain = found.chain AND h.number = found.number
    JOIN blocks AS b ON b.at_ms = h.at_ms AND b.chain = h.chain AND b.number = h.number
WHERE (h.at_ms, h.chain, h.number) > (%(at_ms)s::bigint, %(chain)s::text COLLATE "C", %(number)s::bigint)
ORDER BY h.at_ms, h.chain, h.number LIMIT %(limit)s::bigint;

-- name: unfound
-- Subjects of blocks that the blocks are not found by.
SELECT named.subject, named.number
FROM unnest(%(subjects)s::text[], %(numbers)s::bigint[]) AS named (subject, number)
WHERE NOT EXISTS (
        SELECT FROM subjects WHERE subject = named.subject AND chain = %(chain)s AND number = named.number
    )
    AND NOT EXISTS (SELECT FROM sagas WHERE id = named.subject AND chain = %(chain)s AND block = named.number);

-- name: now_ms
-- The time of leases.
SELECT now_ms();

-- name: enter
-- Begin a lease under a name that no engine has or had, and tell which definitions the engine knows.
WITH entered AS (
    INSERT INTO leases (engine, until_ms)
    SELECT %(engine)s::text, now_ms() + %(lease_ms)s::bigint
    WHERE %(engine)s::text <> '' AND NOT EXISTS (SELECT FROM heads WHERE chain = %(engine)s::text)
    ON CONFLICT DO NOTHING RETURNING engine, until_ms
), told AS (
    INSERT INTO knows (engine, definition)
    SELECT entered.engine, given.definition FROM entered CROSS JOIN unnest(%(knows)s::text[]) AS given (definition)
)
SELECT until_ms FROM entered;

-- name: begin_lease
-- A lease of a chain that has no engine: it ends with the transaction, and no engine sees it.
INSERT INTO leases (engine, until_ms) VALUES (%(engine)s, now_ms());

-- name: renew
-- Prolong a lease that no engine ended.
UPDATE leases SET until_ms = now_ms() + %(lease_ms)s::bigint WHERE engine = %(engine)s RETURNING until_ms;

-- name: leave
-- End an own lease.
DELETE FROM leases WHERE engine = %(engine)s;

-- name: leave_shards
-- Free an engine's shards.
DELETE FROM owners WHERE engine = %(engine)s;

-- name: leases
-- The leases of all engines, and which definitions each knows.
SELECT engine, until_ms, ARRAY(SELECT definition FROM knows WHERE knows.engine = leases.engine) FROM leases
ORDER BY engine;

-- name: definitions_in
-- The definitions of sagas that wait in some shards, besides some: each definition is found by a look into the index
-- behind the one before, and the sagas of those that are left out are not read.
WITH RECURSIVE found (definition) AS (
    SELECT min(definition) FROM standings WHERE due_ms IS NOT NULL
    UNION ALL
    SELECT (SELECT min(definition) FROM standings WHERE due_ms IS NOT NULL AND definition > found.definition)
    FROM found WHERE found.definition IS NOT NULL
)
SELECT DISTINCT there.shard, found.definition
FROM found CROSS JOIN LATERAL (
    SELECT shard FROM standings
    WHERE definition = found.definition AND due_ms IS NOT NULL AND shard = ANY(%(shards)s::smallint[])
) AS there
WHERE found.definition <> ALL(%(besides)s::text[])
ORDER BY there.shard, found.definition;

-- name: engines
-- The engines, since when each commits, for how long its lease lasts, and its shards.
SELECT engine, (SELECT at_ms FROM heads WHERE chain = engine ORDER BY number LIMIT 1), until_ms - now_ms(),
    ARRAY(SELECT shard FROM owners WHERE owners.engine = leases.engine ORDER BY shard)
FROM leases ORDER BY engine;

-- name: all_known
-- The definitions that each engine knows.
SELECT engine, definition FROM knows ORDER BY engine, definition;

-- name: owners
-- Each shard with the engine that has it.
SELECT shard, engine FROM owners ORDER BY shard;

-- name: hold_own_lease
-- The lease of an engine, which no other one ends before this is committed.
SELECT engine FROM leases WHERE engine = %(engine)s FOR SHARE;

-- name: claim
-- Take free shards, for an engine that has a lease.
INSERT INTO owners (shard, engine)
SELECT wanted.shard, leases.engine
FROM unnest(%(shards)s::smallint[]) AS wanted (shard) CROSS JOIN leases
WHERE leases.engine = %(engine)s::text ORDER BY wanted.shard
ON CONFLICT DO NOTHING RETURNING shard;

-- name: wait_briefly
-- Wait for a lock no longer than a turn can do without: what this transaction does can be done later.
SELECT set_config('lock_timeout', '100ms', true);

-- name: hold_budgets
-- Let no other engine of this schema share out places before this is committed.
SELECT pg_advisory_xact_lock(hashtextextended('amends budgets ' || current_schema(), 0));

-- name: budgets
-- What each engine has of some budgets, and needs.
SELECT engine, service, at_once, per_s, common, reserved, wanted, urgent, since_ms FROM budgets
WHERE service = ANY(%(services)s::text[]);

-- name: all_budgets
-- What each engine has of each budget, and needs.
SELECT engine, service, at_once, per_s, common, reserved, wanted, urgent, since_ms FROM budgets ORDER BY engine, service;

-- name: put_budgets
-- What one engine has of some budgets, and needs, from now on.
INSERT INTO budgets AS there (engine, service, at_once, per_s, common, reserved, wanted, urgent, since_ms)
SELECT * FROM unnest(%(engine)s::text[], %(service)s::text[], %(at_once)s::bigint[], %(per_s)s::double precision[],
    %(common)s::bigint[], %(reserved)s::bigint[], %(wanted)s::bigint[], %(urgent)s::bigint[], %(since_ms)s::bigint[])
ON CONFLICT (engine, service) DO UPDATE SET
    at_once = excluded.at_once, per_s = excluded.per_s, common = excluded.common, reserved = excluded.reserved,
    wanted = excluded.wanted, urgent = excluded.urgent, since_ms = excluded.since_ms;

-- name: post_letters
-- Letters, unless one of the same id is there.
INSERT INTO letters (id, shard, body, posted_ms, checksum)
SELECT id, shard, body, posted_ms, checksum
FROM unnest(%(letter_id)s::text[], %(shard)s::smallint[], %(body)s::text[], %(posted_ms)s::bigint[], %(checksum)s::bigint[])
    WITH ORDINALITY AS posted (id, shard, body, posted_ms, checksum, place)
ORDER BY place
ON CONFLICT (id) DO NOTHING;

-- name: count_starts_with
-- How many start sagas and hold a text.
SELECT count(*) FROM letters WHERE is_start AND strpos(body, %(text)s::text) > 0;

-- name: count_letters
-- How many start sagas, and how many there are, from a number on; and the first number.
SELECT count(*) FILTER (WHERE is_start), count(*), min(number) FROM letters WHERE number >= %(since)s::bigint;

-- name: oldest_letter
-- The one that was posted first.
SELECT id, shard, body, posted_ms, checksum FROM letters ORDER BY number LIMIT 1;

-- name: letters
-- The first letters to some shards.
SELECT id, shard, body, posted_ms, checksum FROM letters
WHERE shard = ANY(%(shards)s::smallint[]) ORDER BY number LIMIT %(limit)s::bigint;

-- name: letters_of_kind
-- The first letters to some shards, from a number on: those that start sagas, or answers and verbs.
SELECT number, id, shard, body, posted_ms, checksum FROM letters
WHERE is_start = %(is_start)s::boolean AND number >= %(since)s::bigint AND shard = ANY(%(shards)s::smallint[])
ORDER BY number LIMIT %(limit)s::bigint;

-- name: delete_letters
-- Those that a commit acts on.
DELETE FROM letters WHERE id = ANY(%(ids)s::text[]);

-- name: remove_letters
-- Those that were acted on, but for some that another engine removes just now.
DELETE FROM letters WHERE id IN (
    SELECT id FROM letters WHERE id = ANY(%(ids)s::text[]) ORDER BY id FOR UPDATE SKIP LOCKED
);

-- name: left_letters
-- Which of some are there.
SELECT id FROM letters WHERE id = ANY(%(ids)s::text[]);

-- name: session_number
-- The number of the session at the server; a pooler tells another one.
SELECT pg_backend_pid();

-- name: notify
-- Wake those who listen on a channel.
SELECT pg_notify(%(channel)s, '');

-- name: is_taken
-- What else is in the schema than a store in which nothing was ever done: an engine with a lease that has not run out, or
-- anything.
SELECT EXISTS (SELECT FROM leases WHERE until_ms > now_ms()),
    EXISTS (SELECT FROM blocks) OR EXISTS (SELECT FROM sagas) OR EXISTS (SELECT FROM entities)
    OR EXISTS (SELECT FROM client_keys) OR EXISTS (SELECT FROM letters);

-- name: let_nobody_in
-- No engine begins or renews a lease before the move is over, also one that has opened the store already: so it can
-- commit nothing. It waits for those that are about to.
ALTER TABLE leases ADD CONSTRAINT a_move_into_this_schema_is_not_finished CHECK (false) NOT VALID;

-- name: forget_leases
-- Of engines that are gone, and have left nothing.
DELETE FROM leases;

-- name: forget_owners
-- Their shards.
DELETE FROM owners;

-- name: begin_move
-- How much of each table is there, as long as the move lasts.
CREATE TABLE moved (
    name  text   NOT NULL PRIMARY KEY,
    place text   NOT NULL, -- JSON: the key of the last row
    rows  bigint NOT NULL
);

-- name: end_move
-- All is there.
DROP TABLE moved;

-- name: let_engines_in
-- From now on.
ALTER TABLE leases DROP CONSTRAINT a_move_into_this_schema_is_not_finished;

-- name: moved
-- How much is there.
SELECT name, place, rows FROM moved;

-- name: go_on
-- A page more of a table, if it follows what is there.
INSERT INTO moved AS there (name, place, rows) SELECT %(name)s::text, %(place)s::text, %(rows)s::bigint
WHERE %(before)s::text = '[]' OR EXISTS (SELECT FROM moved WHERE name = %(name)s::text)
ON CONFLICT (name) DO UPDATE SET place = excluded.place, rows = there.rows + excluded.rows
WHERE there.place = %(before)s::text;

-- name: move_sagas
-- Sagas in the order of their starts, each with the block of the unnamed chain in which it started.
INSERT INTO sagas (id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum, chain, block)
SELECT id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum, '', block
FROM unnest(%(saga_id)s::text[], %(definition)s::text[], %(request)s::text[], %(status)s::text[], %(body)s::text[],
    %(due_ms)s::bigint[], %(started_ms)s::bigint[], %(changed_ms)s::bigint[], %(version)s::bigint[],
    %(checksum)s::bigint[], %(block)s::bigint[])
    WITH ORDINALITY AS moved (id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum,
        block, place)
ORDER BY place;

-- name: move_subjects
-- Which blocks of the unnamed chain hold a record of whom: in the first partition, as those blocks are.
INSERT INTO subjects (subject, chain, number, at_ms)
SELECT subject, '', block, 0 FROM unnest(%(subject)s::text[], %(block)s::bigint[]) AS moved (subject, block);

-- name: move_counts
-- How many sagas there are, as if the unnamed chain had counted them before its first block.
INSERT INTO counts (chain, number, definition, status, sagas)
SELECT '', 0, definition, status, sagas
FROM unnest(%(definition)s::text[], %(status)s::text[], %(sagas)s::bigint[]) AS moved (definition, status, sagas);

-- name: move_blocks
-- Blocks of the unnamed chain.
INSERT INTO blocks (chain, number, at_ms, before, head, started, ended, checksum, records, beside)
SELECT '', number, at_ms, decode(before, 'hex'), decode(head, 'hex'), started, ended, checksum, records, beside
FROM unnest(%(number)s::bigint[], %(at_ms)s::bigint[], %(before)s::text[], %(head)s::text[], %(started)s::bigint[],
    %(ended)s::bigint[], %(checksum)s::bigint[], %(records)s::text[], %(beside)s::text[])
    AS moved (number, at_ms, before, head, started, ended, checksum, records, beside);
