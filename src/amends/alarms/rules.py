"""The rules: what of a store, as it is seen at a moment, people are called for.

An alarm is of a rule and a subject: a definition, a step, a service. A subject is never a saga, so that a fault that
holds for ten thousand sagas calls once. docs/runbook.md has a section for each rule.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from amends.alarms.settings import AlarmSettings
from amends.lines import SECOND_MS, span
from amends.storage.ports import REDUCED
from amends.storage.rows import FINAL, NEEDS_OPERATOR
from amends.views.groups import CauseGroup
from amends.views.owed import OwedLedger
from amends.views.status import StoreStatus

NAMED_MAX: Final = 5  # sagas that an alarm names: where to begin
LEFT: Final = ("late", "not undone")
"""What of the ledger stays as it is before an operator comes; all else goes on, or is told by another rule."""
NOTHING_OWED: Final = OwedLedger((), (), (), is_exact=True, is_cut=False)


class WatchedStore(NamedTuple):
    """What was seen of a store.

    Attributes:
        now_ms: when, milliseconds since 1970 (UTC).
        status: how it does; ``None`` where it could not be read.
        away: why it could not be; empty where it could.
        ledger: what is owed; empty where it could not be read.
        free_bytes: of the disk that it is on; ``None`` where that is not known.
    """

    now_ms: int
    status: StoreStatus | None
    away: str = ""
    ledger: OwedLedger = NOTHING_OWED
    free_bytes: int | None = None


class RaisedAlarm(NamedTuple):
    """Something for which people are called.

    Attributes:
        rule: one of `RULES`.
        subject: of what it is: a definition, a step, a service; empty for the whole store.
        text: what is so, in a sentence without any value of a request, an answer or a reason.
        saga_ids: some of the sagas, at most `NAMED_MAX`.
    """

    rule: str
    subject: str
    text: str
    saga_ids: tuple[str, ...] = ()


Found = Iterator[tuple[str, str, Sequence[str]]]
"""Subject, text and sagas."""


def raised_alarms(seen: WatchedStore, settings: AlarmSettings) -> Iterator[RaisedAlarm]:
    """The alarms that hold; of a store that could not be read, that alone."""
    if seen.status is None:
        if STORE_AWAY not in settings.off:
            yield RaisedAlarm(STORE_AWAY, "", f"The store cannot be read: {seen.away}")
        return
    for rule, find in RULES.items():
        if rule not in settings.off:
            for subject, text, saga_ids in find(seen, seen.status, settings):
                yield RaisedAlarm(rule, subject, text, (*saga_ids[:NAMED_MAX],))


def _needs_operator(_: WatchedStore, status: StoreStatus, __: AlarmSettings) -> Found:
    stuck = Counter[str]()
    for (definition, word), sagas in status.store.counts.items():
        stuck[definition.partition("/")[0]] += sagas if word == NEEDS_OPERATOR else 0
    for name, sagas in (+stuck).items():
        ids = [saga_id for group in status.groups if _is_stuck(group, name) for saga_id in group.saga_ids]
        yield name, f"{_sagas(sagas)} of {name} {_are(sagas)} waiting for an operator.", ids


def _is_stuck(group: CauseGroup, name: str) -> bool:
    return (group.name, group.status) == (name, NEEDS_OPERATOR)


def _owed(seen: WatchedStore, _: StoreStatus, settings: AlarmSettings) -> Found:
    since_ms = seen.now_ms - settings.owed_after_s * SECOND_MS
    found = defaultdict[tuple[str, str], list[str]](list)
    for entry in seen.ledger.entries:
        if entry.kind in LEFT and entry.since_ms <= since_ms:
            found[entry.name, entry.step].append(entry.saga_id)
    for (name, step), ids in found.items():
        long = span(round(settings.owed_after_s * SECOND_MS))
        yield (
            f"{name}/{step}",
            f"The effect of {step} stands in {_sagas(len(ids))} of {name} for more than {long}.",
            ids,
        )


def _failing(_: WatchedStore, status: StoreStatus, __: AlarmSettings) -> Found:
    found = defaultdict[tuple[str, str], list[str]](list)
    for step in status.store.failing:
        found[step.step, step.kind].append(step.saga_id)
    for (step_name, kind), ids in found.items():
        yield f"{step_name}/{kind}", f"{step_name}/{kind} goes on failing in {_sagas(len(ids))}.", ids


def _oldest_waiting(seen: WatchedStore, status: StoreStatus, settings: AlarmSettings) -> Found:
    since_ms = status.store.oldest_waiting_ms
    if since_ms is not None and seen.now_ms - since_ms > settings.oldest_waiting_s * SECOND_MS:
        yield "", f"The oldest saga that has not ended was started {span(seen.now_ms - since_ms)} ago.", ()


def _letter_waits(seen: WatchedStore, status: StoreStatus, settings: AlarmSettings) -> Found:
    letters = status.work.letters if status.work else None
    oldest = letters.oldest if letters else None
    if letters and oldest and seen.now_ms - oldest.posted_ms > settings.letter_after_s * SECOND_MS:
        waited = span(seen.now_ms - oldest.posted_ms)
        yield "", f"{letters.number} letters wait for an engine, the oldest for {waited}.", ()


def _engine_gone(_: WatchedStore, status: StoreStatus, __: AlarmSettings) -> Found:
    if (work := status.work) is None:
        return
    if gone := [engine.name for engine in work.engines if engine.is_gone]:
        yield "", f"Engines whose lease ran out: {', '.join(gone[:NAMED_MAX])} ({len(gone)}).", ()
    in_flight = sum(sagas for (_, word), sagas in status.store.counts.items() if word not in FINAL)
    if not work.engines and in_flight:
        yield "", f"No engine is seen, and {_sagas(in_flight)} {_are(in_flight)} under way.", ()


def _durability(_: WatchedStore, status: StoreStatus, __: AlarmSettings) -> Found:
    if status.store.durability.startswith(REDUCED):
        yield "", f"What was committed may be lost: durability is {status.store.durability}.", ()


def _store_warns(_: WatchedStore, status: StoreStatus, __: AlarmSettings) -> Found:
    if status.store.warning:
        yield "", f"An engine warns: {status.store.warning}", ()
    if status.store.set_aside:
        yield "rows", f"{len(status.store.set_aside)} rows cannot be read, and were set aside.", ()


def _disk(seen: WatchedStore, _: StoreStatus, settings: AlarmSettings) -> Found:
    if seen.free_bytes is not None and seen.free_bytes < settings.disk_free_bytes:
        yield (
            "",
            f"{seen.free_bytes} bytes are free on the disk of the store, fewer than {settings.disk_free_bytes}.",
            (),
        )


def _books_differ(seen: WatchedStore, _: StoreStatus, __: AlarmSettings) -> Found:
    found = Counter((each.service, each.what) for each in seen.ledger.differences)
    for (service, what), number in found.items():
        name = f"{service}.{what}" if what else service
        yield name, f"{name} of {number} entities is not what sagas hold of it.", ()


STORE_AWAY: Final = "store-away"
RULES: Final[Mapping[str, Callable[[WatchedStore, StoreStatus, AlarmSettings], Found]]] = {
    "needs-operator": _needs_operator,
    "owed": _owed,
    "books-differ": _books_differ,
    "failing": _failing,
    "oldest-waiting": _oldest_waiting,
    "letter-waits": _letter_waits,
    "engine-gone": _engine_gone,
    "durability": _durability,
    "store-warns": _store_warns,
    "disk": _disk,
}
"""By the name of each rule, what finds its alarms; beside these there is `STORE_AWAY`."""


def _sagas(number: int) -> str:
    return f"{number} saga{'s' * (number != 1)}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
