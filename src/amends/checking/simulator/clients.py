"""Clients: they ask for sagas, some under a key, twice, or for something else under the same key; and cancel.

A client with a key asks again until there is an answer. One without a key does not dare to.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from amends.checking.simulator.environment import Environment
from amends.core.effects import Decline
from amends.core.messages import Cancel
from amends.errors import EngineStopped, KeyReused, RequestRefused, StoreFull

AGAIN_MS: Final = 500  # the pause after which a client asks again
PATIENCE_MS: Final = (1, 20, 2_000, 15_000, 60_000)  # until it cancels: at once, to after a default limit
HALF: Final = 2
TRIES: Final = 20  # looks at whether there is an answer under a key: as many as a restart takes, and more


class SimulatedClient:
    """A client: what it asks for, and what it was answered.

    Attributes:
        number: from 1.
        request: what it wants done.
        key: its key; empty for none.
        saga_id: what it was answered; empty so far.
        was_stopped: whether a process crashed while it waited for its answer.
        waiting: how many of its requests are with the process now.
    """

    __slots__ = ("key", "number", "request", "saga_id", "waiting", "was_stopped")

    def __init__(self, number: int, request: Any, key: str) -> None:
        self.number = number
        self.request = request
        self.key = key
        self.saga_id = ""
        self.was_stopped = False
        self.waiting = 0


class Clients:
    """All clients of a schedule, by chance."""

    def __init__(self, world: Environment) -> None:
        self._world = world
        setting, chance, swarm = world.setting, world.chance, world.swarm
        has_others = len(setting.requests) > 1 and not setting.is_once
        count = 1 + chance.below("clients", swarm.sagas)
        for number in range(1, (min(count, len(setting.requests)) if setting.is_once else count) + 1):
            label = f"client {number}"
            place = number - 1 if setting.is_once else chance.below(label, len(setting.requests))
            key = "" if chance.below(label, HALF) else f"key {number}"
            client = SimulatedClient(number, setting.requests[place], key)
            pause_ms = chance.below(label, swarm.spread_ms)
            world.after(pause_ms, self._ask, client)
            if key and chance.hit(label, swarm.twin):
                world.after(pause_ms + chance.below(label, HALF) * AGAIN_MS, self._ask, client)
            if key and has_others and chance.hit(label, swarm.reuse):
                other = setting.requests[(place + 1) % len(setting.requests)]
                world.after(pause_ms + chance.below(label, AGAIN_MS), self._ask_else, client, other)

    def _tell(self, client: SimulatedClient, what: str) -> None:
        self._world.tell(f"client {client.number}", what)

    def _ask(self, client: SimulatedClient) -> None:
        world = self._world
        if not world.gateway.start(client.request, client.key, partial(self._answered, client)):
            world.when_up(self._ask, client)  # nothing was sent, so each may ask again
            return
        self._tell(client, f"asks for {client.request}{' under ' + client.key if client.key else ''}")
        if client.waiting:
            world.saw("a key asked twice at once")
        if client.was_stopped:
            world.saw("a key asked again after a crash")
        client.waiting += 1

    def _answered(self, client: SimulatedClient, answer: Any) -> None:
        client.waiting -= 1
        if isinstance(answer, EngineStopped):
            client.was_stopped = True
            if client.key:
                self._world.when_up(self._ask, client)
            else:
                self._world.journal.strays += 1
        elif isinstance(answer, StoreFull):
            self._world.after(AGAIN_MS, self._ask, client)
        else:
            self._told(client, answer)

    def _told(self, client: SimulatedClient, answer: Any) -> None:
        world = self._world
        self._tell(client, f"is answered {answer}")
        if isinstance(answer, Exception) and not isinstance(answer, RequestRefused):
            world.broke("P16", f"a client was answered {type(answer).__name__}: {answer}")
        if isinstance(answer, str) and answer not in world.view.rows:
            world.broke("V01", f"{answer} was answered to a client, and is not stored")
        if wrong := world.journal.answered(client.key, answer):
            world.broke("V16", wrong)
        if isinstance(answer, str) and not client.saga_id:
            client.saga_id = answer
            if world.chance.hit(f"client {client.number}", world.swarm.cancel):
                pause = world.chance.below(f"client {client.number}", len(PATIENCE_MS))
                world.after(PATIENCE_MS[pause], self._cancel, client)

    def _cancel(self, client: SimulatedClient) -> None:
        cancel = Cancel("changed my mind")
        if self._world.gateway.deliver(client.saga_id, cancel, partial(self._canceled, client)):
            self._tell(client, f"cancels {client.saga_id}")
        else:
            self._world.when_up(self._cancel, client)

    def _canceled(self, client: SimulatedClient, answer: Any) -> None:
        world = self._world
        if isinstance(answer, EngineStopped):
            world.when_up(self._cancel, client)
        elif isinstance(answer, StoreFull):
            world.after(AGAIN_MS, self._cancel, client)
        elif isinstance(answer, Decline):
            self._tell(client, f"is told: {answer.reason}")
            world.saw("cancel too late")
        elif answer is None:
            self._tell(client, "is told: canceled")
            world.saw("cancel taken")
            world.journal.cancels[client.saga_id] = None
        else:
            world.broke("V01", f"{client.saga_id} was answered to a client, and now: {answer}")

    def _ask_else(self, client: SimulatedClient, other: Any, tries: int = TRIES) -> None:
        """Something else under the same key, once there is an answer to the first: it is refused."""
        world = self._world
        first = world.journal.by_key.get(client.key)
        if first is None and tries:
            world.after(AGAIN_MS, self._ask_else, client, other, tries - 1)
        if (
            first is not None
            and other != client.request
            and world.gateway.start(other, client.key, partial(self._refused, client))
        ):
            self._tell(client, f"asks for {other} under {client.key}")

    def _refused(self, client: SimulatedClient, answer: Any) -> None:
        if isinstance(answer, EngineStopped | StoreFull):
            return
        if not isinstance(answer, KeyReused):
            self._world.broke("V16", f"{client.key} was given for something else, and answered {answer}")
        self._world.saw("a key for something else")
