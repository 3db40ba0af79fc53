-- Version 5, for engines from 1: the newest version of an entity is found at once, however many older ones an open
-- transaction of another program keeps. Engines of before go on beside it.

-- Which entities there are, or are about to be: what two transactions that make the same one meet at. It is not changed.
CREATE TABLE entity_names (
    service text NOT NULL COLLATE "C",
    id      text NOT NULL COLLATE "C",
    PRIMARY KEY (service, id)
);
INSERT INTO entity_names (service, id) SELECT service, id FROM entities;

-- An engine of before tells nothing of names.
CREATE FUNCTION keep_entity_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO entity_names (service, id) VALUES (NEW.service, NEW.id) ON CONFLICT DO NOTHING;
    RETURN NEW;
END
$$;
CREATE TRIGGER keep_entity_name BEFORE INSERT ON entities FOR EACH ROW EXECUTE FUNCTION keep_entity_name();

CREATE UNIQUE INDEX entity_versions ON entities (service, id, version);
