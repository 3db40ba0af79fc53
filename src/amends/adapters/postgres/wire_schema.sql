-- Version 1: messages on their way, who took them, which are acknowledged, and those that nobody can act on.
--
-- Everything is appended; no row is changed or deleted by itself, so that another program's transaction, however long,
-- leaves nothing to walk over. What is done with goes with its whole partition (`sweep`). A position is a time: messages
-- of a channel never get one that was there before, whatever is truncated or restored. Programs that take part call the
-- functions, each in a transaction of its own (READ COMMITTED); docs/postgres.md says what they give. All of them lock
-- tables in one order: rotations, claims, messages, acknowledgements, parked.

-- Four partitions in turn, of each table: that which is written to, two that are read, and one that is emptied next.
CREATE TABLE rotations (
    number bigint NOT NULL PRIMARY KEY,
    at_us  bigint NOT NULL
);

CREATE TABLE messages (
    position  bigint   NOT NULL,
    posted_us bigint   NOT NULL,
    slot      smallint NOT NULL,
    channel   text     NOT NULL COLLATE "C",
    body      bytea    NOT NULL,
    PRIMARY KEY (channel, position, slot)
) PARTITION BY LIST (slot);

-- What one taker got at once: the messages of a channel from `first` to `last` that were not acknowledged. The latest
-- row of a channel says how far all takers came.
CREATE TABLE claims (
    taken_us  bigint   NOT NULL, -- later than every other of the channel
    first     bigint   NOT NULL,
    last      bigint   NOT NULL,
    frontier  bigint   NOT NULL, -- the last position that was ever taken
    looked_us bigint   NOT NULL, -- claims before this one were looked at once more, when their time was over,
    looked_to bigint   NOT NULL, -- and this one up to here
    slot      smallint NOT NULL,
    channel   text     NOT NULL COLLATE "C",
    PRIMARY KEY (channel, taken_us, slot)
) PARTITION BY LIST (slot);

CREATE TABLE acknowledgements (
    position bigint   NOT NULL,
    slot     smallint NOT NULL,
    channel  text     NOT NULL COLLATE "C",
    PRIMARY KEY (channel, position, slot)
) PARTITION BY LIST (slot);

DO $$ BEGIN
    FOR slot IN 0..3 LOOP
        EXECUTE format('CREATE TABLE messages_%s PARTITION OF messages FOR VALUES IN (%1$s)
            WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off)', slot);
        EXECUTE format('CREATE TABLE claims_%s PARTITION OF claims FOR VALUES IN (%1$s)
            WITH (autovacuum_enabled = off)', slot);
        EXECUTE format('CREATE TABLE acknowledgements_%s PARTITION OF acknowledgements FOR VALUES IN (%1$s)
            WITH (autovacuum_enabled = off)', slot);
    END LOOP;
END $$;

-- They stay until the owner deletes them.
CREATE TABLE parked (
    position bigint NOT NULL,
    at_us    bigint NOT NULL,
    channel  text   NOT NULL COLLATE "C",
    reason   text   NOT NULL,
    body     bytea  NOT NULL,
    PRIMARY KEY (channel, position)
);

-- The server's time, in microseconds since 1970 (UTC).
CREATE FUNCTION now_us() RETURNS bigint LANGUAGE sql VOLATILE AS
    $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;

-- How large the partitions of a slot get before the next one is written to. Four of them are what a wire takes up that
-- nobody falls behind on; a second of the fastest traffic fits in one.
CREATE FUNCTION slot_bytes() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 32 * 1024 * 1024::bigint $$;

-- For how long a message is kept that nobody takes: a day. Its sender has asked anew since.
CREATE FUNCTION kept_us() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 24 * 3600 * 1000000::bigint $$;

-- The slot that is written to. This function and the next two are called by those that set the search path.
CREATE FUNCTION slot() RETURNS smallint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT r.number FROM rotations AS r ORDER BY r.number DESC LIMIT 1), 0) % 4;
END $$;

-- Let one transaction at a time do something with a channel.
CREATE FUNCTION one_at_a_time(what text, in_channel text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(concat_ws(' ', current_schema(), what, in_channel), 0));
END $$;

-- The last position of a channel, behind which one may append until the commit. Whoever appends has the channel's lock
-- for so long, so that no position is seen before a smaller one.
CREATE FUNCTION last_position(of_channel text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM one_at_a_time('post', of_channel);
    RETURN greatest(
        now_us(),
        (SELECT c.frontier FROM claims AS c WHERE c.channel = of_channel ORDER BY c.taken_us DESC LIMIT 1),
        (SELECT m.position FROM messages AS m WHERE m.channel = of_channel ORDER BY m.position DESC LIMIT 1));
END $$;

-- Append messages.
CREATE FUNCTION post(to_channel text, bodies bytea[]) RETURNS void LANGUAGE plpgsql VOLATILE
    SET search_path FROM CURRENT AS $$
DECLARE
    here CONSTANT smallint := slot();
    last CONSTANT bigint := last_position(to_channel);
BEGIN
    INSERT INTO messages (position, posted_us, slot, channel, body)
    SELECT last + b.number, now_us(), here, to_channel, b.body
    FROM unnest(bodies) WITH ORDINALITY AS b (body, number);
END $$;

-- Take messages of a channel, at most so many, in the order of their positions: those that were taken before and not
-- acknowledged within some microseconds; where there are none, those that nobody has taken. A claim is looked at once
-- more when its time is over, and never again.
CREATE FUNCTION take(from_channel text, most integer, within_us bigint)
    RETURNS TABLE (taken_position bigint, taken_body bytea) LANGUAGE plpgsql VOLATILE
    SET search_path FROM CURRENT SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    here CONSTANT smallint := slot();
    newest claims;
    old claims;
    found_now bigint[] := '{}';
    looks integer := 0;
    now bigint;
BEGIN
    PERFORM one_at_a_time('take', from_channel);
    SELECT * INTO newest FROM claims AS c WHERE c.channel = from_channel ORDER BY c.taken_us DESC LIMIT 1;
    IF NOT FOUND THEN
        newest := (0, 0, 0, 0, 0, 0, 0, from_channel);
    END IF;
    now := greatest(now_us(), newest.taken_us + 1);
    FOR old IN
        SELECT * FROM claims AS c
        WHERE c.channel = from_channel AND c.taken_us >= newest.looked_us AND c.taken_us <= now - within_us
        ORDER BY c.taken_us LIMIT 1000
    LOOP
        found_now := ARRAY(
            SELECT m.position FROM messages AS m
            WHERE m.channel = from_channel AND m.position >= greatest(old.first, newest.looked_to + 1)
                AND m.position <= old.last AND NOT EXISTS (
                    SELECT FROM acknowledgements AS a WHERE a.channel = from_channel AND a.position = m.position)
            ORDER BY m.position LIMIT most);
        IF cardinality(found_now) = most THEN -- perhaps not all of it
            newest.looked_us := old.taken_us;
            newest.looked_to := found_now[most];
        ELSE
            newest.looked_us := old.taken_us + 1;
            newest.looked_to := 0;
        END IF;
        looks := looks + 1;
        EXIT WHEN found_now <> '{}';
    END LOOP;
    IF found_now = '{}' THEN
        found_now := ARRAY(
            SELECT m.position FROM messages AS m
            WHERE m.channel = from_channel AND m.position > newest.frontier
            ORDER BY m.position LIMIT most);
        newest.frontier := coalesce(found_now[cardinality(found_now)], newest.frontier);
    END IF;
    IF found_now <> '{}' OR looks >= 100 THEN -- a claim of nothing keeps how far one has looked
        INSERT INTO claims (taken_us, first, last, frontier, looked_us, looked_to, slot, channel)
        VALUES (now, coalesce(found_now[1], 1), coalesce(found_now[cardinality(found_now)], 0), newest.frontier,
            newest.looked_us, newest.looked_to, here, from_channel);
    END IF;
    RETURN QUERY
        SELECT m.position, m.body FROM messages AS m
        WHERE m.channel = from_channel AND m.position = ANY(found_now) ORDER BY m.position;
END $$;

-- Let messages come no more.
CREATE FUNCTION acknowledge(in_channel text, positions bigint[]) RETURNS void LANGUAGE plpgsql VOLATILE
    SET search_path FROM CURRENT AS $$
DECLARE
    here CONSTANT smallint := slot();
BEGIN
    INSERT INTO acknowledgements (position, slot, channel)
    SELECT p.position, here, in_channel FROM unnest(positions) AS p (position)
    ON CONFLICT DO NOTHING;
END $$;

-- Keep a message apart, with what is wrong with it, and let it come no more.
CREATE FUNCTION park(in_channel text, at_position bigint, with_body bytea, why text) RETURNS void LANGUAGE plpgsql
    VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM acknowledge(in_channel, ARRAY[at_position]);
    INSERT INTO parked (position, at_us, channel, reason, body)
    VALUES (at_position, now_us(), in_channel, why, with_body) ON CONFLICT DO NOTHING;
END $$;

-- What nobody has acknowledged, and is kept.
CREATE VIEW waiting AS
SELECT m.* FROM messages AS m
WHERE m.posted_us > now_us() - kept_us()
    AND NOT EXISTS (SELECT FROM acknowledgements AS a WHERE a.channel = m.channel AND a.position = m.position);

-- Write to the next slot, once the one that is written to is full. What waits in the next one is appended anew before
-- that is emptied; where it is more than was written since the last time, one waits until it is not, so that each byte
-- is written twice at most. A program that has read the next slot and is not done keeps it from being emptied, and for so
-- long the one that is written to grows.
CREATE FUNCTION sweep() RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path FROM CURRENT SET lock_timeout = '20ms' SET enable_seqscan = on SET enable_hashjoin = on AS $$
DECLARE
    here smallint;
    next smallint;
    filled bigint;
    waits_in text[];
    bytes bigint;
    each_channel text;
BEGIN
    PERFORM one_at_a_time('sweep', '');
    here := slot();
    next := (here + 1) % 4;
    filled := pg_total_relation_size(format('messages_%s', here)::regclass)
        + pg_total_relation_size(format('claims_%s', here)::regclass)
        + pg_total_relation_size(format('acknowledgements_%s', here)::regclass);
    IF filled < slot_bytes() THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE messages_%s IN SHARE MODE', next); -- who read `slot()` long ago may still write there
    SELECT array_agg(DISTINCT w.channel), sum(pg_column_size(w.body)) INTO waits_in, bytes
    FROM waiting AS w WHERE w.slot = next;
    IF bytes > filled THEN
        RETURN false;
    END IF;
    FOREACH each_channel IN ARRAY coalesce(waits_in, '{}') LOOP
        INSERT INTO messages (position, posted_us, slot, channel, body)
        SELECT last + row_number() OVER (ORDER BY w.position), w.posted_us, here, w.channel, w.body
        FROM last_position(each_channel) AS last, waiting AS w WHERE w.slot = next AND w.channel = each_channel;
    END LOOP;
    EXECUTE format('TRUNCATE claims_%1$s, messages_%1$s, acknowledgements_%1$s', next);
    INSERT INTO rotations (number, at_us) SELECT coalesce(max(number), 0) + 1, now_us() FROM rotations;
    RETURN true;
END $$;
