"""What sagas together may leave: what they would have left one after the other, the compensated ones having never been.

The steps of sagas may interleave in any way. But there has to be some order of the completed sagas in which each,
whole, completes with equal answers, and which leaves equal entities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, permutations, product
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from amends.checking.change import Change, amount, change, net
from amends.checking.countermeasures import COMMUTE, GIVE_OUT_LATE, LOOK_AND_TAKE, READ_AGAIN
from amends.checking.differences import instead
from amends.checking.layout import WorldLayout
from amends.checking.running_sagas import prepared
from amends.checking.values import frozen
from amends.checking.world import Broken, World, Wrong
from amends.core.definition import Step
from amends.core.messages import Call, Done, Kind, Outcome, Refused, Request
from amends.core.participant import apply_step
from amends.core.walk import key_of
from amends.errors import UnusableInput

ORDERS_MAX: Final = 5_000  # of one set of sagas; seven that complete have 5040
Cell = tuple[str, str]
Cells = Mapping[Cell, Any]


class Part(NamedTuple):
    """A saga, or a half of a compensated one, as one thing that happens.

    Attributes:
        saga: place in the scenario.
        kind: what is done: all its actions, or all its undos.
        whole: whether it completed; else it was compensated.
    """

    saga: int
    kind: Kind = Kind.DO
    whole: bool = True


class SerialStep(NamedTuple):
    """A step, carried out in an order.

    Attributes:
        part: in which part.
        step: the step that was carried out.
        said: its answer, or why there is none.
        changed: what it changed of its entity.
    """

    part: Part
    step: Step
    said: Any
    changed: Change


class SagaEnds(NamedTuple):
    """How sagas ended: what an order of them has to explain.

    Attributes:
        completed: places of the sagas.
        compensated: those of which something took effect, with the steps of which it did.
        answers: of the completed ones: place, then event, to answer.
        cells: the entities then.
    """

    completed: tuple[int, ...]
    compensated: Mapping[int, tuple[Step, ...]]
    answers: Mapping[int, Mapping[str, Any]]
    cells: Cells


class Miss(NamedTuple):
    """Why an order does not explain how sagas ended.

    Attributes:
        order: the sagas, as far as they were carried out.
        at: the step that went otherwise, and what it had answered; ``None`` when all went alike.
        cells: the entities that are otherwise then, and what they would be.
        unstarted: why the last of the sagas would not have been started by its `prepare`.
    """

    order: tuple[int, ...]
    at: tuple[SerialStep, Any] | None = None
    cells: Cells = MappingProxyType({})
    unstarted: Refused | None = None


class Serial:
    """Looks for an order of whole sagas that explains how a world at rest came about."""

    def __init__(self, layout: WorldLayout) -> None:
        self.layout = layout
        self.alike = layout.scenario.alike
        self.start: Cells = dict(zip(layout.cells, layout.given, strict=True))
        self._known: dict[Any, Broken | None] = {}

    def broken(self, world: World, completed: list[bool]) -> Broken | None:
        """The rule that is broken when no order explains a world at rest; ``None`` when one does.

        Args:
            world: at rest, every saga completed or compensated.
            completed: for each saga, whether it completed.
        """
        key = (world.runs, world.inboxes, world.cells)
        if key not in self._known:
            self._known[key] = self._look(self._ended(world, completed))
        return self._known[key]

    def _ended(self, world: World, completed: list[bool]) -> SagaEnds:
        layout, sagas = self.layout, range(len(completed))
        done: dict[int, tuple[Step, ...]] = {}
        answers: dict[int, dict[str, Any]] = {}
        for saga in sagas:
            inboxes = {each.event: layout.inbox(world, saga, each.event) for each in layout.local_steps[saga]}
            if completed[saga]:
                answers[saga] = dict(layout.run(world, saga).answers)
                answers[saga] |= {event: _answer(dict(kept.answers)) for event, kept in inboxes.items()}
            elif acted := tuple(each for each in layout.local_steps[saga] if inboxes[each.event].done):
                done[saga] = acted
        cells = {cell: layout.entities[number] for cell, number in zip(layout.cells, world.cells, strict=True)}
        return SagaEnds(tuple(saga for saga in sagas if completed[saga]), done, answers, cells)

    def _look(self, ended: SagaEnds) -> Broken | None:
        miss = self._nearest(ended)
        if miss is None or self._is_exchange(ended):
            return None
        if not miss.cells and not ended.compensated:  # what was written over is told, where something was
            written = self._nearest(ended, whatever_they_read=True)
            miss = written if written and written.cells else miss
        return self._told(ended, miss)

    def _nearest(self, ended: SagaEnds, *, whatever_they_read: bool = False) -> Miss | None:
        """What the best order misses; ``None`` when one misses nothing."""
        nearest = Miss(())
        for order in islice(permutations([*map(Part, ended.completed), *self._that_leave(ended)]), ORDERS_MAX):
            for ways in product(*(self._ways(part) for part in order)):
                miss = self._missed([*zip(order, ways, strict=True)], ended, strictly=not whatever_they_read)
                if miss is None:
                    return None
                nearest = max(nearest, miss, key=_how_near)
        return nearest

    def _that_leave(self, ended: SagaEnds) -> Iterator[Part]:
        """The compensated sagas that left something on purpose."""
        for saga, done in ended.compensated.items():
            if any(each.leaves for each in done):
                yield Part(saga, Kind.UNDO, whole=False)

    def _missed(self, order: list[tuple[Part, tuple[Step, ...]]], ended: SagaEnds, *, strictly: bool) -> Miss | None:
        """What an order misses, carried out in one way; ``None`` when it explains everything."""
        cells, names = dict(self.start), tuple(part.saga for part, _ in order if part.whole)
        for part, steps in order:
            if not part.whole:
                self._leave(part.saga, ended.compensated[part.saga], cells)
                continue
            if strictly and (refused := self._unstarted(part.saga, cells)):
                return Miss(names[: names.index(part.saga) + 1], unstarted=refused)
            known = ended.answers[part.saga]
            for played in self._carried_out(part, steps, cells, known):
                if isinstance(played.said, Refused) or (strictly and self._differs(played, known)):
                    return Miss(names[: names.index(part.saga) + 1], (played, known.get(played.step.event)))
        other = {cell: be for cell, be in cells.items() if not self._are_alike(cell[0], be, ended.cells[cell])}
        return Miss(names, None, other) if other else None

    def _unstarted(self, saga: int, cells: Cells) -> Refused | None:
        """Why its `prepare` would not start a saga on other entities; ``None`` when it would, or there is none."""
        scenario = self.layout.scenario
        if scenario.requests or saga >= len(scenario.asked):
            return None
        entities: dict[str, dict[str, Any]] = {}
        for (service, name), entity in cells.items():
            owned = entities.setdefault(service, {})
            if entity is not None:
                owned[name] = entity
        try:
            request = prepared(scenario, saga, entities)
        except UnusableInput as error:
            return Refused(str(error))
        return request if isinstance(request, Refused) else None

    def _ways(self, part: Part) -> Iterator[tuple[Step, ...]]:
        """Its local steps, in each order that it may take: members of a group that share an entity have several."""
        if not part.whole:
            return iter([()])
        ways = []
        for group in self.layout.sagas[part.saga].groups:
            members = [each for each in group if each.is_local]
            cells = {self._cell(part.saga, each) for each in members}
            ways.append([*permutations(members)] if len(cells) < len(members) else [tuple(members)])
        return (tuple(each for group in way for each in group) for way in product(*ways))

    def _leave(self, saga: int, done: tuple[Step, ...], cells: dict[Cell, Any]) -> None:
        body = self.layout.requests[saga]
        for each in done:
            if each.leaves:
                cell = self._cell(saga, each)
                cells[cell] = each.leaves(cells[cell], body)

    def _cell(self, saga: int, each: Step) -> Cell:
        return self.layout.cell_of[saga, each.event]

    def _carried_out(
        self, part: Part, steps: tuple[Step, ...], cells: dict[Cell, Any], known: Mapping[str, Any]
    ) -> Iterator[SerialStep]:
        """Carry out a completed saga on entities, step by step; what is outside answers as it did."""
        saga_id, body = self.layout.ids[part.saga], self.layout.requests[part.saga]
        answers = {event: said for event, said in known.items() if not self.layout.steps_of[part.saga][event].is_local}
        for each in steps:
            cell = self._cell(part.saga, each)
            before = {event: said for event, said in answers.items() if self._is_before(part.saga, event, each)}
            request = Request(saga_id, each.event, Kind.DO, body, Call(key_of(saga_id, each, Kind.DO), 1, before))
            was = cells[cell]
            cells[cell], said = self._replayed(part, each, was, request)
            yield SerialStep(part, each, said, change(was, cells[cell]))
            if isinstance(said, Done) and said.answer is not None:
                answers[each.event] = said.answer

    def _is_before(self, saga: int, event: str, each: Step) -> bool:
        return self.layout.groups_of[saga][event] < self.layout.groups_of[saga][each.event]

    def _differs(self, played: SerialStep, known: Mapping[str, Any]) -> bool:
        event, said = played.step.event, played.said
        return isinstance(said, Refused) or not self._are_alike(event, said.answer, known.get(event))

    def _are_alike(self, name: str, one: Any, other: Any) -> bool:
        """Whether two entities of a service, or two answers of a step, are equal, by the scenario's view of them."""
        if one is None or other is None or name not in self.alike:
            return frozen(one) == frozen(other) or one == other
        return bool(self.alike[name](one) == self.alike[name](other))

    # What was held meanwhile ------------------------------------------------------------------------------------

    def _is_exchange(self, ended: SagaEnds) -> bool:
        """Whether sagas that were compensated only held for a while what others then did without.

        Who finds the first seat held takes the second. That is rightful when it would have completed anyway and took
        as much, only elsewhere, and what was held was given back exactly.
        """
        halves = [Part(saga, kind, whole=False) for saga in ended.compensated for kind in (Kind.DO, Kind.UNDO)]
        orders = permutations([*map(Part, ended.completed), *halves])
        in_order = (order for order in islice(orders, ORDERS_MAX) if _acts_before_it_undoes(order))
        return bool(ended.completed and halves) and any(self._explains(order, ended) for order in in_order)

    def _explains(self, order: tuple[Part, ...], ended: SagaEnds) -> bool:
        cells = dict(self.start)
        played = self._all_played(order, ended, cells)
        without = self._all_played(tuple(part for part in order if part.whole), ended, dict(self.start))
        return (
            played is not None
            and without is not None
            and all(self._are_alike(cell[0], cells[cell], ended.cells[cell]) for cell in cells)
            and all(self._took_as_much(play, without[at], ended) for at, play in played.items() if at[0].whole)
            and all(_is_given_back(play, played) for play in played.values() if play.part.kind is Kind.UNDO)
        )

    def _took_as_much(self, played: SerialStep, without: SerialStep, ended: SagaEnds) -> bool:
        known = ended.answers[played.part.saga]
        if self._differs(played, known) or amount(played.changed) != amount(without.changed):
            return False
        return not self._differs(without, known) or played.changed != without.changed

    def _all_played(
        self, order: tuple[Part, ...], ended: SagaEnds, cells: dict[Cell, Any]
    ) -> dict[tuple[Part, str], SerialStep] | None:
        """Each step of an order, the first way that it may take; ``None`` when one is refused."""
        played: dict[tuple[Part, str], SerialStep] = {}
        said: dict[tuple[int, str], Any] = {}
        for part in order:
            if part.whole:
                plays = self._carried_out(part, next(self._ways(part)), cells, ended.answers[part.saga])
            else:
                plays = self._half(part, ended.compensated[part.saga], cells, said)
            for each in plays:
                if isinstance(each.said, Refused):
                    return None
                played[part, each.step.event] = each
                said[part.saga, each.step.event] = each.said.answer
        return played

    def _half(
        self, part: Part, done: tuple[Step, ...], cells: dict[Cell, Any], said: Mapping[tuple[int, str], Any]
    ) -> Iterator[SerialStep]:
        """All actions, or all undos, of a compensated saga."""
        saga_id, body = self.layout.ids[part.saga], self.layout.requests[part.saga]
        answers: dict[str, Any] = {}
        for each in done if part.kind is Kind.DO else reversed(done):
            cell = self._cell(part.saga, each)
            call = Call(key_of(saga_id, each, part.kind), 1, dict(answers), said.get((part.saga, each.event)))
            was = cells[cell]
            request = Request(saga_id, each.event, part.kind, body, call)
            cells[cell], told = self._replayed(part, each, was, request)
            if isinstance(told, Done) and told.answer is not None:
                answers[each.event] = told.answer
            made = change(was, cells[cell])
            if part.kind is Kind.UNDO and each.leaves:  # what it leaves on purpose, it need not give back
                made = net(change(each.leaves(was, body), was), made)
            yield SerialStep(part, each, told, made)

    def _replayed(self, part: Part, each: Step, entity: Any, request: Request) -> tuple[Any, Outcome]:
        """What a step makes of an entity, and what it says; one that raises is taken to refuse, and changes nothing."""
        try:
            after, said = apply_step(each, request.kind, entity, request.body, request.call)
            return after, self.layout.read_backs[part.saga].outcome(each.event, request.kind, said)
        except Exception as error:  # noqa: BLE001 - a user's decider, asked with what it never expected
            return entity, Refused(f"it raises {type(error).__name__}: {error}")

    # What is told ------------------------------------------------------------------------------------------------

    def _told(self, ended: SagaEnds, miss: Miss) -> Broken:
        names = ", then ".join(self.layout.ids[saga] for saga in miss.order)
        if miss.cells:
            return _lost(ended, miss, names)
        if miss.unstarted:
            return _prepared_before(self.layout.ids[miss.order[-1]], miss.unstarted, names)
        assert miss.at is not None, "an order that misses nothing explains the world"
        played, given = miss.at
        name, event = self.layout.ids[played.part.saga], played.step.event
        was = f"{name} {event} was answered {Done(given)!r}"
        if ended.compensated:
            text = (
                f"{was}; without the sagas that were compensated it would have been {played.said!r} (tried: {names}). "
                f"{GIVE_OUT_LATE}"
            )
            return Broken("no dirty read", text)
        text = f"{was}; one after the other it would have been {played.said!r} (tried: {names}). {LOOK_AND_TAKE}"
        if isinstance(played.said, Done):
            text += f"; where any of several will do, say what is compared: alike={{{event!r}: ...}} in the Scenario"
        return Broken("as if one after the other", text)


def _prepared_before(name: str, refused: Refused, names: str) -> Broken:
    text = (
        f"{name} was started; one after the other its prepare would have given "
        f"{refused!r} (tried: {names}). What prepare saw may be gone by the time of a step: look again where it is "
        "taken"
    )
    return Broken("as if one after the other", text)


def _lost(ended: SagaEnds, miss: Miss, names: str) -> Broken:
    wrong = tuple(Wrong("/".join(cell), be, ended.cells[cell]) for cell, be in miss.cells.items())
    told = instead(*wrong[0])
    if ended.compensated:
        text = f"{told}, by the completed sagas alone (tried: {names or 'none'}). {COMMUTE}, or {READ_AGAIN}"
        if wrong[0].expected is None:
            text += "; an undo that is to leave nothing gives back GONE"
    else:
        text = (
            f"{told}, had the completed sagas run one after the other (tried: {names}). "
            f"Read and write in one step (hold first), or {READ_AGAIN}; where its order does not "
            f"matter, say what is compared: alike={{{next(iter(miss.cells))[0]!r}: ...}} in the Scenario"
        )
    return Broken("no lost update", text, wrong)


def _how_near(miss: Miss) -> tuple[bool, int]:
    """Of misses, one in which all sagas completed as they did is told, else one that came far."""
    return bool(miss.cells), len(miss.order)


def _acts_before_it_undoes(order: tuple[Part, ...]) -> bool:
    place = {part: at for at, part in enumerate(order)}
    return all(at > place[part._replace(kind=Kind.DO)] for part, at in place.items() if part.kind is Kind.UNDO)


def _is_given_back(undone: SerialStep, played: Mapping[tuple[Part, str], SerialStep]) -> bool:
    did = played[undone.part._replace(kind=Kind.DO), undone.step.event]
    return not net(did.changed, undone.changed)


def _answer(answers: Mapping[str, Any]) -> Any:
    said = answers.get(Kind.DO.value)
    return said.answer if isinstance(said, Done) else None
