-- Version 2: what a person wants to see, without knowing how it is kept.

-- Every saga, the last one first.
CREATE VIEW saga_list AS
SELECT
    id AS saga,
    substr(definition, 1, instr(definition, '/') - 1) AS name,
    CAST(substr(definition, instr(definition, '/') + 1) AS INTEGER) AS version,
    status,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_ms / 1000.0, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%fZ', changed_ms / 1000.0, 'unixepoch') AS changed,
    CASE WHEN due_ms < 4611686018427387904 THEN
        strftime('%Y-%m-%dT%H:%M:%fZ', due_ms / 1000.0, 'unixepoch') END AS due, -- 2**62: an operator's
    request,
    json_extract(body, '$.trail') AS trail,
    json_extract(body, '$.reason') AS reason
FROM sagas
ORDER BY sagas.rowid DESC;

-- Every entity that exists.
CREATE VIEW entity_list AS
SELECT service, id AS entity, version, body FROM entities WHERE body IS NOT NULL;

-- Every record of the audit.
CREATE VIEW audit AS
SELECT
    blocks.number AS block,
    json_extract(record.value, '$[0]') AS subject,
    json_extract(record.value, '$[1]') AS number,
    strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(record.value, '$[2]') / 1000.0, 'unixepoch') AS at,
    json_extract(record.value, '$[3]') AS cause,
    json_extract(record.value, '$[4]') AS changes
FROM blocks, json_each('[' || replace(blocks.records, char(10), ',') || ']') AS record;

-- How many sagas there are of each definition and status.
CREATE VIEW saga_counts AS
SELECT substr(definition, 1, instr(definition, '/') - 1) AS name, status, sum(sagas) AS sagas
FROM counts GROUP BY name, status HAVING sum(sagas) <> 0;
