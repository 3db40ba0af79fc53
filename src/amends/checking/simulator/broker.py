"""The broker of a simulated wire: it loses, doubles and delays messages, forgets what was acknowledged, and is away.

What was taken and not acknowledged comes again. Now and then a message is there that no host can act on.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from amends.checking.simulator.environment import Environment
from amends.checking.simulator.invariants import broken
from amends.checking.simulator.swarm import MINUTE_MS, WireFaults, drawn_of
from amends.checking.world import Broken
from amends.errors import WireAway
from amends.storage.wire import ANSWERS_TO, Delivery, Parked

QUICK_MS: Final = 20  # of a message within a data centre
LATE_MS: Final = (
    500,
    9_000,
    12_000,
    MINUTE_MS,
    10 * MINUTE_MS,
)  # around the default limit of a step, and long after it
TWICE_MS: Final = 15_000  # within which a copy follows: also after the limit of its attempt
AGAIN_MS: Final = 5_000  # after which a message comes again that was not acknowledged
NO_FAULTS: Final = WireFaults(0, 0, 0, 0, 0, 0, 0, 0)
AGAIN_MAX: Final = 200  # times that a message comes again: for a quarter of an hour
LOST, LATE, DOUBLED, POISONED = range(1, 5)
AWAY, AWAY_AFTER = range(1, 3)
POISON: Final = (b"\xff no JSON", b'{"v":1,"reply_to":">e0","saga":"none/1/0","requests":7}')
STRAY: Final = {"saga_id": "e0-0", "step": "NONE", "kind": "do", "attempt": 1, "key": "", "deadline_ms": 1, "body": {}}
"""A request of a step that no definition has."""


class SimulatedChannel:
    """The messages of one channel.

    Attributes:
        waiting: in the order in which they came.
        unacknowledged: those that were taken, by token.
        again: how often each came again.
        parked: those that no taker can act on.
        poisoned: how many of these there are to be.
        takers: those who wait until there are more.
    """

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.unacknowledged: dict[int, bytes] = {}
        self.again: Counter[bytes] = Counter()
        self.parked: list[Parked] = []
        self.poisoned = 0
        self.takers: list[asyncio.Future[None]] = []


class SimulatedBroker:
    """All channels of a schedule."""

    def __init__(self, world: Environment) -> None:
        self._world = world
        self._faults = drawn_of(WireFaults, world.chance) if world.setting.apart else NO_FAULTS
        self._channels: dict[str, SimulatedChannel] = {}
        self._tokens = Counter[str]()
        self.skew = self._faults.skew

    def heal(self) -> None:
        """From now on nothing is lost, late or away; what is on its way is."""
        self._faults = NO_FAULTS

    def channel(self, name: str) -> SimulatedChannel:
        """The channel of a name: it is made when it is first named."""
        return self._channels.setdefault(name, SimulatedChannel())

    def post(self, name: str, messages: Sequence[bytes]) -> None:
        """Take messages.

        Raises:
            WireAway: it is away, or was once it had taken all.
        """
        fate = self._world.chance.pick(f"wire {name}", (self._faults.away, self._faults.away_after))
        if fate == AWAY:
            self._world.saw("the wire was away")
            raise WireAway("the broker is away")
        for body in messages:
            self._carry(name, body)
        if fate == AWAY_AFTER:
            self._world.saw("the wire was away, and had taken all")
            raise WireAway("the broker went away after it had taken all")

    def expect_there(self, name: str) -> None:
        """See that nothing keeps a taker from its messages.

        Raises:
            WireAway: the broker is away.
        """
        if self._world.chance.hit(f"wire {name}", self._faults.away):
            raise WireAway("the broker is away")

    def _carry(self, name: str, body: bytes) -> None:
        world, chance, label, faults = self._world, self._world.chance, f"wire {name}", self._faults
        fate = chance.pick(label, (faults.lost, faults.late, faults.doubled, faults.poison))
        world.tell("wire", f"to {name}: {_words(body)}{_FATES[fate]}")
        if fate == LOST:
            world.saw("a message was lost")
            return
        if fate == LATE:
            world.saw("a message was late")
            world.after(LATE_MS[chance.below(label, len(LATE_MS))], self._arrives, name, body)
            return
        world.after(1 + chance.below(label, QUICK_MS), self._arrives, name, body)
        if fate == DOUBLED:
            world.saw("a message came twice")
            world.after(1 + chance.below(label, TWICE_MS), self._arrives, name, body)
        elif fate == POISONED and not name.startswith(ANSWERS_TO):
            self._poison(name, body)

    def _poison(self, name: str, body: bytes) -> None:
        kinds = [*POISON, _with_stray(body)]
        poison = kinds[self._world.chance.below(f"wire {name}", len(kinds))]
        self.channel(name).poisoned += 1
        self._world.after(1, self._arrives, name, poison)

    def _arrives(self, name: str, body: bytes) -> None:
        there = self.channel(name)
        there.waiting.append(body)
        takers, there.takers = there.takers, []
        for arrived in takers:
            arrived.set_result(None)

    def take(self, name: str, most: int) -> Sequence[Delivery]:
        """Those that are there: each comes again, unless it is acknowledged in time."""
        there, deliveries = self.channel(name), list[Delivery]()
        while there.waiting and len(deliveries) < most:
            self._tokens[name] += 1
            token, body = self._tokens[name], there.waiting.popleft()
            there.unacknowledged[token] = body
            deliveries.append(Delivery(body, token))
            self._world.after(AGAIN_MS, self._comes_again, name, token)
        return deliveries

    def _comes_again(self, name: str, token: int) -> None:
        body = self.channel(name).unacknowledged.pop(token, None)
        if body is not None:
            self._world.saw("a message was not acknowledged, and came again")
            self.channel(name).again[body] += 1
            if self.channel(name).again[body] > AGAIN_MAX:
                self._world.broke("V33", f"a message to {name} comes again and again: {body!r:.200}")
            self._arrives(name, body)

    def acknowledge(self, name: str, deliveries: Sequence[Delivery]) -> None:
        """Let these come no more; it may forget some."""
        for delivery in deliveries:
            if not self._world.chance.hit(f"wire {name}", self._faults.forgotten):
                self.channel(name).unacknowledged.pop(delivery.token, None)

    def park(self, name: str, delivery: Delivery, reason: str) -> None:
        """Keep a message apart."""
        self._world.tell("wire", f"parked on {name}: {reason}")
        there = self.channel(name)
        if there.unacknowledged.pop(delivery.token, None) is not None:
            there.parked.append(Parked(name, len(there.parked) + 1, delivery.body, reason, self._world.now_ms))
            if there.poisoned:
                self._world.saw("a message that no host can act on was parked")

    def first_broken(self) -> Iterator[Broken]:
        """At rest: nothing is left for a service, and what no host can act on is parked, and nothing else."""
        for name, there in self._channels.items():
            if name.startswith(ANSWERS_TO):
                continue  # of coordinators that are gone something may be left
            left = len(there.waiting) + len(there.unacknowledged)
            reasons = [parked.reason for parked in there.parked]
            if left or len(reasons) != there.poisoned or not all(reasons):
                text = (
                    f"{left} messages are left on {name}, {there.poisoned} are to be parked, and these are: {reasons}"
                )
                yield broken("V33", text)


def _with_stray(body: bytes) -> bytes:
    """A message that has a request more, which no host can act on."""
    message = msgspec.json.decode(body)
    return msgspec.json.encode({**message, "requests": [STRAY, *message["requests"]]})


def _words(body: bytes) -> str:
    message: dict[str, Any] = json.loads(body)
    about = message.get("requests") or message.get("answers") or []
    return ", ".join(
        f"{each['saga_id']} {each['step']}/{each['kind']} #{each['attempt']}{_said(each)}" for each in about
    )


def _said(about: dict[str, Any]) -> str:
    return f": {about['says']}" if "says" in about else ""


_FATES: Final = ("", ", and it is lost", ", late", ", twice", ", beside what no host can act on")
