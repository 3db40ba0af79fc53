-- What was answered so far. A statement of its own, after the claim: under READ COMMITTED it sees what the one that we
-- waited for has committed.
SELECT do_answer, undo_answer
FROM amends_inbox
WHERE saga = :saga AND step = :step
