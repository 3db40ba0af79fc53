-- The numbers alone of what `read` finds.
SELECT number
FROM amends_outbox
WHERE refused IS NULL AND number > :since
ORDER BY number
LIMIT CAST(:limit AS integer)
