"""What is seen of a store as plain values for JSON; docs/cli.md names the keys."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import msgspec

from amends.storage.rows import Head
from amends.storage.words import cause_in_words, changes_in_words
from amends.storage.working import EngineSeen
from amends.views.at_work import AtWork
from amends.views.overview import Overview
from amends.views.search import saga_as_json
from amends.views.story import SagaStory

FORM: Final = 1
"""Changes when a key changes its meaning or is gone; new keys may come without."""


def write_document(values: dict[str, Any], form: int = FORM) -> None:
    """Write one document on standard output.

    Args:
        values: its keys behind that of the form.
        form: the version of the form; every kind of document counts its own.
    """
    document = msgspec.json.encode({"form": form, **values})
    sys.stdout.write(msgspec.json.format(document).decode() + "\n")


def write_all(file: BinaryIO, content: bytes) -> None:
    """Write all of it: with ``python -u``, one call writes a part when the reader is slow or gone."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def story_document(story: SagaStory) -> dict[str, Any]:
    """A saga, with its steps and all its records."""
    return {
        "saga": saga_as_json(story.saga),
        "steps": msgspec.to_builtins(story.steps),
        "verbs": msgspec.to_builtins(story.verbs),
        "parent": story.parent,
        "children": msgspec.to_builtins(story.children),
        "records": [
            {
                "block": block.number, "number": record.number, "at_ms": record.at_ms, "cause": cause_in_words(record),
                "changes": changes_in_words(record), "chain": block.chain,
            }
            for block, record in story.records
        ],
        "missing_records": story.missing,
    }  # fmt: skip


def overview_document(seen: Overview) -> dict[str, Any]:
    """What `amends status` shows, as plain values."""
    return {
        "sagas": [
            {"definition": definition, "status": status, "sagas": sagas}
            for (definition, status), sagas in sorted(seen.counts.items())
        ],
        "last_minute": seen.rates._asdict() if seen.rates else None,
        "oldest_waiting_ms": seen.oldest_waiting_ms,
        "needs_operator": [saga.saga_id for saga in seen.for_operator],
        "stuck": [saga._asdict() for saga in seen.for_operator],
        "failing": [step._asdict() for step in seen.failing],
        "owed": [{"saga_id": saga.saga_id, "steps": saga.owed} for saga in seen.owed],
        "set_aside": [row._asdict() for row in seen.set_aside],
        "durability": seen.durability,
        "warning": seen.warning,
        "ahead_ms": seen.ahead_ms,
        "audit": _audit(seen.heads) if seen.heads else None,
    }


def work_document(work: AtWork) -> dict[str, Any]:
    """Who works at a store, and what waits for them, as plain values."""
    letters, oldest = work.letters, work.letters.oldest if work.letters else None
    return {
        "engines": [_engine(engine) for engine in work.engines],
        "free_shards": work.free, "left_alone": work.left,
        "letters": letters and {
            "starts": letters.starts, "others": letters.number - letters.starts,
            "oldest_ms": oldest.posted_ms if oldest else None, "why": work.why,
        },
    }  # fmt: skip


def _engine(engine: EngineSeen) -> dict[str, Any]:
    places = {share.service: {"has": share.places, "of": share.at_once} for share in engine.places}
    return {**engine._asdict(), "knows": engine.knows and sorted(engine.knows), "places": places}


def _audit(heads: Sequence[Head]) -> dict[str, Any]:
    """Blocks of all chains, the time of the last one, and the chains' heads: of a store with one owner there is one."""
    return {
        "number": sum(head.number for head in heads),
        "head": " ".join(head.head.hex() for head in heads),
        "at_ms": max(head.at_ms for head in heads),
    }
