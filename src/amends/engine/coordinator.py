"""One turn of the loop, sans I/O but for its store: tasks in; decided on overlays; committed; then what is to be sent.

Nothing is decided on what is not committed, and nothing goes out before it is: a turn gives its answers and its
requests back only once the store has them. Whoever drives it (`amends.engine.engine` with asyncio, the simulator with a
world of its own) hands in time, and says what came back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import count, islice
from typing import Any, Final, NamedTuple, TypeVar

from amends.core.definition import Command, Saga, Step
from amends.core.messages import Contradicted, Park, Send
from amends.core.step import SagaInstance
from amends.engine.codec import EntityCodecs, SagaCodec
from amends.engine.exceptions import answerable, raised
from amends.engine.in_flight import AttemptId, InFlight, Outgoing
from amends.engine.limits import VALUE_BYTES_MAX
from amends.engine.overlay import EntityCache, StoredEntity
from amends.engine.tasks import StartSagas, Task, Unfinished, Wake
from amends.engine.unit_of_work import TURN_BYTES_MAX, FailedAttempt, LoadedSaga, TurnFull, UnitOfWork, Wares
from amends.engine.values import opened_request, shown
from amends.engine.versions import NO_UPCASTS, Upcast, Versions
from amends.errors import (
    DefinitionError,
    RequestRefused,
    StoreBusy,
    StoreConflict,
    StoreError,
    StoreFailed,
    StoreTooBig,
)
from amends.storage.ports import Store
from amends.storage.rows import FINAL, WAITS_FOR_OPERATOR, Changes, Head, SagaRow, Unreadable

LIVES_BYTES_MAX: Final = 4 * TURN_BYTES_MAX  # of the requests of these
ROWS_PAGE: Final = 100  # sagas that are read at once, before it is looked how large they are
LIVES_MAX: Final = 20_000  # sagas under way that are at hand; the others are read when they are heard of
DUE_MAX: Final = 500  # sagas that are looked at in one turn because of the time
SPOILT_MAX: Final = 4  # tasks of a batch that raise and are left out of it; with more, it is carried out in parts
CONFLICTS_MAX: Final = 3  # times that a batch is decided again because another writer was faster; there should be none

Found = TypeVar("Found")


class BatchResult(NamedTuple):
    """What became of a turn.

    Attributes:
        due_ms: when to take the next turn at the latest, which may be before anything is due; ``None`` when nothing
            waits for the time.
        replies: one for each task, in their order: a value, the exception that it ended with, or `Unfinished`: then
            the next turn begins with what is left of it.
        sends: requests that are now to be sent, in order.
        dropped: attempts that nobody waits for any more.
        recalled: attempts that are not to be sent any more, if they were not yet: `ReturnUnsent` says which were not.
        held: attempts that wait for a place at their participants: `PlacedOrder` says when there is one.
        ended: sagas that became final, by id.
        parked: sagas that now wait for an operator.
        failures: attempts that failed, for the log.
        immovable: sagas that were found to be set aside, and why.
        contradicted: answers that contradict what is known, for the log.
    """

    due_ms: int | None
    replies: Sequence[Any]
    sends: Sequence[Outgoing] = ()
    dropped: Sequence[AttemptId] = ()
    recalled: Sequence[AttemptId] = ()
    held: Sequence[tuple[Step, AttemptId]] = ()
    ended: Mapping[str, SagaInstance] = {}
    parked: Sequence[Park] = ()
    failures: Sequence[FailedAttempt] = ()
    immovable: Mapping[str, str] = {}
    contradicted: Sequence[Contradicted] = ()


class _Spoilt(Exception):
    def __init__(self, place: int, error: Exception) -> None:
        super().__init__(place, error)
        self.place = place
        self.error = error


class Coordinator:
    """Takes turns on a store."""

    def __init__(
        self,
        store: Store,
        sagas: Iterable[Saga],
        commands: Iterable[Command] = (),
        *,
        now_ms: int,
        prefix: str,
        upcasts: Mapping[str, Upcast] = NO_UPCASTS,
        value_bytes_max: int = VALUE_BYTES_MAX,
    ) -> None:
        """Take over a store.

        Args:
            store: nobody else writes to it.
            sagas: the definitions, each version that may be under way.
            commands: those whose entities have types that no step tells.
            now_ms: the clock; what was to be sent by then may have been sent by a process before this one.
            prefix: goes into the ids of this process's sagas; no process before may have had it.
            value_bytes_max: of one request, answer, entity or command's body.
            upcasts: by service, what makes entities of today's type of those that are stored as another one.

        Raises:
            DefinitionError: two definitions have the same name and version, one cannot be stored, or what is stored
                would be read as something else.
            StoreError: the entities could not be upcast.
        """
        self._store = store
        self._head = store.head()
        self._since_ms = max(now_ms, self._head.at_ms)
        self._entity_forms = EntityCodecs()
        self._forms = self._learned(sagas, commands)
        self._by_definition = {form.definition: form for form in self._forms.values()}
        self._versions = Versions(store, self._entity_forms, upcasts)
        self._head = self._versions.take_over(self._forms.values(), self._head, self._since_ms)
        self._lives: dict[str, LoadedSaga] = {}
        self._lives_size = 0
        self._resumed: tuple[int, str] | None = (0, "")
        self._immovable: dict[str, str] = {}
        self._trouble: StoreError | None = None
        self._due_ms = 0  # no saga is due before it; the first one may be later
        self._rows: dict[str, SagaRow | Unreadable] = {}
        self._flights = InFlight(self._since_ms)
        ids = (f"{prefix}-{number}" for number in count(1))
        self._aside = {(row.kind, row.name) for row in store.set_aside()}
        self._wares = Wares(
            EntityCache(partial(self._met, store.entity), self._entity_forms),
            self._flights,
            partial(self._met, self._live),
            lambda: next(ids),
            self._entity_forms,
            self._aside,
            self._immovable,
            value_bytes_max,
        )

    @property
    def departed(self) -> dict[AttemptId, int]:
        """When each attempt under way was really sent: whoever sends them writes it, and removes what was dropped."""
        return self._flights.departed

    def form_of(self, saga: Any) -> SagaCodec:
        """How a definition is stored.

        Raises:
            DefinitionError: the engine was not given this definition.
        """
        form = self._forms.get(id(saga))
        if form is None:
            known = ", ".join(sorted(self._by_definition)) or "none"
            what = (
                f"saga {saga.name!r}, version {saga.version},"
                if isinstance(saga, Saga)
                else f"{shown(saga)} is no Saga, and"
            )
            raise DefinitionError(
                f"{what} was not given to open(sagas=[...]): submit the very definition that was; known: {known}"
            )
        return form

    def strangers(self) -> dict[str, int]:
        """Definitions of sagas that are not final and that this engine does not know, with how many there are."""
        found: dict[str, int] = {}
        for (definition, status), sagas in self._store.counts().items():
            if status not in FINAL and definition not in self._by_definition:
                found[definition] = found.get(definition, 0) + sagas
        return found

    # A turn ---------------------------------------------------------------------------------------------------

    def turn(self, tasks: Sequence[Task], now_ms: int) -> BatchResult:
        """Carry out some tasks in one transaction, and look at the sagas whose time has come.

        Args:
            tasks: each is carried out on what the ones before it left; one that raises leaves nothing.
            now_ms: the clock.

        Raises:
            StoreFull: nothing was written, nothing is to be sent; all of it may be tried again.
            StoreFailed: the storage failed; this object is not to be used any more.
        """
        now_ms = max(now_ms, self._since_ms + 1, self._head.at_ms)
        is_due = self._due_ms <= now_ms
        page = self._to_resume()
        stirs = [Wake(saga_id, due_ms) for due_ms, saga_id in (page or (self._due(now_ms, DUE_MAX) if is_due else ()))]
        turn = self._decided([*stirs, *tasks], now_ms)
        stirred = sum(not isinstance(reply, Unfinished) for reply in turn.replies[: len(stirs)])
        self._resumed = page[stirred - 1] if len(page) == DUE_MAX or stirred < len(page) else None
        if is_due:  # else what was committed said it: a look at the store takes as long as deciding a saga
            self._due_ms = now_ms if self._resumed else self._next_due_ms(now_ms)
        due_ms = self._due_ms if self._due_ms < WAITS_FOR_OPERATOR else None
        return turn._replace(due_ms=due_ms, replies=turn.replies[len(stirs) :])

    def look(self, tasks: Sequence[Task], now_ms: int) -> list[Any]:
        """Carry out tasks that only look, while nothing can be written."""
        work = UnitOfWork(self._wares, max(now_ms, self._head.at_ms), {})
        return [self._carried_out(place, task, work) for place, task in enumerate(tasks)]

    def _next_due_ms(self, now_ms: int) -> int:
        try:
            due = self._due(WAITS_FOR_OPERATOR - 1, 1)
        except StoreBusy:  # the turn is committed, and has to be told
            return now_ms
        return due[0][0] if due else WAITS_FOR_OPERATOR

    def _to_resume(self) -> list[tuple[int, str]]:
        """A page of the sagas that a process before this one left waiting.

        Each of them has to be stirred once: what it waits for may never have been sent, or was answered to a process
        that is gone.
        """
        return [] if self._resumed is None else self._due(WAITS_FOR_OPERATOR - 1, DUE_MAX, self._resumed)

    def _due(self, until_ms: int, limit: int, after: tuple[int, str] = (0, "")) -> list[tuple[int, str]]:
        """Sagas that are due, but for those that were found to be unreadable: nobody can move them."""
        found: list[tuple[int, str]] = []
        while True:
            page = self._store.due(self._by_definition, until_ms, limit, after)
            found += [entry for entry in page if entry[1] not in self._immovable]
            if len(page) < limit or len(found) >= limit:
                return found[:limit]
            after = page[-1]

    def _decided(self, tasks: Sequence[Task], now_ms: int) -> BatchResult:
        spoilt: dict[int, Exception] = {}
        conflicts = 0
        while conflicts < CONFLICTS_MAX:
            try:
                return self._taken(tasks, now_ms, spoilt, trusts_fresh=not conflicts)
            except _Spoilt as reason:
                spoilt[reason.place] = reason.error
                if len(spoilt) > SPOILT_MAX:
                    return self._apart(tasks, now_ms, reason.error)
            except StoreConflict:
                conflicts += 1
                self._forget()
        raise StoreFailed("another process writes to this store")

    def _taken(
        self,
        tasks: Sequence[Task],
        now_ms: int,
        spoilt: Mapping[int, Exception],
        *,
        trusts_fresh: bool,
        is_careful: bool = False,
    ) -> BatchResult:
        self._rows = self._read({task.saga_id for task in tasks} - self._lives.keys() - {""})
        known = self._store.keys([key for task in tasks for key in task.keys])
        bytes_max = TURN_BYTES_MAX if sum(task.size for task in tasks) > 1 else sys.maxsize
        work = UnitOfWork(
            self._wares, now_ms, known, trusts_fresh=trusts_fresh, is_careful=is_careful, bytes_max=bytes_max
        )
        replies: list[Any] = []
        try:
            for place, task in enumerate(tasks):
                replies.append(spoilt[place] if place in spoilt else self._carried_out(place, task, work))
            changes = None if work.is_empty() else self._committed(work)
        except TurnFull as full:
            decided = sum(task.size for task in tasks[: len(replies)]) + full.done
            return self._apart(tasks, now_ms, full, decided, is_careful=is_careful)
        except StoreTooBig as error:
            return self._apart(tasks, now_ms, error, is_careful=is_careful)
        except (StoreError, _Spoilt):
            raise
        except Exception as error:  # whatever cannot be stored, or not at once, the rest can
            if self._store.head().number != self._head.number:  # it was sent into this thread, after the commit
                raise StoreFailed(f"a turn was interrupted between its commit and its end: {raised(error)}") from error
            return self._apart(tasks, now_ms, error, is_careful=is_careful)
        finally:
            work.overlay.end()
        if changes:
            self._take_over(*changes)
        self._immovable |= work.immovable
        traffic = self._flights.take_off(work.runs(), work.asked, now_ms)
        sends = [*traffic.sends, *work.late_undos]
        owned = [(step, _owned(send)) for step, send in sends]
        traffic = traffic._replace(sends=owned)
        turn = BatchResult(None, replies, *traffic, work.ended, work.parked, work.failures, work.immovable)
        return turn._replace(contradicted=work.contradicted)

    def _carried_out(self, place: int, task: Task, work: UnitOfWork) -> Any:
        try:
            if place:
                work.refuse_if_full()
            return task.carry_out(work)
        except BaseException as raising:
            if raising is self._trouble or isinstance(raising, TurnFull):
                raise
            error = answerable(raising)
            if task.is_whole:
                raise _Spoilt(place, error) from raising
            work.overlay.take_back()
            if isinstance(task, Wake):
                work.put_aside(Unreadable("saga", task.saga_id, raised(error)))
            return error

    def _committed(
        self, work: UnitOfWork
    ) -> tuple[Changes, dict[str, dict[str, StoredEntity]], dict[str, LoadedSaga | None]]:
        changes, kept, lives = work.changes(self._head)
        if shapes := self._versions.to_write(changes, kept):
            changes = changes._replace(shapes=shapes)
        self._store.commit(changes)
        self._versions.written(shapes)
        return changes, kept, lives

    def _take_over(
        self, written: Changes, entities: Mapping[str, dict[str, StoredEntity]], lives: Mapping[str, LoadedSaga | None]
    ) -> None:
        """What is committed is what the next turn decides on."""
        self._head = Head(written.block.number, written.block.head, written.block.at_ms)
        self._due_ms = min([self._due_ms, *(row.due_ms for row in written.sagas if row.due_ms is not None)])
        self._aside.update((row.kind, row.name) for row in written.set_aside)
        for service, kept in entities.items():
            self._wares.shelf.put(service, kept)
        for saga_id, live in lives.items():
            self._drop(saga_id)
            if live is not None:
                self._lives[saga_id] = live
                self._lives_size += len(live.request)
        while len(self._lives) > LIVES_MAX or self._lives_size > LIVES_BYTES_MAX:
            self._drop(next(iter(self._lives)))

    def _drop(self, saga_id: str) -> None:
        live = self._lives.pop(saga_id, None)
        if live is not None:
            self._lives_size -= len(live.request)

    def _apart(
        self, tasks: Sequence[Task], now_ms: int, error: Exception, decided: int = 0, *, is_careful: bool = False
    ) -> BatchResult:
        """It cannot be stored, or not at once: carry out the first half, and leave the rest to the turns that follow.

        So the part that is the reason is found by halving, and what is committed goes out before anything else is done.

        Args:
            tasks: all of it.
            now_ms: the clock.
            error: the reason.
            decided: how many parts fit, where that is known; these are carried out then, in place of the half.
            is_careful: whether each participant was asked by itself.
        """
        parts = [part for task in tasks for part in task.parts()]
        if len(parts) == 1:
            return self._alone(tasks[0], now_ms, error, is_careful=is_careful)
        turn = self._decided(parts[: decided if 0 < decided < len(parts) else len(parts) // 2], now_ms)
        answers = iter([reply for reply in turn.replies if not isinstance(reply, Unfinished)])
        return turn._replace(replies=[task.joined([*islice(answers, task.size)]) for task in tasks])

    def _alone(self, task: Task, now_ms: int, error: Exception, *, is_careful: bool) -> BatchResult:
        """What one task leads to cannot be stored.

        A saga starts, or hears it, all the same, and its participants are asked one by one: the one that left what
        cannot be stored has changed nothing, as if it had raised. Where that does not help, the saga is set aside.
        """
        refused = RequestRefused(f"what it leads to cannot be stored: {error}")
        if (task.saga_id or isinstance(task, StartSagas)) and not is_careful:
            return self._taken([task], now_ms, {}, trusts_fresh=False, is_careful=True)
        if isinstance(task, Wake):
            work = UnitOfWork(self._wares, now_ms, {})
            work.put_aside(Unreadable("saga", task.saga_id, str(refused)))
            if not work.is_empty():
                self._take_over(*self._committed(work))
            self._immovable |= work.immovable
            return BatchResult(None, [task.joined([refused])], immovable=work.immovable)
        return BatchResult(None, [task.joined([refused])])

    # What is at hand ------------------------------------------------------------------------------------------

    def _read(self, wanted: Iterable[str]) -> dict[str, SagaRow | Unreadable]:
        """The rows of some sagas; of very large ones the first, as the others are read when they are met."""
        found, names, size = dict[str, SagaRow | Unreadable](), list(wanted), 0
        for first in range(0, len(names), ROWS_PAGE):
            page = self._store.sagas(names[first : first + ROWS_PAGE])
            found |= page
            size += sum(len(row.request) + len(row.body) for row in page.values() if isinstance(row, SagaRow))
            if size > TURN_BYTES_MAX:
                break
        return found

    def _live(self, saga_id: str) -> LoadedSaga | Unreadable | None:
        """A saga as the last commit left it.

        Raises:
            RequestRefused: it runs under a definition that this engine does not know, and is left alone.
        """
        live = self._lives.get(saga_id)
        if live is not None:
            return live
        row = self._rows.get(saga_id) or self._store.sagas([saga_id]).get(saga_id)
        if row is None or isinstance(row, Unreadable):
            return row
        form = self._by_definition.get(row.definition)
        if form is None:
            raise RequestRefused(f"saga {saga_id!r} runs under {row.definition}, which was not given to open()")
        try:
            return LoadedSaga(form, form.run_of(row), row.request, row.started_ms, row.version, row.status)
        except (LookupError, TypeError, ValueError) as error:
            return Unreadable("saga", saga_id, raised(error))

    def _met(self, read: Callable[..., Found], *names: str) -> Found:
        """Look at the store from within a task: what it raises then is no function's, though one may have asked."""
        try:
            return read(*names)
        except StoreError as error:
            self._trouble = error
            raise

    def _forget(self) -> None:
        self._wares.shelf.clear()
        self._lives.clear()
        self._lives_size = 0
        self._head = self._store.head()
        self._due_ms = 0

    def _learned(self, sagas: Iterable[Saga], commands: Iterable[Command]) -> dict[int, SagaCodec]:
        forms: dict[int, SagaCodec] = {}
        named: dict[tuple[str, int, str], Saga] = {}
        for saga in sagas:
            if named.setdefault((saga.name, saga.version, saga.fingerprint), saga) is not saga:
                raise DefinitionError(
                    f"saga {saga.name!r}: version {saga.version} is given twice; count its versions up"
                )
            self._entity_forms.learn_saga(saga)
            forms[id(saga)] = SagaCodec(saga)
        for command in commands:
            self._entity_forms.learn_command(command)
        self._entity_forms.check()
        return forms


def _owned(send: Send) -> Send:
    """What is sent, as whoever is asked may have it."""
    request = opened_request(send.request)
    return send if request is send.request else send._replace(request=request)
