-- Every query that a publisher uses.

-- name: hold_events
-- Let nobody else publish into this schema before this is committed: positions are in the order of the commits.
SELECT pg_advisory_xact_lock(hashtextextended('amends events ' || current_schema(), 0));

-- name: event_cursors
-- How far a source is published: each chain, found by a look into the index behind the one before, and its last row.
WITH RECURSIVE found (chain) AS (
    SELECT min(chain) FROM cursors WHERE source = %(source)s::text
    UNION ALL SELECT (SELECT min(chain) FROM cursors WHERE source = %(source)s::text AND chain > found.chain)
    FROM found WHERE found.chain IS NOT NULL
)
SELECT found.chain, last.number, last.head FROM found CROSS JOIN LATERAL (
    SELECT number, head FROM cursors WHERE source = %(source)s::text AND chain = found.chain
    ORDER BY number DESC LIMIT 1
) AS last;

-- name: published_until
-- The same of some chains, those that have no row left out.
SELECT wanted.chain, last.number FROM unnest(%(chain)s::text[]) AS wanted (chain) CROSS JOIN LATERAL (
    SELECT number FROM cursors WHERE source = %(source)s::text AND chain = wanted.chain
    ORDER BY number DESC LIMIT 1
) AS last;

-- name: append_events
-- Events, in their order.
INSERT INTO events (source, id, type, subject, event)
SELECT %(source)s::text, id, type, subject, event::json
FROM unnest(%(id)s::text[], %(type)s::text[], %(subject)s::text[], %(event)s::text[])
    WITH ORDINALITY AS told (id, type, subject, event, place)
ORDER BY place;

-- name: move_cursors
-- How far a source is published now.
INSERT INTO cursors (source, chain, number, head)
SELECT %(source)s::text, chain, number, decode(head, 'hex')
FROM unnest(%(chain)s::text[], %(number)s::bigint[], %(head)s::text[]) AS moved (chain, number, head);

-- name: forget_cursors
-- How far it was before.
DELETE FROM cursors AS c USING unnest(%(chain)s::text[], %(number)s::bigint[]) AS moved (chain, number)
WHERE c.source = %(source)s::text AND c.chain = moved.chain AND c.number < moved.number;
