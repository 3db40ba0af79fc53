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

SEED_DIGITS = 48  # a salt has 32
BLOCKS = "SELECT number, at_ms, before, head, started, ended, records, beside FROM blocks WHERE number > 0 ORDER BY 1"
SAGAS = "SELECT id, definition, request, status, body, due_ms, started_ms, changed_ms, version FROM sagas"
ENTITIES = "SELECT service || '/' || id, version, coalesce(body, 'null') FROM entities"
KEYS = "SELECT key, saga, '[' || json_quote(request) || ',' || answer || ']' FROM client_keys"
KEYS_OF = "client_keys client_key_rows client_key_slices"
TABLES = f"sagas entities {KEYS_OF} blocks subjects counts shapes set_aside letters in_force"
OURS = {"table": TABLES, "view": "saga_list entity_list audit saga_counts", "index": "sagas_due sagas_not_completed"}


def faults_of_file(path, head):
    """Give every fault as ``where: what``."""
    database = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    database.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
    database.execute("BEGIN")  # an engine may go on: this is one moment of it
    sagas, rows = {}, {"is whole": True}
    yield from (f"file: {line}" for (line,) in database.execute("PRAGMA quick_check") if line != "ok")
    for kind, name in database.execute("SELECT type, name FROM sqlite_schema WHERE sql IS NOT NULL"):
        if name not in OURS.get(kind, "").split() and not (kind == "table" and name.startswith("sqlite_")):
            yield f"file: the {kind} {name} is none of Amends'"
    yield from faults_of_chain(database.execute(BLOCKS), head, sagas, rows)
    yield from faults_of_counts(database.execute("SELECT definition, status, sagas FROM counts"), sagas)
    yield from faults_of_rows(database.execute(SAGAS), sagas)
    yield from faults_of_stored("entity", database.execute(ENTITIES), rows)
    yield from faults_of_stored("key", database.execute(KEYS), rows)


def faults_of_chain(blocks, head, sagas, rows):
    """Follow the blocks; gather in `sagas` and `rows` what their records tell of each."""
    kept_number, kept = (int(head.split(":")[0]), bytes.fromhex(head.split(":")[1])) if head else (0, bytes(32))
    number, before, last_ms = 0, bytes(32), 0  # of the block before
    for block, at_ms, link, stored, started, ended, text, beside in blocks:
        lines = text.split("\n") if text else []
        if text[:3] in ("[2,", "[3,"):  # its form: the first one has no such line, and words where these have lists
            hashed, values = text.encode(), values_of(lines.pop(0), beside)
        else:
            hashed = b"".join(len(line.encode()).to_bytes(8, "big") + line.encode() for line in lines)
            values, rows["is whole"] = (at_ms, [], None), False
        if block != number + 1:
            yield f"block {number + 1}: it is missing"
        elif link != before:
            yield f"block {block}: it does not follow the block before it"
        if stored != hashlib.sha256(link + hashed).digest():
            yield f"block {block}: its head is not the hash of its records"
        if at_ms < last_ms:
            yield f"block {block}: its time is before that of the block before it"
        counted = yield from faults_of_records(block, at_ms, lines, sagas, values, rows)
        if counted != (started, ended):
            yield f"block {block}: its row counts {started} started, {ended} ended; its records {counted}"
        if block == kept_number and stored != kept:
            yield f"head: block {block} has another head than the given one: it was built anew"
        number, before, last_ms = block, stored, at_ms
    if kept_number > number:
        yield f"head: the file ends with block {number}, the given head is of block {kept_number}: it was cut"
    print(f"the audit ends with {number}:{before.hex()}")


def values_of(first, beside):
    """Give a block's time, (digest, salt, text) of its values, salt or text None without one, and its transitions.

    None for a fault; no transitions of the second form, whose records have what happened themselves.
    """
    try:
        (form, at_ms, digests, *transitions), (salts, values) = json.loads(first), json.loads(beside)
        texts = dict(enumerate(texts_of(beside, len(salts) + 5)))
        if len(salts) == SEED_DIGITS:  # as long as none of its values was erased
            salts = hashlib.shake_128(bytes.fromhex(salts)).hexdigest(len(digests) // 2)
        if len(digests) != len(salts) or form != 2 + len(transitions):
            return None
        found = [(digests[at : at + 32], salts[at : at + 32].strip("0") and salts[at : at + 32], texts.get(at // 32))
                 for at in range(0, len(salts), 32)]  # fmt: skip
    except (ValueError, TypeError, IndexError):
        return None
    is_right = len(values) == len(texts) and all(
        digest(salt, text) == told for told, salt, text in found if salt and text
    )
    return (at_ms, found, dict(enumerate(transitions[0])) if transitions else None) if is_right else None


def texts_of(beside, at):
    """Give the text of each value as it stands there, from a place on to the bracket behind the last."""
    decoder = json.JSONDecoder()
    while at < len(beside) - 2:
        _, end = decoder.raw_decode(beside, at)
        yield beside[at:end]
        at = end + 1


def digest(salt, text):
    """Hash a value with its salt."""
    return hashlib.blake2s(f"{salt}{text}".encode(), digest_size=16).hexdigest()


def faults_of_records(block, at_ms, lines, sagas, values, rows):
    """Read a block's records; return how many sagas started and ended in it."""
    started = ended = 0
    if values is None:
        yield f"block {block}: its first line or the values beside it are not what was written"
    for place, line in enumerate(lines, 1):
        try:
            subject, number, record_ms, tag, first, changes = read(json.loads(line), values or (at_ms, [], {}), rows)
        except (ValueError, TypeError, AttributeError, IndexError, KeyError):
            yield f"block {block}: record {place} cannot be read"
            continue
        if record_ms != at_ms:
            yield f"block {block}: record {place} has another time than the block"
        if tag == "checkpoint":  # from the whole one on, every row is recorded
            rows["is whole"] = rows["is whole"] or bool(first[0])
        if number == 0:  # it is not about a saga's state, but maybe about its leaving, with its client key
            if tag == "archived":
                sagas.pop(subject, None)
                rows.pop(("key", rows.pop(("key of", subject), None)), None)
            continue
        if subject not in sagas:
            sagas[subject] = SimpleNamespace(first=first, start=record_ms, number=0, version=0, block=0, end="")
            vars(sagas[subject]).update(phase="forward", others="pending", steps={}, trail=[])
        saga = sagas[subject]
        if number != saga.number + 1:
            yield f"saga {subject}: after record {saga.number} comes record {number}, in block {block}"
        saga.number, saga.change, saga.version = number, record_ms, saga.version + (saga.block != block)
        was_final, saga.block, started = saga.end, block, started + (number == 1)
        follow(saga, changes)
        ended += bool(saga.end) and not was_final
    return started, ended


def read(record, block, rows):
    """Give subject, number, time, tag, what a saga was started with, and changes as (word, steps); gather `rows`."""
    at_ms, values, transitions = block
    if transitions is not None:
        record[2:3] = transitions[record[2]]
    elif isinstance(record[2], int):  # of the first form
        subject, number, at_ms, cause, changes = record
        definition = request = ""
        if number == 1:  # a name may hold spaces, and holds no "/"
            name, version, rest = cause.removeprefix("started ").split("/", 2)
            definition, request = f"{name}/{version}/{rest.partition(' ')[0]}", rest.partition(" ")[2]
        tag = "archived" if cause.startswith("archived in ") else ""
        return subject, number, at_ms, tag, (definition, request), [former(words) for words in changes if number]
    subject, number, cause, changes, place = [*record, None][:5]
    definition = cause[1] if cause[0] in ("started", "checkpoint") else ""
    request = values[place][2] if place is not None and place < len(values) and values[place][1] else None
    if cause[0] in ("executed", "written"):  # by a command or a transaction: older stores record no row of it
        rows.setdefault(("entity", subject), None)
    if cause[0] in ("entities", "keys") and number == 0:
        for at, (name, more) in enumerate(cause[-1], place):
            known = (more, *values[at]) if at < len(values) else (more, "", "", "")
            if cause[0] == "entities":
                rows["entity", f"{cause[1]}/{name}"] = known
            else:
                rows["key", name], rows["key of", more] = known, name
    return subject, number, at_ms, cause[0], (definition, request), [(word, steps) for word, *steps in changes]


def former(words):
    """Give a change of the first form as (word, steps)."""
    phase, _, steps = words.partition(" at ")
    if phase in ("forward", "backward") and steps:
        return phase, steps.split(", ")
    event, _, status = words.rpartition(" ")
    return status, [event] if event else []


def follow(saga, changes):
    """Let a saga go where the changes of a record lead."""
    for word, steps in changes:
        event = "".join(steps[:1])
        if word in ("completed", "compensated", "abandoned"):
            saga.end, saga.steps = word, {}
        elif word in ("owed", "settled"):
            saga.trail.append(f"{event} {word}")
        elif word == "forward":
            saga.phase, saga.others, saga.steps = "forward", "pending", {}
        elif word == "backward":
            if saga.phase == "backward":  # turning back, it stays in its group
                saga.others, saga.steps = "done", {}
            saga.phase = "backward"
        else:
            saga.steps[event] = word
            saga.trail += [f"{event} {word}"] * (word in ("done", "refused", "unknown")) + [word] * (word == "undone")
    saga.status = saga.end or ("needs operator" if "stuck" in saga.steps.values() else saga.phase)


def faults_of_counts(rows, sagas):
    """Compare how many sagas there are of each definition and status."""
    counts = {(definition, status): count for definition, status, count in rows}
    for saga in sagas.values():
        key = saga.first[0], saga.status
        counts[key] = counts.get(key, 0) - 1
    yield from (f"counts: {' '.join(key)} differs by {more} from the records" for key, more in counts.items() if more)


def faults_of_stored(kind, stored, rows):
    """Compare rows of entities or client keys, each as name, version or saga, and text, with what was recorded."""
    told = {name[1]: row for name, row in rows.items() if name[0] == kind}
    for name, more, text in stored:
        of_row = told.pop(name, None)
        if of_row is None:
            if rows["is whole"]:
                yield f"{kind} {name}: it has a row, and no records"
        elif of_row[0] != more or (of_row[2] and digest(of_row[2], text) != of_row[1]):
            yield f"{kind} {name}: it is not what was recorded when it was stored"
    yield from (f"{kind} {name}: it has records, and no row" for name in told)


def faults_of_rows(rows, sagas):
    """Compare each saga's row with what its records tell."""
    for name, *row in rows:
        if (saga := sagas.pop(name, None)) is None:
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
    there = [definition, started_ms, changed_ms, version, number, trail, status]
    tells = [saga.first[0], saga.start, saga.change, saga.version, saga.number, saga.trail, saga.status]
    is_asked = saga.first[1] in (None, request)  # an erased request can be any
    debts = {words.rpartition(" ")[0]: words for words in trail if words.endswith((" owed", " settled"))}
    is_over = not any(words.endswith(" owed") for words in debts.values())
    is_there = (phase, due_ms is None) == (("", is_over) if saga.end else (saga.phase, False))
    return is_there and is_asked and there == tells and steps == {**dict.fromkeys(steps, saga.others), **saga.steps}


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
