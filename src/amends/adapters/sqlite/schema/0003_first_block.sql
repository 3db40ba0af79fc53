-- Version 3: a saga's row says itself in which block it started, so that a new saga needs no row of `subjects`.

-- 0 of a saga that was started before version 3, whose first block is in `subjects`, and in an archive, which has no
-- blocks. Not in the checksum: it only finds records, and what it finds is looked at.
ALTER TABLE sagas ADD COLUMN block INTEGER NOT NULL DEFAULT 0;
