"""Between what is decided on and what is stored: requests, entities, answers and runs as JSON.

A body says by itself, without the definition, what a saga waits for: a program that looks at a store may not have it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, Final

import msgspec

from amends.core.definition import Command, Saga
from amends.core.records import GroupEntered, StateChange, StepBecame
from amends.core.state import (
    Abandoned,
    Backward,
    Compensated,
    Completed,
    Debt,
    Forward,
    NeedsOperator,
    State,
    Status,
    underway,
)
from amends.core.step import SagaInstance
from amends.core.table import Entry
from amends.core.waiting import Waiting
from amends.storage.bodies import SagaBody, StoredRequest, body_of_row
from amends.storage.causes import cause_text, changes_text
from amends.storage.codecs.closed import Touched, all_closed
from amends.storage.codecs.hints import answer_codec, entity_types
from amends.storage.codecs.values import PLAIN, Codec, Sealed, codec_of, json_of
from amends.storage.records import SagaStarted
from amends.storage.rows import ABANDONED, BACKWARD, COMPENSATED, COMPLETED, FINAL, FORWARD, NEEDS_OPERATOR, SagaRow

_STATUSES: Final[dict[type[State], str]] = {
    Forward: FORWARD,
    Backward: BACKWARD,
    NeedsOperator: NEEDS_OPERATOR,
    Completed: COMPLETED,
    Compensated: COMPENSATED,
    Abandoned: ABANDONED,
}
PHASES: Final[dict[str, type[Forward | Backward]]] = {FORWARD: Forward, BACKWARD: Backward}


class SagaCodec:
    """A definition, with what is needed to store its sagas and read them back.

    Attributes:
        saga: the definition.
        definition: ``name/version/fingerprint``.
        started: that one of its sagas was started, as the audit has it.
        asks: service, and from a request to the entity's id, of each step whose state is kept by us.
        steps: all its steps by their events, in order.
        request: how its requests are kept.
        answers: how the answers of each step are kept, by event.
        plain_until: until when a step's answers were stored as another type; those of sagas that started before it, all
            of them over, are read as plain JSON. Milliseconds since 1970, by event.
        walks: whether its local steps are carried out at once, one by one only where that fails; no longer once one
            of them gave an answer that is not closed, of which each of the others gets a copy of its own.
        earlier: of the times in which requests were stored as another type: since when, until when, and how to read
            them (`amends.engine.versions`).
    """

    def __init__(self, saga: Saga) -> None:
        self.saga = saga
        self.definition = definition_of(saga)
        self.started = cause_text(SagaStarted(self.definition))
        asks = dict.fromkeys((step.service, step.entity) for step in saga.every_step() if step.entity is not None)
        self.asks = tuple(asks)
        self.earlier: Sequence[tuple[int, int | None, Callable[[str], Any]]] = ()
        self.steps = {step.event: step for step in saga.every_step()}
        self._quiet = frozenset(_quiet(saga))
        self._recorded = _Phrases(self._written)
        self.request = codec_of(saga.request, f"saga {saga.name!r}: its requests, {saga.request!r},")
        self.answers = {step.event: answer_codec(step) for step in saga.every_step()}
        self.plain_until: dict[str, int] = {}
        self.walks = True
        self._states: dict[tuple[Any, ...], State] = {}  # each made once, as `amends.core.table` has them
        self._entries = {
            f"{event} {status.value}": Entry(event, step.service, status)
            for step in saga.every_step()
            for event, statuses in ((step.event, (*Status, *Debt)), (step.undone, (Status.UNDONE,)))
            for status in statuses
        }

    def recorded(self, changes: tuple[StateChange, ...], *, in_full: bool) -> str:
        """What became of an input, as the audit has it: JSON.

        That a participant was asked which answered in the same commit is not recorded, unless all of it is to be:
        no one could have seen it.
        """
        if not in_full:
            return self._recorded.of(changes)
        return changes_text(change for at, change in enumerate(changes) if self._lasts(change, changes[at + 1 :]))

    def _lasts(self, change: StateChange, later: tuple[StateChange, ...]) -> bool:
        """Whether a step that was asked is still to be answered at the end of the record."""
        return change not in self._quiet or _about(change) not in map(_about, later)

    def _written(self, changes: tuple[StateChange, ...]) -> str:
        return changes_text(change for change in changes if change not in self._quiet)

    def request_of_row(self, row: SagaRow) -> Any:
        """The request of a stored saga, as one of today's type.

        Raises:
            DefinitionError: it was stored as another one, and there is no upcaster, or it does not give one.
            msgspec.DecodeError: it is not what was written.
        """
        return self.request_stored(row.request, row.started_ms)

    def request_stored(self, text: str, at_ms: int) -> Any:
        """A request that was stored at a time, as one of today's type; see `request_of_row`."""
        for since_ms, until_ms, read in self.earlier:
            if since_ms <= at_ms and (until_ms is None or at_ms < until_ms):
                return read(text)
        return self.request.read(text)

    def _request_of_run(self, row: SagaRow) -> Any:
        """The same; plain JSON where the saga is over: no step is asked with it any more."""
        try:
            return self.request_of_row(row)
        except ValueError:
            if row.status not in FINAL:
                raise
            return PLAIN.read(row.request)

    def are_closed(self, answers: Mapping[str, Any]) -> bool:
        """Whether answers are of the types that their steps declare, and cannot be changed in place."""
        return all(self.answers.get(event, PLAIN).is_closed(answer) for event, answer in answers.items())

    def _answer_of(self, event: str, answer: Any, row: SagaRow) -> Any:
        """A stored answer, as it is kept; plain JSON where the saga is over and today's type does not take it."""
        text, codec = json_of(answer), self.answers.get(event, PLAIN)
        is_plain = codec is PLAIN or row.started_ms < self.plain_until.get(event, 0)
        try:
            return PLAIN.kept(answer, text) if is_plain else codec.read(text)
        except ValueError:
            if row.status not in FINAL:
                raise
            return PLAIN.kept(answer, text)

    def run_of(self, row: SagaRow) -> SagaInstance:
        """A saga, read back.

        Raises:
            msgspec.DecodeError, KeyError, ValueError: the row is not what was written.
        """
        body = body_of_row(row)
        return SagaInstance(
            self.saga,
            row.saga_id,
            self._request_of_run(row),
            self._state_of(row.status, body),
            {event: self._answer_of(event, answer, row) for event, answer in body.answers.items()},
            tuple([_waiting_of(body.waiting[name]) for name in body.members if name in body.waiting]),
            tuple([self._entries[line] for line in body.trail]),
            body.reason,
            body.trouble,
            body.deadline_ms,
            body.number,
        )

    def _state_of(self, status: str, body: SagaBody) -> State:
        if status == ABANDONED:
            return Abandoned(tuple(body.outstanding))
        at = status, body.phase, body.group, tuple(body.members.values())
        state = self._states.get(at)
        if state is None:
            state = self._states[at] = _state_of(*at)
        return state


def _about(change: StateChange) -> str:
    """What a change says something of, of which a later one says more: a step, or which way the saga goes."""
    match change:
        case StepBecame(step):
            return step
        case GroupEntered(phase):
            return f"{phase}/"
    return ""


def _quiet(saga: Saga) -> Iterator[StateChange]:
    for group in saga.groups:
        yield from (StepBecame(step.event, Status.SENT) for step in group if step.is_local)
        yield from (StepBecame(step.event, Status.UNDOING) for step in group if step.is_local)
        if all(step.is_local for step in group):
            yield GroupEntered(FORWARD, tuple(step.event for step in group))


def definition_of(saga: Saga) -> str:
    """What rows and records name a definition by: ``name/version/fingerprint``."""
    return f"{saga.name}/{saga.version}/{saga.fingerprint}"


def body_of(run: SagaInstance) -> str:
    """The body of a saga's row.

    Raises:
        TypeError, ValueError: an answer that JSON cannot hold.
    """
    at = underway(run.state)
    if at is None and not run.answers and not isinstance(run.state, Abandoned):  # most sagas, once they are over
        reason = f',"reason":{json_of(run.reason)}' if run.reason else ""
        trouble = f',"trouble":{json_of(run.trouble)}' if run.trouble else ""
        return f'{{"trail":{_TRAILS.of(run.trail)},"number":{run.number}{reason}{trouble}}}'
    steps = run.saga.groups[at.group] if at else ()
    return json_of(
        SagaBody(
            trail=_trail(run.trail),
            number=run.number,
            phase="" if at is None else FORWARD if isinstance(at, Forward) else BACKWARD,
            group=at.group if at else 0,
            members={step.event: status for step, status in zip(steps, at.members, strict=True)} if at else {},
            waiting={
                step.event: StoredRequest(step.service, *waiting)
                for step, waiting in zip(steps, run.waiting, strict=False)
            },
            answers={event: _embedded(answer) for event, answer in run.answers.items()},
            reason=run.reason,
            trouble=run.trouble,
            outstanding=[] if isinstance(run.state, Forward) else list(run.outstanding()),
            deadline_ms=run.deadline_ms,
        )
    )


def _embedded(answer: Any) -> Any:
    return msgspec.Raw(answer.text.encode()) if type(answer) is Sealed else answer


class _Phrases:
    """The same few lists, which the core makes once each: what is written of a list is made once, too."""

    def __init__(self, write: Callable[[Any], str]) -> None:
        self._write = write
        self._known: dict[int, tuple[Any, str]] = {}

    def of(self, things: tuple[Any, ...]) -> str:
        """What is written of a list; it is found by the list's identity, and kept with it."""
        known = self._known.get(id(things))
        if known is None:
            if len(self._known) >= PHRASES_MAX:
                self._known.clear()
            known = self._known[id(things)] = (things, self._write(things))
        return known[1]


PHRASES_MAX: Final = 1000  # lists that are kept: more than the few dozen that the definitions of a store have


def status_of(state: State) -> str:
    """The status of a saga's row."""
    return _STATUSES[type(state)]


def _trail(entries: Iterable[Entry]) -> list[str]:
    return [f"{entry.event} {entry.status.value}" for entry in entries]


_TRAILS: Final = _Phrases(lambda entries: json_of(_trail(entries)))


def _state_of(status: str, phase: str, group: int, members: tuple[Status, ...]) -> State:
    if status == COMPLETED:
        return Completed()
    if status == COMPENSATED:
        return Compensated()
    at = PHASES[phase](group, members)
    return NeedsOperator(at) if status == NEEDS_OPERATOR else at


def _waiting_of(asked: StoredRequest) -> Waiting:
    return Waiting._make(msgspec.structs.astuple(asked)[1:])  # without the service, which the step names


def _nothing(_service: str) -> None:
    """Do nothing: no one is to be told."""


Look = Callable[[Sequence[Touched]], bool]


class EntityCodecs:
    """How the entities of each service are read back: as what the first parameters of its functions are declared.

    Attributes:
        looks: what `look_of` gave before.
        on_other: called with a service when a command tells other types of its entities.
    """

    def __init__(self) -> None:
        self._types: dict[str, set[Any]] = {}
        self._codecs: dict[str, Codec] = {}
        self.looks: dict[SagaCodec, Look] = {}
        self.on_other: Callable[[str], None] = _nothing

    def learn_saga(self, saga: Saga) -> None:
        """Learn from the functions of a definition's local steps."""
        for step in saga.every_step():
            if step.is_local:
                for function in (step.action, step.undo):
                    self._learn(step.service, function)

    def learn_command(self, command: Command) -> set[Any] | None:
        """Learn from a command's function; the types of its service before, where they are others now.

        Raises:
            DefinitionError: those that are stored cannot be read as such; nothing is learned then.
            Exception: what `on_other` raises; nothing is learned then, either.
        """
        before = {*self._types.get(command.service, ())}
        if not self._learn(command.service, command.apply):
            return None
        try:
            self.codec(command.service)
            self.on_other(command.service)
        except BaseException:
            self.unlearn(command.service, before)
            raise
        return before

    def unlearn(self, service: str, types: set[Any]) -> None:
        """Know these types of a service alone."""
        self._types[service] = types
        self._codecs.pop(service, None)

    def services(self) -> list[str]:
        """Those of which anything was learned."""
        return [*self._types]

    def kind_of(self, service: str) -> Any:
        """The type of the entities of a service; ``None`` where no function declares one."""
        kinds = self._types.get(service)
        return reduce(operator.or_, kinds) if kinds and Any not in kinds else None

    def check(self) -> None:
        """Look whether the entities of every service can be read back.

        Raises:
            DefinitionError: those of one cannot: its functions take types that JSON cannot tell apart.
        """
        for service in self._types:
            self.codec(service)

    def decode(self, service: str, text: str) -> Any:
        """An entity, read back.

        Raises:
            msgspec.DecodeError: it is not what was written.
        """
        return self.codec(service).decode(text)

    def codec(self, service: str) -> Codec:
        """How the entities of a service are kept."""
        codec = self._codecs.get(service)
        if codec is None:
            kind = self.kind_of(service) or Any
            self.looks.clear()
            codec = self._codecs[service] = codec_of(kind, f"the entities of {service}, {kind},")
        return codec

    def look_of(self, codec: SagaCodec) -> Look:
        """Whether what a saga's steps left of their entities is closed, but where each write is looked at by itself.

        What it gives takes for each of `SagaCodec.asks` the entity that was touched.
        """
        codecs = [self.codec(service) for service, _ in codec.asks]
        look = self.looks[codec] = all_closed([None if codec.is_ever_open else codec.kind for codec in codecs])
        return look

    def _learn(self, service: str, function: Callable[..., Any] | None) -> bool:
        kinds = self._types.setdefault(service, set())
        before = len(kinds)
        if function is not None:
            kinds |= entity_types(function)
        if len(kinds) != before:
            self._codecs.pop(service, None)
        return len(kinds) != before
