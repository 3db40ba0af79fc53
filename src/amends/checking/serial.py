"""What completed sagas would have left had they run one after the other.

The steps of sagas may interleave in any way; but when an entity is as no order of whole sagas could have left it, one
has written over another.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any, Final

from amends.checking.stage import Stage
from amends.checking.world import World, frozen
from amends.core.definition import Step, takes_call
from amends.core.messages import Call, Changed, Done, Gone, Kind, Refused, Request
from amends.core.walk import key_of

SAGAS_MAX: Final = 5  # 120 orders


class Serial:
    """The orders of whole sagas, each carried out once."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._known: dict[Any, list[dict[tuple[str, str], Any]]] = {}
        self._is_clear = not any(self._shares_an_entity(group) for group in stage.saga.groups)

    def after(self, world: World, cell: tuple[str, str], completed: list[bool]) -> list[Any]:
        """What an entity may be; empty where no order is known, or a compensated saga left something on purpose."""
        sagas = [saga for saga, is_completed in enumerate(completed) if is_completed]
        leaves = any(each.leaves for each in self.stage.local_steps) and not all(completed)
        if not 1 < len(sagas) <= SAGAS_MAX or leaves or not self._is_clear:
            return []
        outside = {saga: self._answers_outside(world, saga) for saga in sagas}
        key = frozen(outside)
        if key not in self._known:
            orders = (self._one_after_the_other(order, outside) for order in permutations(sagas))
            self._known[key] = [cells for cells in orders if cells is not None]
        return [cells[cell] for cells in self._known[key]]

    def _shares_an_entity(self, group: tuple[Step, ...]) -> bool:
        """Whether members of a group work on one entity, so that their own order is open."""
        for request in self.stage.scenario.requests:
            cells = [(each.service, each.entity(request)) for each in group if each.entity]
            if len({*cells}) < len(cells):
                return True
        return False

    def _answers_outside(self, world: World, saga: int) -> dict[str, Any]:
        answers = self.stage.run(world, saga).answers
        return {event: answer for event, answer in answers.items() if not self.stage.steps[event].is_local}

    def _one_after_the_other(
        self, order: tuple[int, ...], outside: dict[int, dict[str, Any]]
    ) -> dict[tuple[str, str], Any] | None:
        """All entities after an order; ``None`` when a saga would not have completed in it."""
        given = self.stage.scenario.given
        cells = {(service, key): given.get(service, {}).get(key) for service, key in self.stage.cells}
        try:
            if all(self._completes(saga, outside[saga], cells) for saga in order):
                return cells
        except Exception:  # noqa: BLE001 - a user's decider, in an order that it may not be made for
            return None
        return None

    def _completes(self, saga: int, outside: dict[str, Any], cells: dict[tuple[str, str], Any]) -> bool:
        """Carry out a whole saga; false when it is refused somewhere."""
        body, answers = self.stage.scenario.requests[saga], dict(outside)
        for each in self._local_steps_in_order():
            assert each.entity is not None, "a local step has an entity"
            cell = (each.service, each.entity(body))
            call = Call(key_of(self.stage.ids[saga], each, Kind.DO), 1, self._before(each, answers))
            request = Request(self.stage.ids[saga], each.event, Kind.DO, body, call)
            cells[cell], said = replay(each, cells[cell], request)
            if isinstance(said, Refused):
                return False
            if said.answer is not None:
                answers[each.event] = said.answer
        return True

    def _local_steps_in_order(self) -> Iterator[Step]:
        return (each for each in self.stage.saga.every_step() if each.is_local)

    def _before(self, each: Step, answers: dict[str, Any]) -> dict[str, Any]:
        """What a step may read: the answers of the groups before it."""
        place = self.stage.group_of
        return {event: answer for event, answer in answers.items() if place[event] < place[each.event]}


def replay(each: Step, entity: Any, request: Request) -> tuple[Any, Done | Refused]:
    """What an action makes of an entity, and its answer.

    Raises:
        Exception: whatever the action raises.
    """
    extra = (request.call,) if takes_call(each.action) else ()
    after = each.action(entity, request.body, *extra)
    if isinstance(after, Refused):
        return entity, after
    if isinstance(after, Changed):
        return after.entity, Done(after.answer)
    return (None if isinstance(after, Gone) else after), Done()
