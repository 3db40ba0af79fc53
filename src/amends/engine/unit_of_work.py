"""One unit of work: what a batch decides, on overlays, until it is committed all at once.

Whatever a saga, a command or a caller's own function changes here is one transaction: rows, keys and audit records
together, or none of them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from json.encoder import encode_basestring_ascii as quoted
from operator import attrgetter
from typing import Any, Final, NamedTuple

from amends.core.audit import chain
from amends.core.definition import Command, Saga, Step
from amends.core.messages import (
    Answered,
    Contradicted,
    Decline,
    Done,
    Effect,
    End,
    Halt,
    Input,
    Kind,
    Outcome,
    Park,
    Refused,
    Request,
    Resolve,
    Send,
    Unknown,
    Verb,
    Write,
    worded,
)
from amends.core.participant import apply_step, put_entity
from amends.core.state import underway
from amends.core.step import SagaInstance, start, step
from amends.core.walk import execute
from amends.engine.codec import EntityCodecs, SagaCodec, body_of, status_of
from amends.engine.entities import Unstorable, kept_text, raw, settle
from amends.engine.exceptions import complaint, is_interrupt, raised
from amends.engine.hints import answer_codec
from amends.engine.in_flight import AttemptId, InFlight, Outgoing, asked_of, due_of, flight_of
from amends.engine.limits import VALUE_BYTES_MAX
from amends.engine.overlay import EntityCache, EntityDamaged, Overlay, StoredEntity, Touched, new_row
from amends.engine.values import (
    UTF_8_MAX,
    Sealed,
    encode,
    heard,
    is_bare,
    of_a_request,
    opened,
    opened_request,
    own,
    refuse_large_answers,
    refuse_too_large,
    shown,
    storable,
    text_of,
)
from amends.errors import KeyReused, ParticipantError, RequestRefused
from amends.storage.rows import Block, Changes, EntityRow, Head, KeyRow, SagaRow, Unreadable

TURN_BYTES_MAX: Final = 64 * 2**20
"""What one commit holds, unless it is about one saga or command alone: characters of records and rows.

A block's records are one text, of which SQLite takes 10**9 bytes at most (SQLITE_MAX_LENGTH in its "Limits"), and all
that a commit writes is in memory at once. A full turn of small sagas is a hundredth of this.
"""
ROWS_FACTOR: Final = 2  # what is decided may be so much more with its rows, whose size is known when they are made

SETTLED: Final = frozenset((Done, Refused))


class TurnFull(Exception):
    """More is to be decided, or to be written, than one commit holds.

    Attributes:
        done: how many parts of the task that was carried out just then are decided.
    """

    def __init__(self, size: int, done: int) -> None:
        super().__init__(f"{size} characters are more than one commit holds")
        self.done = done


class LoadedSaga(NamedTuple):
    """A saga at hand.

    Attributes:
        form: of its definition.
        run: where it stands.
        request: as JSON.
        started_ms: when it was started.
        version: of its row; 0 before the first commit.
        status: of its row; empty before the first commit.
    """

    form: SagaCodec
    run: SagaInstance
    request: str
    started_ms: int
    version: int = 0
    status: str = ""


class FailedAttempt(NamedTuple):
    """An attempt whose outcome is unknown, for the log: the first one of a request, and then ever rarer ones.

    Attributes:
        saga_id: whose request it was.
        step: event name of the step.
        kind: what it was asked.
        attempt: 1, 2, 4, 8 and so on.
        error: for a person: what was seen instead of an answer.
        cause: what the participant raised; ``None`` where it did not raise, or no answer came in time.
    """

    saga_id: str
    step: str
    kind: Kind
    attempt: int
    error: str
    cause: BaseException | None = None


class Wares(NamedTuple):
    """Where a unit of work finds what it does not hold yet.

    Attributes:
        shelf: entities.
        flights: which requests are under way.
        saga: a saga by id, as the last commit left it; `Unreadable` when its row, or its definition, cannot be used.
        new_id: gives an id that no saga has.
        entity_forms: of which types entities are.
        aside: kind and name of the rows that were set aside before.
        immovable: sagas that this process set aside, and why.
        value_bytes_max: of one request, answer, entity or command's body.
    """

    shelf: EntityCache
    flights: InFlight
    saga: Callable[[str], LoadedSaga | Unreadable | None]
    new_id: Callable[[], str]
    entity_forms: EntityCodecs
    aside: Collection[tuple[str, str]]
    immovable: Mapping[str, str]
    value_bytes_max: int = VALUE_BYTES_MAX


class UnitOfWork:
    """What one batch has decided so far.

    Attributes:
        now_ms: the one moment at which all of it happens.
        entities: service, then id, to entity; to be read and written.
        overlay: the same, for whoever takes back what was written.
        sagas: those that this batch started or changed.
        ended: of these, the ones that became final.
        parked: of these, the ones that now wait for an operator.
        contradicted: answers that contradict what is known.
        failures: attempts that failed, of those that the log is to have.
        asked: requests that came up, by their attempts.
        flights: which requests are under way.
        late_undos: requests by an operator's word, which no state of a saga waits for.
        keys: client keys that are new.
        set_aside: rows that turned out to be unreadable, and were not known to be.
        immovable: sagas among those that are unreadable, whether or not it was known, and why.
    """

    def __init__(
        self,
        wares: Wares,
        now_ms: int,
        known: Mapping[str, KeyRow | Unreadable],
        *,
        trusts_fresh: bool = True,
        is_careful: bool = False,
        bytes_max: int = sys.maxsize,
    ) -> None:
        """Begin with nothing decided.

        Args:
            wares: where to find what is not held yet.
            now_ms: the clock.
            known: what the store knows of the client keys of this batch.
            trusts_fresh: whether an id that is given out here is taken to be nobody's, which saves a look at the store
                for every new thing; should one have it, its row's version says so at the commit.
            is_careful: whether each participant is asked by itself, and what it leaves is looked at at once.
            bytes_max: beyond which nothing more is taken in.
        """
        self._trusts_fresh = trusts_fresh
        self._is_careful = is_careful
        self.now_ms = now_ms
        self.overlay = Overlay(wares.shelf)
        self.entities = self.overlay.views
        self.sagas: dict[str, LoadedSaga] = {}
        self.ended: dict[str, SagaInstance] = {}
        self.parked: list[Park] = []
        self.contradicted: list[Contradicted] = []
        self.failures: list[FailedAttempt] = []
        self.asked: dict[AttemptId, Send] = {}
        self.late_undos: list[Outgoing] = []
        self.keys: dict[str, KeyRow] = {}
        self.set_aside: dict[tuple[str, str], Unreadable] = {}
        self.immovable: dict[str, str] = {}
        self.flights = wares.flights
        self._wares = wares
        self._known = known
        self._looked_at: dict[str, LoadedSaga] = {}
        self._started = 0
        self._bytes_max = bytes_max
        self._value_bytes_max = wares.value_bytes_max
        self._size = 0
        self._records: list[str] = []
        self._subjects: dict[str, None] = {}

    # Sagas ----------------------------------------------------------------------------------------------------

    def saga(self, saga_id: str) -> LoadedSaga | Unreadable | None:
        """A saga as this batch sees it; ``None`` when there is none."""
        live = self.sagas.get(saga_id) or self._looked_at.get(saga_id) or self._wares.saga(saga_id)
        if isinstance(live, Unreadable):
            self.put_aside(live)
        elif live is not None:
            self._looked_at[saga_id] = live
            self._size += len(live.request)
        return live

    def found(self, saga_id: str) -> LoadedSaga:
        """A saga as this batch sees it.

        Raises:
            RequestRefused: there is none, or it cannot be read.
        """
        live = self.saga(saga_id)
        if live is None:
            raise RequestRefused(f"there is no saga {shown(saga_id)}")
        if isinstance(live, Unreadable):
            raise RequestRefused(f"saga {saga_id!r} cannot be read: {live.why}")
        return live

    def standing(self, saga_id: str) -> SagaInstance:
        """Where a saga stands that somebody waits for.

        Raises:
            RequestRefused: there is none, or it cannot be read, or was set aside.
        """
        run = self.found(saga_id).run
        if saga_id in self._wares.immovable and underway(run.state) is not None:
            raise set_aside(saga_id, self._wares.immovable[saga_id])
        return run

    def runs(self) -> Iterator[SagaInstance]:
        """The sagas that this batch looked at, as they stand now."""
        return (live.run for live in {**self._looked_at, **self.sagas}.values())

    def begin(self, form: SagaCodec, asked: Any, *, is_flat: bool = False) -> SagaInstance:
        """Start a saga, and carry it as far as it gets without asking anybody outside.

        Args:
            form: of its definition.
            asked: what `Saga.prepare` gets a copy of, or the request.
            is_flat: whether no copy is needed, since nothing in it can be changed.

        Raises:
            RequestRefused: `Saga.prepare` refused, or the request cannot be stored.
            Exception: whatever `Saga.prepare` raises; nothing is started then.
        """
        saga_id = self._wares.new_id()
        prepare = form.saga.prepare
        if prepare is None:
            return self._started_as(form, saga_id, asked)
        if self.overlay.pending:
            self.settle()
        request = prepare(self.entities, saga_id, asked if is_flat else _own(asked, form.saga.name))
        if self.overlay.pending:
            self.overlay.take_back()
            raise ParticipantError(f"saga {form.saga.name!r}: prepare wrote to an entity; it only reads")
        if isinstance(request, Refused):
            raise RequestRefused(worded(request.reason))
        return self._started_as(form, saga_id, request)

    def start(self, form: SagaCodec, saga_id: str, request: Any) -> SagaInstance:
        """Start a saga of a given id, and carry it as far as it gets without asking anybody outside.

        Raises:
            RequestRefused: the request cannot be stored.
        """
        if not saga_id or "/" in saga_id or not saga_id.isprintable():  # a "/" parts a key
            raise RequestRefused(f"{shown(saga_id)} is no id of a saga: give printable text without '/'")
        return self._started_as(form, saga_id, request)

    def _started_as(self, form: SagaCodec, saga_id: str, request: Any) -> SagaInstance:
        if saga_id in self.sagas or (not self._trusts_fresh and self.saga(saga_id) is not None):
            raise RequestRefused(f"there is a saga {saga_id!r} already")
        text, request = _kept(form, request, self._value_bytes_max)
        if self._trusts_fresh:
            self.overlay.fresh.add(saga_id)
        run, effects = self._stepped(form, request, (), partial(start, form.saga, saga_id, request, self.now_ms))
        self._started += 1
        self._note(run, form, effects, f" {form.definition} {text}")
        live: LoadedSaga = new_row(LoadedSaga, (form, run, text, self.now_ms, 0, ""))
        return self._put(live, is_new_end=underway(run.state) is None)

    def hear(self, live: LoadedSaga, said: Input) -> SagaInstance | Decline:
        """Hand an input to a saga; `Decline` when it is a verb that cannot be taken now.

        Raises:
            RequestRefused: it brings an answer that cannot be stored.
        """
        said, before = self._taken_in(live.run.saga, said), live.run
        if not (said.__class__ is Answered and said.outcome.__class__ in SETTLED):  # of these nobody counts the time
            before = self.flights.as_sent(before)
        form, _, request, started_ms, version, status = live
        run, effects = self._stepped(
            form,
            before.request,
            (_answer_in(said), *before.answers.values()) if form.asks else (),
            partial(step, before, said, self.now_ms),
        )
        if isinstance(effects[0], Decline):
            return effects[0]
        if isinstance(said, Answered) and isinstance(said.outcome, Unknown):
            self._failed(said, said.outcome, effects[0], run)
        self._note(run, form, effects)
        is_new_end = underway(run.state) is None and underway(live.run.state) is not None
        return self._put(new_row(LoadedSaga, (form, run, request, started_ms, version, status)), is_new_end=is_new_end)

    def go_on(self, live: LoadedSaga) -> LoadedSaga:
        """Ask the participants that we keep whose time has come."""
        run, effects = self._asked(live.form, live.run, ())
        if effects:
            self._note(run, live.form, effects)
            self._put(live._replace(run=run), is_new_end=underway(run.state) is None)
        return self.sagas.get(run.saga_id, live)

    def rewrite(self, live: LoadedSaga, run: SagaInstance, cause: str) -> LoadedSaga:
        """Store a saga whose times alone are other ones."""
        run = run._replace(number=run.number + 1)
        self.record(run.saga_id, run.number, cause)
        self._put(live._replace(run=run), is_new_end=False)
        return self.sagas[run.saga_id]

    # Everything else ------------------------------------------------------------------------------------------

    def execute(self, order: Command, entity_id: str, body: Any) -> Refused | None:
        """Carry out a command on its entity, and record it; `Refused` when the participant refused.

        Raises:
            Exception: whatever the command's function raises; nothing has changed then.
        """
        self.settle()
        if self._wares.entity_forms.learn_command(order):
            self.overlay.relearn(order.service)
        asked = _text(body, order.event, self._value_bytes_max)
        try:
            refused = execute(self.entities, order, entity_id, _own(body, order.event))
            if refused is not None:
                return Refused(worded(refused.reason))
            after = kept_text(raw(self.overlay.values[order.service], entity_id))
            self._refuse_large_entity(f"{order.service}/{entity_id}", after)
            self._record_entity(order.service, entity_id, f"{order.event} {asked}", after)
        except Unstorable as error:
            self.overlay.take_back()
            raise ParticipantError(f"{order.event}: {error}") from error
        except BaseException:
            self.overlay.take_back()
            raise
        self.overlay.keep()
        return None

    def record(self, subject: str, number: int, cause: str, changes: str = "[]") -> None:
        """Write an audit record.

        Args:
            subject: what changed.
            number: position of the change in a saga, from 1; 0 for what is not numbered.
            cause: in words.
            changes: what became of it: a JSON list of words.

        Raises:
            ParticipantError: this unit of work is over.
        """
        self.overlay.expect_open()
        self._record(subject, number, cause, changes)

    def _record(self, subject: str, number: int, cause: str, changes: str) -> None:
        if not cause.isascii():
            cause = worded(cause)  # whoever reads it back takes no lone surrogate
        line = f"[{quoted(subject)},{number},{self.now_ms},{quoted(cause)},{changes}]"
        self._records.append(line)
        self._size += len(line)
        if subject not in self.overlay.fresh:  # a saga that starts here is found by its row
            self._subjects[subject] = None

    def recall(self, key: str, digest: str, earlier: Callable[[], str] | None = None) -> str | None:
        """What was answered under a client key, as JSON; ``None`` when the key is new.

        Args:
            key: as the client gave it.
            digest: of what is asked now.
            earlier: gives the digest that an earlier version kept of the same; ``None`` when that was no other.

        Raises:
            KeyReused: something else was asked under this key.
            RequestRefused: what the key stands for cannot be read any more.
        """
        row = self.keys.get(key) or self._known.get(key)
        if row is None:
            return None
        if isinstance(row, Unreadable):
            self.put_aside(row)
            raise RequestRefused(f"client key {shown(key)} cannot be read: {row.why}")
        if row.request != digest and (earlier is None or row.request != earlier()):
            raise KeyReused(f"client key {shown(key)} stands for another request; give every request a key of its own")
        return row.answer

    def remember(self, key: str, digest: str, answer: Any, saga_id: str = "") -> None:
        """Keep what was answered under a client key, for as long as its saga is kept."""
        self.keys[key] = KeyRow(key, digest, text_of(answer), saga_id)

    def settle(self) -> None:
        """What was written straight to entities is there to stay, and is recorded."""
        for (service, entity_id), text in self.overlay.written().items():
            self._refuse_large_entity(f"{service}/{entity_id}", text)
            self._record_entity(service, entity_id, "written", text)
        self.overlay.keep()

    def _record_entity(self, service: str, entity_id: str, cause: str, after: str) -> None:
        name = f"{service}/{entity_id}"
        self.overlay.recorded(service, entity_id)
        self.record(name, 0, cause, f"[{quoted(f'{name} {after}')}]")

    def put_aside(self, row: Unreadable) -> None:
        """Note that a row cannot be used: it is left as it is, and listed."""
        if row.kind == "saga":
            self.immovable[row.name] = row.why
        name = row.kind, row.name
        if name not in self.set_aside and name not in self._wares.aside:
            self.set_aside[name] = row
            self.record(row.name, 0, f"{row.kind} set aside: {row.why}")

    # What is committed ----------------------------------------------------------------------------------------

    def refuse_if_full(self, done: int = 0) -> None:
        """To be asked before more is decided.

        Args:
            done: how many parts of a task are decided.

        Raises:
            TurnFull: what is decided is as much as one commit holds.
        """
        if self._size > self._bytes_max:
            raise TurnFull(self._size, done)

    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self._records or self.keys or self.set_aside)

    def changes(self, head: Head) -> tuple[Changes, dict[str, dict[str, StoredEntity]], dict[str, LoadedSaga | None]]:
        """What is to be committed after a head, and what entities and sagas are once it is.

        Returns:
            The changes; service, then id, to what then is stored; and the sagas, ``None`` for one that is over.

        Raises:
            TypeError, ValueError: an entity or an answer that JSON cannot hold.
            TurnFull: it is more than one commit holds.
        """
        counts = Counter[tuple[str, str]]()
        sagas, lives, rows_max = list[SagaRow](), dict[str, LoadedSaga | None](), ROWS_FACTOR * self._bytes_max
        size, size_max = self._size, self._value_bytes_max // UTF_8_MAX
        for live in self.sagas.values():
            row = _row_of(live, self.now_ms)
            _, _, _, status, body, due_ms, _, _, version = row
            sagas.append(row)
            size += len(body)
            if size > rows_max:
                raise TurnFull(size, 0)
            if len(body) > size_max:  # else none of its answers is too large
                refuse_large_answers(live.run.answers.values(), self._value_bytes_max)
            form, run, request, started_ms, _, before = live
            if due_ms is not None:
                lives[row.saga_id] = new_row(LoadedSaga, (form, run, request, started_ms, version, status))
            elif before:
                lives[row.saga_id] = None
            if before:
                counts[form.definition, before] -= 1
        self._size = size
        counts.update(map(_KIND, sagas))
        entities, kept = list[EntityRow](), dict[str, dict[str, StoredEntity]]()
        for service, rows, stored in self.overlay.rows(self.overlay.fresh & self.ended.keys()):
            entities += rows
            size = sum(map(len, filter(None, map(_BODY, rows))))
            self._size += size
            if self._size > rows_max:
                raise TurnFull(self._size, 0)
            for entity in rows if UTF_8_MAX * size > self._value_bytes_max else ():
                self._refuse_large_entity(f"{service}/{entity.entity_id}", entity.body or "")
            kept[service] = stored
        keys, aside = tuple(self.keys.values()), tuple(self.set_aside.values())
        return Changes(sagas, entities, keys, self._block(head), counts, aside), kept, lives

    def _block(self, head: Head) -> Block:
        after = chain(head.head, (line.encode("ascii") for line in self._records))
        return Block(
            head.number + 1, self.now_ms, head.head, after, "\n".join(self._records), tuple(self._subjects),
            self._started, len(self.ended),
        )  # fmt: skip

    # Inside ---------------------------------------------------------------------------------------------------

    def _stepped(
        self,
        form: SagaCodec,
        request: Any,
        given: Sequence[Any],
        take: Callable[[Any], tuple[SagaInstance, tuple[Effect, ...]]],
    ) -> tuple[SagaInstance, Sequence[Effect]]:
        """Take a step with the entities at hand; where that is not safe, or a participant raises, one at a time.

        It is safe where the request, the answers given and those that come are closed: what one participant does to
        them none of the others can see. The entities see to themselves.
        """
        if not form.asks:
            return take(None)
        if self._is_careful or not form.walks or type(request) is Sealed or (given and Sealed in map(type, given)):
            return self._asked(form, *take(None))
        touched: list[Touched] = []
        try:
            touched = self.overlay.touch(self.overlay.places.get(form) or self.overlay.places_of(form), request)
            run, effects = take(self.overlay.values)
            forms = self._wares.entity_forms
            if not (forms.looks.get(form) or forms.look_of(form))(touched):
                self.overlay.settle(touched)
            if run.answers:
                form.walks = form.are_closed(run.answers)
            if form.walks and type(run.reason) is str:
                return run, effects
        except BaseException as error:
            if is_interrupt(error):
                raise
        self.overlay.restore(touched)
        return self._asked(form, *take(None))

    def _asked(
        self, form: SagaCodec, run: SagaInstance, effects: Sequence[Effect]
    ) -> tuple[SagaInstance, Sequence[Effect]]:
        """Ask the participants that we keep, each request by itself, and each once."""
        tried: set[tuple[str, Kind]] = set()
        while request := next(self._local_requests(form, run, tried), None):
            tried.add((request.step, request.kind))
            run, more = step(run, self._answer(form.saga.step(request.step), request), self.now_ms)
            effects = (*effects, *more)
        return run, effects

    def _local_requests(self, form: SagaCodec, run: SagaInstance, tried: set[tuple[str, Kind]]) -> Iterator[Request]:
        for send in run.requests():
            request = send.request
            is_new = (request.step, request.kind) not in tried
            if is_new and send.at_ms <= self.now_ms and form.saga.step(request.step).is_local:
                yield request

    def _answer(self, asked: Step, request: Request) -> Input:
        touched: list[Touched] = []
        try:
            assert asked.entity is not None, "a local step has an entity"
            touched = self.overlay.touch([self.overlay.place(asked.service, asked.entity)], opened(request.body))
            outcome = self._outcome(asked, request, *touched)
        except EntityDamaged as error:
            self.put_aside(error.row)
            return Halt(request.step, str(error))
        except BaseException as error:
            if is_interrupt(error):
                raise
            self.overlay.restore(touched)
            outcome = Unknown(raised(error), taken_back=True, cause=error)
            self.failed(
                FailedAttempt(request.saga_id, request.step, request.kind, request.call.attempt, outcome.error, error)
            )
        return Answered(request.step, request.kind, outcome, request.call.attempt)

    def _failed(self, said: Answered, outcome: Unknown, effect: Effect, run: SagaInstance) -> None:
        if isinstance(effect, Write) and effect.changes:
            attempt = said.attempt or 1
            self.failed(FailedAttempt(run.saga_id, said.step, said.kind, attempt, outcome.error, outcome.cause))

    def failed(self, failure: FailedAttempt) -> None:
        """Keep what the log is to have: an endless failure is told again, ever more rarely."""
        if failure.attempt & (failure.attempt - 1) == 0:
            self.failures.append(failure)

    def _outcome(self, asked: Step, request: Request, touched: Touched) -> Outcome:
        owned, entity_id, _ = touched
        request = opened_request(request)
        after, outcome = apply_step(asked, request.kind, owned.get(entity_id), request.body, request.call)
        if isinstance(outcome, Refused):
            return storable(outcome, asked.event)
        codec = answer_codec(asked, request.kind)
        try:
            put_entity(owned, entity_id, after)
            settle(owned, entity_id)
            if self._is_careful:
                self._refuse_large_entity(f"{asked.service}/{entity_id}", kept_text(raw(owned, entity_id)))
        except Unstorable as error:
            raise ParticipantError(f"{asked.event}: {error}") from error
        done = storable(outcome, asked.event, codec)
        self._refuse_large_answer(done, asked.event)
        return done

    def _refuse_large_entity(self, name: str, text: str) -> None:
        try:
            refuse_too_large(text, self._value_bytes_max)
        except ValueError as error:
            raise Unstorable(f"the entity {name} cannot be stored: {error}") from error

    def _refuse_large_answer(self, outcome: Outcome, what: str) -> None:
        if isinstance(outcome, Done):
            try:
                refuse_large_answers((outcome.answer,), self._value_bytes_max)
            except ValueError as error:
                raise ParticipantError(f"{what}: the answer cannot be stored: {error}") from error

    def _taken_in(self, saga: Saga, said: Input) -> Input:
        """What was said, as it is kept; an answer that is too large tells nothing, but that there was one.

        Raises:
            RequestRefused: such an answer of somebody who can be told, or one that cannot be stored.
        """
        if said.__class__ is Answered and is_bare(said.outcome):
            return said
        said = _heard(saga, said)
        if isinstance(said, Answered | Resolve):
            try:
                self._refuse_large_answer(said.outcome, said.step)
            except ParticipantError as error:
                if not (isinstance(said, Answered) and said.attempt):
                    raise RequestRefused(str(error)) from error
                return replace(said, outcome=Unknown(str(error), cause=error))
        return replace(said, why=worded(said.why)) if isinstance(said, Verb) else said

    def _note(self, run: SagaInstance, form: SagaCodec, effects: Sequence[Effect], more: str = "") -> None:
        waits_inside = any(step.is_local for step, _, _ in asked_of(run)) if run.waiting and form.asks else False
        for effect in effects:
            if isinstance(effect, Write):
                changes = form.told(effect.changes, in_full=waits_inside)
                self._record(effect.saga_id, effect.number, effect.cause + more, changes)
                more = ""
            elif isinstance(effect, End):
                pass  # most effects but the record are one: `StartSagas` and `hear` see it by themselves
            elif isinstance(effect, Send) and effect.request.kind is Kind.UNDO_LATE:
                self.late_undos.append((run.saga.step(effect.request.step), effect))
            elif isinstance(effect, Send):
                self.asked[flight_of(effect)] = effect
            elif isinstance(effect, Park):
                self.parked.append(effect)
            elif isinstance(effect, Contradicted):
                self.contradicted.append(effect)

    def _put(self, live: LoadedSaga, *, is_new_end: bool) -> SagaInstance:
        run = live.run
        self.sagas[run.saga_id] = live
        if is_new_end:
            self.ended[run.saga_id] = run
        return run


def _heard(saga: Saga, said: Input) -> Input:
    """What was said, with its answer as it is kept. That an attempt left nothing is the engine's own word by now."""
    if not isinstance(said, Answered | Resolve) or isinstance(said.outcome, Unknown):
        return said
    kind = said.kind if isinstance(said, Answered) else Kind.DO
    try:
        outcome: Any = heard(said.outcome, said.step, answer_codec(saga.step(said.step), kind))
    except ValueError as error:
        raise RequestRefused(str(error)) from error
    return said if outcome is said.outcome else replace(said, outcome=outcome)


def set_aside(saga_id: str, why: str) -> RequestRefused:
    """What whoever waits for a saga is told that was set aside."""
    return RequestRefused(f"saga {saga_id!r} is set aside, and does not go on before the next start: {why}")


def _answer_in(said: Input) -> Any:
    outcome = said.outcome if isinstance(said, Answered | Resolve) else None
    return outcome.answer if isinstance(outcome, Done) else None


def _text(given: Any, what: str, most: int) -> str:
    try:
        text = text_of(given)
        refuse_too_large(text, most)
    except (TypeError, ValueError) as error:
        raise RequestRefused(f"{what}: the request cannot be stored: {error}") from error
    else:
        return text


def _kept(form: SagaCodec, request: Any, most: int) -> tuple[str, Any]:
    """A request as JSON, and as it is kept."""
    is_closed = form.request.is_closed(request)
    try:
        text = encode(request).decode() if is_closed else text_of(request)
        kept = request if is_closed else form.request.keep(request, text)
    except (TypeError, ValueError) as error:
        remedy = of_a_request(form.saga.request, request)
        raise RequestRefused(f"{_what(form)} cannot be stored: {error}; {remedy}") from error
    if UTF_8_MAX * len(text) > most:
        try:
            refuse_too_large(text, most)
        except ValueError as error:
            raise RequestRefused(f"{_what(form)} cannot be stored: {error}") from error
    return text, kept


def _what(form: SagaCodec) -> str:
    return f"{form.saga.name}: the request{' that prepare gave' if form.saga.prepare else ''}"


def _own(given: Any, what: str) -> Any:
    try:
        return own(given)
    except BaseException as error:
        raise RequestRefused(f"{what}: {shown(given)} cannot be copied: {complaint(error)}") from error


_KIND: Final[Callable[[SagaRow], tuple[str, str]]] = attrgetter("definition", "status")
_BODY: Final[Callable[[EntityRow], str | None]] = attrgetter("body")


def _row_of(live: LoadedSaga, now_ms: int) -> SagaRow:
    form, run, request, started_ms, version, _ = live
    status = status_of(run.state)
    due_ms = due_of(run, now_ms)
    values = run.saga_id, form.definition, request, status, body_of(run), due_ms, started_ms, now_ms, version + 1
    row: SagaRow = new_row(SagaRow, values)
    return row
