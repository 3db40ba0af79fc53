-- Version 6: what happened, and what became of it, is once in a block's first line, and its records say where.

-- Every record of the audit; a cause is words in blocks of the first form, and a list in those of the others.
DROP VIEW audit;
CREATE VIEW audit AS
WITH lines AS (
    SELECT
        blocks.number AS block,
        blocks.at_ms AS at_ms,
        blocks.beside AS beside,
        CASE WHEN blocks.records LIKE '[3,%' THEN
            substr(blocks.records, 1, instr(blocks.records || char(10), char(10)) - 1) END AS head,
        CASE WHEN blocks.records LIKE '["%' THEN 1 ELSE 0 END AS is_first_form,
        record.value AS line
    FROM blocks, json_each('[' || replace(blocks.records, char(10), ',') || ']') AS record
    WHERE json_type(record.value, '$[0]') = 'text'
), records AS (
    SELECT
        block,
        at_ms,
        beside,
        json_extract(line, '$[0]') AS subject,
        json_extract(line, '$[1]') AS number,
        CASE WHEN head IS NOT NULL THEN json_extract(head, '$[3][' || json_extract(line, '$[2]') || ']')
            WHEN is_first_form THEN json_array(json_extract(line, '$[3]'), json_extract(line, '$[4]'))
            ELSE json_array(json(json_extract(line, '$[2]')), json(json_extract(line, '$[3]'))) END AS transition,
        CASE WHEN head IS NOT NULL THEN json_extract(line, '$[3]')
            WHEN NOT is_first_form THEN json_extract(line, '$[4]') END AS place
    FROM lines
)
SELECT
    block,
    subject,
    number,
    strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
    json_extract(transition, '$[0]') AS cause,
    json_extract(transition, '$[1]') AS changes,
    CASE WHEN place IS NOT NULL THEN json_extract(beside, '$[1][' || place || ']') END AS value
FROM records;
