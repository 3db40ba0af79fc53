"""A scenario laid out for exploring: its sagas, entities and outside systems, each with its place and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from amends.checking.children import Children
from amends.checking.exceptions import Raised, breaks_rule, name_of
from amends.checking.function_coverage import FunctionCoverage
from amends.checking.models import Model, honours_keys
from amends.checking.read_back import AsItIs, ReadBack
from amends.checking.running_sagas import running_sagas
from amends.checking.static_analysis import only_asks, undo_does_nothing
from amends.checking.undeclared_holds import UndeclaredHolds
from amends.checking.values import frozen, told
from amends.checking.world import Broken, Inbox, Interned, Message, World, add
from amends.core.definition import Saga, Step
from amends.core.effects import Effect, Send
from amends.core.messages import Call, Kind, Request
from amends.core.step import SagaInstance, start
from amends.core.walk import key_of
from amends.errors import ParticipantError
from amends.scenario import Scenario

LATER_MS: Final = 1  # when a wait ends: after "soon", which is at 0


class WorldLayout:
    """Who plays, where each stands in a `World`, and what its numbers mean."""

    def __init__(self, scenario: Scenario, read_back: Callable[[Saga], ReadBack] = AsItIs) -> None:
        """Lay it out.

        Args:
            scenario: the saga in its small world.
            read_back: what the values of a definition are, once they were stored and read back.
        """
        self.scenario = scenario
        self.saga = scenario.saga
        running = running_sagas(scenario)
        self.sagas = tuple(started.saga for started in running)
        read_backs = {saga: read_back(saga) for saga in dict.fromkeys(self.sagas)}
        self.read_backs = tuple(read_backs[saga] for saga in self.sagas)
        self.unreadable: list[str] = []
        self.requests = tuple(
            self._read_back(read_back.request, started.request)
            for read_back, started in zip(self.read_backs, running, strict=True)
        )
        self.ids = tuple(started.saga_id for started in running)
        self.runs: Interned[SagaInstance] = Interned()
        self.messages: Interned[Message] = Interned()
        self.entities: Interned[Any] = Interned()
        self.inboxes: Interned[Inbox] = Interned()
        self.books: Interned[Any] = Interned()
        known = {saga: {each.event: each for each in saga.every_step()} for saga in read_backs}
        self.steps_of = tuple(known[saga] for saga in self.sagas)
        self.steps = tuple(dict.fromkeys(each for steps in known.values() for each in steps.values()))
        self.groups_of = tuple(
            {each.event: number for number, group in enumerate(saga.groups) for each in group} for saga in self.sagas
        )
        self.local_steps = tuple([each for each in steps.values() if each.is_local] for steps in self.steps_of)
        self.raised: dict[tuple[int, str], Broken] = {}
        self.cell_of = self._all_entities()
        self.cells = self._all_cells()
        self.models = self._all_models()
        self.given = tuple(
            self._read_back(self._read_back_of(cell[0]).entity, *cell, self._given(*cell)) for cell in self.cells
        )
        self.cell_at = {cell: place for place, cell in enumerate(self.cells)}
        self.inbox_at = {
            (saga, each.event): place
            for place, (saga, each) in enumerate((s, e) for s, local in enumerate(self.local_steps) for e in local)
        }
        self.book_at = {service: place for place, service in enumerate(self.models)}
        self.coverage = FunctionCoverage()
        self.undeclared_holds = UndeclaredHolds()
        self.children = Children(read_back, self.coverage)
        self.questions = frozenset(
            each for saga, steps in enumerate(self.steps_of) for each in steps.values() if self._is_question(saga, each)
        )
        self._events = {saga: tuple(steps) for saga, steps in known.items()}
        self._stored: dict[tuple[int, int], int] = {}
        self._heard: dict[tuple[int, bool], int] = {}

    def _all_entities(self) -> dict[tuple[int, str], tuple[str, str]]:
        """The entity that each saga's local steps work on; what ``entity=`` raises breaks a rule once it is asked."""
        named = {}
        for saga, request in enumerate(self.requests):
            for each in self.local_steps[saga]:
                assert each.entity is not None, "a local step has an entity"
                who = f"{each.event}'s entity= ({name_of(each.entity)})"
                try:
                    with breaks_rule("an entity has a name", who, f"asked with {told(request)}"):
                        named[saga, each.event] = (each.service, each.entity(request))
                except Raised as raised:
                    self.raised[saga, each.event] = raised.broken
        return named

    def _all_cells(self) -> list[tuple[str, str]]:
        given = [(service, key) for service, owned in self.scenario.given.items() for key in owned]
        return [*dict.fromkeys([*given, *self.cell_of.values()])]

    def _all_models(self) -> dict[str, Model]:
        services = dict.fromkeys(each.service for each in self.steps if not each.is_local and each.action is not None)
        return {service: self.scenario.models.get(service) or honours_keys() for service in services}

    def _read_back_of(self, service: str) -> ReadBack:
        """There and back for an entity, by a definition that has its service."""
        owning = zip(self.read_backs, self.local_steps, strict=True)
        return next(
            (read_back for read_back, local in owning if any(s.service == service for s in local)), self.read_backs[0]
        )

    def beyond(self, message: Message) -> int:
        """How many groups the step of a message comes behind its saga's pivot; 0 for the pivot, less before it."""
        return self.groups_of[message.saga][message.step] - self.sagas[message.saga].pivot

    def _is_question(self, saga: int, each: Step) -> bool:
        """Whether a step changes nothing outside, so that nothing of it stands and nothing is to be undone."""
        if each.is_local or each.wait is not None or not self.requests:
            return each.asks
        request, model, name = self.requests[saga], self.models[each.service], self.ids[saga]
        if only_asks(each, request):
            return True
        if not (model.runs_functions and undo_does_nothing(each)):
            return False
        request_to = Request(name, each.event, Kind.DO, request, Call(key_of(name, each, Kind.DO)))
        start = deepcopy(model.start)
        try:
            return all(frozen(reply.books) == frozen(model.start) for reply in model.replies(start, request_to, each))
        except Exception:  # noqa: BLE001 - which is told where it is asked
            return False

    def _given(self, service: str, key: str) -> Any:
        return self.scenario.given.get(service, {}).get(key)

    def _read_back(self, read: Callable[..., Any], *given: Any) -> Any:
        """A value that the scenario gives, as it is read back; as it is, and noted, where it cannot be."""
        try:
            return read(*given)
        except ParticipantError as error:
            self.unreadable.append(str(error))
            return given[-1]

    def stored(self, cell: int, entity: Any) -> int:
        """The number of an entity as the next function gets it; each is stored and read back once.

        Raises:
            ParticipantError: it would come back as another one.
        """
        given = cell, self.entities.number(entity)
        if given not in self._stored:
            service, name = self.cells[cell]
            self._stored[given] = self.entities.number(self._read_back_of(service).entity(service, name, entity))
        return self._stored[given]

    def heard(self, message: Message, *, is_typed: bool = True) -> int:
        """The number of an answer as the saga hears it; each is stored and read back once.

        Args:
            message: with the answer.
            is_typed: whether one of the step's own functions gave it.

        Raises:
            ParticipantError: it would come back as another one.
        """
        assert message.outcome is not None, "an answer has an outcome"
        given = self.messages.number(message), is_typed
        if given not in self._heard:
            outcome = self.read_backs[message.saga].outcome(
                message.step, message.kind, message.outcome, is_typed=is_typed
            )
            self._heard[given] = self.messages.number(message._replace(outcome=outcome))
        return self._heard[given]

    def first(self, faults: int) -> World:
        """The world in which every saga has just started and its first requests are on their way."""
        started = [start(*given) for given in zip(self.sagas, self.ids, self.requests, strict=True)]
        sends = [number for saga, (_, effects) in enumerate(started) for number in self.sent(saga, effects)]
        return World(
            tuple(self.kept(run) for run, _ in started),
            tuple(sorted(sends)),
            tuple(self.inboxes.number(Inbox()) for _ in self.inbox_at),
            tuple(self.entities.number(entity) for entity in self.given),
            tuple(self.books.number(model.start) for model in self.models.values()),
            faults,
        )

    def view(self, cells: tuple[int, ...], books: tuple[int, ...]) -> dict[str, Any]:
        """The world as a user sees it: service, then id, to entity, where it exists; of those outside, their books."""
        owned: dict[str, Any] = {}
        for (service, model), number in zip(self.models.items(), books, strict=True):
            kept = self.books[number]
            owned[service] = model.view(kept) if model.view else kept
        for (service, key), number in zip(self.cells, cells, strict=True):
            kept = owned.setdefault(service, {})
            if (entity := self.entities[number]) is not None:
                kept[key] = entity
        return owned

    def run(self, world: World, saga: int) -> SagaInstance:
        """The run of a saga in a world."""
        return self.runs[world.runs[saga]]

    def inbox(self, world: World, saga: int, event: str) -> Inbox:
        """What a local participant keeps of a step."""
        return self.inboxes[world.inboxes[self.inbox_at[saga, event]]]

    def stands(self, world: World, saga: int, each: Step) -> int | None:
        """How often a step's effect stands; ``None`` when its model cannot tell."""
        if each.is_local:
            inbox = self.inbox(world, saga, each.event)
            return inbox.done - inbox.undone
        if each.wait is not None:
            return None
        model = self.models[each.service]
        if model.standing is None or each in self.questions:
            return None
        books = self.books[world.books[self.book_at[each.service]]]
        with breaks_rule(
            "a model raises", f"{each.service}'s standing= ({name_of(model.standing)})", f"of {told(books)}"
        ):
            return model.standing(books).count(f"{self.ids[saga]}/{each.event}/do")

    def unheard(self, world: World, saga: int, each: Step) -> str:
        """What to do where an effect stands of which the saga may not have heard; empty where it did, or could look.

        One that looks too early could not: its model carries out requests later than its step says.
        """
        if each.is_local or not each.undo or each.event in self.run(world, saga).answers:
            return ""
        model = self.models[each.service]
        if model.settles_late(each):
            return (
                f"; {each.event} says settles_within_s={each.settles_within_s:g}, and the model of {each.service} may "
                f"carry out a request up to {model.settles_within_s:g} s after it was sent"
            )
        if each.probe:
            return ""
        return (
            f"; where its answer is lost, its undo knows nothing of it: give {each.event} probe= and settles_within_s="
        )

    def request(self, message: Message) -> Request:
        """The request that a message carries."""
        assert message.call is not None, "a request has a call"
        saga_id, each = self.ids[message.saga], self.steps_of[message.saga][message.step]
        call = replace(message.call, key=key_of(saga_id, each, message.kind))
        return Request(saga_id, each.event, message.kind, self.requests[message.saga], call)

    def kept(self, run: SagaInstance) -> int:
        """The run without what no decision depends on: times, attempts, trail, the order in which answers came."""
        waiting = tuple(
            each._replace(
                attempt=1, since_ms=0, acted_ms=0, at_ms=0, due_ms=0, error="", ends_ms=min(each.ends_ms, LATER_MS)
            )
            for each in run.waiting
        )
        deadline_ms = None if run.deadline_ms is None else 0
        answers = {event: run.answers[event] for event in self._events[run.saga] if event in run.answers}
        timeless = run._replace(waiting=waiting, trail=(), reason="", trouble="", number=0, deadline_ms=deadline_ms)
        return self.runs.number(timeless._replace(saga_id="", answers=answers))

    def sent(self, saga: int, effects: tuple[Effect, ...]) -> Iterator[int]:
        """The numbers of the messages that effects send."""
        for effect in effects:
            if isinstance(effect, Send):
                request = effect.request
                call = replace(request.call, attempt=1, key="", reason="")
                yield self.messages.number(Message(saga, request.step, request.kind, call, None))

    def flying(self, world: World, message: Message) -> World:
        """The world with one more message on its way."""
        return world._replace(flight=add(world.flight, (self.messages.number(message),)))
