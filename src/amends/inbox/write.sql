-- What is answered now, in the transaction of the effect that it is about.
UPDATE amends_inbox
SET do_answer = :do_answer, undo_answer = :undo_answer
WHERE saga = :saga AND step = :step
