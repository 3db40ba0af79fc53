"""One unit of work: what a batch decides, on overlays, until it is committed all at once.

All that sagas, commands and a caller's own functions change here is one transaction: rows, keys and audit records
together, or none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from amends.core.effects import Decline, Effect, Write
from amends.core.messages import Answered, Done, Input, Kind, Refused, Unknown, worded
from amends.core.state import underway
from amends.core.step import SagaInstance, start, step
from amends.engine.client_keys import BatchKeys
from amends.engine.committed import CommittedState
from amends.engine.effects import BatchEffects
from amends.engine.entity_writes import EntityWrites
from amends.engine.in_flight import attempts_of
from amends.engine.intake import answer_in, copy_of, take_input, take_request
from amends.engine.local_participants import LocalParticipants
from amends.engine.overlay import Overlay, new_row
from amends.engine.recording import Recording, said_text
from amends.engine.room import Room
from amends.engine.saga_cache import LoadedSaga
from amends.engine.turn_io import EntityName, NotAtHand
from amends.engine.unreadable import UnreadableRows
from amends.errors import ParticipantError, RequestRefused
from amends.storage.codecs.sagas import SagaCodec
from amends.storage.codecs.values import shown
from amends.storage.records import AttemptsRetimed, Cause, RetimeReason
from amends.storage.rows import KeyRow, Unreadable

SETTLED: Final = frozenset((Done, Refused))


class UnitOfWork:
    """What one batch has decided so far.

    Attributes:
        committed: what it decides on.
        now_ms: the one moment at which all of it happens.
        entities: service, then id, to entity; to be read and written by commands and transactions.
        overlay: the same entities, as sagas meet them.
        sagas: those that this batch started or changed.
        keys: the client keys of the batch.
        effects: what is to be done and told once it is committed.
        recording: its audit records.
        acted_on: ids of the letters that it acts on, which are removed with its commit.
        started: how many sagas it started.
        unreadable: rows that it sets aside.
        room: how much it may decide.
        writes: those of commands and transactions to entities.
        participants: those whose entities are kept here.
        value_bytes_max: of one request, answer, entity or command's body, as JSON.
    """

    def __init__(
        self,
        committed: CommittedState,
        now_ms: int,
        known: Mapping[str, KeyRow | Unreadable],
        *,
        trusts_fresh: bool = True,
        is_careful: bool = False,
        letters_max: int = sys.maxsize,
    ) -> None:
        """Begin with nothing decided.

        Args:
            committed: what to decide on.
            now_ms: the clock.
            known: what the store knows of the client keys of this batch.
            trusts_fresh: whether an id that is given out here is taken to be no saga's yet, which saves a look at the
                store for every new saga; should one have it, its row's version says so at the commit.
            is_careful: whether each participant is called by itself, and what it leaves is looked at at once.
            letters_max: beyond which nothing more is taken in.
        """
        self.committed = committed
        self.now_ms = now_ms
        self.overlay = Overlay(committed.entities, committed.definitions.elsewhere)
        self.entities = self.overlay.views
        self.sagas: dict[str, LoadedSaga] = {}
        self.effects = BatchEffects()
        self.recording = Recording(now_ms, self.overlay.fresh, committed.salts)
        self.unreadable = UnreadableRows(committed.set_aside, self.recording)
        self.keys = BatchKeys(known, self.unreadable, self.recording)
        self.acted_on: dict[str, None] = {}
        self.started = 0
        self.room = Room(self.recording, letters_max)
        self.value_bytes_max = committed.value_bytes_max
        self.writes = EntityWrites(self.overlay, committed.entity_codecs, self.recording, self.value_bytes_max)
        parts = self.overlay, committed.entity_codecs, self.effects, self.unreadable
        self.participants = LocalParticipants(*parts, now_ms, self.value_bytes_max, is_careful=is_careful)
        self._trusts_fresh = trusts_fresh
        self._looked_at: dict[str, LoadedSaga] = {}

    def saga(self, saga_id: str) -> LoadedSaga | Unreadable | None:
        """A saga as this batch sees it; ``None`` when there is none."""
        loaded = self.sagas.get(saga_id) or self._looked_at.get(saga_id) or self.committed.sagas.get(saga_id)
        if isinstance(loaded, Unreadable):
            self.unreadable.add(loaded)
        elif loaded is not None:
            self._looked_at[saga_id] = loaded
            self.room.looked_at += len(loaded.request)
        return loaded

    def found(self, saga_id: str) -> LoadedSaga:
        """A saga as this batch sees it.

        Raises:
            RequestRefused: there is none, or it cannot be read.
        """
        loaded = self.saga(saga_id)
        if loaded is None:
            raise RequestRefused(f"there is no saga {shown(saga_id)}")
        if isinstance(loaded, Unreadable):
            raise RequestRefused(f"saga {saga_id!r} cannot be read: {loaded.why}")
        return loaded

    def standing(self, saga_id: str) -> SagaInstance:
        """Where a saga stands whose end a client waits for.

        Raises:
            RequestRefused: there is none, or it cannot be read, or was set aside.
        """
        run = self.found(saga_id).run
        if saga_id in self.committed.immovable and underway(run.state) is not None:
            raise set_aside(saga_id, self.committed.immovable[saga_id])
        return run

    def runs(self) -> Iterator[SagaInstance]:
        """The sagas that this batch looked at, as they stand now."""
        return (loaded.run for loaded in {**self._looked_at, **self.sagas}.values())

    def begin(self, codec: SagaCodec, request: Any, *, is_flat: bool = False, saga_id: str = "") -> SagaInstance:
        """Start a saga, and carry it on until it waits for a participant outside, or for the time.

        Args:
            codec: of its definition.
            request: what `Saga.prepare` gets a copy of, where there is one.
            is_flat: whether no copy is needed, since nothing in it can be changed.
            saga_id: the id that a client made; a new one when it is left out.

        Raises:
            RequestRefused: `Saga.prepare` refused, or the request or the id cannot be stored.
            Exception: an exception of `Saga.prepare`; nothing is started then.
        """
        if saga_id:
            self._refuse_id(saga_id)
        else:
            saga_id = self.committed.new_id()
        prepare = codec.saga.prepare
        if prepare is None:
            return self._start(codec, saga_id, request)
        if self.overlay.pending:
            self.writes.settle()
        prepared = prepare(self.entities, saga_id, request if is_flat else copy_of(request, codec.saga.name))
        if self.overlay.pending:
            self.overlay.take_back()
            raise ParticipantError(f"saga {codec.saga.name!r}: prepare wrote to an entity; it only reads")
        if isinstance(prepared, Refused):
            raise RequestRefused(worded(prepared.reason))
        return self._start(codec, saga_id, prepared)

    def start(self, codec: SagaCodec, saga_id: str, request: Any) -> SagaInstance:
        """Start a saga of a given id, and carry it on as `begin` does; `Saga.prepare` is not called.

        Raises:
            RequestRefused: the request cannot be stored.
        """
        self._refuse_id(saga_id)
        return self._start(codec, saga_id, request)

    def _refuse_id(self, saga_id: str) -> None:
        if not saga_id or "/" in saga_id or not saga_id.isprintable():  # a "/" parts a key
            raise RequestRefused(f"{shown(saga_id)} is no id of a saga: give printable text without '/'")
        self.committed.shards.expect(saga_id)

    def _start(self, codec: SagaCodec, saga_id: str, request: Any) -> SagaInstance:
        if saga_id in self.sagas or (not self._trusts_fresh and self.saga(saga_id) is not None):
            raise RequestRefused(f"there is a saga {saga_id!r} already")
        text, request = take_request(codec, request, self.value_bytes_max)
        if self._trusts_fresh:
            self.overlay.fresh.add(saga_id)
        take = partial(start, codec.saga, saga_id, request, self.now_ms)
        run, effects = self.participants.step(codec, request, (), take)
        self.started += 1
        self._note(run, codec, effects, text)
        self.sagas[saga_id] = new_row(LoadedSaga, (codec, run, text, self.now_ms, 0, ""))
        if underway(run.state) is None:
            self.effects.ended[saga_id] = run
        return run

    def hear(self, loaded: LoadedSaga, said: Input) -> SagaInstance | Decline:
        """Hand an input to a saga; `Decline` when it is a verb that cannot be taken now.

        Raises:
            RequestRefused: it brings an answer that cannot be stored.
        """
        said, before = take_input(loaded.run.saga, said, self.value_bytes_max), loaded.run
        if not (said.__class__ is Answered and said.outcome.__class__ in SETTLED):  # for these no time counts
            before = self.committed.in_flight.as_sent(before, self.now_ms)
        codec, _, request, started_ms, version, status = loaded
        given = (answer_in(said), *before.answers.values()) if codec.asks else ()
        run, effects = self.participants.step(codec, before.request, given, partial(step, before, said, self.now_ms))
        if isinstance(effects[0], Decline):
            return effects[0]
        if isinstance(said, Answered) and isinstance(said.outcome, Unknown):
            self.effects.add_unknown(run, said, said.outcome, effects[0])
        self._note(run, codec, effects)
        is_new_end = underway(run.state) is None and underway(loaded.run.state) is not None
        return self._put(new_row(LoadedSaga, (codec, run, request, started_ms, version, status)), is_new_end=is_new_end)

    def go_on(self, loaded: LoadedSaga) -> LoadedSaga:
        """Call the participants that the engine keeps and whose time has come."""
        if not loaded.codec.asks:
            return loaded
        run, effects = self.participants.call_each(loaded.codec, loaded.run)
        if effects:
            self._note(run, loaded.codec, effects)
            self._put(loaded._replace(run=run), is_new_end=underway(run.state) is None)
        return self.sagas.get(run.saga_id, loaded)

    def rewrite(
        self, loaded: LoadedSaga, run: SagaInstance, because: RetimeReason, *attempts: tuple[str, Kind]
    ) -> LoadedSaga:
        """Store a saga whose times alone are other ones.

        Args:
            loaded: as it stands.
            run: as it is to stand.
            because: what happened to its attempts.
            attempts: those that it is about: step, and what it was asked.
        """
        run = run._replace(number=run.number + 1)
        self.record(run.saga_id, run.number, AttemptsRetimed(because, attempts))
        self._put(loaded._replace(run=run), is_new_end=False)
        return self.sagas[run.saga_id]

    def _note(self, run: SagaInstance, codec: SagaCodec, effects: Sequence[Effect], request: str = "") -> None:
        waits_inside = any(step.is_local for step, _, _ in attempts_of(run)) if run.waiting and codec.asks else False
        for effect in effects:
            if isinstance(effect, Write):
                saga_id, number, said, became = effect
                cause, value = (codec.started, request) if said is None else said_text(said)
                self.recording.write(saga_id, number, cause, codec.recorded(became, in_full=waits_inside), value)
            else:
                self.effects.add(run, effect)

    def _put(self, loaded: LoadedSaga, *, is_new_end: bool) -> SagaInstance:
        run = loaded.run
        self.sagas[run.saga_id] = loaded
        if is_new_end:
            self.effects.ended[run.saga_id] = run
        return run

    def record(self, subject: str, number: int, cause: Cause, value: str | None = None) -> None:
        """Write an audit record of what changed no state of a saga; see `Recording.add`.

        Raises:
            ParticipantError: this unit of work is over.
        """
        self.overlay.expect_open()
        self.recording.add(subject, number, cause, value)

    def prefetch(self, entities: Iterable[EntityName], saga_ids: Iterable[str]) -> None:
        """Go on with all of these at hand.

        Raises:
            NotAtHand: some of them have to be read first.
        """
        self.overlay.expect(entities)
        self.committed.sagas.expect(saga_id for saga_id in saga_ids if saga_id not in self.sagas)
        if self.committed.is_missing:
            raise NotAtHand

    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.recording or self.keys.new or self.unreadable.new or self.acted_on)


def set_aside(saga_id: str, why: str) -> RequestRefused:
    """The error for a client that waits for a saga which was set aside."""
    return RequestRefused(f"saga {saga_id!r} is set aside, and does not go on before the next start: {why}")
