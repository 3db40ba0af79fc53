"""What a batch is to commit: the rows of its sagas, entities and client keys, and its block of the audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from operator import attrgetter
from typing import Final

from amends.engine.children import letters_to_children
from amends.engine.committed import BatchCommit
from amends.engine.entity_cache import StoredEntity
from amends.engine.in_flight import due_of
from amends.engine.intake import refuse_large_entity
from amends.engine.overlay import new_row
from amends.engine.room import CommitFull
from amends.engine.saga_cache import LoadedSaga
from amends.engine.unit_of_work import UnitOfWork
from amends.storage.codecs.sagas import body_of, status_of
from amends.storage.codecs.values import UTF_8_MAX, refuse_large_answers
from amends.storage.rows import Changes, EntityRow, SagaRow

ROWS_FACTOR: Final = 2  # what is decided may be so much more with its rows, whose size is known when they are made

_KIND: Final[Callable[[SagaRow], tuple[str, str]]] = attrgetter("definition", "status")
_BODY: Final[Callable[[EntityRow], str | None]] = attrgetter("body")


def commit_of(work: UnitOfWork) -> BatchCommit:
    """What a batch is to commit after the last commit.

    Raises:
        TypeError, ValueError: an entity or an answer that JSON cannot hold.
        Unstorable, CommitFull: an entity is too large; all of it is more than one commit holds.
    """
    counts = Counter[tuple[str, str]]()
    rows, sagas, letters = _sagas(work, counts)
    posted = letters_to_children(work) if work.committed.definitions.have_children else ()
    letters += sum(len(letter.body) for letter in posted)
    entity_rows, entities = _entities(work, letters)
    if work.keys.new:
        work.recording.write_keys([*work.keys.new.values()])
    block = work.recording.block(work.committed.head, work.started, len(work.effects.ended))
    keys, aside = tuple(work.keys.new.values()), tuple(work.unreadable.new.values())
    changes = Changes(rows, entity_rows, keys, block, counts, aside, letters=(*work.acted_on,), posted=posted)
    return BatchCommit(changes, entities, sagas)


def _sagas(
    work: UnitOfWork, counts: Counter[tuple[str, str]]
) -> tuple[list[SagaRow], dict[str, LoadedSaga | None], int]:
    """The rows of sagas, the sagas once these are stored, and how large the commit is with them."""
    rows, sagas = list[SagaRow](), dict[str, LoadedSaga | None]()
    letters, letters_max, answer_max = (
        work.room.letters,
        ROWS_FACTOR * work.room.letters_max,
        work.value_bytes_max // UTF_8_MAX,
    )
    now_ms = work.now_ms
    for loaded in work.sagas.values():
        codec, run, request, started_ms, version, before = loaded
        saga_id, status, body, due_ms = run.saga_id, status_of(run.state), body_of(run), due_of(run, now_ms)
        version += 1
        values = saga_id, codec.definition, request, status, body, due_ms, started_ms, now_ms, version
        rows.append(new_row(SagaRow, values))
        letters += len(body)
        if letters > letters_max:
            raise CommitFull(letters, 0)
        if len(body) > answer_max:  # else none of its answers is too large
            refuse_large_answers(run.answers.values(), work.value_bytes_max)
        if due_ms is not None:
            sagas[saga_id] = new_row(LoadedSaga, (codec, run, request, started_ms, version, status))
        elif before:
            sagas[saga_id] = None
        if before:
            counts[codec.definition, before] -= 1
    counts.update(map(_KIND, rows))
    return rows, sagas, letters


def _entities(work: UnitOfWork, letters: int) -> tuple[list[EntityRow], dict[str, dict[str, StoredEntity]]]:
    """The rows of entities, and by service and id what then is stored."""
    all_rows, entities = list[EntityRow](), dict[str, dict[str, StoredEntity]]()
    letters_max = ROWS_FACTOR * work.room.letters_max
    for service, rows, stored in work.overlay.rows(work.overlay.fresh & work.effects.ended.keys()):
        all_rows += rows
        if rows:
            work.recording.write_entities(service, rows)
        if work.committed.shards.are_shared:
            work.recording.write_reads(service, work.overlay.unchanged(service, rows))
        size = sum(map(len, filter(None, map(_BODY, rows))))
        letters += size
        if letters > letters_max:
            raise CommitFull(letters, 0)
        for row in rows if UTF_8_MAX * size > work.value_bytes_max else ():
            refuse_large_entity(f"{service}/{row.entity_id}", row.body or "", work.value_bytes_max)
        entities[service] = stored
    return all_rows, entities
