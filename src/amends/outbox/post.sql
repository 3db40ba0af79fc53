-- A letter into the mailbox of the engines, where that is in the database of the user's transaction: the row that a
-- client writes (amends.adapters.postgres, post_letters).
INSERT INTO {schema}.letters (id, shard, body, posted_ms, checksum)
VALUES (:id, CAST(:shard AS smallint), :body, CAST(:posted_ms AS bigint), CAST(:checksum AS bigint))
ON CONFLICT (id) DO NOTHING
