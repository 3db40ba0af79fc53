"""Computing a store again: the records hold what went in, participants are pure, so all that is stored follows.

The records are read once, in their order. What comes out is compared with what they say became of it, and in the end
with the rows: an entity, a saga or a client key that was changed is found, also where every checksum, digest and head
was computed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from amends.auditing.children import RecordedChildren
from amends.auditing.findings import Finding, Findings
from amends.auditing.order import in_order
from amends.auditing.replayed_keys import KeyCause, ReplayedKeys
from amends.auditing.served import ServedRequests
from amends.core.definition import Command, Saga
from amends.core.effects import Effect, Write
from amends.core.messages import Answered, Done, Input, Refused, Resolve, TimedOut, Unknown
from amends.core.participant import apply_step, put_entity
from amends.core.records import StepBecame
from amends.core.state import Completed, Status, awaited, member_of
from amends.core.step import SagaInstance, start, step
from amends.core.waiting import HOUR_MS, sent
from amends.core.walk import execute
from amends.errors import UnusableInput
from amends.storage import former
from amends.storage.blocks import Contents, entity_text
from amends.storage.bodies import SagaBody, body_of_row
from amends.storage.causes import changes_text
from amends.storage.codecs.hints import answer_codec, body_codec
from amends.storage.codecs.sagas import EntityCodecs, SagaCodec, body_of, definition_of, status_of
from amends.storage.codecs.values import json_of, opened_all
from amends.storage.digests import digest
from amends.storage.placing import placed
from amends.storage.ports import ALL, Records, SagaFilter
from amends.storage.records import (
    ERASED,
    AttemptsRetimed,
    Checkpoint,
    CommandExecuted,
    EntitiesStored,
    EntityWritten,
    FormerWords,
    Record,
    RequestServed,
    RetimeReason,
    SagaArchived,
    SagaStarted,
    SagaTakenOver,
)
from amends.storage.rows import FINAL, EntityRow, KeyRow, SagaRow, Unreadable

Stepped = tuple[SagaInstance, Sequence[Effect]]

REPORT_EVERY: Final = 64  # blocks
ANSWERED_LOCALLY: Final = {Status.DONE, Status.REFUSED, Status.UNDONE, Status.STUCK}
COMPARED: Final = ("number", "phase", "group", "members", "answers", "reason", "trouble", "outstanding", "trail")
"""What is compared of a saga's row; times are not: how long a call waited for a place is not recorded."""


class Recomputation(NamedTuple):
    """What recomputing a store came to.

    Attributes:
        findings: what is not as it is computed from the records; empty when all is.
        blocks: so many were read.
        sagas: so many were computed.
        entities: so many were computed.
    """

    findings: Findings
    blocks: int
    sagas: int
    entities: int


def recompute(
    records: Records,
    sagas: Iterable[Saga],
    commands: Iterable[Command] = (),
    *,
    elsewhere: Collection[str] = (),
    report: Callable[[int], None] | None = None,
) -> Recomputation:
    """Compute everything that is stored again, from the records and the definitions, and compare.

    No engine may write to the store meanwhile.

    Args:
        records: the store.
        sagas: every definition that it has sagas of.
        commands: every command that was carried out.
        elsewhere: the services that were asked over a wire: what they answered is taken as it was recorded.
        report: called now and then with the number of blocks that were read.

    Raises:
        UnusableInput: a definition or a command is missing that the records name, or no engine of this version has
            opened the store since an earlier one wrote to it.
        StoreError: the store could not be read.
    """
    replay = Replay((placed(saga, elsewhere) for saga in sagas), commands, Findings())
    blocks, is_known = 0, True
    for block, contents in in_order(records):
        is_known = is_known and contents.form != former.FORM
        for record in contents.records() if contents.form != former.FORM else ():
            if record is not None:  # else `verify` tells
                is_known = is_known or record.cause == Checkpoint(is_whole=True)
                replay.feed(record, contents, block.number)
        blocks += 1
        if report and not blocks % REPORT_EVERY:
            report(blocks)
    if not is_known:
        raise UnusableInput(
            "an earlier version of Amends wrote to it, whose records do not hold what participants answered: open it "
            "once with an engine of this version, which records what is stored"
        )
    compare(replay, records)
    return Recomputation(replay.findings, blocks, len(replay.runs), len(replay.entities.texts))


class _Owned(MutableMapping[str, Any]):
    """The entities of one service: each look gives a copy, each write is kept as its JSON."""

    def __init__(self, service: str, entities: _Entities, codecs: EntityCodecs) -> None:
        self._service = service
        self._entities = entities
        self._codecs = codecs

    def __getitem__(self, entity_id: str) -> Any:
        text = self._entities.texts.get((self._service, entity_id), "null")
        if text == "null":
            raise KeyError(entity_id)
        return self._codecs.decode(self._service, text)

    def __setitem__(self, entity_id: str, value: Any) -> None:
        self._entities.write((self._service, entity_id), "null" if value is None else json_of(value))

    def __delitem__(self, entity_id: str) -> None:
        self._entities.write((self._service, entity_id), "null")

    def __iter__(self) -> Iterator[str]:
        raise TypeError("entities are looked up by id")

    def __len__(self) -> int:
        raise TypeError("entities are looked up by id")


class _Entities(dict[str, MutableMapping[str, Any]]):
    """Service to its entities, as they are computed.

    Attributes:
        texts: service and id to JSON; ``null`` of one that no longer exists.
        journal: what was written since it was cleared: service and id, and the JSON before.
    """

    def __init__(self, codecs: EntityCodecs) -> None:
        super().__init__()
        self.texts: dict[tuple[str, str], str] = {}
        self.journal: list[tuple[tuple[str, str], str]] = []
        self._codecs = codecs

    def __missing__(self, service: str) -> MutableMapping[str, Any]:
        owned = self[service] = _Owned(service, self, self._codecs)
        return owned

    def write(self, name: tuple[str, str], text: str) -> None:
        """Keep an entity."""
        self.journal.append((name, self.texts.get(name, "null")))
        self.texts[name] = text

    def take_back(self) -> None:
        """What is in the journal was never written."""
        while self.journal:
            name, text = self.journal.pop()
            self.texts[name] = text


class Replay:
    """The records, fed to the definitions one after the other.

    Attributes:
        findings: so far.
        runs: the sagas, as they are computed.
        entities: those of every service, as they are computed.
        requests: of these sagas, as JSON.
        keys: client keys: the saga that each started, and what it stands for.
        lost: sagas that cannot be computed.
        archived: sagas that left for another file.
        children: what the records tell of sagas that follow from others.
    """

    def __init__(self, sagas: Iterable[Saga], commands: Iterable[Command], findings: Findings) -> None:
        self.findings = findings
        self.runs: dict[str, SagaInstance] = {}
        self._codecs = {codec.definition: codec for codec in map(SagaCodec, sagas)}
        self._commands = {(command.service, command.event): command for command in commands}
        types = EntityCodecs()
        for codec in self._codecs.values():
            types.learn_saga(codec.saga)
        for command in self._commands.values():
            types.learn_command(command)
        self.entities = _Entities(types)
        self.requests: dict[str, str] = {}
        self.lost: dict[str, None] = {}
        self.archived: dict[str, None] = {}
        self.children = RecordedChildren()
        self.keys = ReplayedKeys()
        self._takes_over = False
        self._told: set[tuple[str, str]] = set()
        self._served = ServedRequests(self._codecs, self.entities, findings)

    # Record by record ----------------------------------------------------------------------------------------

    def feed(self, record: Record, contents: Contents, number: int) -> None:
        """Compute what a record leads to, and compare that with what it says.

        Args:
            record: the next one.
            contents: of its block.
            number: of its block.

        Raises:
            UnusableInput: a definition or a command is missing that the record names.
        """
        self.entities.journal.clear()
        try:
            self._take(record, contents, number)
        except UnusableInput:
            raise
        except Exception as error:  # noqa: BLE001 - a participant's, or a record that no engine wrote
            self.entities.take_back()
            self._give_up(record.subject, f"block {number}, record {record.number}: it cannot be computed: {error!r}")

    def _take(self, record: Record, contents: Contents, number: int) -> None:
        cause = record.cause
        self.children.take(record)
        if isinstance(cause, SagaStarted):
            self._start(record, cause)
        elif record.number:
            self._hear(record)
        elif isinstance(cause, CommandExecuted):
            self._execute(record, cause)
        elif isinstance(cause, RequestServed):
            self.keys.remembered |= self._served.take(record, cause)
        else:
            self._take_row(record, contents, number)

    def _take_row(self, record: Record, contents: Contents, number: int) -> None:
        """Take in a record of what was stored."""
        cause = record.cause
        if isinstance(cause, EntityWritten):
            self.entities.texts[cause.service, cause.entity_id] = record.value or "null"
        elif isinstance(cause, EntitiesStored):
            self._compare_stored(record, cause, contents, number)
        elif isinstance(cause, SagaTakenOver):
            self._take_over(record)
        elif isinstance(cause, Checkpoint):
            self._takes_over = not cause.is_whole
        elif isinstance(cause, KeyCause):
            self.keys.take(record, cause, takes_over=self._takes_over)
        elif isinstance(cause, SagaArchived):
            self.archived[record.subject] = None

    def _take_over(self, record: Record) -> None:
        """Go on with a saga where an earlier version left it."""
        row = SagaRow(*msgspec.json.decode(str(record.value)))
        codec = self._codecs.get(row.definition)
        if codec is None and row.status not in FINAL:
            raise UnusableInput(
                f"{row.saga_id} runs under {row.definition}, which is not given: recompute needs them all"
            )
        if codec is None:  # it is over, and nothing follows from it
            self.lost[row.saga_id] = None
            return
        run = codec.run_of(row)
        self.requests[row.saga_id] = row.request
        self.runs[row.saga_id] = run._replace(
            request=codec.request.decode(row.request), answers=opened_all(run.answers)
        )

    def _start(self, record: Record, cause: SagaStarted) -> None:
        saga_id = record.subject
        codec = self._codecs.get(cause.definition)
        if codec is None:
            raise UnusableInput(f"{saga_id} ran under {cause.definition}, which is not given: recompute needs them all")
        if record.value in (None, ERASED):
            self._give_up(saga_id, "its request was erased: what it did cannot be computed")
            return
        self.requests[saga_id] = str(record.value)
        request = codec.request.decode(str(record.value))
        take = partial(start, codec.saga, saga_id, request, record.at_ms)
        self.runs[saga_id] = self._stepped(record, codec, [take])

    def _hear(self, record: Record) -> None:
        saga_id = record.subject
        run = self.runs.get(saga_id)
        if run is None:
            if saga_id not in self.lost:
                self._give_up(saga_id, f"record {record.number} tells of it, and none that it was started")
            return
        if isinstance(record.cause, AttemptsRetimed):
            self.runs[saga_id] = _retimed(run, record.cause, record.at_ms)._replace(number=run.number + 1)
            return
        codec = self._codecs[definition_of(run.saga)]
        run = run._replace(request=codec.request.decode(self.requests[saga_id]))
        said = self._said(record, codec)
        takes = [partial(step, before, said, record.at_ms) for before in _as_it_may_have_stood(run, said, record.at_ms)]
        self.runs[saga_id] = self._stepped(record, codec, takes)

    def _stepped(self, record: Record, codec: SagaCodec, takes: Sequence[Callable[[Any], Stepped]]) -> SagaInstance:
        """The saga after a record: of the ways that may have been taken the one that agrees with it, else the first.

        Args:
            record: what it says became of it.
            codec: of the saga's definition.
            takes: each takes the step, with entities, or with ``None``: then it stops at each local step.
        """
        walks = _walks(record, codec)
        ways = [(take, entities) for entities in (walks, not walks) for take in takes]
        for take, with_entities in ways:
            try:
                run, effects = take(self.entities if with_entities else None)
                if self._agrees(record, codec, effects):
                    return run
            except Exception:  # noqa: BLE001, S110 - a participant's, on a way that was not taken
                pass
            self.entities.take_back()
        run, effects = takes[0](self.entities if walks else None)
        self._differ(record, codec, effects)
        return run

    def _said(self, record: Record, codec: SagaCodec) -> Input:
        """The input of a record, with its value; of a local step, as the function gives it now."""
        said: Any = record.cause
        if isinstance(said, Answered):
            local = codec.saga.step(said.step)
            if local.is_local and not isinstance(said.outcome, Unknown):
                return self._asked_again(record, said, codec)
            return replace(said, outcome=_outcome(record, said, codec))
        if record.value in (None, ERASED):
            return said  # type: ignore[no-any-return]  # an `Input`, by its number
        value = msgspec.json.decode(str(record.value))
        if isinstance(said, Resolve):
            given, why = value
            outcome = Done(given) if isinstance(said.outcome, Done) else Refused(given or "")
            return replace(said, outcome=outcome, why=why)
        name = "error" if hasattr(said, "error") else "why"
        return replace(said, **{name: value}) if hasattr(said, name) else said  # type: ignore[no-any-return]

    def _asked_again(self, record: Record, said: Answered, codec: SagaCodec) -> Input:
        """The answer of a participant that we keep, asked by itself: what it gives now, on the entity as it is."""
        run, local = self.runs[record.subject], codec.saga.step(said.step)
        requests = (send.request for send in run.requests())
        request = next((each for each in requests if (each.step, each.kind) == (said.step, said.kind)), None)
        if request is None or local.entity is None:
            return said
        body = codec.request.decode(self.requests[record.subject])
        owned, entity_id = self.entities[local.service], local.entity(body)
        try:
            after, outcome = apply_step(local, said.kind, owned.get(entity_id), body, request.call)
        except Exception as error:  # noqa: BLE001 - it did not raise when it was recorded
            self.findings.add(f"saga {record.subject}", f"record {record.number}: {said.step} raises now: {error!r}")
            return said
        if isinstance(outcome, Done):
            put_entity(owned, entity_id, after)
        return replace(said, outcome=outcome)

    def _execute(self, record: Record, cause: CommandExecuted) -> None:
        command = self._commands.get((cause.service, cause.command))
        if command is None:
            name = f"{cause.command} of {cause.service}"
            raise UnusableInput(f"the command {name} was carried out, and is not given: recompute needs them all")
        where = f"entity {cause.service}/{cause.entity_id}"
        if record.value in (None, ERASED):
            self.findings.add(where, f"the body of {cause.command} was erased: what it did cannot be computed")
            return
        try:
            body = body_codec(command).decode(str(record.value))
            refused = execute(self.entities, command, cause.entity_id, body)
        except Exception as error:  # noqa: BLE001 - it did not raise when it was recorded
            self.findings.add(where, f"{cause.command} raises now: {error!r}")
        else:
            if refused:
                self.findings.add(where, f"{cause.command} was carried out, and is refused now: {refused.reason}")

    def _agrees(self, record: Record, codec: SagaCodec, effects: Sequence[Effect]) -> bool:
        """Whether the records say of an input what it leads to."""
        first = effects[0]
        if not isinstance(first, Write):
            return False
        said = changes_text(change for change in record.changes if not isinstance(change, FormerWords))
        return said in (codec.recorded(first.changes, in_full=full) for full in (False, True))

    def _differ(self, record: Record, codec: SagaCodec, effects: Sequence[Effect]) -> None:
        first = effects[0]
        now = codec.recorded(first.changes, in_full=False) if isinstance(first, Write) else "nothing: it is declined"
        was = changes_text(change for change in record.changes if not isinstance(change, FormerWords))
        self.findings.add(f"saga {record.subject}", f"record {record.number} says {was}, it leads to {now}")

    def _compare_stored(self, record: Record, cause: EntitiesStored, contents: Contents, number: int) -> None:
        for place, (entity_id, version) in enumerate(cause.entities, record.place):
            name = cause.service, entity_id
            told, salt = contents.salted(place)
            if salt and name not in self._told and digest(salt, self.entities.texts.get(name, "null")) != told:
                self._told.add(name)
                what = f"version {version}, of block {number}, is not what its records lead to"
                self.findings.add(f"entity {'/'.join(name)}", what)

    def completed(self) -> Iterator[SagaInstance]:
        """The sagas that have completed, each with a request of its own."""
        for saga_id, run in self.runs.items():
            if isinstance(run.state, Completed):
                codec = self._codecs[definition_of(run.saga)]
                yield run._replace(request=codec.request.decode(self.requests[saga_id]))

    def _give_up(self, saga_id: str, why: str) -> None:
        self.lost[saga_id] = None
        self.runs.pop(saga_id, None)
        self.findings.add(f"saga {saga_id}", why)


def _walks(record: Record, codec: SagaCodec) -> bool:
    """Whether local steps were carried out with the input: else each has a record of its own."""
    own = getattr(record.cause, "step", None)
    return any(
        isinstance(change, StepBecame)
        and change.step != own
        and change.status in ANSWERED_LOCALLY
        and codec.saga.step(change.step).is_local
        for change in record.changes
    )


# What differs --------------------------------------------------------------------------------------------


def compare(replay: Replay, records: Records) -> None:
    """Compare the rows with what was computed.

    Raises:
        StoreError: the store could not be read.
    """
    met = set[str]()
    for row in records.listing(SagaFilter(limit=ALL)):
        if isinstance(row, SagaRow) and row.saga_id not in replay.lost:
            replay.findings.add_all(Finding(f"saga {row.saga_id}", what) for what in _differences(replay, row))
        met.add(row.name if isinstance(row, Unreadable) else row.saga_id)
    for saga_id in (saga_id for saga_id in replay.runs if saga_id not in met and saga_id not in replay.archived):
        replay.findings.add(f"saga {saga_id}", "it has no row, and its records lead to one")
    left = dict(replay.entities.texts)
    for entity in records.all_entities():
        if isinstance(entity, EntityRow):
            _compare_entity(replay, entity, left.pop((entity.service, entity.entity_id), None))
    for service, entity_id in (name for name, text in left.items() if text != "null"):
        if records.entity(service, entity_id) is None:
            replay.findings.add(f"entity {service}/{entity_id}", "it has no row, and its records lead to one")
    replay.findings.add_all(replay.children.findings(replay.completed(), replay.requests, replay.keys, records))
    for key in records.all_keys():
        if isinstance(key, KeyRow) and (told := replay.keys.get(key.key)) and told != (key.saga_id, key.answer):
            replay.findings.add(f"key {key.key}", f"it stands for {key.answer}, its records lead to {told[1]}")


def _differences(replay: Replay, row: SagaRow) -> Iterator[str]:
    run = replay.runs.get(row.saga_id)
    if run is None:
        yield "it has a row, and no record that it was started"
        return
    told = (definition_of(run.saga), replay.requests[row.saga_id], status_of(run.state))
    names = ("definition", "request", "status")
    for name, is_now, was in zip(names, (row.definition, row.request, row.status), told, strict=True):
        if is_now != was:
            yield f"{name}: {is_now}, its records lead to {was}"
    try:
        there, computed = body_of_row(row), msgspec.json.decode(body_of(run), type=SagaBody)
    except ValueError:
        return  # `verify` tells
    for name in COMPARED:
        is_now, was = getattr(there, name), getattr(computed, name)
        if is_now != was:
            yield f"{name}: {json_of(is_now)}, its records lead to {json_of(was)}"


def _compare_entity(replay: Replay, row: EntityRow, computed: str | None) -> None:
    if computed is None:
        if row.body is not None:
            replay.findings.add(f"entity {row.service}/{row.entity_id}", "it has a row, and no record leads to it")
    elif entity_text(row) != computed:
        what = f"it is {entity_text(row)}, its records lead to {computed}"
        replay.findings.add(f"entity {row.service}/{row.entity_id}", what)


def _outcome(record: Record, said: Answered, codec: SagaCodec) -> Any:
    """What was answered, with its value."""
    outcome = said.outcome
    if isinstance(outcome, Done):
        read = answer_codec(codec.saga.step(said.step), said.kind).decode
        return Done(read(record.value)) if record.value else outcome
    text = msgspec.json.decode(record.value) if record.value else ""
    if isinstance(outcome, Unknown):
        return Unknown(text, taken_back=outcome.taken_back)
    return Refused(text) if isinstance(outcome, Refused) else outcome


def _as_it_may_have_stood(run: SagaInstance, said: Input, now_ms: int) -> Iterator[SagaInstance]:
    """The saga before an input: as computed; and, where time decides, with an attempt that began later, or long ago.

    How long an attempt waited for a place before it was sent is not recorded, and its limit counts from then.
    """
    yield run
    of_time = isinstance(said, TimedOut) or (isinstance(said, Answered) and isinstance(said.outcome, Unknown))
    for since_ms in (now_ms, 0) if of_time else ():
        yield run._replace(waiting=tuple(waiting._replace(since_ms=since_ms) for waiting in run.waiting))


def _retimed(run: SagaInstance, cause: AttemptsRetimed, now_ms: int) -> SagaInstance:
    """The saga after times of attempts were written anew: only what decides is, whether an attempt was sent at all."""
    waiting = list(run.waiting)
    for member, kind in awaited(run.state):
        of_step = member_of(run.saga, run.state, member)
        if (of_step.event, kind) not in cause.attempts:
            continue
        if cause.because is RetimeReason.WAITS:
            waiting[member] = waiting[member]._replace(unsent=True, due_ms=now_ms + HOUR_MS)
        elif cause.because is RetimeReason.GOES_OUT:
            waiting[member] = sent(of_step, waiting[member], now_ms)
    return run._replace(waiting=tuple(waiting))
