"""One saga's story: its steps as they stand, what people told it, and every record of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Final

from amends.core.definition import Saga
from amends.core.messages import Answered, Kind, Refused, TimedOut, Unknown, Verb
from amends.core.records import StateChange, StepBecame
from amends.core.state import Debt, Status, word_for
from amends.errors import RequestRefused
from amends.storage.blocks import Contents
from amends.storage.ports import Records
from amends.storage.records import ChildStarted, FormerWords, Record
from amends.storage.rows import Head, Unreadable
from amends.storage.words import cause_in_words, value_in_words
from amends.views.children import ChildSeen, archive_of, children_seen, letter_to_start
from amends.views.sagas import AsOf, SagaView, view_of

DO: Final = Kind.DO.value
UNDO: Final = Kind.UNDO.value
AHEAD: Final = ""
UNDONE: Final = Status.UNDONE.value
NO_DEFINITIONS: Final[Mapping[str, Saga]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StepSeen:
    """A step of a saga, and what became of it.

    Attributes:
        event: its name.
        outcome: ``sent``, ``done``, ``refused``, ``unknown``, ``probing`` or ``stuck``; empty while it
            lies ahead, which its definition alone tells.
        undone: the event of its compensation once that took place, ``EVENT/undo`` while it is asked for; else empty.
        back: how its compensation stands: ``undone``, ``undoing`` or ``stuck``; empty when it was not asked for.
        service: the participant; empty where the definition is not known and it is not asked now.
        attempts: how often it was asked what it was asked last; 0 of a step whose state the engine keeps.
        error: what its action, or the probe of it, came to when it was not done; empty when it always was.
        undo_error: what its compensation came to when it did not take place.
    """

    event: str
    outcome: str
    undone: str = ""
    back: str = ""
    service: str = ""
    attempts: int = 0
    error: str = ""
    undo_error: str = ""


@dataclass(frozen=True, slots=True)
class VerbSeen:
    """What a client or an operator told the saga to do.

    Attributes:
        at_ms: when, in milliseconds since 1970 (UTC).
        verb: ``cancel``, ``compensate``, ``retry``, ``resolve``, ``abandon`` or ``undo``.
        step: the step that it is about; empty for the whole saga.
        by: who did; empty where that is not known.
        reason: why.
    """

    at_ms: int
    verb: str
    step: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class SagaStory:
    """A saga and what happened to it.

    Attributes:
        saga: as its row shows it; `Unreadable` when that is damaged.
        steps: in order; those ahead are among them where the definition is known.
        verbs: what people told it, in order.
        records: what was recorded of it, in order, each with its block.
        missing: first and last number of each run of records that should be there, and are not or cannot be read.
        parent: the saga that it follows from; empty where a client asked for it.
        children: the sagas that follow from it, once it has completed.
    """

    saga: SagaView | Unreadable
    steps: tuple[StepSeen, ...]
    verbs: tuple[VerbSeen, ...]
    records: tuple[tuple[Head, Record], ...]
    missing: tuple[tuple[int, int], ...]
    parent: str
    children: tuple[ChildSeen, ...]


@dataclass(frozen=True, slots=True)
class Description(SagaView):
    """A saga, step by step.

    Attributes:
        steps: in order; those ahead are among them where the definition is known.
        verbs: what people told it, in order.
        parent: the saga that it follows from; empty where a client asked for it.
        children: the sagas that follow from it, once it has completed.
    """

    steps: tuple[StepSeen, ...]
    verbs: tuple[VerbSeen, ...]
    parent: str
    children: tuple[ChildSeen, ...]


def describe(
    records: Records, saga_id: str, as_of: AsOf, definitions: Mapping[str, Saga] = NO_DEFINITIONS
) -> Description:
    """A saga, step by step.

    Args:
        records: the store.
        saga_id: of the saga.
        as_of: the moment of the look.
        definitions: by ``name/version/fingerprint``, as for `story`.

    Raises:
        RequestRefused: there is no such saga, or it cannot be read.
    """
    told = story(records, saga_id, as_of, definitions)
    if told is None:
        raise RequestRefused(no_saga(records, saga_id))
    if isinstance(told.saga, Unreadable):
        raise RequestRefused(f"saga {saga_id!r} cannot be read: {told.saga.why}")
    of_saga = {field.name: getattr(told.saga, field.name) for field in fields(SagaView)}
    return Description(
        **of_saga, steps=told.steps, verbs=told.verbs, parent=told.parent, children=told.children
    )  # fmt: skip


def story(
    records: Records, saga_id: str, as_of: AsOf, definitions: Mapping[str, Saga] = NO_DEFINITIONS
) -> SagaStory | None:
    """The story of a saga; ``None`` when there is no such saga.

    Args:
        records: the store.
        saga_id: of the saga.
        as_of: the moment of the look.
        definitions: by ``name/version/fingerprint``; a saga of another one is told without the steps ahead of it.
    """
    row = records.saga(saga_id)
    if row is None:
        return None
    view = view_of(row, as_of)
    blocks = records.blocks_about(saga_id)
    found = [(block.as_head(), record) for block in blocks for record in Contents(block).about(saga_id)]
    numbered = [entry for entry in found if entry[1].number]
    told = tuple(sorted(numbered, key=lambda entry: entry[1].number))  # of several chains, say, whose clocks differ
    changes = [change for _, record in told for change in record.changes]
    is_archive = not records.chains()  # whose records are in the store that it left
    trail, last = ((), 0) if isinstance(view, Unreadable) else (view.trail, 0 if is_archive else view.number)
    steps = {step.event: step for step in steps_of(changes, trail)}
    if not isinstance(view, Unreadable):
        steps = _in_detail(steps, [record for _, record in told], view, definitions.get(view.definition), as_of.now_ms)
    missing = tuple(_gaps([record.number for _, record in told], last))
    causes = [record.cause for _, record in found]
    parents = (cause.parent for cause in causes if isinstance(cause, ChildStarted))
    children = tuple(children_seen(records, saga_id, causes))
    verbs = tuple(_verbs(record for _, record in told))
    return SagaStory(view, tuple(steps.values()), verbs, told, missing, next(parents, ""), children)


def no_saga(records: Records, saga_id: str) -> str:
    """That there is no saga of an id, or none yet, or no longer, in words."""
    if asked := letter_to_start(records, saga_id):
        return f"saga {saga_id!r:.100} has not started yet: it follows from {asked.parent!r}, by a letter that waits"
    where = f"; it was archived in {archive}" if (archive := archive_of(records, saga_id)) else ""
    return f"there is no saga {saga_id!r:.100}{where}"


def steps_of(changes: Iterable[StateChange | FormerWords], trail: Sequence[str]) -> Iterator[StepSeen]:
    """The steps that a saga has reached.

    Args:
        changes: of its records, in order.
        trail: of its row, which knows the events of its compensations.
    """
    steps = dict[str, StepSeen]()
    compensations = iter([words.removesuffix(f" {UNDONE}") for words in trail if words.endswith(f" {UNDONE}")])
    for change in changes:
        if not isinstance(change, StepBecame) or isinstance(change.status, Debt):
            continue
        event, status = change.step, change.status
        step = steps.get(event) or StepSeen(event, status.value)
        if status is Status.UNDONE:
            step = replace(step, undone=next(compensations, f"{event}/undo"), back=UNDONE)
        elif status is Status.UNDOING or (status is Status.STUCK and step.back):
            step = replace(step, undone=f"{event}/undo", back=status.value)
        else:
            step = replace(step, outcome=(Status.SENT if status is Status.RESENT else status).value)
        steps[event] = step
    return iter(steps.values())


def _in_detail(
    steps: Mapping[str, StepSeen], records: Sequence[Record], view: SagaView, saga: Saga | None, now_ms: int
) -> dict[str, StepSeen]:
    """The same steps, with what was asked of each and what it came to; and those ahead, of a known definition."""
    attempts, errors, services = dict[tuple[str, str], int](), dict[tuple[str, str], str](), dict[str, str]()
    for record in records:
        if isinstance(record.cause, Answered | TimedOut):
            asked = record.cause.step, _side(record.cause.kind.value)
            attempts[asked] = max(attempts.get(asked, 0), record.cause.attempt or 1)
            if isinstance(record.cause, TimedOut) or isinstance(record.cause.outcome, Refused | Unknown):
                errors[asked] = value_in_words(record) or cause_in_words(record)
    for question in view.questions:
        asked = question.step, _side(question.kind)
        attempts[asked] = question.sent(now_ms)
        services[question.step] = question.service
    if saga is not None:
        services |= {step.event: step.service for step in saga.every_step()}
        steps = {step.event: steps.get(step.event) or StepSeen(step.event, AHEAD) for step in saga.every_step()}
    return {
        event: replace(
            step, service=services.get(event, ""),
            attempts=attempts.get((event, UNDO if step.back else DO), 0),
            error=errors.get((event, DO)) or (view.reason if step.outcome == Status.REFUSED.value else ""),
            undo_error=errors.get((event, UNDO)) or (view.trouble if step.back == Status.STUCK.value else ""),
        )
        for event, step in steps.items()
    }  # fmt: skip


def _side(kind: str) -> str:
    """Whether a request is about the action, as a probe is, or about its compensation."""
    return DO if kind in (DO, Kind.PROBE.value) else UNDO


def _verbs(records: Iterable[Record]) -> Iterator[VerbSeen]:
    for record in records:
        if isinstance(cause := record.cause, Verb):
            yield VerbSeen(record.at_ms, word_for(cause), getattr(cause, "step", ""), cause.by, value_in_words(record))


def _gaps(numbers: Iterable[int], last: int) -> Iterator[tuple[int, int]]:
    """First and last of each run that is missing from 1 to the last."""
    before = 0
    for number in sorted({*numbers, last + 1}):
        if number > before + 1:
            yield before + 1, number - 1
        before = number
