-- A letter into the outbox, in the transaction of its user.
INSERT INTO amends_outbox (number, id, body, posted_ms)
VALUES (:number, :id, :body, CAST(:posted_ms AS bigint))
