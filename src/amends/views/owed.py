"""What is owed: all that sagas hold, and all that is unsettled, in the sagas' own units.

What a saga holds of an entity of ours is what its compensations would put back: each undo is a pure function, and is
asked what it would make of the entity as it stands. So the ledger is kept by the very commits that keep sagas and
entities, and cannot differ from them. It is compared with the books: a field that steps declare by ``holds=`` has what
all sagas together hold of it, and nothing where no saga holds anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass
from math import isclose
from typing import Any, Final, Literal, NamedTuple

import msgspec

from amends.core.definition import Saga, Step
from amends.core.messages import Kind, Refused
from amends.core.participant import apply_step
from amends.core.state import Status
from amends.core.walk import call_of
from amends.storage.bodies import body_of_row
from amends.storage.codecs.sagas import EntityCodecs, SagaCodec
from amends.storage.codecs.values import opened, opened_all
from amends.storage.ports import Records, SagaFilter
from amends.storage.rows import ABANDONED, WAITING, EntityRow, SagaRow
from amends.views.sagas import AsOf, SagaView, view_of
from amends.views.trouble import LOOKED_AT_MAX, owed

WHOLE: Final = ""  # the name of the one number of an entity that is a number itself
ROUNDING: Final = 1e-9  # of sums of fractions; whole numbers are exact
TRIES: Final = 3  # to read sagas and entities between the same two commits

OwedKind = Literal["held", "unanswered", "not undone", "late"]
EntityKey = tuple[str, str]


class OwedEntry(NamedTuple):
    """Something that is owed.

    Attributes:
        kind: ``held``: an entity of ours has it for the saga, and a compensation would put it back. ``unanswered``: it
            was asked of a participant, and is not answered. ``not undone``: its undo waits for an operator, or was
            abandoned. ``late``: it took effect after its saga had given it up.
        saga_id: whose it is.
        name: of the saga's definition.
        service: of the participant; empty where that is not known.
        step: that took it, by its event.
        entity: the id of the entity; empty for one that is not ours.
        what: the field of the entity; empty of what is no entity of ours, and of an entity that is a number.
        amount: how much of it, in the entity's own unit; ``None`` of what has no number.
        is_declared: whether the step says by ``holds=`` that it holds it.
        since_ms: since when, milliseconds since 1970 (UTC).
        why: why it is not settled, in words; empty for what goes on as it should.
    """

    kind: OwedKind
    saga_id: str
    name: str
    service: str
    step: str
    entity: str
    what: str
    amount: float | None
    is_declared: bool
    since_ms: int
    why: str


class OwedTotal(NamedTuple):
    """What is owed of one thing.

    Attributes:
        kind: as of its entries.
        service: of the participant.
        what: the field; or, of what is no entity of ours, the step.
        amount: all of it; ``None`` of what has no number.
        sagas: of how many sagas.
    """

    kind: OwedKind
    service: str
    what: str
    amount: float | None
    sagas: int


class BookDifference(NamedTuple):
    """An entity whose books differ from the ledger.

    Attributes:
        service: whose entity it is.
        entity: its id.
        what: the field.
        book: what the entity has.
        held: what sagas hold of it.
    """

    service: str
    entity: str
    what: str
    book: float
    held: float

    def in_words(self) -> str:
        """The difference, in one sentence."""
        what = f".{self.what}" if self.what else ""
        return f"{self.service}/{self.entity}{what} is {self.book:g}, and sagas hold {self.held:g} of it"


@dataclass(frozen=True, slots=True)
class OwedLedger:
    """What is owed.

    Attributes:
        entries: one for each thing that one saga owes, the saga that started last first.
        totals: their sums, by kind, service and thing.
        differences: entities whose books differ; empty also where they were not compared.
        is_exact: whether it was read between two commits: then no difference is one of time.
        is_cut: whether there were more sagas than are looked at.
    """

    entries: Sequence[OwedEntry]
    totals: Sequence[OwedTotal]
    differences: Sequence[BookDifference]
    is_exact: bool
    is_cut: bool

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "totals": [total._asdict() for total in self.totals],
            "entries": [entry._asdict() for entry in self.entries],
            "differences": [difference._asdict() for difference in self.differences],
            "is_exact": self.is_exact,
            "is_cut": self.is_cut,
        }


class OwedReader:
    """Reads what is owed, by the definitions that are known here; of others, what needs none."""

    def __init__(self, definitions: Mapping[str, Saga]) -> None:
        """Know definitions.

        Args:
            definitions: by ``name/version/fingerprint``.
        """
        self._codecs = {name: SagaCodec(saga) for name, saga in definitions.items()}
        self._entities = EntityCodecs()
        for saga in definitions.values():
            self._entities.learn_saga(saga)
        self._declared = dict(_declared(definitions.values()))

    @property
    def has_books(self) -> bool:
        """Whether a step of any definition declares what it holds."""
        return bool(self._declared)

    def ledger(self, records: Records, as_of: AsOf, *, with_books: bool = False) -> OwedLedger:
        """What is owed now.

        Args:
            records: the store.
            as_of: the moment of the look.
            with_books: whether all entities that sagas can hold something of are compared, and not only those of which
                a saga holds something now. It reads all of them.
        """
        for _ in range(TRIES):
            before = dict(records.block_numbers())
            found = self._ledger(records, as_of, with_books=with_books)
            if dict(records.block_numbers()) == before:
                return found
        return OwedLedger(found.entries, found.totals, (), is_exact=False, is_cut=found.is_cut)

    def _ledger(self, records: Records, as_of: AsOf, *, with_books: bool) -> OwedLedger:
        rows = [*records.listing(SagaFilter((*WAITING, ABANDONED), limit=LOOKED_AT_MAX))]
        entries, known = list[OwedEntry](), dict[EntityKey, Any]()
        for row in rows:
            if isinstance(row, SagaRow):
                entries += self._of_saga(records, row, as_of, known)
        for view in owed(records, as_of):
            entries += self._late(view)
        is_cut = len(rows) == LOOKED_AT_MAX
        books = self._books(records, known, with_books=with_books)
        differences = () if is_cut else tuple(self._differences(entries, books))
        return OwedLedger(entries, _totals(entries), differences, is_exact=True, is_cut=is_cut)

    def _of_saga(self, records: Records, row: SagaRow, as_of: AsOf, known: dict[EntityKey, Any]) -> Iterator[OwedEntry]:
        view = view_of(row, as_of)
        if not isinstance(view, SagaView):
            return
        codec = self._codecs.get(row.definition)
        if codec is not None:
            yield from self._held(records, row, codec, known)
        for asked in view.questions:
            if asked.kind == Kind.DO.value and asked.sent(as_of.now_ms):
                why = asked.in_words(as_of.now_ms) if asked.error or asked.is_stuck else ""
                yield _unsettled("unanswered", view, asked.service, asked.step, asked.since_ms, why)
        stuck = {asked.step for asked in view.questions if asked.is_stuck}
        for text in view.outstanding:
            step, _, kind = text.rpartition("/")
            if kind == Kind.UNDO.value and (view.has_ended or step in stuck):
                service = self._service(view.definition, step)
                yield _unsettled("not undone", view, service, step, view.changed_ms, view.trouble or view.status)

    def _held(
        self, records: Records, row: SagaRow, codec: SagaCodec, known: dict[EntityKey, Any]
    ) -> Iterator[OwedEntry]:
        """What a saga holds: what the undo of each step that is done would change, and what later steps settled."""
        done = _done(row, codec.saga)
        if not any(step.is_local for step in done):
            return
        try:
            request = opened(codec.request_of_row(row))
            answers = opened_all(codec.run_of(row).answers)
        except (KeyError, ValueError):  # a row of before that today's code cannot read: it is told elsewhere
            return
        held = dict[tuple[EntityKey, str], tuple[Step, float]]()
        for step in done:
            for key, what, amount in self._changed(records, codec.saga, step, row.saga_id, request, answers, known):
                first, before = held.get((key, what), (step, 0.0))
                held[key, what] = first, before + amount
        for ((service, entity_id), what), (step, amount) in held.items():
            if amount:
                is_declared = what in self._declared.get(service, ())
                yield OwedEntry(
                    "held", row.saga_id, codec.saga.name, service, step.event, entity_id, what, amount, is_declared,
                    row.started_ms, "",
                )  # fmt: skip

    def _changed(
        self,
        records: Records,
        saga: Saga,
        step: Step,
        saga_id: str,
        request: Any,
        answers: Mapping[str, Any],
        known: dict[EntityKey, Any],
    ) -> Iterator[tuple[EntityKey, str, float]]:
        """By how much a step has changed the numbers of its entity, as it stands."""
        names = _names_changed(saga, step)
        if step.entity is None or names is None:
            return
        try:
            key = step.service, step.entity(request)
            entity = self._entity(records, key, known)
            kind = Kind.DO if step.undo is None else Kind.UNDO
            call = call_of(saga, saga_id, step, kind, answers)
            after, outcome = apply_step(step, kind, deepcopy(entity), request, call)
        except Exception:  # noqa: BLE001 - of the user's own function: what it would put back is not known then
            return
        if isinstance(outcome, Refused):
            return
        numbers, then = numbers_of(entity), numbers_of(after)
        sign = 1 if kind is Kind.UNDO else -1
        for what, number in numbers.items():
            amount = sign * (number - then.get(what, 0))
            if amount and (not names or what in names):
                yield key, what, amount

    def _entity(self, records: Records, key: EntityKey, known: dict[EntityKey, Any]) -> Any:
        if key not in known:
            row = records.entity(*key)
            body = row.body if isinstance(row, EntityRow) else None
            known[key] = None if body is None else self._entities.decode(key[0], body)
        return known[key]

    def _late(self, view: SagaView) -> Iterator[OwedEntry]:
        for step in view.owed:
            why = "it took effect after its saga had given it up"
            yield _unsettled("late", view, self._service(view.definition, step), step, view.changed_ms, why)

    def _service(self, definition: str, event: str) -> str:
        codec = self._codecs.get(definition)
        step = codec.steps.get(event) if codec else None
        return step.service if step else ""

    def _books(self, records: Records, known: Mapping[EntityKey, Any], *, with_books: bool) -> Mapping[EntityKey, Any]:
        """The entities that are compared."""
        if not with_books:
            return known
        books = dict(known)
        for row in records.all_entities():
            if isinstance(row, EntityRow) and row.service in self._declared and row.body is not None:
                key = row.service, row.entity_id
                if key not in books:
                    books[key] = self._entities.decode(row.service, row.body)
        return books

    def _differences(self, entries: Iterable[OwedEntry], books: Mapping[EntityKey, Any]) -> Iterator[BookDifference]:
        held = defaultdict[tuple[str, str, str], float](float)
        for entry in entries:
            if entry.kind == "held" and entry.amount is not None:
                held[entry.service, entry.entity, entry.what] += entry.amount
        for (service, entity_id), entity in sorted(books.items(), key=lambda pair: pair[0]):
            numbers = numbers_of(entity)
            for what in self._declared.get(service, ()):
                book, of_sagas = numbers.get(what, 0), held[service, entity_id, what]
                if not isclose(book, of_sagas, rel_tol=ROUNDING, abs_tol=ROUNDING):
                    yield BookDifference(service, entity_id, what, book, of_sagas)


def _declared(sagas: Iterable[Saga]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """By service, the fields that a step of any definition holds."""
    found = defaultdict[str, dict[str, None]](dict)
    for saga in sagas:
        for step in saga.every_step():
            found[step.service].update(dict.fromkeys(step.holds))
    return ((service, tuple(names)) for service, names in found.items() if names)


def _names_changed(saga: Saga, step: Step) -> Sequence[str] | None:
    """The fields that count of what a step changes; empty for all, ``None`` for none.

    A step without an undo counts where it settles what a step before it holds.
    """
    if step.undo is not None:
        return step.holds
    held = [name for other in saga.every_step() if other.service == step.service for name in other.holds]
    return held or None


def _done(row: SagaRow, saga: Saga) -> Sequence[Step]:
    """The steps whose effect stands."""
    told = [line.rpartition(" ")[::2] for line in body_of_row(row).trail]
    undone = {event for event, status in told if status == Status.UNDONE.value}
    done = {event for event, status in told if status == Status.DONE.value}
    return [step for step in saga.every_step() if step.event in done and step.undone not in undone]


def numbers_of(entity: Any) -> Mapping[str, float]:
    """The numbers of an entity by their names; of one that is a number itself, that one."""
    if type(entity) in (int, float):
        return {WHOLE: entity}
    if isinstance(entity, tuple) and hasattr(entity, "_asdict"):
        values = entity._asdict()
    elif is_dataclass(entity):
        values = {each.name: getattr(entity, each.name) for each in fields(entity)}
    else:
        values = msgspec.to_builtins(entity, enc_hook=lambda _: None)
    if not isinstance(values, Mapping):
        return {}
    return {name: value for name, value in values.items() if type(value) in (int, float)}


def _unsettled(kind: OwedKind, view: SagaView, service: str, step: str, since_ms: int, why: str) -> OwedEntry:
    return OwedEntry(kind, view.saga_id, view.name, service, step, "", "", None, False, since_ms, why)


def _totals(entries: Iterable[OwedEntry]) -> Sequence[OwedTotal]:
    sums = defaultdict[tuple[OwedKind, str, str], tuple[float | None, set[str]]](lambda: (None, set()))
    for entry in entries:
        key = entry.kind, entry.service, entry.what or entry.step
        amount, sagas = sums[key]
        sagas.add(entry.saga_id)
        sums[key] = (amount or 0) + entry.amount if entry.amount is not None else amount, sagas
    found = (OwedTotal(*key, amount, len(sagas)) for key, (amount, sagas) in sums.items())
    return [total for total in sorted(found, key=lambda each: each[:3]) if total.amount != 0]
