-- Every query that a running store uses. Each has a name, what it is for, and the query.
--
-- What is read without a checksum of its own is read as the type that it has to be (`+ 0`, `AS BLOB`): a flipped bit
-- may have made it text that no program can decode.

-- name: begin
-- Start to write. At once, so that nobody else can write between what is read and what is written.
BEGIN IMMEDIATE;

-- name: begin_reading
-- Start to read, as all stands at the first query.
BEGIN DEFERRED;

-- name: commit
-- Put it on stable storage.
COMMIT;

-- name: rollback
-- Forget what was written since `begin`.
ROLLBACK;

-- name: insert_saga
-- A saga's first row. Fails when the id is taken.
INSERT INTO sagas (id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum, block)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_saga
-- A saga's next row. Changes nothing when the row is not the one that it was decided on.
UPDATE sagas SET
    definition = ?2, request = ?3, status = ?4, body = ?5, due_ms = ?6, started_ms = ?7, changed_ms = ?8,
    version = ?9, checksum = ?10
WHERE id = ?1 AND version = ?9 - 1;

-- name: insert_entity
-- An entity's first row. Fails when the id is taken.
INSERT INTO entities (service, id, body, version, checksum) VALUES (?, ?, ?, ?, ?);

-- name: update_entity
-- An entity's next row. Changes nothing when the row is not the one that it was decided on.
UPDATE entities SET body = ?3, version = ?4, checksum = ?5 WHERE service = ?1 AND id = ?2 AND version = ?4 - 1;

-- name: insert_key
-- What a client's key stands for.
INSERT INTO client_keys (row, digest, key, request, answer, saga, checksum) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: insert_key_row
-- Where a client key is. It may have been said before.
INSERT INTO client_key_rows (digest, row) VALUES (?, ?) ON CONFLICT DO NOTHING;

-- name: put_key_slice
-- How far a slice of the digests of client keys is sorted in.
INSERT INTO client_key_slices (slice, through) VALUES (?1, ?2)
ON CONFLICT DO UPDATE SET through = excluded.through;

-- name: delete_saga
-- A saga leaves for an archive. Changes nothing when the row is not the one that was archived.
DELETE FROM sagas WHERE id = ? AND version = ?;

-- name: delete_key
-- A client key leaves with its saga.
DELETE FROM client_keys WHERE row = ?;

-- name: delete_key_row
-- The same where it is found by its digest, if it is sorted in.
DELETE FROM client_key_rows WHERE digest = ? AND row = ?;

-- name: insert_block
-- The next block of the audit. Changes nothing when it does not follow the last one.
INSERT INTO blocks (number, at_ms, before, head, started, ended, checksum, records, beside)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
WHERE ?1 = coalesce((SELECT max(number) FROM blocks), 0) + 1
    AND ?3 = coalesce((SELECT head FROM blocks ORDER BY number DESC LIMIT 1), zeroblob(32));

-- name: insert_subject
-- That a block holds a record of somebody.
INSERT INTO subjects (subject, block) VALUES (?, ?);

-- name: keep_first_block
-- That the block in which a saga started holds a record of it, for when its row is gone. It may have been said before.
INSERT INTO subjects (subject, block) SELECT id, block FROM sagas WHERE id = ? AND block > 0 ON CONFLICT DO NOTHING;

-- name: add_count
-- More sagas, or fewer, of a definition and a status.
INSERT INTO counts (definition, status, sagas) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET sagas = sagas + excluded.sagas;

-- name: insert_set_aside
-- A row that was found to be unreadable. It may have been found before.
INSERT INTO set_aside (kind, name, why, checksum) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: put_shape
-- As what requests or entities are stored, from some time on.
INSERT INTO shapes (kind, name, since_ms, shape, checksum) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT DO UPDATE SET shape = excluded.shape, checksum = excluded.checksum;

-- name: shapes
-- As what requests and entities are stored.
SELECT kind, name, since_ms, shape, checksum FROM shapes ORDER BY kind, name, since_ms;

-- name: put_in_force
-- What the engine runs with.
INSERT INTO in_force (name, value) VALUES (?1, ?2)
ON CONFLICT DO UPDATE SET value = excluded.value;

-- name: in_force
-- What the engine that opened the store last runs with.
SELECT CAST(name AS BLOB), CAST(value AS BLOB) FROM in_force;

-- name: sagas
-- Some sagas, each behind the id that it was asked by.
SELECT wanted.value, s.id, s.definition, s.request, s.status, s.body, s.due_ms, s.started_ms, s.changed_ms, s.version,
    s.checksum
FROM json_each(?1) AS wanted CROSS JOIN sagas AS s ON s.id = wanted.value;

-- name: keys_of_digests
-- What the client keys of some digests stand for, each behind its digest and row, of those that are sorted in. NULLs
-- where the row is gone that should be there.
SELECT r.digest, r.row, k.key, k.request, k.answer, k.saga, k.checksum
FROM json_each(?1) AS wanted CROSS JOIN client_key_rows AS r ON r.digest = wanted.value
    LEFT JOIN client_keys AS k ON k.row = r.row;

-- name: keys_of_rows
-- What the client keys of some rows stand for, each behind its row.
SELECT wanted.value, k.key, k.request, k.answer, k.saga, k.checksum
FROM json_each(?1) AS wanted LEFT JOIN client_keys AS k ON k.row = wanted.value;

-- name: key_slices
-- How far each slice of the digests of client keys is sorted in.
SELECT slice, through + 0 FROM client_key_slices;

-- name: key_digests
-- The client keys after a row, with their digests.
SELECT digest + 0, row FROM client_keys WHERE row > ?1 ORDER BY row;

-- name: entity
-- One entity.
SELECT service, id, body, version, checksum FROM entities WHERE service = ?1 AND id = ?2;

-- name: due
-- Which sagas of a definition move next, after a page of them.
SELECT due_ms, CAST(id AS BLOB) FROM sagas
WHERE definition = ?1 AND due_ms IS NOT NULL AND (due_ms, id) > (?2, ?3) AND due_ms <= ?4
ORDER BY due_ms, id LIMIT ?5;

-- name: listing
-- The ids of a page of the sagas that were started before a row, the one that started last first.
SELECT s.rowid, CAST(s.id AS BLOB) FROM sagas AS s
WHERE s.rowid < ?1
    AND (?2 = '' OR substr(s.definition, 1, length(?2) + 1) = ?2 || '/')
    AND (?3 = '[]' OR s.status IN (SELECT value FROM json_each(?3)))
ORDER BY s.rowid DESC LIMIT ?4;

-- name: listing_not_completed
-- The same when completed ones are not wanted: through the index of the others, so that those are not walked.
SELECT s.rowid, CAST(s.id AS BLOB) FROM sagas AS s INDEXED BY sagas_not_completed
WHERE s.status <> 'completed' AND s.status IN (SELECT value FROM json_each(?3))
    AND s.rowid < ?1
    AND (?2 = '' OR substr(s.definition, 1, length(?2) + 1) = ?2 || '/')
ORDER BY s.rowid DESC LIMIT ?4;

-- name: started_after_row
-- The first saga from a row on, and when it was started: to find by halving where a time begins.
SELECT rowid, started_ms + 0 FROM sagas WHERE rowid >= ?1 ORDER BY rowid LIMIT 1;

-- name: row_of_saga
-- Where a saga is in the order of their starts.
SELECT rowid FROM sagas WHERE id = ?1;

-- name: last_row
-- The row of the saga that started last.
SELECT max(rowid) FROM sagas;

-- name: oldest_waiting
-- The ids of the oldest sagas of a status.
SELECT CAST(id AS BLOB) FROM sagas INDEXED BY sagas_not_completed
WHERE status = ?1 AND status <> 'completed' ORDER BY rowid LIMIT 100;

-- name: counts
-- How many sagas there are of each definition and status.
SELECT CAST(definition AS BLOB), CAST(status AS BLOB), sagas FROM counts WHERE sagas <> 0;

-- name: set_aside
-- The rows that were found to be unreadable, in the order in which they were found.
SELECT CAST(kind AS BLOB), CAST(name AS BLOB), CAST(why AS BLOB), checksum + 0 FROM set_aside ORDER BY number;

-- name: head
-- The last block, without its records.
SELECT number, at_ms + 0, CAST(before AS BLOB), CAST(head AS BLOB), started + 0, ended + 0, checksum + 0
FROM blocks ORDER BY number DESC LIMIT 1;

-- name: block_number
-- The number of the last block before a time.
SELECT number FROM blocks WHERE at_ms < ?1 ORDER BY number DESC LIMIT 1;

-- name: blocks
-- Some blocks after a number.
SELECT number, at_ms + 0, CAST(before AS BLOB), CAST(head AS BLOB), started + 0, ended + 0, checksum + 0,
    CAST(records AS BLOB), CAST(beside AS BLOB)
FROM blocks WHERE number > ?1 ORDER BY number LIMIT ?2;

-- name: blocks_about
-- Some blocks after a number that hold a record of somebody: in which a saga started, its own row says.
SELECT b.number, b.at_ms + 0, CAST(b.before AS BLOB), CAST(b.head AS BLOB), b.started + 0, b.ended + 0, b.checksum + 0,
    CAST(b.records AS BLOB), CAST(b.beside AS BLOB)
FROM (
    SELECT block FROM sagas WHERE id = ?1 AND block > ?2
    UNION SELECT block FROM subjects WHERE subject = ?1 AND block > ?2
) AS s CROSS JOIN blocks AS b ON b.number = s.block
ORDER BY s.block LIMIT ?3;

-- name: ended_before
-- A page of the sagas that ended before a time.
SELECT rowid, CAST(id AS BLOB) FROM sagas
WHERE rowid > ?1 AND due_ms IS NULL AND changed_ms < ?2 ORDER BY rowid LIMIT ?3;

-- name: integrity_check
-- What SQLite finds wrong with the file, at most so many things.
PRAGMA integrity_check(100);

-- name: next_service
-- The first service from a name on that has an entity.
SELECT CAST(min(service) AS BLOB) FROM entities WHERE service >= CAST(?1 AS TEXT);

-- name: entity_ids
-- A page of the entities of a service, from an id on.
SELECT CAST(id AS BLOB) FROM entities
WHERE service = CAST(?1 AS TEXT) AND id >= CAST(?2 AS TEXT) ORDER BY id LIMIT ?3;

-- name: entities
-- Some entities, each behind the JSON list of service and id that it was asked by. NULLs where there is none.
SELECT wanted.value, e.service, e.id, e.body, e.version, e.checksum
FROM json_each(?1) AS wanted
    LEFT JOIN entities AS e ON e.service = wanted.value ->> 0 AND e.id = wanted.value ->> 1;

-- name: key_page
-- A page of all client keys, with whether each is where its digest is looked for, or is not sorted in yet.
SELECT k.row, k.digest + 0, CAST(k.key AS BLOB),
    EXISTS (SELECT 1 FROM client_key_rows AS r WHERE r.digest = k.digest AND r.row = k.row)
    OR NOT EXISTS (SELECT 1 FROM client_key_slices AS s WHERE s.slice = (k.digest >> 26) & 63 AND s.through >= k.row)
FROM client_keys AS k WHERE k.row > ?1 ORDER BY k.row LIMIT ?2;

-- name: wrong_counts
-- Where the number of sagas of a definition and a status is not what was added up.
SELECT CAST(definition AS BLOB), CAST(status AS BLOB), sum(sagas) FROM (
    SELECT definition, status, sagas FROM counts
    UNION ALL SELECT definition, status, -count(*) FROM sagas GROUP BY definition, status
) GROUP BY definition, status HAVING sum(sagas) <> 0;

-- name: unfound
-- By which of some subjects the block that holds a record of them is not found.
SELECT DISTINCT CAST(value ->> 0 AS BLOB), value ->> 1 FROM json_each(?1)
WHERE NOT EXISTS (SELECT 1 FROM subjects WHERE subject = value ->> 0 AND block = value ->> 1)
    AND NOT EXISTS (SELECT 1 FROM sagas WHERE id = value ->> 0 AND block = value ->> 1);

-- name: made
-- All that was made by a statement: its kind, its name, the statement.
SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(sql AS BLOB) FROM sqlite_schema WHERE sql IS NOT NULL;

-- name: post_letter
-- A letter, behind the others whose numbers are in its lane, ?6 to ?7; unless one of its id is there.
INSERT INTO letters (number, id, shard, body, posted_ms, checksum)
VALUES (coalesce((SELECT max(number) FROM letters WHERE number BETWEEN ?6 AND ?7), ?6 - 1) + 1, ?1, ?2, ?3, ?4, ?5)
ON CONFLICT (id) DO NOTHING;

-- name: span_of_letters
-- How many there are at most, by their numbers in both lanes: these have gaps where letters were removed.
SELECT coalesce((SELECT max(number) FROM letters WHERE number <= 0) - (SELECT min(number) FROM letters) + 1, 0)
+ coalesce((SELECT max(number) FROM letters) - (SELECT min(number) FROM letters WHERE number > 0) + 1, 0);

-- name: count_starts_with
-- How many start sagas and hold a text.
SELECT count(*) FROM letters WHERE number > 0 AND instr(body, ?1);

-- name: count_letters
-- How many start sagas, and how many there are.
SELECT count(*) FILTER (WHERE number > 0), count(*) FROM letters;

-- name: oldest_letter
-- The one that was posted first.
SELECT id, shard, body, posted_ms, checksum FROM letters ORDER BY posted_ms LIMIT 1;

-- name: letters
-- The first letters to some shards.
SELECT id, shard, body, posted_ms, checksum FROM letters
WHERE shard IN (SELECT value FROM json_each(?1)) ORDER BY number LIMIT ?2;

-- name: letters_behind
-- Those behind the one of a number and id, while that is there: a number is given again. Else the first ones of the
-- lane, whose numbers are ?5 to ?6.
SELECT number, id, shard, body, posted_ms, checksum FROM letters
WHERE shard IN (SELECT value FROM json_each(?1))
AND number > iif(EXISTS (SELECT 1 FROM letters WHERE number = ?3 AND id = ?4), ?3, ?5 - 1) AND number <= ?6
ORDER BY number LIMIT ?2;

-- name: remove_letter
-- One that was acted on.
DELETE FROM letters WHERE id = ?1;

-- name: take_back_in_force
-- What is not so any more.
DELETE FROM in_force WHERE name = ?;

-- name: move_shapes
-- All of them behind one; from the first one on where none is named.
SELECT kind, name, since_ms, shape, checksum FROM shapes
WHERE ?1 IS NULL OR (kind, name, since_ms) > (?1, ?2, ?3) ORDER BY kind, name, since_ms;

-- name: move_set_aside
-- The same of rows that were found to be unreadable.
SELECT number, kind, name, why, checksum FROM set_aside WHERE ?1 IS NULL OR number > ?1 ORDER BY number;

-- name: move_counts
-- The same of counts.
SELECT definition, status, sagas FROM counts
WHERE ?1 IS NULL OR (definition, status) > (?1, ?2) ORDER BY definition, status;

-- name: move_entities
-- The same of entities.
SELECT service, id, body, version, checksum FROM entities
WHERE ?1 IS NULL OR (service, id) > (?1, ?2) ORDER BY service, id;

-- name: move_client_keys
-- The same of client keys.
SELECT row, key, request, answer, saga, checksum FROM client_keys WHERE ?1 IS NULL OR row > ?1 ORDER BY row;

-- name: move_sagas
-- The same of sagas. They are named by their ids: VACUUM may number their rows anew, and leaves them in their order.
SELECT id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum, block FROM sagas
WHERE ?1 IS NULL OR rowid > (SELECT rowid FROM sagas WHERE id = ?1) ORDER BY rowid;

-- name: move_subjects
-- The same of subjects.
SELECT subject, block FROM subjects WHERE ?1 IS NULL OR (subject, block) > (?1, ?2) ORDER BY subject, block;

-- name: move_blocks
-- The same of blocks.
SELECT number, at_ms, before, head, started, ended, checksum, records, beside FROM blocks
WHERE ?1 IS NULL OR number > ?1 ORDER BY number;

-- name: move_letters
-- The same of letters.
SELECT number, id, shard, body, posted_ms, checksum FROM letters WHERE ?1 IS NULL OR number > ?1 ORDER BY number;

-- name: rows_to_move
-- How many rows there are of each table but the letters.
SELECT 'shapes', count(*) FROM shapes
UNION ALL SELECT 'set_aside', count(*) FROM set_aside
UNION ALL SELECT 'counts', count(*) FROM counts
UNION ALL SELECT 'entities', count(*) FROM entities
UNION ALL SELECT 'client_keys', count(*) FROM client_keys
UNION ALL SELECT 'sagas', count(*) FROM sagas
UNION ALL SELECT 'subjects', count(*) FROM subjects
UNION ALL SELECT 'blocks', count(*) FROM blocks;
