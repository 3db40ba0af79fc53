-- For engines from version 5: without a key of the name alone, under which each change would look at all older versions.
DROP TRIGGER keep_entity_name ON entities;
DROP FUNCTION keep_entity_name();
ALTER TABLE entities DROP CONSTRAINT entities_pkey;
