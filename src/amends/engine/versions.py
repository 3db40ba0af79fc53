"""What is stored, and the types of today's code: compared when an engine opens, before anything is decided.

A request is read by the shape that it was stored as, for as long as its saga is under way; answers of a saga under way
are of today's shape. Entities are all of one shape: where today's type is another one, they are rewritten. See
docs/versions.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from amends.engine.recording import Recording
from amends.engine.upcasting import EntityShape, EntityUpcasts, Upcast, entity_shape_row, upcast_text
from amends.errors import DefinitionError
from amends.storage.codecs.sagas import EntityCodecs, SagaCodec
from amends.storage.codecs.shapes import Shape, ShapeComparison, shape_of
from amends.storage.codecs.values import json_of
from amends.storage.letters import child_in
from amends.storage.ports import Records, Store
from amends.storage.records import TypeAssumed
from amends.storage.rows import ANSWER, ENTITY, REQUEST, WAITS_FOR_OPERATOR, Changes, Head, SagaRow, ShapeRow

PAGE: Final = 500  # sagas that are looked at at a time
FOR_EVER: Final = 2**63  # later than any time in milliseconds that SQLite can store

OF_A_REQUEST: Final = (
    "take the change back; or give the changed saga a version of its own, beside this one; or give "
    "Saga(..., upcast=function), from the stored request, a dict by field names, to one of today's type"
)
OF_AN_ANSWER: Final = "take the change back; or give the changed saga a version of its own, beside this one"


class Era(NamedTuple):
    """A time in which the requests of a definition were stored as one shape, which today's type does not read right.

    Attributes:
        since_ms: when it began.
        until_ms: when the next one did; ``None`` of the last.
        shape: as which.
        fault: what would be read wrong.
    """

    since_ms: int
    until_ms: int | None
    shape: Shape
    fault: str


_REQUESTS: Final = msgspec.json.Decoder(Shape)
_ENTITIES: Final = msgspec.json.Decoder(EntityShape)


class Versions:
    """As what requests and entities are stored, and what has to be written of that.

    Attributes:
        upcasts: what is to be rewritten.
    """

    def __init__(self, records: Records, entity_codecs: EntityCodecs, upcasts: Mapping[str, Upcast]) -> None:
        """Read what is known.

        Args:
            records: may hold what an earlier code stored.
            entity_codecs: of the types of today's entities.
            upcasts: by service, for entities that today's type does not read right.
        """
        self._records = records
        self._entity_codecs = entity_codecs
        self.upcasts = EntityUpcasts(records, entity_codecs, upcasts)
        self._requests: dict[str, list[tuple[int, Shape]]] = {}
        self._answers: dict[str, list[tuple[int, Shape]]] = {}
        self._entities: dict[str, EntityShape] = {}
        self._stale = defaultdict[str, list[tuple[int, str]]](list)  # until when answers were others
        self._unwritten: dict[tuple[str, str], ShapeRow] = {}
        self._taken: list[ShapeRow] = []
        self._has_any: Callable[[str], bool] = self.upcasts.has_any
        for row in records.shapes():
            if row.kind in (REQUEST, ANSWER):
                known = self._requests if row.kind == REQUEST else self._answers
                known.setdefault(row.name, []).append((row.since_ms, _REQUESTS.decode(row.shape)))
            else:
                self._entities[row.name] = _ENTITIES.decode(row.shape)

    def take_over(self, codecs: Iterable[SagaCodec], store: Store, head: Head, now_ms: int) -> Head:
        """Look at all that is stored, and bring it to where today's code reads it; see `rewrite`.

        Raises:
            DefinitionError: it would be read as something else; nothing is changed.
        """
        for codec in codecs:
            self.check_requests(codec)
            self.check_answers(codec)
        for service in self._entity_codecs.services():
            self.check_entities(service)
        self.upcasts.check()
        return self.rewrite(store, head, now_ms)

    def go_on(self, has_any: Callable[[str], bool]) -> None:
        """What is checked from now on is checked within turns, which read no store by themselves.

        Args:
            has_any: whether a service has entities.
        """
        self._has_any = has_any
        self._entity_codecs.on_other = self.check_learned

    # Looking -------------------------------------------------------------------------------------------------

    def check_requests(self, codec: SagaCodec) -> None:
        """Look whether the requests of a definition's sagas that are not final are read right.

        Raises:
            DefinitionError: one is not; the message names the field, and says what to do.
        """
        today, stored = shape_of(codec.request.kind), self._requests.get(codec.definition, [])
        if not stored or stored[-1][1] != today:
            self._unwritten[REQUEST, codec.definition] = ShapeRow(REQUEST, codec.definition, 0, json_of(today))
        codec.earlier = tuple(
            (era.since_ms, era.until_ms, partial(_request_of, codec, era))
            for era in _eras(stored, today, "the request")
        )
        if stored and not codec.earlier:
            return
        saga_id = ""
        try:
            for row in self._under_way(codec.definition):
                saga_id = row.saga_id
                codec.request_of_row(row)
        except ValueError as error:
            raise _of_one_under_way(codec, saga_id, error) from error.__cause__
        if saga_id and not stored:
            self._taken.append(self._unwritten.pop((REQUEST, codec.definition)))

    def check_answers(self, codec: SagaCodec) -> None:
        """Look whether the answers of a definition's sagas that are not final are read right.

        A saga that has not heard the answer yet counts too: it may hear it under this code, and then it would be
        unknown as what it is stored.

        Raises:
            DefinitionError: one is not; the message names the step and the field, and says what to do.
        """
        new = list[ShapeRow]()
        for event, answers in codec.answers.items():
            name, today = f"{codec.definition}/{event}", shape_of(answers.kind)
            stored = self._answers.get(name, [])
            if stored or answers.kind is not Any:
                row = ShapeRow(ANSWER, name, 0, json_of(today))
                new += () if stored else (row,)
                if not stored or stored[-1][1] != today:
                    self._unwritten[ANSWER, name] = row
                self._check_eras(codec, event, _eras(stored, today, f"the answer of {event}"))
        first = next(self._under_way(codec.definition), None) if new else None
        if first is not None:
            self._check_plain(codec)
            self._taken += (self._unwritten.pop((ANSWER, row.name)) for row in new)

    def _check_eras(self, codec: SagaCodec, event: str, eras: Iterable[Era]) -> None:
        """Leave the answers of an era to sagas that are over: they are read as plain JSON.

        Raises:
            DefinitionError: one of that time is under way.
        """
        for era in eras:
            codec.plain_until[event] = until_ms = FOR_EVER if era.until_ms is None else era.until_ms
            self._stale[codec.definition].append((until_ms, f"{era.fault}; {OF_AN_ANSWER}"))
            for row in self._under_way(codec.definition):
                if row.started_ms < until_ms:
                    raise _of_one_under_way(codec, row.saga_id, f"{era.fault}; {OF_AN_ANSWER}")

    def _check_plain(self, codec: SagaCodec) -> None:
        """Look whether what was stored as plain JSON is read as what is declared now.

        Raises:
            DefinitionError: it is not.
        """
        for row in self._under_way(codec.definition):
            try:
                codec.run_of(row)
            except ValueError as error:
                raise _of_one_under_way(codec, row.saga_id, f"{error}; {OF_AN_ANSWER}") from error

    def check_entities(self, service: str) -> None:
        """Look whether the entities of a service are read right, or are to be rewritten.

        Raises:
            DefinitionError: neither; the message names the field, and says what to do.
        """
        kind = self._entity_codecs.kind_of(service)
        if kind is None:  # no function says what they are, so that they are plain JSON
            return
        today, stored = shape_of(kind), self._entities.get(service)
        row = entity_shape_row(service, EntityShape(today))
        if stored is None and self._has_any(service):
            self._taken.append(row)
        elif stored is None:
            self._unwritten[ENTITY, service] = row
        elif stored.becomes is None and not (reading := ShapeComparison(stored.shape, today, service)).faults:
            merged = EntityShape(reading.merged())
            if merged != stored:
                self._unwritten[ENTITY, service] = entity_shape_row(service, merged)
        elif not self._has_any(service):
            self._unwritten[ENTITY, service] = row
        else:
            self.upcasts.add(service, stored, today)

    def fault_of(self, codec: SagaCodec, row: SagaRow) -> str:
        """Why a saga that is under way would be read wrong under today's types; empty for nothing.

        Args:
            codec: of its definition, whose requests and answers were checked, with or without a fault.
            row: the saga.
        """
        try:
            codec.run_of(row)
        except (LookupError, TypeError, ValueError) as error:
            return str(error)
        return next((fault for until_ms, fault in self._stale[codec.definition] if row.started_ms < until_ms), "")

    def check_learned(self, service: str) -> None:
        """The same when the type of the entities was learned after the start: then nothing is rewritten any more.

        Raises:
            NotAtHand: it has to be read first whether there are any.
            DefinitionError: the entities are stored as another type.
        """
        self.check_entities(service)
        if self.upcasts.to_do.pop(service, None):
            raise DefinitionError(
                f"the entities of {service} are stored as another type than the command takes that came now; give it "
                "to open(commands=[...]), so that they can be upcast"
            )
        self._unwritten.update({(row.kind, row.name): row for row in self._taken})
        self._taken.clear()

    def _under_way(self, definition: str) -> Iterator[SagaRow]:
        """The sagas of a definition that are not final and can be read."""
        after = 0, ""
        while page := self._records.due([definition], WAITS_FOR_OPERATOR, PAGE, after):
            rows = self._records.sagas([saga_id for _, saga_id in page]).values()
            yield from (row for row in rows if isinstance(row, SagaRow))
            after = page[-1]

    # Rewriting -----------------------------------------------------------------------------------------------

    def rewrite(self, store: Store, head: Head, now_ms: int) -> Head:
        """Bring the store to where today's code reads it, in as many commits as that takes.

        Killed at any moment, it goes on at the next start.

        Args:
            store: what was read, to be written to.
            head: where the audit ends.
            now_ms: the clock; not before the last block.

        Returns:
            Where it ends then.

        Raises:
            DefinitionError: an upcaster gave something else than when it was tried.
            StoreError: a commit failed.
        """
        if self._taken:
            recording = Recording(now_ms)
            for row in self._taken:
                recording.add(row.name, 0, TypeAssumed(), value=row.shape)
            block = recording.block(head)
            store.commit(Changes((), (), (), block, {}, shapes=self._taken))
            self._taken, head = [], block.as_head()
        return self.upcasts.carry_out(store, head, now_ms)

    # Writing with what is stored anyway -------------------------------------------------------------------------

    def to_write(self, changes: Changes, services: Collection[str]) -> list[ShapeRow]:
        """As what is stored what a commit is the first to store.

        Args:
            changes: what it writes.
            services: those whose entities may be among it.
        """
        if not self._unwritten:  # nearly always
            return []
        asked = {(REQUEST, child.definition) for child in map(child_in, changes.posted) if child}
        named = {(REQUEST, definition) for definition, _ in changes.counts} | {(ENTITY, name) for name in services}
        named |= asked
        stored = {row.definition for row in changes.sagas}
        named |= {name for name in self._unwritten if name[0] == ANSWER and name[1].rpartition("/")[0] in stored}
        if not (waiting := self._unwritten.keys() & named):
            return []
        first = {(REQUEST, row.definition) for row in changes.sagas if row.version == 1} | asked
        first |= {(ENTITY, row.service) for row in changes.entities}
        first |= {name for name in waiting if name[0] == ANSWER}
        rows = (self._unwritten[name] for name in sorted(waiting & first))
        # No saga of a process before was started then: the first turn is later than the last commit.
        return [row._replace(since_ms=changes.block.at_ms) if row.kind != ENTITY else row for row in rows]

    def written(self, rows: Iterable[ShapeRow]) -> None:
        """These are."""
        for row in rows:
            self._unwritten.pop((row.kind, row.name), None)


def _eras(stored: list[tuple[int, Shape]], today: Shape, what: str) -> Iterator[Era]:
    """When values were stored that today's type does not read right."""
    ends = [since_ms for since_ms, _ in stored[1:]]
    for place, (since_ms, shape) in enumerate(stored):
        between = [later for _, later in stored[place + 1 :]]
        fault = next(iter(_faults(shape, between, today, what)), None)
        if fault:
            yield Era(since_ms, ends[place] if place < len(ends) else None, shape, fault)


def _faults(shape: Shape, between: list[Shape], today: Shape, what: str) -> Iterator[str]:
    """What would be read wrong; also where it was read otherwise, by a default, since it was stored."""
    yield from ShapeComparison(shape, today, what).faults
    for later in between:
        reading = ShapeComparison(shape, later, what)
        if not reading.faults:
            yield from ShapeComparison(reading.merged(), today, what).defaults


def _of_one_under_way(codec: SagaCodec, saga_id: str, fault: object) -> DefinitionError:
    saga = codec.saga
    return DefinitionError(f"saga {saga.name!r}, version {saga.version}: {saga_id}, which is under way: {fault}")


def _request_of(codec: SagaCodec, era: Era, text: str) -> Any:
    """A request of an era, as one of today's type.

    Raises:
        DefinitionError: there is no upcaster, or it does not give one.
    """
    upcast = codec.saga.upcast
    if upcast is None:
        raise DefinitionError(f"{era.fault}; {OF_A_REQUEST}")
    return codec.request.read(upcast_text(upcast, era.shape, text, codec.request, "the upcaster"))
