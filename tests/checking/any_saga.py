"""Sagas that nobody would write: small, of every shape, right or wrong, each from a number."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from amends.checking.adapters import adapter
from amends.checking.models import (
    Model,
    answers_later,
    declines,
    forgets_keys,
    honours_keys,
    keeps_inbox,
    loses_replies,
    without_keys,
)
from amends.core.definition import Parallel, Saga, Step, external, local, parallel, pause, wait_for
from amends.core.messages import Call, Changed, Done, Refused
from amends.scenario import Scenario

MODELS = (honours_keys, declines, answers_later, loses_replies, forgets_keys, without_keys, keeps_inbox)


class Ask(NamedTuple):
    """A request."""

    who: str


def add(count: int, _: Ask) -> int:
    """One more."""
    return count + 1


def take(count: int, _: Ask) -> int | Refused:
    """One less, if there is one."""
    return count - 1 if count > 0 else Refused("none left")


def tell(count: int, _: Ask) -> Changed:
    """One less, and how many there were."""
    return Changed(count - 1, count)


def double(count: int, _: Ask) -> int:
    """Twice as many."""
    return 2 * count + 1


def same(count: int, _: Ask) -> int:
    """Nothing."""
    return count


def fixed(_: int, __: Ask) -> int:
    """As nobody left it."""
    return 2


def told(count: int, _: Ask, call: Call) -> int:
    """As it was when it was taken."""
    return count if call.answer is None else int(call.answer)


PAIRS = [(take, add), (tell, add), (add, take), (double, same), (take, fixed), (tell, told), (same, same), (add, same)]


class Counter:
    """A client outside that counts, whoever asks."""

    def __init__(self, books: int = 0) -> None:
        self.books = books


def count_up(client: Any, _: Ask, __: Call) -> Any:
    """Count, and fail at the third."""
    client.books = min(client.books + 1, 3)
    return Done(client.books) if client.books < 3 else Refused("enough")


def count_down(client: Any, _: Ask, __: Call) -> None:
    """Take it back."""
    client.books = max(client.books - 1, 0)


def negative(given: Any) -> object:
    """Whether something is below zero."""
    return any(count < 0 for owned in given.values() for count in owned.values())


class Drawn:
    """One saga in its scenario, as chance has it."""

    def __init__(self, number: int) -> None:
        self.chance = Random(number)
        self.models: dict[str, Model] = {}
        self.count = 0

    def scenario(self) -> Scenario:
        """A scenario that `explore` exhausts within some thousand worlds."""
        groups: list[Step | Parallel] = [self.group() for _ in range(self.chance.choice((1, 2)))]
        self.count += 1
        groups.append(self.local("PIVOT", same, None, pivot=True))
        if self.chance.random() < 0.3:
            self.count += 1
            groups.append(self.local("AFTER", add, None))
        asks = [Ask(who) for who in ("ann", "bob")[: self.chance.choice((1, 2))]]
        never = [negative] if self.chance.random() < 0.3 else []
        given = {"STOCK": {"one": self.chance.choice((0, 1, 2))}, "OWN": dict.fromkeys(("ann", "bob"), 1)}
        saga = Saga("drawn", Ask, groups)
        services = {each.service for each in saga.every_step()}
        kept = {service: owned for service, owned in given.items() if service in services}
        return Scenario(saga, kept, asks, self.models, never)

    def group(self) -> Step | Parallel:
        """A step, or two at a time."""
        return self.step() if self.chance.random() < 0.7 else parallel(self.step(), self.step())

    def step(self) -> Step:
        """Any step before the pivot."""
        self.count += 1
        if self.chance.random() < 0.15:
            return self.wait(f"W{self.count}")
        if self.chance.random() < 0.6:
            action, undo = self.chance.choice(PAIRS)
            return self.local(f"S{self.count}", action, undo)
        service = f"OUT{self.chance.choice((1, self.count))}"
        is_counted = self.chance.random() < 0.3
        self.models[service] = adapter(Counter, 0) if is_counted else self.chance.choice(MODELS)()
        more: dict[str, Any] = {"probe": count_up, "settles_within_s": 9} if self.chance.random() < 0.6 else {}
        event = f"E{self.count}"
        return external(event, count_up, undo=count_down, undone=f"{event}_BACK", service=service, **more)

    def wait(self, event: str) -> Step:
        """A person who is asked, and may be notified; or a time."""
        if self.chance.random() < 0.3:
            return pause(event, 9)
        return wait_for(event, limit_s=9, notify=self.chance.choice((None, count_up)), service=f"{event}_WHO")

    def local(self, event: str, action: Any, undo: Any, **more: Any) -> Step:
        """A step of ours, on what is shared or on the asker's own."""
        back = {"undo": undo, "undone": f"{event}_BACK"} if undo else {}
        if self.chance.random() < 0.5:
            return local(event, action, entity=lambda _: "one", service="STOCK", **back, **more)
        return local(event, action, entity=lambda ask: ask.who, service="OWN", **back, **more)
