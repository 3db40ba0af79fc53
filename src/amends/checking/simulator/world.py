"""The world of one schedule: it builds the process, clients, operators and participants, and lets time pass.

A heap of moments, each with what happens then. Two phases: things go wrong; then all is healed, and every saga has to
end.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Final

from amends.adapters.memory.ownership import MemoryOwnership
from amends.adapters.memory.reading import MemoryReader
from amends.checking.simulator.broker import SimulatedBroker
from amends.checking.simulator.chance import Chance
from amends.checking.simulator.clients import Clients
from amends.checking.simulator.environment import SECOND_MS, Environment
from amends.checking.simulator.gateway import DirectGateway, MailboxGateway
from amends.checking.simulator.host import Host
from amends.checking.simulator.invariants import first_broken
from amends.checking.simulator.logbook import logged
from amends.checking.simulator.operators import Operators
from amends.checking.simulator.people import People
from amends.checking.simulator.rest import first_broken_at_rest
from amends.checking.simulator.setting import EPOCH_MS, GIVEN, Setting
from amends.checking.simulator.sightings import Sightings
from amends.checking.simulator.site import Site
from amends.checking.simulator.storage import FAILED_AFTER, FULL, Hooks
from amends.checking.simulator.surroundings import Surroundings
from amends.checking.simulator.swarm import healed
from amends.checking.simulator.view import ShardOwners
from amends.checking.simulator.wire import SimulatedWire
from amends.core.definition import Step
from amends.core.messages import Kind
from amends.storage.blocks import Contents
from amends.storage.rows import FINAL, NEEDS_OPERATOR, Changes
from amends.storage.words import cause_in_words, changes_in_words
from amends.views.owed import numbers_of
from amends.views.sagas import AsOf

QUIET_MS: Final = 20_000  # in which nothing happens but leases being renewed: more than one, and `DRAIN_MS` after it
MOMENTS_MAX: Final = 60_000  # in one schedule, for each store; a thousand is usual
STUBBORN_MS: Final = 30 * 60 * SECOND_MS  # how long a decider always raises: longer than any step's limit


class Decider(Exception):
    """A local decider has a bug, or a bad day."""


class SimulatedWorld(Environment):
    """One schedule.

    Attributes:
        wire: participants outside, and the way to them.
        broker: of the wire between services that are apart.
        moments: how many there were.
    """

    def __init__(self, setting: Setting, chance: Chance, *, traced: bool = False) -> None:
        super().__init__(setting, chance, traced=traced)
        self.moments = 0
        self._quiet_ms = self.now_ms
        self._sightings = {site.service: Sightings(self, site) for site in self.sites}
        self.sightings = self._sightings[self.home.service]
        for site in self.sites:
            self._open_store(site)
        self.wire = SimulatedWire(self, self.sightings)
        self.broker = SimulatedBroker(self)
        self.gateway = (MailboxGateway if setting.hosts > 1 else DirectGateway)(self, self.sightings)
        self.operators = Operators(self, self.wire, self.sightings)
        self.people = People(self)
        most = self.setting.hosts
        at_home = 2 + self.chance.below("hosts", most - 1) if most > 1 else 1  # several are two at least
        self.hosts: Sequence[Host] = [*self._machines(self.home, at_home)]
        self._all_hosts = [*self.hosts]
        for site in self.sites[1:]:
            self._all_hosts += self._machines(site, 1 + self.chance.below("hosts", most))
        self.clients = Clients(self)

    def _machines(self, site: Site, count: int) -> Iterator[Host]:
        at = Surroundings(self, site, self.wire, self.broker, self._sightings[site.service])
        return (Host(at, is_first=not number) for number in range(count))

    # Time -----------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Let everything happen, until nothing is left to happen or a rule is broken."""
        self.setting.raises = self._raise_maybe
        self.in_background(self.swarm.faults_ms, self._heal)
        limit_ms = EPOCH_MS + self.swarm.faults_ms + self.setting.heals_within_ms
        with logged(self):
            while self._heap and self.broken is None and not self._is_over():
                self._next_moment()
                if self.now_ms > limit_ms or self.moments > MOMENTS_MAX * len(self.sites):
                    self._does_not_end()
        self.setting.raises = None
        for spread in filter(None, [host.process.spread for host in self._all_hosts]):
            spread.end()
        if self.broken is None:
            told = chain(self.people.first_broken(), self.operators.first_broken(), self.broker.first_broken())
            self.broken = first_broken_at_rest(self, self.wire) or next(told, None)
            if self.broken is not None:
                self.tell("at rest", f"{self.broken.rule}: {self.broken.text}")

    def _next_moment(self) -> None:
        self.now_ms, _, counts, act, given = heapq.heappop(self._heap)
        self._coming -= counts
        if self._coming or counts or any(host.process.is_waiting for host in self._all_hosts):
            self._quiet_ms = self.now_ms
        act(*given)
        self.moments += 1

    def _is_over(self) -> bool:
        """Whether it was quiet for long; if things still go wrong then, several engines are healed in place of it.

        Until the time for that they would do nothing but renew their leases.
        """
        if self.now_ms - self._quiet_ms < QUIET_MS:
            return False
        if not self.is_healed and len(self.hosts) > 1 and all(host.process.is_up for host in self._all_hosts):
            self._heal()
            return False
        return self.is_healed

    def _does_not_end(self) -> None:
        for row in self.view.rows.values():
            if row.status not in FINAL:
                self.broke("V09", f"{row.saga_id} is {row.status} long after all was healed: {row.body}")
        for letter_id in self.journal.letters:
            if letter_id not in self.view.keys:
                self.broke("V25", f"{letter_id} was posted, and was not acted on")
        if self.moments > MOMENTS_MAX * len(self.sites):
            self.broke("V22", f"{self.moments} moments, and still it does not come to rest")

    def _heal(self) -> None:
        if self.is_healed:
            return
        self._quiet_ms = self.now_ms
        self.tell("world", "all is healed")
        self.is_healed = True
        self.swarm = healed(self.swarm)
        self.chance.calm()
        self.wire.heal()
        self.broker.heal()
        for host in self._all_hosts:
            host.heal()
        for row in [*self.view.rows.values()]:
            if row.status == NEEDS_OPERATOR:
                self.operators.call(row.saga_id)

    # The store ------------------------------------------------------------------------------------------------

    def _open_store(self, site: Site) -> None:
        first = self.setting.first_of(site.keeps)
        if first is not None:
            if site.database.is_shared:
                first = first._replace(block=first.block._replace(chain=GIVEN))
                MemoryOwnership(site.database).enter(GIVEN, 1)
            site.store.commit(first)
            MemoryOwnership(site.database).leave(GIVEN)
            site.view.take(site.view.read(first))
        site.hooks = Hooks(self._fate, partial(self._committed, site), self._failed, self.saw)

    def _fate(self) -> int:
        fate = self.chance.pick("commit", (self.swarm.full, self.swarm.failed))
        if fate > FULL:
            return fate + self.chance.below("failed commit", FAILED_AFTER - FULL)
        return fate

    def _failed(self, is_written: bool) -> None:
        self.saw(f"commit unknown: it was {'written' if is_written else 'not'}")
        self.tell("store", f"fails; the commit is {'' if is_written else 'not '}written")

    def _committed(self, site: Site, changes: Changes, owners: ShardOwners) -> None:
        commit = site.view.read(changes, owners)
        if self.trace is not None:
            for record in Contents(changes.block).records():
                assert record is not None, "what was just written can be read"
                if not record.subject:  # which rows were stored follows from the others
                    continue
                words = [f"{record.subject}: {cause_in_words(record)}", ", ".join(changes_in_words(record))]
                self.tell("store", ": ".join([f"block {changes.block.number}", *filter(None, words)]))
        if (found := first_broken(commit)) is not None and self.broken is None:
            self.broken = found
            self.tell("broken", f"{found.rule}: {found.text}")
        self._sightings[site.service].of_commit(commit)
        site.view.take(commit)
        self._look_at_entities(changes)
        self._look_at_ledger(changes)
        for row in changes.sagas:
            if row.status == NEEDS_OPERATOR:
                self.operators.call(row.saga_id)
            self.operators.look(row)
            if self.setting.words_of:
                self.people.look(row)

    def _look_at_entities(self, changes: Changes) -> None:
        if not changes.entities:
            return
        for rule in self.setting.scenario.never:
            if wrong := rule(self.entities()):
                name = getattr(rule, "__name__", repr(rule))
                self.broke("never", wrong if isinstance(wrong, str) else f"{name} is true")

    def _look_at_ledger(self, changes: Changes) -> None:
        """Compare what sagas hold with the books, where both are in one database."""
        if self.setting.apart or not self.setting.owed.has_books or not (changes.entities or changes.sagas):
            return
        ledger = self.setting.owed.ledger(MemoryReader(self.database), AsOf(self.now_ms), with_books=True)
        for found in ledger.differences:
            given = self.setting.scenario.given.get(found.service, {}).get(found.entity)
            if found.book - found.held != numbers_of(given).get(found.what, 0):
                self.broke("V35", found.in_words())

    # Local participants ----------------------------------------------------------------------------------------

    def _raise_maybe(self, step: Step, kind: Kind) -> None:
        label = f"{step.event}/{kind.value}"
        stubborn = self.setting.deciders.get(self.swarm.stubborn) == label and self.now_ms < EPOCH_MS + STUBBORN_MS
        if stubborn or self.chance.hit(label, self.swarm.raises):
            self.saw("a local decider raised")
            self.tell(step.service, f"{label} raises")
            raise Decider("it has a bad day")
