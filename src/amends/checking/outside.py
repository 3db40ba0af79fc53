"""What the books of the world outside may be once all sagas have ended, where the saga's own functions keep them.

The same functions are asked again, one saga after the other and without a fault. In some order they have to leave what
the sagas left together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from itertools import chain, combinations, combinations_with_replacement, permutations, product
from typing import Any, Final, NamedTuple

from amends.checking.countermeasures import COMMUTE, GIVE_OUT_LATE, LOOK_AND_TAKE
from amends.checking.keys import NO_NAMES, names_in, without_remembered
from amends.checking.layout import WorldLayout
from amends.checking.models import Books, Model
from amends.checking.values import by_fields, frozen, told
from amends.checking.world import Broken, World, Wrong
from amends.core.definition import Step
from amends.core.messages import Call, Done, Kind, Refused, Request, Unknown
from amends.core.walk import key_of

SAGAS_MAX: Final = 5  # 120 orders
WAYS_MAX: Final = 20_000  # of one comparison; beyond it nothing is said
AGAIN_MAX: Final = 2  # how often requests arrive a second time, where that may show in the books
SAID_MAX: Final = 4  # the same of a step that says at_least_once: one for each fault, of which few look at more
Ask = tuple[Step, Kind]


class OutsideAnswer(NamedTuple):
    """Books on a way, and what was answered on it: saga and step to answer."""

    books: Books
    answers: dict[tuple[int, str], Any]
    refused: frozenset[tuple[int, str]] = frozenset()

    @property
    def names(self) -> dict[str, str]:
        """What to take for the texts that were answered."""
        return {text: name for (saga, e), said in self.answers.items() for text, name in names_in(said, f"{saga}/{e}")}


class OutsideSystems:
    """The rules for the books of a scenario's systems outside."""

    def __init__(self, layout: WorldLayout) -> None:
        self.layout = layout
        self._known: dict[Hashable, Broken | None] = {}
        self._compared = [service for service, model in layout.models.items() if _is_compared(model)]

    def broken(self, world: World, completed: list[bool]) -> Broken | None:
        """The first rule that the books of a world break, in which all sagas have ended."""
        for service in self._compared:
            key = (service, world.runs, world.books[self.layout.book_at[service]])
            if key not in self._known:
                self._known[key] = self._look(world, service, completed)
            if found := self._known[key]:
                return found
        return None

    def _look(self, world: World, service: str, completed: list[bool]) -> Broken | None:
        model, books = self.layout.models[service], self.layout.books[world.books[self.layout.book_at[service]]]
        if model.view is None and model.standing is not None:
            return self._wrong_together(world, service, completed, books) if len(completed) > 1 else None
        broken = self._wrong(world, service, completed, books)
        return broken if broken or all(completed) else self._wrong_undo(world, service)

    # As if what was compensated had never been ----------------------------------------------------------------

    def _wrong(self, world: World, service: str, completed: list[bool], books: Books) -> Broken | None:
        """All or nothing, by the books as a whole: what completed is in them, and of the others what they leave."""
        possible, seen = (
            self._left(world, service, completed, 0),
            self._seen(service, books, self._names(world, completed)),
        )
        if not possible:
            return self._none_completes(world, service, completed)
        if seen in possible or seen in self._left(world, service, completed, SAID_MAX):
            return None
        expected = " or ".join(dict.fromkeys(map(told, possible.values())))
        why = ", by the completed sagas alone" if any(completed) else ""
        is_said = self.layout.models[service].view is not None
        remedy = "" if is_said else "; where that is as it should be, say what counts: adapter(standing=...), or view="
        text = f"{service} (outside) has {told(books)}; it was to have {expected}{why}{by_fields(books)}{remedy}"
        wrong = (Wrong(service, next(iter(possible.values())), books),) if len(possible) == 1 else ()
        return Broken("all or nothing is left", text, wrong)

    def _left(self, world: World, service: str, completed: list[bool], again: int) -> dict[Hashable, Books]:
        others = [saga for saga, is_completed in enumerate(completed) if not is_completed]
        found: dict[Hashable, Books] = {}
        for way in self._ways(world, service, self._whole(service, completed), again, _may_happen_twice):
            if way.refused:
                continue
            for books in self._with_what_is_left(service, way.books, others):
                found.setdefault(self._seen(service, books, way.names), books)
        return found

    def _whole(self, service: str, completed: list[bool]) -> dict[int, list[list[Ask]]]:
        return {saga: self._all(saga, service) for saga, is_completed in enumerate(completed) if is_completed}

    def _none_completes(self, world: World, service: str, completed: list[bool]) -> Broken | None:
        """What is refused in every order of the completed sagas, though each of them completed."""
        if any(each.leaves for saga, ended in enumerate(completed) if not ended for each in self._steps(saga, service)):
            return None  # which they may have completed with
        refused = [way.refused for way in self._ways(world, service, self._whole(service, completed), 0)]
        return self._refused(refused, completed)

    def _refused(self, refused: list[frozenset[tuple[int, str]]], completed: list[bool]) -> Broken | None:
        if not refused:
            return None  # more orders than are looked at, or no answer in any
        saga, event = min(each for each in refused[0] if completed[each[0]])
        text = f"{self.layout.ids[saga]} {event} was done; "
        if all(completed):
            text += f"one after the other, in whichever order, it would have been refused. {LOOK_AND_TAKE}"
            return Broken("as if one after the other", text)
        text += "without the sagas that were compensated it would have been refused. "
        return Broken("no dirty read", text + GIVE_OUT_LATE)

    def _with_what_is_left(self, service: str, books: Books, sagas: list[int]) -> Iterator[Books]:
        """The books, with each part of what compensated sagas leave there on purpose: they may not have come so far."""
        leaving = [(saga, each) for saga in sagas for each in self._steps(saga, service) if each.leaves]
        for some in _subsets(leaving):
            after = books
            for saga, each in some:
                assert each.leaves is not None, "only such a step is among them"
                after = each.leaves(after, self.layout.requests[saga])
            yield after

    def _wrong_undo(self, world: World, service: str) -> Broken | None:
        """An undo takes back what its own action did, and nothing else."""
        for saga in range(len(world.runs)):
            heard = self.layout.run(world, saga).answers
            way = OutsideAnswer(self.layout.models[service].start, {})
            for each in self._steps(saga, service):
                before = way.books
                done = next(self._asked(world, saga, (each, Kind.DO), way), None)
                if done is None or (saga, each.event) in done.refused:
                    break
                if done.answers[saga, each.event] is not None and each.event not in heard:
                    break  # it never came so far: another world shows it
                undone = next(self._asked(world, saga, (each, Kind.UNDO), done), None) if each.undo else None
                expected = each.leaves(before, self.layout.requests[saga]) if each.leaves else before
                if undone and self._seen(service, undone.books) != self._seen(service, expected):
                    text = (
                        f"{service} (outside) has {told(undone.books)} once {each.event} is done and undone; it was to "
                        f"have {told(expected)}: the undo takes back something else than its own action did"
                    )
                    return Broken("an undo undoes its own action", text)
                way = done
        return None

    # As one after the other -----------------------------------------------------------------------------------

    def _wrong_together(self, world: World, service: str, completed: list[bool], books: Books) -> Broken | None:
        """No update is lost: some order of whole sagas, also of those that were compensated, leaves the same."""
        names = self._names(world, [True] * len(completed))
        for again in (0, AGAIN_MAX):
            refused: list[frozenset[tuple[int, str]]] = []
            possible = self._together(world, service, completed, again, refused)
            if not possible:
                return self._refused(refused, completed)
            if self._seen(service, books, names) in possible:
                return None
        left = [*self._together(world, service, completed, 0, []).values()]
        expected = " or ".join(dict.fromkeys(map(told, left)))
        text = (
            f"{service} (outside) has {told(books)}; one after the other, the sagas would leave {expected}. "
            f"{COMMUTE}; or, if that is the same to you, compare a view: adapter(view=...)"
        )
        return Broken("no lost update", text, (Wrong(service, left[0], books),) if len(left) == 1 else ())

    def _together(
        self, world: World, service: str, completed: list[bool], again: int, refused: list[frozenset[tuple[int, str]]]
    ) -> dict[Hashable, Books]:
        found: dict[Hashable, Books] = {}
        requests = [(self._all if ended else self._back)(saga, service) for saga, ended in enumerate(completed)]
        count = 1
        for each in requests:
            count *= len(each)
        if count > WAYS_MAX:
            return {}
        for way in self._ways(world, service, dict(enumerate(requests)), again):
            if any(completed[saga] for saga, _ in way.refused):
                refused.append(way.refused)
                continue
            found.setdefault(self._seen(service, way.books, way.names), way.books)
        return found

    def _all(self, saga: int, service: str) -> list[list[Ask]]:
        return [[(each, Kind.DO) for each in self._steps(saga, service)]]

    def _back(self, saga: int, service: str) -> list[list[Ask]]:
        """What a compensated saga may have asked for: everything up to a step, and all of it back."""
        definition, before = self.layout.sagas[saga], list[Step]()
        ways: list[list[Ask]] = [[]]
        for group in definition.groups[: definition.pivot + 1]:
            here = [each for each in group if each.service == service]
            for done in _subsets(here):
                for undone in _subsets([each for each in here if each not in done]):
                    forth, back = [*before, *done], [*before, *here]
                    asks: list[Ask] = [(each, Kind.DO) for each in forth]
                    asks += [(s, Kind.UNDO) for s in reversed(back) if s.undo and (s in forth or s in undone)]
                    ways.append(asks)
            before += here
        return ways

    # Asking again ---------------------------------------------------------------------------------------------

    def _ways(
        self,
        world: World,
        service: str,
        requests: dict[int, list[list[Ask]]],
        again: int,
        may_come_again: Callable[[Ask], bool] = lambda _: True,
    ) -> Iterator[OutsideAnswer]:
        """Everything that may become of the books, in each order of the sagas."""
        if len(requests) > SAGAS_MAX:
            return
        for order in permutations(requests):
            for chosen in product(*(requests[saga] for saga in order)):
                by_saga = [[(saga, ask) for ask in each] for saga, each in zip(order, chosen, strict=True)]
                for asks in _at_a_time(by_saga):
                    for each in _repeated(asks, again, may_come_again):
                        yield from self._through(world, OutsideAnswer(self.layout.models[service].start, {}), each)

    def _through(self, world: World, way: OutsideAnswer, asks: list[tuple[int, Ask]]) -> Iterator[OutsideAnswer]:
        if not asks:
            yield way
            return
        (saga, (each, kind)), *others = asks
        if kind is Kind.UNDO and (saga, each.event) in way.refused:
            yield from self._through(world, way, others)
            return
        for after in self._asked(world, saga, (each, kind), way):
            yield from self._through(world, after, others)

    def _asked(self, world: World, saga: int, ask: Ask, way: OutsideAnswer) -> Iterator[OutsideAnswer]:
        """What may come of one request, but for faults."""
        each, kind = ask
        name, place = self.layout.ids[saga], self.layout.groups_of[saga]
        known = {**self.layout.run(world, saga).answers, **{e: a for (s, e), a in way.answers.items() if s == saga}}
        before = {event: answer for event, answer in known.items() if place[event] < place[each.event]}
        answer = way.answers.get((saga, each.event)) if kind is Kind.UNDO else None
        call = Call(key_of(name, each, kind), 1, before, answer)
        request = Request(name, each.event, kind, self.layout.requests[saga], call)
        for reply in self.layout.models[each.service].replies(way.books, request, each):
            said = self.layout.read_backs[saga].outcome(each.event, kind, reply.later or reply.outcome or Unknown())
            if reply.is_fault or reply.attempt > 1 or not isinstance(said, Done | Refused):
                continue
            if isinstance(said, Refused):
                yield OutsideAnswer(reply.books, way.answers, way.refused | {(saga, each.event)})
            elif kind is Kind.DO:
                yield OutsideAnswer(reply.books, {**way.answers, (saga, each.event): said.answer}, way.refused)
            else:
                yield way._replace(books=reply.books)

    def _steps(self, saga: int, service: str) -> list[Step]:
        return [each for each in self.layout.steps_of[saga].values() if each.service == service and not each.is_local]

    def _names(self, world: World, counted: list[bool]) -> dict[str, str]:
        """What to take for the texts that were answered to the sagas that count."""
        runs = (saga for saga, counts in enumerate(counted) if counts)
        said = {(saga, event): one for saga in runs for event, one in self.layout.run(world, saga).answers.items()}
        return OutsideAnswer(None, said).names

    def _seen(self, service: str, books: Books, names: Mapping[str, str] = NO_NAMES) -> Hashable:
        view = self.layout.models[service].view
        return frozen(view(books)) if view else without_remembered(books, names)


def _is_compared(model: Model) -> bool:
    return model.runs_functions or model.view is not None or model.standing is None


def _subsets(values: list[Any]) -> Iterator[tuple[Any, ...]]:
    return chain.from_iterable(combinations(values, count) for count in range(len(values) + 1))


def _at_a_time(by_saga: list[list[tuple[int, Ask]]]) -> list[list[tuple[int, Ask]]]:
    """The requests one saga after the other; and with what those that were compensated hold held at one time."""
    after_another, together, back = list[tuple[int, Ask]](), list[tuple[int, Ask]](), list[tuple[int, Ask]]()
    for asks in by_saga:
        after_another += asks
        undos = [ask for ask in asks if ask[1][1] is Kind.UNDO]
        if asks and not undos:  # it completed, and met nothing that was held
            together, back = [*together, *back], []
        together += [ask for ask in asks if ask not in undos]
        back += undos
    together += back
    return [after_another] if together == after_another else [after_another, together]


def _may_happen_twice(ask: Ask) -> bool:
    """Whether a second effect is on purpose: where books are all that tells of effects, no other may show in them."""
    return ask[0].at_least_once


def _repeated(
    asks: list[tuple[int, Ask]], again: int, may_come_again: Callable[[Ask], bool]
) -> Iterator[list[tuple[int, Ask]]]:
    """The requests, of which up to so many arrive once more."""
    places = [place for place, (_, ask) in enumerate(asks) if may_come_again(ask)]
    for number in range(again + 1):
        for more in combinations_with_replacement(places, number):
            yield [ask for place, ask in enumerate(asks) for _ in range(1 + more.count(place))]
