"""What somebody does who has the database open, and knows how everything in it is computed."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from amends.core.audit import GENESIS
from amends.storage.blocks import FORM, head_after
from amends.storage.rows import checksum
from tests.auditing.history import Copy
from tests.auditing.lines import read_lines, written_lines
from tests.house.source import ROOT

FACTS: Final = ("number", "at_ms", "before", "head", "started", "ended")
SAGA: Final = ("id", "definition", "request", "status", "body", "due_ms", "started_ms", "changed_ms", "version")
READ_BLOCKS: Final = "SELECT number, at_ms, before, head, started, ended, records, beside FROM blocks ORDER BY number"
WRITE_BLOCK: Final = """
INSERT INTO blocks (number, at_ms, before, head, started, ended, checksum, records, beside)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
READ_SAGAS: Final = """
SELECT id, definition, request, status, body, due_ms, started_ms, changed_ms, version FROM sagas ORDER BY rowid
"""
ADD_SAGA: Final = """
INSERT INTO sagas (id, definition, request, status, body, due_ms, started_ms, changed_ms, version, checksum)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
CHANGE_SAGA: Final = """
UPDATE sagas SET id = ?, definition = ?, request = ?, status = ?, body = ?, due_ms = ?, started_ms = ?, changed_ms = ?,
    version = ?, checksum = ? WHERE id = ?
"""


class Attack(NamedTuple):
    """A way to attack.

    Attributes:
        carry_out: on a file, with some chance.
        shows: whether it is found without a head that was kept elsewhere.
    """

    carry_out: Callable[[Forger], None]
    shows: bool


class Forger:
    """A file, opened by somebody who forges it.

    Attributes:
        random: what is chosen.
        copies: older copies of the file.
    """

    def __init__(self, path: Path, random: Random, copies: Sequence[Copy]) -> None:
        self.path = path
        self.random = random
        self.copies = copies
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.execute("PRAGMA synchronous = OFF")

    def blocks(self) -> list[dict[str, Any]]:
        """Every block."""
        return [
            dict(zip((*FACTS, "records", "beside"), row, strict=True)) for row in self.database.execute(READ_BLOCKS)
        ]

    def put_blocks(self, blocks: Sequence[dict[str, Any]]) -> None:
        """Replace all blocks, each with a checksum that is right."""
        self.database.execute("BEGIN")
        self.database.execute("DELETE FROM blocks")
        for block in blocks:
            facts = tuple(block[name] for name in FACTS)
            values = (*facts, checksum(facts), block["records"], block["beside"])
            self.database.execute(WRITE_BLOCK, values)
        self.database.execute("COMMIT")

    def rebuilt(self, blocks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The blocks with numbers, links and heads that are right for what they hold."""
        head, built = GENESIS, []
        for number, block in enumerate(blocks, 1):
            before, head = head, head_after(head, block["records"])
            built.append({**block, "number": number, "before": before, "head": head})
        return built

    def sagas(self) -> list[dict[str, Any]]:
        """Every saga's row."""
        return [dict(zip(SAGA, row, strict=True)) for row in self.database.execute(READ_SAGAS)]

    def put_saga(self, saga: dict[str, Any], name: str = "") -> None:
        """Write a row with a checksum that is right: a new one, or in the place of the one of a name."""
        values = tuple(saga[column] for column in SAGA)
        if name:
            self.database.execute(CHANGE_SAGA, (*values, checksum(values), name))
        else:
            self.database.execute(ADD_SAGA, (*values, checksum(values)))

    def close(self) -> None:
        """Leave."""
        self.database.close()


# Blocks ------------------------------------------------------------------------------------------------------


def changed(forger: Forger, blocks: list[dict[str, Any]]) -> int:
    """Change a record, in one of many ways, into another that can be read; give the place of its block."""
    place = forger.random.randrange(len(blocks))
    head, records = read_lines(blocks[place]["records"])
    record = forger.random.choice(records)
    part = forger.random.randrange(5)
    if part == 0:
        at = forger.random.randrange(len(record[0]) or 1)
        record[0] = record[0][:at] + forger.random.choice("xyz") + record[0][at + 1 :] + "!"
    elif part == 1:
        record[1] += forger.random.choice([-1, 1, 1000])
    elif part == 2:
        record[2] = forger.random.choice([["started", "forged/1/0"], ["done", "SEAT_HELD", "do", 1], ["cancel"]])
    elif part == 3:
        record[3] = record[3][:-1] if record[3] else [["done", "SEAT_HELD"]]
    else:
        head[1] += forger.random.choice([-1, 1, 1000])
    blocks[place]["records"] = written_lines(head, records)
    return place


def change(forger: Forger) -> None:
    """Change a record, and nothing else."""
    blocks = forger.blocks()
    changed(forger, blocks)
    forger.put_blocks(blocks)


def change_and_hash(forger: Forger) -> None:
    """Change a record that is not in the last block, and compute its block's head anew."""
    blocks = forger.blocks()
    last = blocks.pop()
    place = changed(forger, blocks)
    blocks[place]["head"] = head_after(blocks[place]["before"], blocks[place]["records"])
    forger.put_blocks([*blocks, last])


def delete(forger: Forger) -> None:
    """Delete a block that is not the last one."""
    blocks = forger.blocks()
    del blocks[forger.random.randrange(len(blocks) - 1)]
    forger.put_blocks(blocks)


def delete_and_renumber(forger: Forger) -> None:
    """The same, and number the others without a gap."""
    blocks = forger.blocks()
    del blocks[forger.random.randrange(len(blocks) - 1)]
    forger.put_blocks([{**block, "number": number} for number, block in enumerate(blocks, 1)])


def delete_record(forger: Forger) -> None:
    """Delete one record."""
    blocks = forger.blocks()
    block = forger.random.choice(blocks)
    lines = block["records"].split("\n")
    del lines[forger.random.randrange(1, len(lines))]
    block["records"] = "\n".join(lines)
    forger.put_blocks(blocks)


def insert(forger: Forger) -> None:
    """Put a block between two others, with a link and a head that are right."""
    blocks = forger.blocks()
    place = forger.random.randrange(1, len(blocks))
    before = blocks[place - 1]
    records = written_lines([FORM, before["at_ms"], ""], [["SEAT/Forged", 0, ["set aside", "entity"], []]])
    forged = {
        **before,
        "before": before["head"],
        "head": head_after(before["head"], records),
        "records": records,
        "beside": '["",[]]',
    }
    blocks.insert(place, {**forged, "started": 0, "ended": 0})
    forger.put_blocks([{**block, "number": number} for number, block in enumerate(blocks, 1)])


def swap(forger: Forger) -> None:
    """Let two blocks change places."""
    blocks = forger.blocks()
    one, other = forger.random.sample(range(len(blocks)), 2)
    blocks[one], blocks[other] = blocks[other], blocks[one]
    forger.put_blocks([{**block, "number": number} for number, block in enumerate(blocks, 1)])


def swap_records(forger: Forger) -> None:
    """Let two different records change places, in one block or in two."""
    blocks = forger.blocks()
    read = [read_lines(block["records"]) for block in blocks]
    places = [(of_block, at) for of_block, (_, records) in enumerate(read) for at in range(len(records))]
    (one, at), (other, there) = forger.random.sample(places, 2)
    read[one][1][at], read[other][1][there] = read[other][1][there], read[one][1][at]
    for block, (head, records) in zip(blocks, read, strict=True):
        block["records"] = written_lines(head, records)
    forger.put_blocks(blocks)


def truncate(forger: Forger) -> None:
    """Cut off the last blocks."""
    blocks = forger.blocks()
    forger.put_blocks(blocks[: -forger.random.randint(1, len(blocks) - 1)])


def change_facts(forger: Forger) -> None:
    """Change what a block's row says beside its records."""
    blocks = forger.blocks()
    block = forger.random.choice(blocks)
    name = forger.random.choice(["at_ms", "started", "ended"])
    block[name] += forger.random.choice([-1, 1, 7])
    forger.put_blocks(blocks)


# Everything --------------------------------------------------------------------------------------------------


def roll_back(forger: Forger) -> None:
    """Put an older copy in the place of the file."""
    forger.close()
    shutil.copy(forger.random.choice(forger.copies).path, forger.path)
    forger.database = sqlite3.connect(forger.path, isolation_level=None)


def rebuild(forger: Forger) -> None:
    """Change a record, and build the whole chain anew."""
    blocks = forger.blocks()
    changed(forger, blocks)
    forger.put_blocks(forger.rebuilt(blocks))


def forget_saga(forger: Forger) -> None:
    """Remove every trace of a saga, and build the chain and the counts anew: nothing in the file shows it."""
    gone = forger.random.choice(forger.sagas())
    blocks = forger.blocks()
    for block in blocks:
        head, records = read_lines(block["records"])
        block["records"] = written_lines(head, [record for record in records if record[0] != gone["id"]])
        block["started"] -= any(record[:2] == [gone["id"], 1] for record in records)
    final_in = [block for block in blocks if block["number"] == ended_in(forger, gone["id"])]
    for block in final_in:
        block["ended"] -= 1
    forger.put_blocks(forger.rebuilt(blocks))
    forger.database.execute("DELETE FROM sagas WHERE id = ?", (gone["id"],))
    forger.database.execute("DELETE FROM subjects WHERE subject = ?", (gone["id"],))
    forger.database.execute(
        "UPDATE counts SET sagas = sagas - 1 WHERE definition = ? AND status = ?", (gone["definition"], gone["status"])
    )


def ended_in(forger: Forger, saga_id: str) -> int:
    """The block in which a saga became final; 0 when it did not."""
    for block in forger.blocks():
        for subject, _, _, changes, *_ in read_lines(block["records"])[1]:
            if subject == saga_id and changes and changes[-1][0] in ("completed", "compensated", "abandoned"):
                return int(block["number"])
    return 0


# Rows --------------------------------------------------------------------------------------------------------


def change_row(forger: Forger) -> None:
    """Change a saga's row."""
    saga = forger.random.choice(forger.sagas())
    name, column = saga["id"], forger.random.choice([*SAGA[:4], *SAGA[6:]])
    if isinstance(saga[column], int):
        saga[column] += forger.random.choice([-1, 1])
    elif column == "status":
        statuses = {"forward", "backward", "needs operator", "completed", "compensated", "abandoned"}
        saga[column] = forger.random.choice(sorted(statuses - {saga[column]}))
    else:
        saga[column] += "x"
    forger.put_saga(saga, name)


def change_body(forger: Forger) -> None:
    """Change what a saga's row says of its steps."""
    saga = forger.random.choice(forger.sagas())
    body = json.loads(saga["body"])
    if body.get("members") and forger.random.random() < 0.5:
        step = forger.random.choice(sorted(body["members"]))
        body["members"][step] = "unknown"
    else:
        body["trail"][forger.random.randrange(len(body["trail"]))] = "SEAT_HELD unknown"
    forger.put_saga({**saga, "body": json.dumps(body)}, saga["id"])


def delete_row(forger: Forger) -> None:
    """Delete a saga's row, and count one less."""
    saga = forger.random.choice(forger.sagas())
    forger.database.execute("DELETE FROM sagas WHERE id = ?", (saga["id"],))
    forger.database.execute("UPDATE counts SET sagas = sagas - 1 WHERE status = ?", (saga["status"],))


def insert_row(forger: Forger) -> None:
    """Make up a saga that never was."""
    saga = forger.random.choice(forger.sagas())
    forger.put_saga({**saga, "id": f"{saga['id']}{forger.random.randrange(1000)}"})


ATTACKS: Final = {
    "change": Attack(change, shows=True),
    "change and hash": Attack(change_and_hash, shows=True),
    "delete": Attack(delete, shows=True),
    "delete and renumber": Attack(delete_and_renumber, shows=True),
    "delete a record": Attack(delete_record, shows=True),
    "insert": Attack(insert, shows=True),
    "swap": Attack(swap, shows=True),
    "swap records": Attack(swap_records, shows=True),
    "truncate": Attack(truncate, shows=False),
    "change facts": Attack(change_facts, shows=True),
    "roll back": Attack(roll_back, shows=False),
    "rebuild": Attack(rebuild, shows=False),
    "forget a saga": Attack(forget_saga, shows=False),
    "change a row": Attack(change_row, shows=True),
    "change a body": Attack(change_body, shows=True),
    "delete a row": Attack(delete_row, shows=True),
    "insert a row": Attack(insert_row, shows=True),
}


def attacked(name: str, copies: Sequence[Copy], folder: Path, seed: int) -> Path:
    """A copy of the last of some copies, attacked."""
    path = folder / f"{seed}.db"
    shutil.copy(copies[-1].path, path)
    forger = Forger(path, Random(f"{name} {seed}"), copies[:-1])
    ATTACKS[name].carry_out(forger)
    forger.close()
    return path


def _loaded() -> Any:
    spec = importlib.util.spec_from_file_location("verify_audit", ROOT / "docs" / "verify_audit.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VERIFY_AUDIT: Final = _loaded()
"""docs/verify_audit.py, which shares no code with ours."""
