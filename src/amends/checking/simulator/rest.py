"""What must hold when nothing moves any more: every saga has ended, and what is left is what is to be left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import Any

from amends.checking.simulator.environment import Environment
from amends.checking.simulator.following import following
from amends.checking.simulator.invariants import broken
from amends.checking.simulator.view import DECODE
from amends.checking.simulator.wire import SimulatedWire
from amends.checking.world import Broken
from amends.core.definition import Step
from amends.core.messages import Call, Kind, Refused
from amends.core.participant import Applied, apply_step
from amends.core.walk import key_of
from amends.storage.codecs.values import text_of
from amends.storage.rows import ABANDONED, COMPENSATED, COMPLETED, FINAL, WAITS_FOR_OPERATOR, SagaRow
from amends.storage.standing import owed_in


def first_broken_at_rest(world: Environment, wire: SimulatedWire) -> Broken | None:
    """The first rule that a world at rest breaks."""
    effects = partial(_effects, wire)
    rules = (
        _all_ended, _counted, _promises_kept, _letters_acted_on, _one_saga_each, _follow, effects, _answers_kept,
        _entities, _nothing_held,
    )  # fmt: skip
    return next((found for rule in rules for found in rule(world)), None)


def _all_ended(world: Environment) -> Iterator[Broken]:
    for row in world.view.rows.values():
        if row.status not in FINAL:
            yield broken("V09", f"{row.saga_id} is {row.status}, and nothing moves any more: {row.body}")
    if waiting := world.store.due([row.definition for row in world.view.rows.values()], WAITS_FOR_OPERATOR - 1, 1):
        yield broken("V17", f"{waiting[0][1]} is due, and has ended")


def _counted(world: Environment) -> Iterator[Broken]:
    counted = Counter((row.definition, row.status) for row in world.view.rows.values())
    if world.store.counts() != counted:
        yield broken("V13", f"{dict(world.store.counts())} are counted, and there are {dict(counted)}")


def _promises_kept(world: Environment) -> Iterator[Broken]:
    journal, rows = world.journal, world.view.rows
    for saga_id in journal.promised:
        if world.store.saga(saga_id) is None:
            yield broken("V01", f"{saga_id} was answered to a client, and is not stored")
    for saga_id, status in journal.ended.items():
        if rows[saga_id].status != status:
            yield broken("V02", f"{saga_id} was said to be {status}, and is {rows[saga_id].status}")
    for saga_id in journal.cancels:
        if rows[saga_id].status not in (COMPENSATED, ABANDONED):
            yield broken("V07", f"{saga_id} was canceled, and is {rows[saga_id].status}")


def _letters_acted_on(world: Environment) -> Iterator[Broken]:
    for letter_id in world.journal.letters:
        if letter_id not in world.view.keys:
            yield broken("V25", f"{letter_id} was posted, and was not acted on")
    for letter_id in world.database.letters:
        yield broken("V25", f"{letter_id} is in the mailbox, and nothing moves any more")


def _one_saga_each(world: Environment) -> Iterator[Broken]:
    journal, stored = world.journal, world.view.rows.keys() - world.view.parents.keys()
    answered = len(journal.promised)
    if not answered <= len(stored) <= answered + journal.strays:
        text = f"{len(stored)} sagas were started; {answered} were answered, {journal.strays} may have been"
        yield broken("V16", text)


def _follow(world: Environment) -> Iterator[Broken]:
    """What follows from completed sagas was started, and nothing else."""
    view = world.view
    expected = {each.saga_id: each for row in view.rows.values() for each in following(view.setting, row, view.bodies)}
    for saga_id, each in expected.items():
        is_refused = each.request is None or each.saga.prepare is not None
        if saga_id not in view.rows and not (is_refused and each.key in view.keys):
            yield broken("V29", f"{saga_id} follows from {each.parent}, which has completed, and was not started")
        elif saga_id in view.rows and view.keys[each.key].saga_id != saga_id:
            yield broken("V29", f"{saga_id} was started, and {each.key} stands for {view.keys[each.key].answer}")
    for saga_id, parent in view.parents.items():
        if saga_id not in expected or expected[saga_id].parent != parent:
            yield broken("V29", f"{saga_id} was started as if it followed from {parent}")


def _effects(wire: SimulatedWire, world: Environment) -> Iterator[Broken]:
    """What stands of each step, by the participants' books; of local ones, by what was committed."""
    for row in world.view.rows.values():
        here = _standing(world, row.saga_id)
        for step in world.setting.sagas[row.definition].every_step():
            by_books = int(step.event in here) if step.is_local else wire.stands(row.saga_id, step)
            stands = None if step.asks else by_books
            if stands is not None and not _is_right(row, step, stands, world.view.bodies[row.saga_id]):
                listed = ", and is not listed" if row.status == ABANDONED else ""
                yield broken("V03", f"{row.saga_id} is {row.status}, and {step.event} stands {stands} times{listed}")


def _answers_kept(world: Environment) -> Iterator[Broken]:
    """What a completed saga was answered about entities elsewhere is what their host has stored."""
    for row in world.view.rows.values():
        kept = world.view.bodies[row.saga_id].get("answers", {}) if row.status == COMPLETED else {}
        for step in map(world.setting.steps.get, kept):
            if step is None or not step.is_local or step.service not in world.setting.elsewhere:
                continue
            stored = world.site_of(step.service).view.keys.get(key_of(row.saga_id, step, Kind.DO))
            if stored is None or DECODE(stored.answer) != {"done": kept[step.event]}:
                text = f"{row.saga_id} was answered {kept[step.event]} by {step.event}"
                yield broken("V31", f"{text}, and what is stored there is {stored and stored.answer}")


def _is_right(row: SagaRow, step: Step, stands: int, body: Any) -> bool:
    if row.status == COMPLETED:
        return stands >= 1 if step.at_least_once else stands == 1
    if row.status == ABANDONED:
        listed = (*body.get("outstanding", ()), *(f"{event}/undo" for event in owed_in(body["trail"])))
        goes_on = any(name.endswith("/do") for name in listed)
        return f"{step.event}/{'do' if goes_on else 'undo'}" in listed or (stands > 0 if goes_on else stands == 0)
    return stands == 0 or step.at_least_once


def _standing(world: Environment, saga_id: str) -> dict[str, None]:
    """The local steps of a saga that took effect, and were not undone."""
    standing: dict[str, None] = {}
    for name, event, undone in world.history():
        if name == saga_id and undone:
            standing.pop(event, None)
        elif name == saga_id:
            standing[event] = None
    return standing


def _entities(world: Environment) -> Iterator[Broken]:
    """What completed sagas did, in the order in which it took effect, what others leave, and what was given up."""
    setting, rows = world.setting, world.view.rows
    given_up = {row.saga_id: _standing(world, row.saga_id) for row in rows.values() if row.status == ABANDONED}
    entities: dict[tuple[str, str], Any] = {
        (service, key): deepcopy(value)  # deciders may change it in place, and other schedules start from it, too
        for service, owned in setting.scenario.given.items()
        for key, value in owned.items()
    }
    for saga_id, event, undone in world.history():
        row, step = rows[saga_id], setting.steps[event]
        request = world.request_of(row)
        assert step.entity is not None, "what is in the history is local"
        cell = (step.service, step.entity(request))
        if row.status == COMPLETED or event in given_up.get(saga_id, ()):
            after, outcome = _replayed(world, row, step, entities.get(cell), request)
            if isinstance(outcome, Refused):
                reason = f"would be refused without the sagas that turned back: {outcome.reason}"
                yield broken("V12", f"{saga_id}: {event} {reason}")
                return
            entities[cell] = after
        elif undone and step.leaves:
            entities[cell] = step.leaves(entities.get(cell), request)
    texts = {cell: text for site in world.sites for cell, text in site.view.texts.items()}
    for cell in sorted({*entities, *texts}):
        expected, found = entities.get(cell), texts.get(cell)
        text = None if expected is None else text_of(expected)
        if text != found:
            yield broken("V12", f"{'/'.join(cell)} is {found}; by the completed sagas alone it would be {text}")


def _replayed(world: Environment, row: SagaRow, step: Step, entity: Any, request: Any) -> Applied:
    codecs, kept = world.setting.codecs[row.definition].answers, world.view.bodies[row.saga_id].get("answers", {})
    answers = {event: codecs[event].decode(text_of(answer)) for event, answer in kept.items()}
    call = Call(key_of(row.saga_id, step, Kind.DO), 1, answers)
    return apply_step(step, Kind.DO, entity, request, call)


def _nothing_held(world: Environment) -> Iterator[Broken]:
    if any(row.status == ABANDONED and _standing(world, row.saga_id) for row in world.view.rows.values()):
        return  # what is held is listed
    for row in world.view.rows.values():
        for step in world.setting.sagas[row.definition].every_step():
            if not step.holds or step.entity is None or row.status == ABANDONED:
                continue
            entity_id = step.entity(world.request_of(row))
            before = world.setting.scenario.given.get(step.service, {}).get(entity_id)
            after = world.entities()[step.service].get(entity_id)
            for name in step.holds:
                if getattr(before, name, None) != getattr(after, name, None):
                    text = f"{step.service}/{entity_id}.{name} is {getattr(after, name, None)!r}"
                    yield broken("V19", f"{text}: {step.event} holds it")
