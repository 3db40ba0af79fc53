"""A record as a CloudEvent 1.0, in JSON (docs/events.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from amends.core.messages import Answered, Resolve
from amends.core.records import StateChange
from amends.events.log import EventBlock, ended
from amends.lines import LATEST_MS, moment
from amends.storage.causes import NAMES, cause_text, changes_text
from amends.storage.records import ERASED, Cause, FormerWords, Record

SOURCE: Final = "/amends"
"""Where events come from, if that is not told. CloudEvents has it relative to who receives them."""
TYPE: Final = "amends.saga."
DAMAGED: Final = "amends.audit.damaged"
ANSWERED: Final = ("step", "kind", "attempt", "within_s", "by")
RESOLVED: Final = ("step", "outcome", "by")
SEQUENCE_DIGITS: Final = 10
"""Of a number within a saga, which is to be in the order of its text, as the extension has it."""


class CloudEvent(msgspec.Struct, frozen=True):
    """One event, with the names that CloudEvents gives.

    Attributes:
        id: ``saga id/number``; with the source it is the event's own, at each delivery.
        source: the store.
        type: ``amends.saga.`` and what happened.
        subject: the saga's id.
        time: when it was committed, RFC 3339.
        data: what happened in detail.
        sequence: the number within the saga, from 1, without gaps.
        ended: on the event that ended the saga, how.
        specversion: of CloudEvents.
        datacontenttype: of the data.
    """

    id: str
    source: str
    type: str
    subject: str
    time: str
    data: dict[str, Any]
    sequence: str | msgspec.UnsetType = msgspec.UNSET
    ended: str | msgspec.UnsetType = msgspec.UNSET
    specversion: str = "1.0"
    datacontenttype: str = "application/json"

    def as_json(self) -> bytes:
        """The event on one line."""
        return msgspec.json.encode(self)


def cloud_events(block: EventBlock, source: str = SOURCE, *, with_values: bool = True) -> Iterator[CloudEvent]:
    """The events of what was committed together; one more where something of it cannot be read.

    Args:
        block: as the log gives it.
        source: where they come from, a URI reference: another one for each store.
        with_values: whether requests, answers and reasons are in them: what is copied elsewhere is not erased here.
    """
    place, time = {"chain": block.head.chain, "block": block.head.number}, _time(block.head.at_ms)
    for record in block.records:
        saga_id, number = record.subject, record.number
        told = what_happened(record) | (_said(record) if with_values else {}) | place
        kind = TYPE + told["what"].replace(" ", "-")
        sequence, end = f"{number:0{SEQUENCE_DIGITS}}", ended(record) or msgspec.UNSET
        yield CloudEvent(f"{saga_id}/{number}", source, kind, saga_id, time, told, sequence, end)
    if block.is_damaged:
        name = f"{block.head.chain}:{block.head.number}"
        yield CloudEvent(name, source, DAMAGED, name, time, place)


def what_happened(record: Record) -> dict[str, Any]:
    """A record without its value: what happened, by the names of docs/audit.md, and what became of it."""
    return {"number": record.number, **_named(record.cause), "changes": [*map(_change, record.changes)]}


def _change(change: StateChange | FormerWords) -> list[str]:
    parts: list[str] = [change.words] if isinstance(change, FormerWords) else json.loads(changes_text([change]))[0]
    return parts


def _named(cause: Cause) -> dict[str, Any]:
    if isinstance(cause, FormerWords):
        return {"what": "former", "words": cause.words}
    names = ANSWERED if isinstance(cause, Answered) else RESOLVED if isinstance(cause, Resolve) else NAMES[type(cause)]
    return dict(zip(("what", *names), json.loads(cause_text(cause)), strict=False))


def _said(record: Record) -> dict[str, Any]:
    """What the record is about: a request, an answer, a reason; and why an answer was brought."""
    if record.value == ERASED:
        return {"erased": True}
    why = {"why": record.cause.why} if isinstance(record.cause, Answered) and record.cause.why else {}
    return why if record.value is None else {**why, "value": msgspec.Raw(record.value.encode())}


def _time(at_ms: int) -> str:
    return moment(min(max(at_ms, 0), LATEST_MS)).replace(" ", "T")
