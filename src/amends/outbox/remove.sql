-- A letter that is in the mailbox.
DELETE FROM amends_outbox
WHERE number = :number
