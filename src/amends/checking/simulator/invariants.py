"""What must hold: after every commit, and when nothing moves any more (the numbers are those of docs/simulating.md).

Each rule reads what was written, what clients were told and what participants have in their books; none asks the engine
how it sees things.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from amends.checking.simulator.following import following
from amends.checking.simulator.told import FINAL, SagaFollower
from amends.checking.simulator.view import Commit
from amends.checking.world import Broken
from amends.storage.rows import NEEDS_OPERATOR, WAITS_FOR_OPERATOR, KeyRow, SagaRow
from amends.storage.shards import shard_of
from amends.storage.standing import owed_in

WORDS: Final = {
    "V01": "what was answered is stored",
    "V02": "final is final",
    "V03": "all or nothing is left",
    "V04": "an effect happens once",
    "V05": "what was undone before it came never comes",
    "V06": "compensations run in reverse order",
    "V07": "nothing is asked but what was decided, and stored",
    "V08": "every saga that is not final has a due time",
    "V09": "every saga ends once all is healed",
    "V10": "records and rows are numbered without gaps",
    "V12": "entities are as the completed sagas alone leave them",
    "V13": "the records lead to the state that is stored",
    "V14": "every change has its record, in the same commit",
    "V15": "the chain of records recomputes",
    "V16": "one saga and one answer for a key",
    "V17": "nothing waits once all has ended",
    "V19": "nothing is held once all has ended",
    "V23": "a shard is in one hand at a time, and as long as its lease",
    "V24": "nothing follows the end of a chain, and its taker names its head",
    "V25": "each letter is acted on once",
    "V26": "nothing is sent after the lease",
    "V27": "of a person's words one counts",
    "V28": "what an operator was told of a verb is true",
    "V29": "what follows from a saga starts once it has completed, and not otherwise",
    "V30": "a participant is never called more often at a time than all engines together may",
    "V31": "a host answers what it has stored",
    "V32": "nothing is done for a request whose time is over",
    "V33": "nothing is left on the wire, and what nobody can act on is parked",
    "V34": "of an attempt that is over nothing but what it did is heard",
    "V35": "what sagas hold is what the books say",
    "V20": "the same seed gives the same bytes",
    "V22": "nothing grows without bounds",
    "P2": "a restart moves every saga whose request may be lost",
    "P5": "every answer is on record, and one that comes later is waited for",
    "R24": "what was never sent is not undone",
    "P16": "the engine goes on, and sleeps when there is nothing to do",
    "never": "what must not be",
}
"""Every rule that a schedule is held to, by its number among the invariants (V) or the promises (P)."""

FORM: Final = 3
DIGEST_BYTES: Final = 16  # as `amends.storage.digests` says: written down anew, so that a change there is seen
SEED_BYTES: Final = 24  # as `amends.storage.digests` says: written down anew, too
NO_KEY: Final = KeyRow("", "", "")
RECORDS_MAX: Final = 2_000  # of one saga in one schedule: an attempt every few minutes, for days
Rule = Callable[[Commit], Iterator[Broken]]


def broken(number: str, text: str) -> Broken:
    """A rule that does not hold."""
    return Broken(f"{number} {WORDS[number]}", text)


# After every commit -------------------------------------------------------------------------------------------


def first_broken(commit: Commit) -> Broken | None:
    """The first rule that a commit breaks."""
    return next((found for rule in RULES for found in rule(commit)), None)


def _records_are_lawful(commit: Commit) -> Iterator[Broken]:
    for saga_id, rule, text in commit.wrong:
        yield broken(rule, f"{saga_id}: {text}")


def _rows_follow(commit: Commit) -> Iterator[Broken]:
    for row in commit.changes.sagas:
        before = commit.before.rows.get(row.saga_id)
        if row.version != (before.version + 1 if before else 1):
            yield broken("V10", f"{row.saga_id}: version {row.version} follows {before and before.version}")
        if before and before.status in FINAL and row.status != before.status:
            yield broken("V02", f"{row.saga_id} was {before.status}, and is {row.status}")
        if before and (before.request, before.definition, before.started_ms) != (
            row.request, row.definition, row.started_ms,
        ):  # fmt: skip
            yield broken("V02", f"{row.saga_id}: its request, definition or start is another one now")
    for entity in commit.changes.entities:
        version = commit.before.entity_versions.get((entity.service, entity.entity_id), 0)
        if entity.version != version + 1:
            yield broken("V10", f"{entity.service}/{entity.entity_id}: version {entity.version} follows {version}")


def _due_is_stored(commit: Commit) -> Iterator[Broken]:
    for row in commit.changes.sagas:
        latest = _due_at_latest(row, commit.bodies[row.saga_id])
        if (row.due_ms is None) != (latest is None) or (row.due_ms is not None and row.due_ms > (latest or 0)):
            yield broken("V08", f"{row.saga_id} is {row.status} and due at {row.due_ms}; it is to be by {latest}")


def _due_at_latest(row: SagaRow, body: Any) -> int | None:
    """When the first request that is held back is to be sent, or the first that was sent is to be given up."""
    if row.status in FINAL:
        return WAITS_FOR_OPERATOR if owed_in(body["trail"]) else None
    open_statuses = ("sent", "resent", "probing", "undoing")
    waiting = (body["waiting"][event] for event, status in body.get("members", {}).items() if status in open_statuses)
    waits = [each["at_ms"] if each["at_ms"] > row.changed_ms else each["due_ms"] for each in waiting]
    return min(waits, default=WAITS_FOR_OPERATOR if row.status == NEEDS_OPERATOR else 0)


def _state_is_told(commit: Commit) -> Iterator[Broken]:
    for row in commit.changes.sagas:
        told, body = commit.before.told.get(row.saga_id), commit.bodies[row.saga_id]
        if told is None:
            yield broken("V14", f"{row.saga_id} is stored, and no record tells of it")
            return
        if told.number != body["number"]:
            yield broken("V14", f"{row.saga_id}: its row counts {body['number']} records, there are {told.number}")
        if (row.status, _stored(told, body)) != (_status(told), _where(told)):
            text = f"{row.saga_id} is {row.status} with {body.get('members')}, by its records {_status(told)}"
            yield broken("V13", f"{text} with {told.members}")


def _status(told: SagaFollower) -> str:
    return NEEDS_OPERATOR if told.is_stuck() else told.phase


def _where(told: SagaFollower) -> tuple[str, dict[str, str]]:
    return ("", {}) if told.phase in FINAL else (told.phase, told.script.normal(told.members))


def _stored(told: SagaFollower, body: Any) -> tuple[str, dict[str, str]]:
    return body.get("phase", ""), told.script.normal(body.get("members", {}))


def _changes_are_recorded(commit: Commit) -> Iterator[Broken]:
    rows = {row.saga_id for row in commit.changes.sagas}
    told = {record.subject for record in commit.said if record.number}
    for saga_id in sorted(rows ^ told):
        yield broken("V14", f"{saga_id} has a row or a record in block {commit.changes.block.number}, and not both")
    if commit.changes.entities and not commit.said:
        yield broken("V14", f"block {commit.changes.block.number} changes entities, and has no record")
    for key in commit.changes.keys:
        if key.saga_id and key.saga_id not in rows and key.key not in commit.served:
            yield broken("V16", f"key {key.key} is stored apart from its saga, {key.saga_id}")
        if key.key in commit.before.keys:
            yield broken("V16", f"key {key.key} is stored twice")


def _chains_hold(commit: Commit) -> Iterator[Broken]:
    for each in (commit.changes.block, *commit.changes.fences):
        last = commit.before.last(each.chain)
        after = hashlib.sha256(last.head + each.records.encode("ascii")).digest()
        expected = (last.number + 1, last.head, after)
        if (each.number, each.before, each.head) != expected or each.at_ms < last.at_ms:
            yield broken("V15", f"block {each.number} of {each.chain!r} does not follow block {last.number}")
    block = commit.changes.block
    form, at_ms, digests, _ = commit.head
    if (form, at_ms) != (FORM, block.at_ms):
        yield broken("V15", f"block {block.number} is of {block.at_ms}, and its first line says {form}, {at_ms}")
    seed, values = commit.beside
    texts = [*values, *_of_rows(commit)]
    salts = hashlib.shake_128(bytes.fromhex(seed)).hexdigest(DIGEST_BYTES * len(texts))
    of_each = (_digest(salts[32 * place : 32 * place + 32], text) for place, text in enumerate(texts))
    if len(seed) != 2 * SEED_BYTES or digests != "".join(of_each):
        yield broken("V15", f"block {block.number} has other values than its records")


def _ends_of_chains_hold(commit: Commit) -> Iterator[Broken]:
    """Nothing follows the end of a chain; the engine that ends it is named there, and names it."""
    block, fences = commit.changes.block, commit.changes.fences
    if block.chain in commit.before.ended:
        yield broken("V24", f"{block.chain} commits, and {commit.before.ended[block.chain]} has ended it")
    named = [record.cause[1:4] for record in commit.said if record.what == "took over"]
    if named != [[fence.chain, fence.number, fence.head.hex()] for fence in fences]:
        yield broken("V24", f"{block.chain} ends {[fence.chain for fence in fences]}, and names {named}")
    for fence in fences:
        if fence.chain in commit.before.ended:
            yield broken(
                "V24", f"{block.chain} ends {fence.chain}, and {commit.before.ended[fence.chain]} has ended it"
            )
        until_ms = commit.owners.leases.get(fence.chain, 0)
        if until_ms > commit.owners.now_ms:
            text = f"{block.chain} ends {fence.chain} {until_ms - commit.owners.now_ms} ms before its lease is over"
            yield broken("V23", text)


def _shards_are_its_own(commit: Commit) -> Iterator[Broken]:
    chain, owners = commit.changes.block.chain, commit.owners
    for row in commit.changes.sagas:
        shard = shard_of(row.saga_id)
        if chain and chain not in (owners.before.get(shard), owners.after.get(shard)):
            yield broken("V23", f"{chain} changes {row.saga_id}, whose shard {shard} is {owners.before.get(shard)}'s")


def _letters_are_acted_on_once(commit: Commit) -> Iterator[Broken]:
    """Each is gone in the commit that remembers what was answered to it."""
    kept = {row.key for row in commit.changes.keys}
    for letter_id in commit.changes.letters:
        if letter_id not in kept and letter_id not in commit.before.keys:
            yield broken("V25", f"{letter_id} is gone, and what was answered to it is not kept")


def _what_follows_is_posted(commit: Commit) -> Iterator[Broken]:
    """The commit that completes a saga has the letters that start what follows from it; no other commit has any."""
    before, rows = commit.before, {row.saga_id: row for row in commit.changes.sagas}
    over = {saga_id for saga_id in rows if saga_id in before.rows and before.rows[saga_id].status in FINAL}
    ended = (row for saga_id, row in rows.items() if saga_id not in over)
    expected = [each.key for row in ended for each in following(before.setting, row, commit.bodies)]
    posted = [letter.letter_id for letter in commit.changes.posted]
    if posted != expected:
        yield broken("V29", f"block {commit.changes.block.number} posts {posted}; what follows from it is {expected}")
    for record in commit.said:
        if record.what != "follows":
            continue
        parent, row = before.rows.get(record.cause[1]), rows.get(record.subject)
        known = [*following(before.setting, parent, before.bodies)] if parent else []
        asked = {each.saga_id: each for each in known}.get(record.subject)
        if asked is None or row is None or (asked.saga.prepare is None and asked.request != row.request):
            yield broken("V29", f"{record.subject} is started with {row and row.request}; what follows is {asked}")


def _of_rows(commit: Commit) -> Iterator[str]:
    """What its last values are: the bodies of entities, and what client keys stand for, in the order of its records."""
    entities = {(row.service, row.entity_id): row for row in commit.changes.entities}
    keys = {row.key: row for row in commit.changes.keys}
    for record in commit.said:
        if record.what == "entities":
            yield from (entities[record.cause[1], name].body or "null" for name, _ in record.cause[2])
        elif record.what == "keys":
            rows = (keys.get(key, NO_KEY) for key, _ in record.cause[1])
            yield from (f"[{json.dumps(row.request)},{row.answer}]" for row in rows)


def _digest(salt: str, text: str) -> str:
    return hashlib.blake2s(f"{salt}{text}".encode(), digest_size=DIGEST_BYTES).hexdigest()


def _rows_are_recorded(commit: Commit) -> Iterator[Broken]:
    """Each row of an entity, and each client key, that a commit stores, once."""
    of_entities = [record.cause for record in commit.said if record.what == "entities"]
    told = [(service, *entity) for _, service, entities in of_entities for entity in entities]
    rows = [(row.service, row.entity_id, row.version) for row in commit.changes.entities]
    keys = [tuple(key) for record in commit.said if record.what == "keys" for key in record.cause[1]]
    if sorted(told) != sorted(rows) or sorted(keys) != sorted((row.key, row.saga_id) for row in commit.changes.keys):
        yield broken("V14", f"block {commit.changes.block.number} stores entities or keys that its records do not name")


def _later_is_waited_for(commit: Commit) -> Iterator[Broken]:
    for record in commit.said:
        before = commit.before.bodies.get(record.subject)
        if record.what == "timed out" and before:
            step = record.cause[1]
            request = before.get("waiting", {}).get(step, {})
            if request.get("taken") and commit.changes.block.at_ms < request["due_ms"]:
                text = f"{record.subject}: {step} timed out, and was to be answered until {request['due_ms']}"
                yield broken("P5", text)


def _newest_attempt_counts(commit: Commit) -> Iterator[Broken]:
    for record in commit.said:
        if record.what != "unknown" or not record.changes:
            continue
        _, step, kind, attempt, *_ = record.cause
        waiting = commit.before.bodies.get(record.subject, {}).get("waiting", {}).get(step, {})
        if attempt is not None and waiting.get("kind") == kind and attempt < waiting["attempt"]:
            text = (
                f"{record.subject}: attempt {attempt} of {step}/{kind} is unknown, and {waiting['attempt']} was asked"
            )
            yield broken("V34", f"{text}: {record.changes}")


def _stays_bounded(commit: Commit) -> Iterator[Broken]:
    for row in commit.changes.sagas:
        if commit.bodies[row.saga_id]["number"] > RECORDS_MAX:
            yield broken("V22", f"{row.saga_id} has more than {RECORDS_MAX} records")


def _what_is_served_is_kept(commit: Commit) -> Iterator[Broken]:
    """An answer to a saga elsewhere, its record, and what it did to an entity, are in one commit."""
    kept = {row.key for row in commit.changes.keys}
    for key in commit.served:
        if key not in kept:
            yield broken("V31", f"{key} is answered in block {commit.changes.block.number}, and not kept there")


RULES: Final[tuple[Rule, ...]] = (
    _what_is_served_is_kept,
    _ends_of_chains_hold,
    _chains_hold,
    _shards_are_its_own,
    _letters_are_acted_on_once,
    _what_follows_is_posted,
    _records_are_lawful,
    _rows_follow,
    _changes_are_recorded,
    _rows_are_recorded,
    _state_is_told,
    _due_is_stored,
    _later_is_waited_for,
    _newest_attempt_counts,
    _stays_bounded,
)
