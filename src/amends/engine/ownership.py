"""How an engine gets shards of a shared store, keeps them, and gives them away: sans I/O, as turns are.

An engine renews its lease in time, takes over from engines whose lease ran out, claims shards that are free, and hands
some over to engines that have fewer, or know a definition that it was not given (docs/versions.md). It looks at its
lease before each call of a participant: the end of the lease is counted from before it was asked for, on a clock that
counts the time in which the machine was suspended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar

from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import AttemptId
from amends.engine.store_clock import StoreClock
from amends.engine.turn_io import ReadHead, ReadLastTime, TurnIO
from amends.errors import LeaseLost, StoreConflict
from amends.storage.budgets import BudgetGrant, BudgetShare
from amends.storage.ports import Store
from amends.storage.rows import NEVER, NOTHING_KNOWN, Head, Lease
from amends.storage.shards import ALL_SHARDS, SHARDS

RENEWALS: Final = 3  # in one lease: one may fail, and the next one still comes in time
RETRIES: Final = 12  # of a step that failed, in one lease
STAYS: Final = 2  # leases for which a shard stays before it goes to an engine that lacks a definition

Answer = TypeVar("Answer")


class ShardsSeen(NamedTuple):
    """Who has what.

    Attributes:
        now_ms: the store's time.
        leases: of all engines.
        owners: shard to engine.
    """

    now_ms: int
    leases: Sequence[Lease]
    owners: Mapping[int, str]

    @property
    def live(self) -> list[str]:
        """The engines whose lease has not run out."""
        return [lease.engine for lease in self.leases if lease.until_ms > self.now_ms]

    def share(self, engine: str) -> int:
        """How many shards an engine is to have: as many as each other one, or one more."""
        live = self.live
        return SHARDS // len(live) + (live.index(engine) < SHARDS % len(live)) if engine in live else 0

    def known_to(self, engine: str) -> frozenset[str]:
        """The definitions that an engine knows; none of one that is not there."""
        return next((lease.knows for lease in self.leases if lease.engine == engine), NOTHING_KNOWN)

    def shards_of(self, engine: str) -> list[int]:
        """The shards that an engine has."""
        return [shard for shard, owner in self.owners.items() if owner == engine]


class RenewLease(NamedTuple):
    """Prolong the lease."""

    engine: str
    lease_ms: int

    def on(self, store: Store) -> Lease:
        """See `amends.storage.ports.Ownership.renew`."""
        return store.ownership.renew(self.engine, self.lease_ms)


class LookAround(NamedTuple):
    """Look who has what."""

    def on(self, store: Store) -> ShardsSeen:
        """What is seen; the time comes last, so that no lease is taken for over that was renewed before it."""
        ownership = store.ownership
        owners, leases = ownership.owners(), ownership.leases()
        return ShardsSeen(ownership.now_ms(), leases, owners)


class ClaimShards(NamedTuple):
    """Take free shards."""

    engine: str
    shards: Collection[int]

    def on(self, store: Store) -> Sequence[int]:
        """See `amends.storage.ports.Ownership.claim`."""
        return store.ownership.claim(self.engine, self.shards)


class ReadDefinitionsIn(NamedTuple):
    """Look which definitions sagas have that wait in some shards, besides some."""

    shards: Collection[int]
    besides: Collection[str]

    def on(self, store: Store) -> Mapping[int, Collection[str]]:
        """See `amends.storage.ports.Ownership.definitions_in`."""
        return store.ownership.definitions_in(self.shards, self.besides)


class LeaveStore(NamedTuple):
    """End the lease."""

    engine: str

    def on(self, store: Store) -> None:
        """See `amends.storage.ports.Ownership.leave`."""
        store.ownership.leave(self.engine)


class SharePlaces(NamedTuple):
    """Tell what an engine needs of some budgets, and get what it may have."""

    engine: str
    asks: Sequence[BudgetShare]

    def on(self, store: Store) -> Sequence[BudgetGrant]:
        """See `amends.storage.ports.Ownership.share_places`."""
        return store.ownership.share_places(self.engine, self.asks)


OwnershipIO = RenewLease | LookAround | ClaimShards | ReadDefinitionsIn | LeaveStore | SharePlaces
Keeping = Generator[OwnershipIO | TurnIO, Any, Answer]
"""A step of a `ShardKeeper`, which is taken as a turn is (`amends.engine.turn_io.drive`)."""


def share_places(asks: SharePlaces) -> Keeping[Sequence[BudgetGrant]]:
    """Share out places of budgets; gives what the engine may have (`amends.engine.budgets`)."""
    grants: Sequence[BudgetGrant] = yield asks
    return grants


class ShardKeeper:
    """The shards of one engine. Its steps are taken between turns, in the thread that takes these.

    Attributes:
        next_ms: when the next step is to be taken, on the engine's clock of elapsed time.
        until_ms: until when requests may be sent, on the same clock.
        is_fenced: whether another engine took over: nothing can be committed any more.
        clock: the time of the engine's turns: the store's, which is the same for each owner of a shard.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        lease: Lease,
        entered_ms: int,
        *,
        lease_ms: int,
        drain_ms: int,
    ) -> None:
        """Have none yet.

        Args:
            coordinator: takes the engine's turns.
            lease: with which it has entered the store, under the name that is the coordinator's prefix. One that does
                not run out is of a store with one owner: there is nothing to keep, and no step is ever due.
            entered_ms: the engine's clock of elapsed time, read before it entered.
            lease_ms: how long a lease is, in milliseconds. A longer one survives longer pauses of the process, and lets
                the sagas of an engine that died wait for longer.
            drain_ms: how long a shard that is to be handed over waits for calls that are under way, in milliseconds.
        """
        self._coordinator = coordinator
        self._engine = lease.engine
        self._lease_ms = lease_ms
        self._drain_ms = drain_ms
        self._known = frozenset(coordinator.definitions.by_name)
        self._draining: dict[int, int] = {}
        self._takes_over_ms = 0
        self._held_ms: dict[int, int] = {}  # since when it has each shard into which it has looked
        self.next_ms, self.until_ms = entered_ms, entered_ms + lease_ms
        if lease.until_ms == NEVER:
            self.next_ms = self.until_ms = NEVER
        self.is_fenced = False
        self.clock = StoreClock(entered_ms, lease.until_ms - lease_ms)

    def may_send(self, elapsed_ms: int) -> bool:
        """Whether a request may be sent now: not when the lease is over, though no other engine may have noticed.

        Args:
            elapsed_ms: the engine's clock of elapsed time.
        """
        return elapsed_ms < self.until_ms and not self.is_fenced

    def leave(self) -> Keeping[None]:
        """End, once no call is under way any more: the shards are free for others."""
        yield LeaveStore(self._engine)
        self.until_ms = 0
        self._coordinator.lose(self._coordinator.shards.all)

    def step(self, elapsed_ms: int) -> Keeping[list[AttemptId]]:
        """Renew the lease, and see to it that each shard has an owner, and each engine its share.

        Args:
            elapsed_ms: the engine's clock of elapsed time, read before this step.

        Returns:
            Attempts of sagas that are another engine's now: they are not to be sent any more, if they were not yet.

        Raises:
            LeaseLost: another engine took over. This one is not to be used any more.
            StoreError: the step is to be taken again; nothing is lost.
        """
        self.next_ms = elapsed_ms + self._lease_ms // RETRIES
        try:
            lease: Lease = yield RenewLease(self._engine, self._lease_ms)
            self.clock.see(elapsed_ms, lease.until_ms - self._lease_ms)
            now_ms = self.clock.now_ms(elapsed_ms)
            if elapsed_ms >= self.until_ms:  # nor may others have been able to renew theirs: the store was away
                self._takes_over_ms = elapsed_ms + self._lease_ms
            self.until_ms = elapsed_ms + self._lease_ms
            seen = yield LookAround()
            for dead in self._dead(seen, elapsed_ms):
                seen = yield from self._take_over(dead, now_ms)
            yield from self._claim(seen, now_ms)
            yield from self._look_into(elapsed_ms)
            dropped = yield from self._hand_over(seen, elapsed_ms, now_ms)
        except LeaseLost:
            self.is_fenced = True
            raise
        self.next_ms = elapsed_ms + self._lease_ms // RENEWALS
        return dropped

    def _dead(self, seen: ShardsSeen, elapsed_ms: int) -> list[str]:
        """The engines that are to be taken over from."""
        if elapsed_ms < self._takes_over_ms:
            return []
        return [lease.engine for lease in seen.leases if lease.until_ms <= seen.now_ms]

    def _take_over(self, dead: str, now_ms: int) -> Keeping[ShardsSeen]:
        """End the chain of an engine whose lease ran out, and take its shards; another engine may have been faster.

        Its shards are looked at after the end of its chain: what it hands over then is a block more, and a conflict.
        """
        with suppress(StoreConflict):
            last: Head = yield ReadHead(dead)
            seen: ShardsSeen = yield LookAround()
            yield from self._coordinator.take_over(last, seen.shards_of(dead), now_ms)
        looked: ShardsSeen = yield LookAround()
        return looked

    def _claim(self, seen: ShardsSeen, now_ms: int) -> Keeping[None]:
        """Take in what was handed over, and of the free shards a share."""
        own = {*seen.shards_of(self._engine)}
        lacking = seen.share(self._engine) - len(own)
        if lacking > 0 and (free := sorted(ALL_SHARDS - seen.owners.keys())):
            own.update((yield ClaimShards(self._engine, free[:lacking])))
        gained = own.difference(self._coordinator.shards.all)
        if gained:
            self._coordinator.gain(sorted(gained), max(now_ms, (yield ReadLastTime())))

    def _look_into(self, elapsed_ms: int) -> Keeping[None]:
        """Note what waits in the shards that are new under definitions that this engine was not given."""
        own = {*self._coordinator.shards.all}
        if new := own - self._held_ms.keys():
            found = yield ReadDefinitionsIn(new, self._known)
            for shard, definitions in found.items():
                self._coordinator.left_alone.note(shard, definitions)
        self._held_ms = {shard: self._held_ms.get(shard, elapsed_ms) for shard in own}

    def _hand_over(self, seen: ShardsSeen, elapsed_ms: int, now_ms: int) -> Keeping[list[AttemptId]]:
        """Give shards to engines that can do more with them, or have too few."""
        moved = yield from self._to_move(seen, elapsed_ms)
        if not moved:
            return []
        try:
            dropped = yield from self._coordinator.hand_over(moved, now_ms)
        except StoreConflict:  # the other engine is gone
            return []
        for shard in moved:
            del self._held_ms[shard]
        return dropped

    def _to_move(self, seen: ShardsSeen, elapsed_ms: int) -> Keeping[dict[int, str]]:
        """Which shards can be given away now, and to whom: those that another engine is to have, then those beyond."""
        wanted = self._better_off(seen, elapsed_ms)
        beyond = len(self._coordinator.shards.all) - len(wanted) - seen.share(self._engine)
        if not wanted and beyond <= 0:
            self._draining.clear()
            return {}
        movable = self._movable(elapsed_ms)
        moved = {shard: wanted[shard] for shard in movable if shard in wanted}
        others = [shard for shard in movable if shard not in wanted]
        for engine, lacking in _in_need(seen):
            given = (yield from self._fit_for(engine, others, seen, elapsed_ms))[: max(0, min(lacking, beyond))]
            moved |= dict.fromkeys(given, engine)
            others, beyond = [shard for shard in others if shard not in given], beyond - len(given)
        return moved

    def _better_off(self, seen: ShardsSeen, elapsed_ms: int) -> dict[int, str]:
        """The shards in which something waits that this engine does not know, with an engine that knows it.

        That is the one that knows most of what may be in the shard. One that lacks a definition of this engine would
        have to give it back for that, so the shard stays for a while; to one that knows more it goes at once.
        """
        load, wanted = Counter(seen.owners.values()), dict[int, str]()
        for shard in sorted(self._coordinator.left_alone.shards):
            strange = {*self._coordinator.left_alone.of(shard)}
            able = [engine for engine in seen.live if strange & seen.known_to(engine)]
            if able:
                best = max(able, key=lambda name: (len((strange | self._known) & seen.known_to(name)), -load[name]))
                if self._may_go(shard, best, seen, elapsed_ms):
                    wanted[shard] = best
                    load[best] += 1
        return wanted

    def _may_go(self, shard: int, engine: str, seen: ShardsSeen, elapsed_ms: int) -> bool:
        stayed_ms = elapsed_ms - self._held_ms.get(shard, elapsed_ms)
        return self._known <= seen.known_to(engine) or stayed_ms >= STAYS * self._lease_ms

    def _fit_for(self, engine: str, shards: Sequence[int], seen: ShardsSeen, elapsed_ms: int) -> Keeping[list[int]]:
        """Those of some shards in which nothing waits that an engine does not know."""
        fit = [shard for shard in shards if self._may_go(shard, engine, seen, elapsed_ms)]
        if not fit or self._known <= seen.known_to(engine):
            return fit
        strange = yield ReadDefinitionsIn(fit, seen.known_to(engine))
        return [shard for shard in fit if shard not in strange]

    def _movable(self, elapsed_ms: int) -> list[int]:
        """The own shards of which no call is under way, and then those of which one has been for long."""
        busy, own = self._coordinator.busy(), sorted(self._coordinator.shards.all)
        self._draining = {shard: self._draining.get(shard, elapsed_ms) for shard in own if shard in busy}
        late = [shard for shard, since_ms in self._draining.items() if elapsed_ms - since_ms >= self._drain_ms]
        return [*(shard for shard in own if shard not in busy), *late]


def _in_need(seen: ShardsSeen) -> Iterator[tuple[str, int]]:
    """The engines that have too few shards, each with how many it needs more."""
    for engine in seen.live:
        if (lacking := seen.share(engine) - len(seen.shards_of(engine))) > 0:
            yield engine, lacking
