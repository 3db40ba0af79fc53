-- On a mailbox whose letters move with the shop: who would write one more, with any version, is told.
CREATE TRIGGER IF NOT EXISTS the_shop_moves_to_another_database BEFORE INSERT ON letters
BEGIN
    SELECT RAISE(ABORT, 'the shop of this store moves to another database, or is there: connect to that one');
END;
