-- The first letters behind a number. Those of transactions that were committed late come up behind others, so that an
-- engine looks from the beginning on now and then.
SELECT number, id, body, posted_ms
FROM amends_outbox
WHERE refused IS NULL AND number > :since
ORDER BY number
LIMIT CAST(:limit AS integer)
