-- On a store whose shop moves, or has moved: nothing is committed into it, and no engine of any version opens it, since the
-- trigger is none that the schema has.
CREATE TRIGGER IF NOT EXISTS the_shop_moves_to_another_database BEFORE INSERT ON blocks
BEGIN
    SELECT RAISE(ABORT, 'the shop of this store moves to another database, or is there');
END;
