"""What is the same in every schedule of a scenario: definition, requests, entities at the start, outside systems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, Final

from amends.checking.models import KEEPS_INBOX, Books, Model, SystemReply
from amends.checking.simulator.coverage import ReachableParts
from amends.checking.simulator.outside import WITHIN_S, as_declared
from amends.checking.simulator.swarm import HOUR_MS
from amends.core.definition import Saga, Step, parallel
from amends.core.messages import Done, Kind, Outcome, Refused, Request
from amends.core.waiting import milliseconds
from amends.engine.recording import Recording
from amends.engine.round_trip import RoundTrip
from amends.engine.upcasting import shape_row
from amends.errors import UnusableInput
from amends.scenario import Scenario, Under
from amends.storage.codecs.sagas import EntityCodecs, SagaCodec, definition_of
from amends.storage.codecs.values import text_of
from amends.storage.records import EntityWritten
from amends.storage.rows import Changes, EntityRow, Head
from amends.views.owed import OwedReader

EPOCH_MS: Final = 1_700_000_000_000  # when every schedule begins: some moment of November 2023
GIVEN: Final = "given"
KINDS: Final = (Kind.DO, Kind.UNDO)
HOUR_S: Final = 3600
WEEK_S: Final = 604_800  # of a wait whose end depends on what is asked, where that is not known beforehand
ATTEMPTS_MAX: Final = 60  # pauses at the ceiling: more than a step takes once nothing goes wrong any more
SKEW_S: Final = 0.5  # twice that between two machines: more than NTP leaves
SKEW_SHARE: Final = 0.2  # of an attempt's time: where clocks differ by all of it, every request comes too late
TRIES: Final = 4  # of a request that nothing goes wrong with any more: what was on its way when it was healed, and more


def known_salts(count: int) -> bytes:
    """Give salts that are the same in every schedule, where nothing is to be kept secret."""
    return b"\x01" * count


Raises = Callable[[Step, Kind], None]
"""Called before a local decider; raises when the decider is to raise."""


class Setting:
    """A scenario, laid out for simulating it.

    Attributes:
        name: as the scenario is called.
        scenario: what is laid out.
        hosts: on how many machines the engine runs at most, all of them on one database.
        apart: whether services have stores and engines of their own.
        elsewhere: those that have: each that is asked, but for those that steps wait for.
        saga: the definition as its author wrote it.
        sagas: it, and the definitions of all sagas that follow from it, by ``name/version/fingerprint``.
        owed: reads what these sagas hold.
        codecs: how the sagas of each are kept, with local deciders that raise when `raises` does.
        played: these definitions, the first one first.
        parts: what an engine may be given of several that share a database, as in a deploy: all of these definitions,
            or one with those that follow from it.
        raises: called before each decider, by the schedule that runs; ``None`` while none does.
        steps: by event.
        saga_of: event to its definition.
        group_of: event to number of its group.
        models: of the outside systems, by service.
        requests: what clients want done.
        is_once: whether each of these is asked for once at most, because it carries an id of its own.
        forms: how entities are read back.
        form: how sagas of the first definition are kept.
        skew_s: by how much the clock of a machine is wrong, at most, by which deadlines are told, in seconds.
        deciders: local deciders by number from 1, as ``EVENT/do`` or ``EVENT/undo``.
        words_of: by event of a step that waits for a person, what that may say; empty where none does.
        heals_within_ms: when every saga has ended at the latest, once nothing goes wrong any more.
    """

    def __init__(self, name: str, scenario: Scenario, hosts: int = 1, *, apart: bool = False) -> None:
        self.name = name
        self.hosts = hosts
        self.apart = apart
        if apart and scenario.asked:  # what `prepare` reads is elsewhere
            scenario = replace(scenario, asked=(), saga=replace(scenario.saga, prepare=None))
        self.scenario = scenario
        if scenario.commands or any(isinstance(each, Under) for each in scenario.requests):
            raise UnusableInput(
                f"{name}: requests under other definitions, and commands, are checked alone, not simulated"
            )
        self.saga = scenario.saga
        self.sagas = {definition_of(saga): saga for saga in _family(self.saga)}
        self.owed = OwedReader(self.sagas)
        self.raises: Raises | None = None
        each_step = [(saga, each) for saga in self.sagas.values() for each in saga.every_step()]
        self.steps = {each.event: each for _, each in each_step}
        if len(self.steps) < len(each_step):
            raise UnusableInput(f"{name}: two of its sagas have a step of the same event; name each differently")
        waited = {each.service for each in self.steps.values() if each.wait is not None}
        asked = {each.service for each in self.steps.values() if each.action is not None}
        self.elsewhere = frozenset(asked - waited) if apart else frozenset[str]()
        self.skew_s = min(SKEW_S, *(each.timeout_s * SKEW_SHARE for each in self.steps.values()))
        self.saga_of = {each.event: saga for saga, each in each_step}
        groups = [(number, group) for saga in self.sagas.values() for number, group in enumerate(saga.groups)]
        self.group_of = {each.event: number for number, group in groups for each in group}
        self._trips = {saga.name: RoundTrip(saga) for saga in self.sagas.values()}
        self.models = {name: self._typed(model) for name, model in _models(scenario, self.steps.values()).items()}
        self.requests: Sequence[Any] = scenario.asked or scenario.requests
        self.is_once = bool(scenario.ids) and not scenario.asked
        self.codecs = {definition: SagaCodec(self._played(saga)) for definition, saga in self.sagas.items()}
        self.form = self.codecs[definition_of(self.saga)]
        self.played = [codec.saga for codec in self.codecs.values()]
        self.parts = [[self.codecs[definition_of(each)].saga for each in _family(saga)] for saga in self.sagas.values()]
        self.forms = EntityCodecs()
        for saga in self.sagas.values():
            self.forms.learn_saga(saga)
        deciders = [f"{s.event}/{k.value}" for s in self.steps.values() if s.is_local for k in KINDS if s.function(k)]
        self.deciders = dict(enumerate(deciders, 1))
        self.heals_within_ms = HOUR_MS + sum(_longest_ms(each, self._asked_of(each)) for each in self.steps.values())
        asking = (step for step in self.steps.values() if step.wait and not step.wait.is_pause)
        self.words_of = {step.event: self._words(step) for step in asking}
        self._moody = {service for service in self.models if service not in scenario.models}

    def trip_of(self, event: str) -> RoundTrip:
        """What the values of a step's saga become once they are stored."""
        return self._trips[self.saga_of[event].name]

    def _asked_of(self, step: Step) -> Sequence[Any]:
        """What is asked of a step, as far as that is known beforehand: not of a saga that follows from another one."""
        return self.requests if self.saga_of[step.event] is self.saga else ()

    def takes_doubles(self, step: Step) -> bool:
        """Whether a request may arrive twice: not where a refusal of the first is forgotten, and the second done."""
        return step.remembers_refusals or step.service not in self._moody

    def outlasts_ms(self, step: Step) -> int:
        """How long a participant is down at most: some dozen attempts, or the life of a key."""
        lifetime_s = (step.key_lives_h or 0) * HOUR_S
        return milliseconds(max(ATTEMPTS_MAX * step.backoff.cap_s, lifetime_s + step.backoff.cap_s * TRIES))

    def first_of(self, keeps: Callable[[str], bool]) -> Changes | None:
        """The commit that brings the entities of the start, of the services that a store keeps; ``None`` for none."""
        rows = [
            EntityRow(service, key, text_of(entity), 1)
            for service, owned in self.scenario.given.items()
            for key, entity in owned.items()
            if keeps(service)
        ]
        return _first(rows, self.forms) if rows else None

    def shape(self) -> ReachableParts:
        """What the definition can come to."""
        apart = [step for step in self.steps.values() if step.is_local and step.service in self.elsewhere]
        undone_apart = [
            step for step in apart if step.undo and self.group_of[step.event] < self.saga_of[step.event].pivot
        ]
        is_moody, sagas = bool(self._moody), self.sagas.values()
        asked = [step for step in self.steps.values() if not step.is_local]
        from_pivot = {event: group - self.saga_of[event].pivot for event, group in self.group_of.items()}
        outside = [(from_pivot[step.event], step) for step in asked if not step.wait]
        return ReachableParts(
            local=len(asked) < len(self.steps),
            outside=bool(outside),
            undone_outside=any(place < 0 for place, _ in outside) or bool(undone_apart),
            probed=any(step.probe and place < 0 for place, step in outside),
            can_cancel=self.saga.pivot > 0,
            has_pivot=any(place >= 0 for place, _ in outside),
            deadline=any(saga.deadline_s is not None and saga.pivot > 0 for saga in sagas),
            can_park=is_moody and any(place for place, _ in outside),
            doubled=any(self.takes_doubles(step) for _, step in outside),
            choice=len(self.requests) > 1 and not self.is_once,
            moody=is_moody and bool(outside),
            inbox=any(model.name == KEEPS_INBOX for model in self.models.values()),
            people=bool(self.words_of),
            shared=self.hosts > 1,
            direct=self.hosts == 1,
            children=bool(self.saga.starts),
            asked=bool(outside or apart),
            apart=bool(self.elsewhere),
            hosted=bool(undone_apart),
        )

    def _words(self, step: Step) -> Sequence[Outcome]:
        """What a person may say, as the saga hears it; where the scenario says nothing, yes and no."""
        if given := self.scenario.answers.get(step.event):
            return [self.trip_of(step.event).outcome(step.event, Kind.DO, outcome) for outcome in given]
        yes: Outcome = Done(f"answer of {step.service}")
        return [self.trip_of(step.event).outcome(step.event, Kind.DO, yes, is_typed=False), Refused("no")]

    def _played(self, saga: Saga) -> Saga:
        """A saga with deciders that can be made to raise; without `prepare` where the requests are prepared."""
        groups = [parallel(*map(self._played_step, group)) for group in saga.groups]
        prepare = saga.prepare if self.scenario.asked or saga is not self.saga else None
        return replace(saga, steps=groups, prepare=prepare)

    def _played_step(self, step: Step) -> Step:
        if step.is_local:
            return self._flaky(step)
        trip = self.trip_of(step.event)
        if step.action is None or not self.models[step.service].is_ready or trip.makes_up(step.event):
            return step
        return replace(step, action=_nobody, probe=step.probe and _nobody)  # receipts are of no type that these declare

    def _typed(self, model: Model) -> Model:
        """A ready model whose receipts are of the types that steps declare; any other as it is."""

        def replies(books: Books, request: Request, step: Step) -> Iterator[SystemReply]:
            def heard(said: Outcome | None) -> Outcome | None:
                return said and self.trip_of(step.event).outcome(step.event, request.kind, said, is_typed=False)

            for reply in model.replies(books, request, step):
                yield reply._replace(outcome=heard(reply.outcome), later=heard(reply.later))

        return replace(model, replies=replies) if model.is_ready else model

    def _flaky(self, step: Step) -> Step:
        undo = step.undo and self._raising(step, Kind.UNDO, step.undo)
        return replace(step, action=step.action and self._raising(step, Kind.DO, step.action), undo=undo)

    def _raising(self, step: Step, kind: Kind, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def asked(*given: Any) -> Any:
            if self.raises is not None:
                self.raises(step, kind)
            return function(*given)

        return asked


def _nobody(client: Any, body: Any, call: Any) -> None:
    """Stands for a function whose model answers in its place."""


def _family(saga: Saga) -> Iterator[Saga]:
    """A definition, and those of all sagas that follow from it."""
    yield saga
    for child in saga.starts:
        yield from _family(child.saga)


def _models(scenario: Scenario, steps: Iterable[Step]) -> dict[str, Model]:
    called = (each for each in steps if not each.is_local and each.action is not None)
    services = dict.fromkeys(each.service for each in called)
    return {service: scenario.models.get(service) or as_declared() for service in services}


def _first(rows: Sequence[EntityRow], forms: EntityCodecs) -> Changes:
    recording = Recording(EPOCH_MS, salts=known_salts)
    for row in rows:
        recording.add(f"{row.service}/{row.entity_id}", 0, EntityWritten(row.service, row.entity_id, GIVEN), row.body)
    for service in dict.fromkeys(row.service for row in rows):
        recording.write_entities(service, [row for row in rows if row.service == service])
    block = recording.block(Head())
    kinds = {row.service: kind for row in rows if (kind := forms.kind_of(row.service))}
    return Changes((), rows, (), block, {}, shapes=[shape_row(*pair) for pair in kinds.items()])


def _longest_ms(step: Step, requests: Sequence[Any]) -> int:
    """How long a step may take, there and back, when nothing goes wrong but what has."""
    if step.wait is not None:
        lasts_s = step.wait.lasts_s
        return milliseconds(max(map(lasts_s, requests), default=WEEK_S) if callable(lasts_s) else lasts_s)
    each_s = step.timeout_s + (step.settles_within_s or 0) + step.backoff.cap_s + WITHIN_S
    return milliseconds(TRIES * each_s + step.limit_s)
