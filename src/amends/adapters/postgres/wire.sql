-- Every query that an end of a wire uses: the functions of `wire_schema.sql`, each called in a transaction of its own.

-- name: settings
-- What a wire needs, for this transaction alone: the commit does not wait for the disk, as a message that a crash loses
-- costs time only.
SELECT set_config('search_path', %(schema)s, true),
    set_config('synchronous_commit', 'off', true),
    set_config('lock_timeout', %(lock)s, true),
    set_config('statement_timeout', %(statement)s, true),
    set_config('idle_in_transaction_session_timeout', %(idle)s, true);

-- name: with_sync
-- Let this transaction's wait for it all the same.
SELECT set_config('synchronous_commit', 'on', true);

-- name: post_messages
-- Append messages to a channel.
SELECT post(%(channel)s, %(bodies)s);

-- name: take_messages
-- Take messages of a channel.
SELECT taken_position, taken_body FROM take(%(channel)s, %(most)s::integer, %(within_us)s::bigint);

-- name: acknowledge_messages
-- Let messages come no more.
SELECT acknowledge(%(channel)s, %(positions)s::bigint[]);

-- name: park_message
-- Keep a message apart.
SELECT park(%(channel)s, %(position)s::bigint, %(body)s, %(reason)s);

-- name: parked_messages
-- The latest of those that are kept apart, of a channel or of all, the oldest first.
SELECT channel, position, body, reason, at_us / 1000 FROM (
    SELECT * FROM parked WHERE %(channel)s = '' OR channel = %(channel)s ORDER BY at_us DESC LIMIT %(most)s::bigint
) AS latest ORDER BY at_us;

-- name: drop_parked
-- Keep one no longer, which the owner of the schema may.
DELETE FROM parked WHERE channel = %(channel)s AND position = %(position)s::bigint;

-- name: ping_wire
-- Look at a table of the schema: it is gone where somebody has dropped it.
SELECT FROM messages LIMIT 0;

-- name: sweep_messages
-- Give up what is done with.
SELECT sweep();
