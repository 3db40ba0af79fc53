"""An engine's part in what is spread over processes: what it asks elsewhere, and what it hosts for others."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, Protocol

from amends.core.definition import Command, Saga, Step
from amends.core.effects import Send
from amends.engine.coordinator import Coordinator
from amends.engine.hosted_calls import HostedCalls
from amends.engine.hosting import Hosting
from amends.engine.in_flight import AttemptId
from amends.engine.posting import Posting
from amends.engine.task import Task
from amends.engine.tracing import Traces
from amends.engine.wiring import Wiring
from amends.errors import UnusableInput
from amends.storage.codecs.values import shown
from amends.storage.ports import Clock
from amends.storage.wire import ANSWERS_TO, Wire, is_service


class Parts(NamedTuple):
    """Where services are, as one engine sees them.

    Attributes:
        elsewhere: those that it asks over a wire.
        hosts: those for which it answers what comes over it.
    """

    elsewhere: Collection[str] = ()
    hosts: Collection[str] = ()


def taken_parts(
    sagas: Iterable[Saga], commands: Iterable[Command], elsewhere: Any, hosts: Any, *, has_wire: bool
) -> Parts:
    """Where services are, as a caller says.

    Args:
        sagas: the definitions, which say what services there are.
        commands: those that are carried out here.
        elsewhere: names of services.
        hosts: names of others.
        has_wire: whether there is a wire.

    Raises:
        UnusableInput: one of these is no such service, or is at both places, or there is no wire.
    """
    asked = {step.service for saga in sagas for step in saga.every_step() if step.action is not None}
    parts = Parts(_services("elsewhere", elsewhere, asked), _services("hosts", hosts, asked))
    if bool(parts.elsewhere or parts.hosts) != has_wire:
        raise UnusableInput(
            "a wire is given, and no service that is asked or answers over it: give elsewhere=[...] or hosts=[...]"
            if has_wire
            else "elsewhere and hosts say what goes over a wire, and there is none: give wire="
        )
    if both := sorted({*parts.elsewhere} & {*parts.hosts}):
        raise UnusableInput(f"{both[0]!r} cannot be elsewhere and be hosted here")
    for command in commands:
        if command.service in parts.elsewhere:
            raise UnusableInput(
                f"command {command.event!r} is for {command.service}, which is elsewhere: give it there"
            )
    return parts


def _services(what: str, given: Any, asked: Collection[str]) -> frozenset[str]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise UnusableInput(f"{what} is {shown(given)}; give a list of services")
    names = [*given]
    for name in names:
        if not isinstance(name, str) or name not in asked:
            raise UnusableInput(
                f"{what} has {shown(name)}, which is no service that a saga asks; those are: {', '.join(sorted(asked))}"
            )
        if not is_service(name):
            raise UnusableInput(f"{what} has {shown(name)}: over a wire, no service's name begins with {ANSWERS_TO!r}")
    return frozenset(names)


class OutsideCalls(Protocol):
    """What calls participants outside.

    Attributes:
        traces: in which its calls are.
    """

    traces: Traces

    def send(self, step: Step, send: Send) -> None:
        """Call a participant as soon as there is a place for it."""

    def drop(self, attempt_id: AttemptId) -> None:
        """Give the place of an attempt free for which no saga waits any more."""


class Spread:
    """What an engine asks elsewhere, and hosts.

    Attributes:
        elsewhere: the services that it asks over the wire.
    """

    def __init__(
        self,
        wire: Callable[[], Wire] | None = None,
        elsewhere: Collection[str] = (),
        hosts: Collection[str] = (),
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Use no wire yet.

        Args:
            wire: makes the engine's end of it; ``None`` where all is in one process.
            elsewhere: the services that it asks over the wire.
            hosts: those that it answers for.
            now_s: the time by which deadlines are told to others: seconds since 1970 (UTC).
        """
        self._now_s = now_s
        self.elsewhere = elsewhere
        self._wire = wire
        self._hosts = hosts
        self._wiring: Wiring | None = None
        self._hosting: Hosting | None = None
        self._calls: HostedCalls | None = None
        self._posting: Posting | None = None

    @asynccontextmanager
    async def reached(self, name: str) -> AsyncIterator[None]:
        """See that the wire can be used, where there is one; it is given back where what is done inside fails.

        Args:
            name: the engine's.

        Raises:
            WireUnusable: it cannot.
        """
        if self._wire is not None:
            self._wiring = Wiring(self._wire(), name, self._now_s)
        try:
            if self._wiring is not None:
                await self._wiring.reach()
            yield
        except BaseException:
            await self.close()
            raise

    @property
    def durability(self) -> str:
        """What a message on the wire survives, as its broker said last; empty where that is not known."""
        return self._wiring.durability if self._wiring else ""

    def trouble(self) -> str:
        """What is wrong with the wire now, in words; empty for nothing."""
        return self._wiring.trouble if self._wiring else ""

    def connect(
        self,
        coordinator: Coordinator,
        clock: Clock,
        tell: Callable[[Task], None],
        lease_left_s: Callable[[], float],
    ) -> Posting | None:
        """What asks elsewhere; ``None`` where all is in one process.

        Args:
            coordinator: knows the definitions, and which sagas it moves.
            clock: the engine's.
            tell: gets the tasks that are to be committed.
            lease_left_s: for how many seconds answers count here.
        """
        if self._wiring is None:
            return None
        steps, has = coordinator.definitions.asked_elsewhere, coordinator.shards.has
        self._posting = Posting(self._wiring, steps, clock, coordinator.departed, tell, lease_left_s, has)
        return self._posting

    def open(
        self, coordinator: Coordinator, calls: OutsideCalls, call: Callable[[Task], Awaitable[Any]], part_max: int
    ) -> None:
        """Begin to ask and to answer.

        Args:
            coordinator: knows the definitions.
            calls: those of participants outside.
            call: has a task carried out in a turn, and gives its answer.
            part_max: how many requests a task has at most.
        """
        if self._wiring is None or self._posting is None:
            return
        self._wiring.open()
        self._posting.open()
        self._calls = HostedCalls(self._wiring, calls.send, calls.drop, calls.traces)
        codecs = coordinator.definitions.by_name
        self._hosting = Hosting(self._wiring, self._hosts, codecs, call, self._calls, part_max)
        self._hosting.open()

    @property
    def has_wire(self) -> bool:
        """Whether anything goes over a wire."""
        return self._wire is not None

    async def ping(self) -> None:
        """See that the wire is there, where there is one.

        Raises:
            Exception: an adapter's own, which says why it is not.
        """
        if self._wiring:
            await self._wiring.ping()

    def takes(self, task: Task) -> bool:
        """Take in what became of a call, where that is for a coordinator elsewhere; whether it is."""
        return self._calls is not None and self._calls.take(task)

    def end(self) -> None:
        """Take no request of others any more: no turn is taken that could answer them."""
        if self._hosting:
            self._hosting.end()

    async def drain(self) -> None:
        """Take no request of others any more, and answer those that were taken."""
        if self._hosting:
            await self._hosting.drain()

    async def close(self) -> None:
        """Give the wire back, once what calls came to is on it."""
        if self._calls:
            await self._calls.posted()
        if self._wiring:
            await self._wiring.close()


ALL_HERE: Final = Spread()
"""All in one process."""
