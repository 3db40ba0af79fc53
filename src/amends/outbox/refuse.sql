-- What cannot be a letter stays, for a person to look at, and is not read again.
UPDATE amends_outbox
SET refused = :refused
WHERE number = :number
