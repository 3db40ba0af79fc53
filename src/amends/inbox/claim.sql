-- Makes a step's row ours until the transaction ends, whether it is new or not: whoever asks anything of the same step
-- waits here, its undo included. It writes even when there is nothing to change: that is what locks the row
-- (PostgreSQL) or the file (SQLite, where a transaction that read before it wrote could only fail).
INSERT INTO amends_inbox (saga, step)
VALUES (:saga, :step)
ON CONFLICT (saga, step) DO UPDATE SET do_answer = amends_inbox.do_answer
