"""What everything in a schedule shares: time, chance, the store, and what was seen of it so far.

Clients, operators, participants and the engine's process know this alone, and each what stands below it; the world
(`amends.checking.simulator.world`) builds them and lets them act.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, count
from typing import Any, Final, Protocol

from amends.checking.simulator.chance import Chance
from amends.checking.simulator.invariants import broken
from amends.checking.simulator.journal import Journal
from amends.checking.simulator.setting import EPOCH_MS, Setting
from amends.checking.simulator.site import Site
from amends.checking.simulator.swarm import Swarm, drawn_of
from amends.checking.world import Broken
from amends.core.messages import Answered, Input
from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import AttemptId
from amends.engine.task import Task
from amends.storage.rows import SagaRow

SECOND_MS: Final = 1000
FAULTS_MS: Final = 5 * 60 * SECOND_MS  # of several hosts: some hundred leases, and attempts over a wire
AGAIN_MS: Final = 500  # within which clients that waited for a process come to it

Reply = Callable[[Any], None]
Moment = tuple[int, int, bool, Callable[..., object], tuple[Any, ...]]


class Process(Protocol):
    """The engine's process, as those outside of it reach it.

    Attributes:
        life: its number.
        is_up: whether it runs.
        coordinator: the engine's loop.
    """

    life: int
    is_up: bool
    coordinator: Coordinator

    def ask(self, task: Task, reply: Reply | None) -> None:
        """Queue a task; the reply is `EngineStopped` once the process is gone."""

    def hear(self, saga_id: str, said: Answered, attempt_id: AttemptId, service: str) -> None:
        """A call of a participant comes back."""

    def heard(self, saga_id: str, said: Answered, attempt_id: AttemptId, service: str) -> None:
        """A call is over, and nothing comes between that and its place in the queue."""


class RunsProcess(Protocol):
    """A host."""

    @property
    def process(self) -> Process:
        """The process that runs on it now; it may have crashed."""


class Gateway(Protocol):
    """The way to the engine."""

    def start(self, request: Any, key: str, reply: Reply) -> bool:
        """Ask for a saga.

        Args:
            request: of the saga.
            key: the client key; empty for none.
            reply: gets the saga's id, or an exception.

        Returns:
            Whether there was a way; else nothing was asked, and no reply comes.
        """

    def deliver(self, saga_id: str, said: Input, reply: Reply) -> bool:
        """Hand an input to a saga; the reply gets ``None``, `Decline` or an exception. See `start`."""


class Environment:
    """The surroundings of one schedule.

    Attributes:
        setting: what is the same in all schedules.
        chance: what happens.
        swarm: what goes wrong, and how often; nothing once it is healed.
        is_healed: whether nothing goes wrong any more.
        now_ms: true time, milliseconds since 1970.
        home: the site of the coordinators.
        sites: it, and those of the services that are apart.
        database: what outlives every process at home.
        store: what can be read of it.
        view: what was committed there.
        journal: what was answered.
        hosts: the machines at home, on which the engine runs.
        gateway: how clients, operators and webhooks reach the engine.
        lives: how many processes there were.
        under_way: the calls of participants whose places engines share: service, engine and attempt to when its time is
            over.
        seen: the rare things, and how often.
        trace: what happened, in words; ``None`` when no trace is wanted.
        broken: the first rule that was broken.
    """

    hosts: Sequence[RunsProcess]
    gateway: Gateway

    def __init__(self, setting: Setting, chance: Chance, *, traced: bool = False) -> None:
        self.setting = setting
        self.chance = chance
        self.swarm = drawn_of(Swarm, chance)
        if setting.hosts > 1 or setting.apart:
            self.swarm = self.swarm._replace(faults_ms=min(self.swarm.faults_ms, FAULTS_MS))
        self.is_healed = False
        self.lives = 0
        self.under_way: dict[tuple[str, str, AttemptId], int] = {}
        self.now_ms = EPOCH_MS
        self.seen: Counter[str] = Counter()
        self.trace: list[str] | None = [] if traced else None
        self.broken: Broken | None = None
        self.home = Site(setting, self._true_ms)
        self.sites = [self.home, *(Site(setting, self._true_ms, service) for service in sorted(setting.elsewhere))]
        self.database, self.store, self.view = self.home.database, self.home.store, self.home.view
        self.journal = Journal()
        self._heap: list[Moment] = []
        self._coming = 0  # moments that are not in the background
        self._tick = count()
        self._until_up: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def after(self, pause_ms: int, act: Callable[..., object], *given: Any) -> None:
        """Let something happen later."""
        self._coming += 1
        heapq.heappush(self._heap, (self.now_ms + pause_ms, next(self._tick), True, act, given))

    def in_background(self, pause_ms: int, act: Callable[..., object], *given: Any) -> None:
        """Let something happen later that happens again and again: where nothing else is to come, it is over."""
        heapq.heappush(self._heap, (self.now_ms + pause_ms, next(self._tick), False, act, given))

    def when_up(self, act: Callable[..., object], *given: Any) -> None:
        """Let something happen once a process runs again."""
        self._until_up.append((act, given))

    def _true_ms(self) -> int:
        return self.now_ms

    def entities(self) -> Mapping[str, Mapping[str, Any]]:
        """Service, then id, to entity, wherever it is kept."""
        owned = {service: site for site in self.sites for service in site.view.entities if site.keeps(service)}
        return {service: site.view.entities[service] for service, site in owned.items()}

    def history(self) -> Iterator[tuple[str, str, bool]]:
        """What took effect on entities, wherever they are; see `amends.checking.simulator.view.View`."""
        return chain.from_iterable(site.view.history for site in self.sites)

    def site_of(self, service: str) -> Site:
        """Where a service is."""
        return next(site for site in self.sites if site.keeps(service))

    def is_up(self) -> None:
        """A process runs again: what waited for one happens soon."""
        waiting, self._until_up = self._until_up, []
        for act, given in waiting:
            self.after(self.chance.below("again", AGAIN_MS), act, *given)

    def reached(self) -> Process | None:
        """A process that runs; ``None`` when there is none."""
        running = [host.process for host in self.hosts if host.process.is_up]
        return running[self.chance.below("which host", len(running))] if len(running) > 1 else next(iter(running), None)

    def tell(self, who: str, what: str) -> None:
        """Write down what happened, where a trace is wanted."""
        if self.trace is not None:
            self.trace.append(f"{(self.now_ms - EPOCH_MS) / SECOND_MS:12.3f} s  {who:<12} {what}")

    def saw(self, what: str) -> None:
        """A rare thing happened."""
        self.seen[what] += 1

    def broke(self, number: str, text: str) -> None:
        """A rule is broken; only the first one counts."""
        if self.broken is None:
            self.broken = broken(number, text)
            self.tell("broken", f"{self.broken.rule}: {text}")

    def request_of(self, row: SagaRow) -> Any:
        """A saga's request."""
        return self.setting.codecs[row.definition].request.decode(row.request)
