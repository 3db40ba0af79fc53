"""The table of docs/audit.md: which edits of a file are found, by which verifier, with an older head and without."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import amends
from amends import Saga, local
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.rows import digest_of
from amends.auditing.chain import head_text, heads_of
from amends.auditing.verify import verify
from amends.storage.digests import DIGITS, ERASED_SALT, digest, salts_of
from amends.storage.rows import checksum
from tests.auditing.attacks import ATTACKS, VERIFY_AUDIT, Forger
from tests.auditing.history import Copy, written
from tests.auditing.lines import read_lines, written_lines
from tests.house.source import ROOT

DOCUMENT: Final = ROOT / "docs" / "audit.md"
TITLE: Final = "| edit | `amends audit verify` | with an older head | `verify_audit.py` | with an older head |"
KEYS: Final = "key, request, answer, saga"
ENTITIES: Final = "service, id, body, version"
Edit = Callable[[Forger], object]


def saga(**changed: Any) -> Edit:
    """Return an edit of a completed saga's row, with a checksum that is right."""

    def edit(forger: Forger) -> None:
        row = next(row for row in forger.sagas() if row["status"] == changed.get("of", "completed"))
        values = {name: value(row[name]) for name, value in changed.items() if name != "of"}
        forger.put_saga({**row, **values}, row["id"])

    return edit


def answered(body: str) -> str:
    """Return a body with another answer."""
    said = json.loads(body)
    assert said["answers"]
    return json.dumps(said | {"answers": dict.fromkeys(said["answers"], "forged")}, separators=(",", ":"))


def swap_bodies(forger: Forger) -> None:
    """Let two rows say of each other what is theirs."""
    one, other = (next(row for row in forger.sagas() if row["status"] == status) for status in ("completed", "forward"))
    forger.put_saga({**one, "body": other["body"]}, one["id"])
    forger.put_saga({**other, "body": one["body"]}, other["id"])


def row(table: str, columns: str, **changed: str) -> Edit:
    """Return an edit of the first row of a table, with a checksum that is right."""

    def edit(forger: Forger) -> None:
        names = columns.split(", ")
        found = forger.database.execute(f"SELECT {columns} FROM {table} LIMIT 1").fetchone()  # noqa: S608 - our words
        values = tuple(changed.get(name, value) for name, value in zip(names, found, strict=True))
        places = ", ".join(f"{name} = ?" for name in (*names, "checksum"))
        known = " AND ".join(f"{name} = ?" for name in names)
        text = f"UPDATE {table} SET {places} WHERE {known}"  # noqa: S608 - our words
        assert forger.database.execute(text, (*values, checksum(values), *found)).rowcount == 1

    return edit


def sql(*texts: str) -> Edit:
    """Return an edit that somebody makes with a database shell, who computes no checksum."""

    def edit(forger: Forger) -> None:
        for text in texts:
            assert forger.database.execute(text).rowcount, text

    return edit


def value(old: str, new: str, block: dict[str, Any]) -> dict[str, Any]:
    """Return a block with another value in the place of one, if it has it, and not with its digest."""
    return {**block, "beside": block["beside"].replace(old, new)}


def other_value(forger: Forger) -> None:
    """Change the reason of a refusal beside its record."""
    forger.put_blocks([value("no money", "no taste", block) for block in forger.blocks()])


def erased_value(forger: Forger) -> None:
    """Erase it, as it may be."""
    blocks = forger.blocks()
    for block in blocks:
        salts, values = json.loads(block["beside"])
        salts = salts_of(salts, len(read_lines(block["records"])[0][2]) // DIGITS)
        for place in [place for place, value in enumerate(values) if value == "no money"]:
            salts = salts[: place * DIGITS] + ERASED_SALT + salts[(place + 1) * DIGITS :]
            values[place] = None
            block["beside"] = json.dumps([salts, values], separators=(",", ":"))
    forger.put_blocks(blocks)


def rebuild(forger: Forger) -> None:
    """Change the reason of a refusal with its digest, and every block from there on."""
    blocks = [value("no money", "no taste", block) for block in forger.blocks()]
    for block in blocks:
        (form, at_ms, digests), records = read_lines(block["records"])
        salts, values = json.loads(block["beside"])
        salts = salts_of(salts, len(digests) // DIGITS)
        for place in [place for place, said in enumerate(values) if said == "no taste"]:
            at = place * DIGITS
            digests = digests[:at] + digest(salts[at : at + DIGITS], '"no taste"') + digests[at + DIGITS :]
        block["records"] = written_lines([form, at_ms, digests], records)
    forger.put_blocks(forger.rebuilt(blocks))


def older_entity(forger: Forger) -> None:
    """Put the row of an entity back as it was when a command had set it, before any saga."""
    values = "SEAT", "Hamlet 0", "5", 1
    text = "UPDATE entities SET body = ?, version = ?, checksum = ? WHERE id = 'Hamlet 0' AND version > 1"
    assert forger.database.execute(text, (*values[2:], checksum(values))).rowcount == 1


def trigger(forger: Forger) -> None:
    """Add what runs with the engine's commits."""
    forger.database.execute("CREATE TRIGGER t AFTER INSERT ON sagas BEGIN DELETE FROM client_keys; END")


EDITS: Final[dict[str, dict[str, Edit]]] = {
    "a record or a block": {
        "is changed": ATTACKS["change"].carry_out,
        "is changed, with the head of its block": ATTACKS["change and hash"].carry_out,
        "is deleted": ATTACKS["delete and renumber"].carry_out,
        "is inserted": ATTACKS["insert"].carry_out,
        "changes places with another": ATTACKS["swap"].carry_out,
        "of the last ones is cut off, and the rows are left": ATTACKS["truncate"].carry_out,
        "is changed where no row tells it, and the whole chain is built anew": rebuild,
    },
    "a value beside a record": {
        "is changed": other_value,
        "is erased, as it may be": erased_value,
    },
    "a saga": {
        "is forgotten everywhere, and the whole chain is built anew": ATTACKS["forget a saga"].carry_out,
        "'s row is changed without its checksum": sql("UPDATE sagas SET changed_ms = changed_ms + 1 WHERE rowid = 1"),
        "'s status or version is changed": saga(version=lambda version: version + 1),
        "'s request is changed": saga(request=lambda request: request.replace("well", "poor")),
        "'s answers are changed": saga(body=answered),
        "'s due time is changed": saga(of="forward", due_ms=lambda due_ms: due_ms + 1),
        "'s row is deleted": ATTACKS["delete a row"].carry_out,
        "'s row is inserted": ATTACKS["insert a row"].carry_out,
        "'s steps change places with another's": swap_bodies,
    },
    "an entity": {
        "is changed without its checksum": sql("UPDATE entities SET body = '1' WHERE id = 'Hamlet 0'"),
        "is changed": row("entities", ENTITIES, body="77"),
        "'s older row is put back": older_entity,
        "that a command had written is deleted": sql("DELETE FROM entities WHERE id = 'Hamlet 0'"),
        "that only sagas had written is deleted": sql("DELETE FROM entities WHERE service = 'NOTED'"),
        "is inserted": lambda forger: forger.database.execute(
            "INSERT INTO entities (service, id, body, version, checksum) VALUES ('S', 'x', '1', 1, ?)",
            (checksum(("S", "x", "1", 1)),),
        ),
    },
    "a client key": {
        "is changed without its checksum": sql("UPDATE client_keys SET answer = '{}' WHERE row = 1"),
        "is changed": row("client_keys", KEYS, answer='{"saga":"another"}'),
        "is deleted": sql("DELETE FROM client_keys WHERE row = 1"),
        "is inserted": lambda forger: forger.database.execute(
            "INSERT INTO client_keys (digest, key, request, answer, saga, checksum) VALUES (?, 'k', 'r', '{}', '', ?)",
            (digest_of("k"), checksum(("k", "r", "{}", ""))),
        ),
    },
    "what is kept beside them": {
        ": how many sagas there are": sql("UPDATE counts SET sagas = sagas + 1 WHERE status = 'completed'"),
        ": in which blocks somebody is told of": sql("DELETE FROM subjects"),
        ": what the engine runs with": sql("UPDATE in_force SET value = 'none'"),
        ": a trigger is added": trigger,
    },
    "the file": {"is an older copy as a whole": ATTACKS["roll back"].carry_out},
}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Copy]:
    """Return a store in three ages, in the last of which a saga wrote to an entity that no command knows."""
    *older, last = written(tmp_path_factory.mktemp("history"))
    notes = Saga("notes", str, [local("NOTED", lambda _, text: text, entity=str, pivot=True)])
    with amends.open(f"sqlite:///{last.path}", sagas=[notes], orphans="leave") as engine:
        engine.submit(notes, "a note")
    with closing(SqliteReader(last.path)) as store:
        return [*older, Copy(last.path, head_text(store.head()))]


def found(path: Path, head: str) -> tuple[bool, bool]:
    """Return whether our verifier finds anything, and whether the other does."""
    with closing(SqliteReader(path)) as store:
        kept = heads_of(head) if head else ()
        ours = len(verify(store, kept, problems=store.problems(with_sagas=False)).findings)
    return bool(ours), bool(list(VERIFY_AUDIT.faults_of_file(path, head)))


def line(what: str, edit: Edit, copies: Sequence[Copy], folder: Path) -> str:
    """Make an edit, and return its line of the table."""
    path = folder / f"{len(list(folder.iterdir()))}.db"  # each its own: a log beside it would be another file's
    shutil.copy(copies[-1].path, path)
    forger = Forger(path, Random(what), copies[:-1])
    edit(forger)
    forger.close()
    without, with_head = found(path, ""), found(path, copies[-1].head)
    cells = ("yes" if is_found else "**no**" for pair in zip(without, with_head, strict=True) for is_found in pair)
    return f"| {what} | {' | '.join(cells)} |"


def test_the_table_tells_what_is_found(copies: Sequence[Copy], tmp_path: Path) -> None:
    """Each edit is made, and looked for by both verifiers; `DRAW=1` writes the table anew, to be looked at."""
    lines = [TITLE, "|---|---|---|---|---|"]
    for kind, edits in EDITS.items():
        for words, edit in edits.items():
            lines.append(line(f"{kind}{words}" if words[0] in "':" else f"{kind} {words}", edit, copies, tmp_path))
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(TITLE)
    table, blank, after = f"{TITLE}{rest}".partition("\n\n")
    if os.environ.get("DRAW"):
        DOCUMENT.write_text(f"{before}{chr(10).join(lines)}{blank}{after}", "utf-8")
    assert table == "\n".join(lines)
