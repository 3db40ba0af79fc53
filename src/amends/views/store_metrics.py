"""The figures of a store, from what is stored: the same for each process that looks, also one that has just begun.

All but one are of this moment, so that they fall as well. What a process did since its start, and how long it took, its
engine counts: `amends.engine.measures`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from amends.core.state import Status
from amends.lines import SECOND_MS
from amends.metrics import Figure, MetricFamily
from amends.storage.ports import ClientRecords, SagaFilter
from amends.storage.rows import COMPENSATED, FINAL, NEEDS_OPERATOR, SagaRow
from amends.views.at_work import AtWork
from amends.views.overview import Overview
from amends.views.owed import OwedEntry, OwedReader
from amends.views.rates import Rates
from amends.views.sagas import AsOf, SagaView, view_of
from amends.views.status import StoreStatus, look_at_status

LATELY_MS: Final = 3_600_000  # of compensations that are told by their cause: what a person still asks about
LATELY_MAX: Final = 2_000  # of these that are read: a tenth of a second
DURABILITIES: Final = ("full", "reduced", "none", "unknown")
HELD: Final = "held"
UNDECLARED: Final = "undeclared"
NO_DEFINITIONS: Final = OwedReader({})
OTHER: Final = "other"
"""Why a saga turned back where no step of it was refused or unknown: it was cancelled, or its time was over."""


Lately = Mapping[tuple[str, str, str], int]
"""(definition, step, cause) to how many sagas were compensated for it, of those that started within `LATELY_MS`; of
more than `LATELY_MAX`, of those that started last."""


def look_at_metrics(records: ClientRecords, as_of: AsOf, reader: OwedReader = NO_DEFINITIONS) -> Sequence[MetricFamily]:
    """The figures of a store.

    Args:
        records: the store.
        as_of: the moment of the look.
        reader: reads what is owed, by the definitions that are known here.

    Raises:
        StoreError: the storage failed.
    """
    owed = owed_families(reader.ledger(records, as_of).entries)
    return (*store_families(look_at_status(records, as_of), _lately(records, as_of)), *owed)


def _lately(records: ClientRecords, as_of: AsOf) -> Lately:
    found = Counter[tuple[str, str, str]]()
    for row in records.listing(SagaFilter((COMPENSATED,), limit=LATELY_MAX)):
        if isinstance(row, SagaRow) and row.started_ms < as_of.now_ms - LATELY_MS:
            break
        if isinstance(view := view_of(row, as_of), SagaView):
            found[view.name, *cause_of([words.rpartition(" ")[::2] for words in view.trail])] += 1
    return found


def cause_of(trail: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """The step for which a saga turned back, and ``refused`` or ``unknown``; ``other`` of no step for neither.

    Args:
        trail: of its steps that have an outcome, in order: event and status.
    """
    kinds = (Status.REFUSED.value, Status.UNKNOWN.value)
    return next(((step, status) for step, status in trail if status in kinds), ("", OTHER))


def store_families(seen: StoreStatus, lately: Lately) -> Iterator[MetricFamily]:
    """The figures of a store as it was seen."""
    yield from _sagas(seen.store.counts)
    yield gauge(
        "amends_sagas_compensated_lately",
        f"Sagas that started within {LATELY_MS // 60_000} minutes and were compensated, by step and kind of cause; "
        f"at most {LATELY_MAX} are looked at.",
        [Figure(sagas, _labels(("definition", "step", "cause"), key)) for key, sagas in lately.items()],
    )
    if seen.store.rates is not None:
        yield from _rates(seen.store.rates)
    yield from _waiting(seen)
    if seen.work is not None:
        yield from _work(seen.work, seen.at.now_ms)
    yield from _storage(seen.store)


def _sagas(by_status: Mapping[tuple[str, str], int]) -> Iterator[MetricFamily]:
    counts, in_flight, stuck = Counter[tuple[str, str, str]](), Counter[str](), Counter[str]()
    for (definition, status), sagas in by_status.items():
        name, version, _ = (*definition.split("/"), "", "")[:3]
        counts[name, version, status] += sagas
        in_flight[name] += 0 if status in FINAL else sagas
        stuck[name] += sagas if status == NEEDS_OPERATOR else 0
    yield gauge(
        "amends_sagas", "Sagas in the store, by definition and status.",
        [Figure(sagas, _labels(("definition", "version", "status"), key)) for key, sagas in counts.items()],
    )  # fmt: skip
    yield gauge("amends_sagas_in_flight", "Sagas that are not final.", _by("definition", in_flight))
    yield gauge("amends_sagas_needing_operator", "Sagas that wait for an operator.", _by("definition", stuck))


def _rates(rates: Rates) -> Iterator[MetricFamily]:
    for name, count in (
        ("amends_sagas_started_per_second", rates.started),
        ("amends_sagas_ended_per_second", rates.ended),
    ):
        yield gauge(name, "How many there were in each second of the last minute.", [Figure(rates.per_second(count))])


def _waiting(seen: StoreStatus) -> Iterator[MetricFamily]:
    store, now_ms = seen.store, seen.at.now_ms
    yield gauge(
        "amends_oldest_waiting_seconds", "Since when the oldest saga that is not final has been under way.",
        [Figure(seconds_since(store.oldest_waiting_ms, now_ms))],
    )  # fmt: skip
    waiting = Counter[tuple[str, str, str, str, str]]()
    for group in seen.groups:
        waiting[group.name, group.step, group.kind, group.service, group.status] += group.sagas
    names = ("definition", "step", "kind", "service", "status")
    yield gauge(
        "amends_sagas_waiting", "Sagas that wait for a step, of those that started last.",
        [Figure(sagas, _labels(names, key)) for key, sagas in waiting.items()],
    )  # fmt: skip
    failing = Counter((step.step, step.kind) for step in store.failing)
    yield gauge(
        "amends_steps_failing", "Steps that go on failing.",
        [Figure(number, _labels(("step", "kind"), key)) for key, number in failing.items()] or [Figure(0)],
    )  # fmt: skip
    owed = Counter((saga.name, step) for saga in store.owed for step in saga.owed)
    yield gauge(
        "amends_steps_owed", "Steps whose effect stands though their saga gave them up; an operator has them undone.",
        [Figure(number, _labels(("definition", "step"), key)) for key, number in owed.items()] or [Figure(0)],
    )  # fmt: skip


def _work(work: AtWork, now_ms: int) -> Iterator[MetricFamily]:
    gone = [engine for engine in work.engines if engine.is_gone]
    lost = sum(len(engine.shards) for engine in gone)
    owned = sum(len(engine.shards) for engine in work.engines) - lost
    engines = {"running": len(work.engines) - len(gone), "gone": len(gone)}
    yield gauge("amends_engines", "Engines that have a lease, and those whose lease ran out.", _by("state", engines))
    shards = {"owned": owned, "gone": lost, "free": work.free}
    yield gauge("amends_shards", "Shards by whether an engine that runs moves their sagas.", _by("state", shards))
    if (letters := work.letters) is not None:
        kinds = {"start": letters.starts, "other": letters.number - letters.starts}
        yield gauge("amends_letters_waiting", "Letters that no engine has acted on yet.", _by("kind", kinds))
        yield gauge(
            "amends_oldest_letter_seconds", "For how long the oldest of these letters has waited.",
            [Figure(seconds_since(letters.oldest.posted_ms if letters.oldest else None, now_ms))],
        )  # fmt: skip


def _storage(store: Overview) -> Iterator[MetricFamily]:
    word = durability_word(store.durability)
    yield gauge(
        "amends_durability", "1 for what a commit survives: full, reduced, none or unknown.",
        _by("state", {each: int(each == word) for each in DURABILITIES}),
    )  # fmt: skip
    yield gauge("amends_rows_unreadable", "Rows that were set aside as unreadable.", [Figure(len(store.set_aside))])
    yield gauge("amends_store_warning", "1 while an engine warns of something.", [Figure(int(bool(store.warning)))])
    yield gauge(
        "amends_store_ahead_seconds", "How far the store's times are ahead of the clock of who looks.",
        [Figure(store.ahead_ms / SECOND_MS)],
    )  # fmt: skip
    if store.heads is not None:
        blocks = sum(head.number for head in store.heads)
        yield MetricFamily(
            "amends_commits_total", "counter", "Commits to the store since it was made.", [Figure(blocks)]
        )


def owed_families(entries: Iterable[OwedEntry]) -> Iterator[MetricFamily]:
    """What is owed, in the sagas' own units, of fields that steps declare: the name of another one may be an id."""
    sagas, amounts = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for entry in entries:
        is_named = entry.kind != HELD or entry.is_declared
        key = entry.kind, entry.service, (entry.what or entry.step) if is_named else UNDECLARED
        sagas[key] += 1
        if entry.amount is not None and entry.is_declared:
            amounts[key] += entry.amount  # type: ignore[assignment]  # a counter of amounts
    names = ("kind", "service", "what")
    yield gauge(
        "amends_owed_entries", "Things that a saga holds or has not settled.",
        [Figure(number, _labels(names, key)) for key, number in sagas.items()],
    )  # fmt: skip
    yield gauge(
        "amends_owed_amount", "What sagas hold of a field that their steps declare, in its own unit.",
        [Figure(amount, _labels(names, key)) for key, amount in amounts.items()],
    )  # fmt: skip


def durability_word(durability: str) -> str:
    """``full``, ``reduced`` or ``none`` of a durability in words."""
    return durability.partition(":")[0]


def seconds_since(at_ms: int | None, now_ms: int) -> float:
    """How long ago something was; 0 where there is none."""
    return 0 if at_ms is None else max(now_ms - at_ms, 0) / SECOND_MS


def gauge(name: str, told: str, figures: list[Figure]) -> MetricFamily:
    """Figures of this moment."""
    return MetricFamily(name, "gauge", told, figures)


def _by(label: str, counts: Mapping[str, int]) -> list[Figure]:
    return [Figure(count, {label: name}) for name, count in counts.items()]


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(names, values, strict=True))
