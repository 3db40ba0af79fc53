-- Version 5: records are typed, and say the version of their form; what they are about lies beside them, to be erased.

-- JSON: the salt of each digest in the first line of `records`, one after the other, and the values that no row has; of
-- one that was erased zeros, and null. Empty of a block of a former version, whose records hold their values. Not in the
-- checksum: the digests cover it.
ALTER TABLE blocks ADD COLUMN beside TEXT NOT NULL DEFAULT '';

-- Every record of the audit; a cause is words in blocks of a former version, and a list from version 5 on.
DROP VIEW audit;
CREATE VIEW audit AS
SELECT
    blocks.number AS block,
    json_extract(record.value, '$[0]') AS subject,
    json_extract(record.value, '$[1]') AS number,
    strftime('%Y-%m-%dT%H:%M:%fZ', blocks.at_ms / 1000.0, 'unixepoch') AS at,
    CASE json_type(record.value, '$[2]')
        WHEN 'integer' THEN json_extract(record.value, '$[3]') ELSE json_extract(record.value, '$[2]') END AS cause,
    CASE json_type(record.value, '$[2]')
        WHEN 'integer' THEN json_extract(record.value, '$[4]') ELSE json_extract(record.value, '$[3]') END AS changes,
    CASE json_type(record.value, '$[4]')
        WHEN 'integer' THEN json_extract(blocks.beside, '$[1][' || json_extract(record.value, '$[4]') || ']')
        END AS value
FROM blocks, json_each('[' || replace(blocks.records, char(10), ',') || ']') AS record
WHERE json_type(record.value, '$[0]') = 'text';
