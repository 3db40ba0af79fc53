"""Verify the audit of an Amends store with nothing but Python: no code of Amends is used (docs/audit.md).

    python verify_audit.py shop.db [HEAD]
HEAD: what `amends audit head` printed earlier. The exit code is 1 when there is a fault, 2 when nothing can be read.
"""

import hashlib
import json
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace

BLOCKS = "SELECT number, at_ms, before, head, started, ended, records FROM blocks WHERE number > 0 ORDER BY number"
SAGAS = "SELECT id, definition, request, status, body, due_ms, started_ms, changed_ms, version FROM sagas"
TABLES = "sagas entities client_keys client_key_rows client_key_slices blocks subjects counts shapes set_aside in_force"
OURS = {"table": TABLES, "view": "saga_list entity_list audit saga_counts", "index": "sagas_due sagas_not_completed"}


def faults_of_file(path, head):
    """Give every fault as ``where: what``."""
    database = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    database.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
    database.execute("BEGIN")  # an engine may go on: this is one moment of it
    sagas = {}
    yield from (f"file: {line}" for (line,) in database.execute("PRAGMA quick_check") if line != "ok")
    for kind, name in database.execute("SELECT type, name FROM sqlite_schema WHERE sql IS NOT NULL"):
        if name not in OURS.get(kind, "").split() and not (kind == "table" and name.startswith("sqlite_")):
            yield f"file: the {kind} {name} is none of Amends'"
    yield from faults_of_chain(database.execute(BLOCKS), head, sagas)
    yield from faults_of_counts(database.execute("SELECT definition, status, sagas FROM counts"), sagas)
    yield from faults_of_rows(database.execute(SAGAS), sagas)


def faults_of_chain(blocks, head, sagas):
    """Follow the blocks; gather in `sagas` what their records tell of each."""
    kept_number, kept = (int(head.split(":")[0]), bytes.fromhex(head.split(":")[1])) if head else (0, bytes(32))
    number, before, last_ms = 0, bytes(32), 0  # of the block before
    for block, at_ms, link, stored, started, ended, text in blocks:
        lines = text.split("\n") if text else []
        framed = b"".join(len(line.encode()).to_bytes(8, "big") + line.encode() for line in lines)
        if block != number + 1:
            yield f"block {number + 1}: it is missing"
        elif link != before:
            yield f"block {block}: it does not follow the block before it"
        if stored != hashlib.sha256(link + framed).digest():
            yield f"block {block}: its head is not the hash of its records"
        if at_ms < last_ms:
            yield f"block {block}: its time is before that of the block before it"
        counted = yield from faults_of_records(block, at_ms, lines, sagas)
        if counted != (started, ended):
            yield f"block {block}: its row counts {started} started, {ended} ended; its records {counted}"
        if block == kept_number and stored != kept:
            yield f"head: block {block} has another head than the given one: it was built anew"
        number, before, last_ms = block, stored, at_ms
    if kept_number > number:
        yield f"head: the file ends with block {number}, the given head is of block {kept_number}: it was cut"
    print(f"the audit ends with {number}:{before.hex()}")


def faults_of_records(block, at_ms, lines, sagas):
    """Read a block's records; return how many sagas started and ended in it."""
    started = ended = 0
    for place, line in enumerate(lines, 1):
        try:
            subject, number, record_ms, cause, changes = json.loads(line)
            changes = [(words, *words.rpartition(" ")[::2]) for words in changes]
        except (ValueError, TypeError, AttributeError):
            yield f"block {block}: record {place} cannot be read"
            continue
        if record_ms != at_ms:
            yield f"block {block}: record {place} has another time than the block"
        if number == 0:  # it is not about a saga's state, but maybe about its leaving
            sagas.pop(subject if cause.startswith("archived in ") else None, None)
            continue
        if subject not in sagas:
            sagas[subject] = SimpleNamespace(cause=cause, start=record_ms, number=0, version=0, block=0, end="")
            vars(sagas[subject]).update(phase="forward", others="pending", steps={}, trail=[])
        saga = sagas[subject]
        if number != saga.number + 1:
            yield f"saga {subject}: after record {saga.number} comes record {number}, in block {block}"
        saga.number, saga.change, saga.version = number, record_ms, saga.version + (saga.block != block)
        was_final, saga.block, started = saga.end, block, started + (number == 1)
        follow(saga, changes)
        ended += bool(saga.end) and not was_final
    return started, ended


def follow(saga, changes):
    """Let a saga go where the changes of a record lead."""
    for words, event, status in changes:
        if words in ("completed", "compensated", "abandoned"):
            saga.end, saga.steps = words, {}
        elif status in ("owed", "settled"):
            saga.trail.append(words)
        elif words.startswith("forward at "):
            saga.phase, saga.others, saga.steps = "forward", "pending", {}
        elif words.startswith("backward at "):
            if saga.phase == "backward":  # turning back, it stays in its group
                saga.others, saga.steps = "done", {}
            saga.phase = "backward"
        else:
            saga.steps[event] = status
            saga.trail += [words] * (status in ("done", "refused", "unknown")) + [status] * (status == "undone")
    saga.status = saga.end or ("needs operator" if "stuck" in saga.steps.values() else saga.phase)


def faults_of_counts(rows, sagas):
    """Compare how many sagas there are of each definition and status."""
    counts = {(definition, status): count for definition, status, count in rows}
    for saga in sagas.values():
        name, version, rest = [*saga.cause.replace("started ", "", 1).split("/", 2), "", ""][:3]
        key = f"{name}/{version}/{rest.split(' ')[0]}", saga.status
        counts[key] = counts.get(key, 0) - 1
    yield from (f"counts: {' '.join(key)} differs by {more} from the records" for key, more in counts.items() if more)


def faults_of_rows(rows, sagas):
    """Compare each saga's row with what its records tell."""
    for name, *row in rows:
        saga = sagas.pop(name, None)
        if saga is None:
            yield f"saga {name}: it has a row, and no records"
        elif not agrees(saga, *row):
            yield f"saga {name}: its row does not say what its records tell"
    yield from (f"saga {name}: it has records, and no row" for name in sagas)


def agrees(saga, definition, request, status, body, due_ms, started_ms, changed_ms, version):
    """Tell whether a row says what its saga's records tell."""
    try:
        body = json.loads(body)
        phase, number, steps = body.get("phase", ""), body["number"], dict(body.get("members", {}))
        trail = ["undone" if words.endswith(" undone") else words for words in body["trail"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    there = [f"started {definition} {request}", started_ms, changed_ms, version, number, trail, status]
    tells = [saga.cause, saga.start, saga.change, saga.version, saga.number, saga.trail, saga.status]
    debts = {words.rpartition(" ")[0]: words for words in trail if words.endswith((" owed", " settled"))}
    is_over = not any(words.endswith(" owed") for words in debts.values())
    is_there = (phase, due_ms is None) == (("", is_over) if saga.end else (saga.phase, False))
    return is_there and there == tells and steps == {**dict.fromkeys(steps, saga.others), **saga.steps}


def main(path, head=""):
    """Print every fault."""
    try:
        if sqlite3.sqlite_version_info < (3, 37):
            raise ValueError(f"SQLite 3.37 or newer is needed, this Python has {sqlite3.sqlite_version}")
        faults = list(faults_of_file(path, head))
    except (sqlite3.Error, ValueError, IndexError) as error:
        print(f"{path}: cannot be read: {error}")
        return 2
    print(*faults, "NOT as it was written" if faults else "all is as it was written", sep="\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]) if len(sys.argv) > 1 else __doc__)
