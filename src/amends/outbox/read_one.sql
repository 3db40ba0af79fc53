-- One row of those that `numbers` finds.
SELECT number, id, body, posted_ms
FROM amends_outbox
WHERE number = :number
