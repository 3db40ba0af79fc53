-- The inbox: what was answered to each request of a saga, in the database that the answers are about.
-- For SQLite (3.24 or newer) and PostgreSQL. A row is never deleted before the business row that its step wrote.
CREATE TABLE IF NOT EXISTS amends_inbox (
    saga        text NOT NULL,  -- saga id, the first part of the idempotency key
    step        text NOT NULL,  -- event name of the step, its second part
    do_answer   text,           -- first answer to the action: {"done": answer} or {"refused": "reason"}
    undo_answer text,           -- first answer to its undo; with a refused do_answer, or none, it is a tombstone
    PRIMARY KEY (saga, step)
)
