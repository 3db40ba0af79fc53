-- Version 4, for engines from 1: the audit lies in partitions, a month each, which leave whole. Engines of before go on
-- beside it: they write to the same tables, and have their heads written for them.

-- The fence, and by what a block is found: narrow, and there for as long as the store, also once its block has left. Of
-- two commits that are to be the next one of a chain, one is written. No partition could keep that: its key has the time.
CREATE TABLE heads (
    number   bigint NOT NULL,
    at_ms    bigint NOT NULL,
    started  bigint NOT NULL,
    ended    bigint NOT NULL,
    checksum bigint NOT NULL,
    chain    text   NOT NULL COLLATE "C",
    before   bytea  NOT NULL,
    head     bytea  NOT NULL,
    PRIMARY KEY (chain, number)
);

CREATE FUNCTION keep_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO heads (number, at_ms, started, ended, checksum, chain, before, head)
    VALUES (NEW.number, NEW.at_ms, NEW.started, NEW.ended, NEW.checksum, NEW.chain, NEW.before, NEW.head);
    RETURN NEW;
END
$$;

-- What was there becomes the first partition of each. `..._rest` is the net: what no partition is made for.
ALTER TABLE blocks RENAME TO blocks_before;
ALTER INDEX blocks_pkey RENAME TO blocks_before_pkey;
CREATE TABLE blocks (LIKE blocks_before) PARTITION BY RANGE (at_ms);
CREATE TABLE blocks_rest (LIKE blocks_before, PRIMARY KEY (chain, number));
ALTER TABLE blocks ATTACH PARTITION blocks_rest DEFAULT;
INSERT INTO heads (number, at_ms, started, ended, checksum, chain, before, head)
SELECT number, at_ms, started, ended, checksum, chain, before, head FROM blocks_before;

-- Engines of before do not say when; all that was there before is in the first partition.
ALTER TABLE subjects RENAME TO subjects_before;
ALTER INDEX subjects_pkey RENAME TO subjects_before_pkey;
ALTER TABLE subjects_before ADD COLUMN at_ms bigint NOT NULL DEFAULT 0;
CREATE TABLE subjects (LIKE subjects_before) PARTITION BY RANGE (at_ms);
ALTER TABLE subjects ALTER COLUMN at_ms SET DEFAULT now_ms();
CREATE TABLE subjects_rest (LIKE subjects_before, PRIMARY KEY (subject, chain, number));
ALTER TABLE subjects ATTACH PARTITION subjects_rest DEFAULT;

-- When a month begins, UTC: so many months after that of a time.
CREATE FUNCTION month_of(at_ms bigint, later integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT (extract(epoch FROM date_trunc('month', to_timestamp(at_ms / 1000.0) AT TIME ZONE 'UTC')
        + later * interval '1 month') * 1000)::bigint
$$;

-- The partitions of the audit, each with when it begins and ends; without the net. The first one has no beginning.
CREATE FUNCTION partitions() RETURNS TABLE (name text, since_ms bigint, until_ms bigint) LANGUAGE sql STABLE AS $$
    SELECT substring(name FROM '_(.*)'), coalesce(substring(bound FROM 'FROM \(''?(\d+)')::bigint, -9223372036854775808),
        substring(bound FROM 'TO \(''?(\d+)')::bigint
    FROM (
        SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'blocks'::regclass
    ) AS found (name, bound) WHERE bound <> 'DEFAULT'
$$;

-- Make a partition of each, with what the net has of its time. What stands in its way lets it wait for the next try.
CREATE FUNCTION add_partition(since_ms bigint, until_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month text := to_char(to_timestamp(since_ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY_MM');
    place text[];
BEGIN
    FOREACH place SLICE 1 IN ARRAY ARRAY[['blocks', 'chain, number'], ['subjects', 'subject, chain, number']] LOOP
        EXECUTE format('CREATE TABLE %1$I (LIKE %2$I, PRIMARY KEY (%3$s))', place[1] || '_' || month, place[1], place[2]);
        EXECUTE format(
            'WITH caught AS (DELETE FROM %2$I WHERE at_ms >= %3$s AND at_ms < %4$s RETURNING *)
            INSERT INTO %1$I SELECT * FROM caught',
            place[1] || '_' || month, place[1] || '_rest', since_ms, until_ms);
        EXECUTE format('ALTER TABLE %2$I ATTACH PARTITION %1$I FOR VALUES FROM (%3$s) TO (%4$s)',
            place[1] || '_' || month, place[1], since_ms, until_ms);
    END LOOP;
END
$$;

-- Have partitions for this month and the next. Any engine may: it owns no table, and this makes none but these. To attach
-- one stops no commit: what it locks is the new one, and the net.
CREATE FUNCTION keep_partitions() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    begins_ms bigint := (SELECT max(p.until_ms) FROM partitions() AS p);
    ends_ms bigint;
BEGIN
    WHILE begins_ms < month_of(now_ms(), 2) AND pg_try_advisory_xact_lock(
        hashtextextended('amends partitions ' || current_schema(), 0)
    ) LOOP
        ends_ms := greatest(month_of(begins_ms, 1), month_of(now_ms(), 0));
        PERFORM add_partition(begins_ms, ends_ms);
        begins_ms := ends_ms;
    END LOOP;
END
$$;

-- Drop the partition of each that ends at a time, if it has so many blocks: those that were copied. The owner alone may.
CREATE FUNCTION drop_partition(ends_ms bigint, copied bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    month text := (SELECT name FROM partitions() WHERE until_ms = ends_ms);
    there bigint;
BEGIN
    EXECUTE format('LOCK TABLE %I, %I IN SHARE MODE', 'blocks_' || month, 'subjects_' || month);
    EXECUTE format('SELECT count(*) FROM %I', 'blocks_' || month) INTO there;
    IF there = copied THEN
        EXECUTE format('DROP TABLE %I, %I', 'blocks_' || month, 'subjects_' || month);
    END IF;
    RETURN there = copied;
END
$$;

REVOKE EXECUTE ON FUNCTION add_partition, drop_partition FROM PUBLIC;

DO $$
DECLARE
    ends_ms bigint := month_of(greatest(now_ms(), (SELECT max(at_ms) FROM heads)), 1);
BEGIN
    EXECUTE format('ALTER TABLE blocks ATTACH PARTITION blocks_before FOR VALUES FROM (MINVALUE) TO (%s)', ends_ms);
    EXECUTE format('ALTER TABLE subjects ATTACH PARTITION subjects_before FOR VALUES FROM (MINVALUE) TO (%s)', ends_ms);
    PERFORM keep_partitions();
END
$$;

CREATE TRIGGER keep_head BEFORE INSERT ON blocks FOR EACH ROW EXECUTE FUNCTION keep_head();
