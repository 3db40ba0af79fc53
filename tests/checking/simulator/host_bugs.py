"""Bugs that are planted where several engines share a database, and which rule breaks in which saga."""

from __future__ import annotations

from typing import Final

from tests.checking.simulator.engine_bugs import Bug

DATABASE: Final = "amends.adapters.memory.database:MemoryDatabase"
KEEPER: Final = "ownership:ShardKeeper"
FENCED: Final = (
    "        for fence in changes.fences:\n            self._append(fence, fence.subjects)\n"
    "            self.end_lease(fence.chain)\n"
)
BUGS: Final = [
    # --- the chain is the fence ---
    Bug("a commit without the fence", f"{DATABASE}._check_chains",
        "        engine = changes.block.chain\n",
        "        if not (changes.fences or changes.moved):\n            return\n        engine = changes.block.chain\n",
        "shop", "V24"),
    Bug("a fence written after the shards moved", f"{DATABASE}._write_blocks", FENCED,
        "        for fence in self.__dict__.pop('late', ()):\n            self._append(fence, fence.subjects)\n"
        "            self.leases.pop(fence.chain, None)\n"
        "        for fence in changes.fences:\n            self.__dict__.setdefault('late', []).append(fence)\n",
        "shop", "V24"),
    Bug("the head of a chain that is ended is not named", "coordinator:Coordinator.take_over",
        "fence.head.hex()", "last.head.hex()", "shop", "V24"),
    # --- leases and shards ---
    Bug("a lease on the worker's clock", f"{KEEPER}.step", "yield RenewLease(self._engine, self._lease_ms)",
        "yield RenewLease(self._engine, self._lease_ms + elapsed_ms - self.clock.now_ms(elapsed_ms))",
        "outside", "V09"),
    Bug("a shard in two hands", "amends.adapters.memory.ownership:MemoryOwnership.claim",
        "ALL_SHARDS.intersection(shards) - self._database.owners.keys()", "shards", "shop", "V23"),
    Bug("a shard that was given away is still moved", "coordinator:Coordinator.lose",
        "        self.shards.lose(gone)\n", "", "shop", "V23"),
    Bug("a shard stays at an engine that does not know what waits in it", f"{KEEPER}._to_move",
        "wanted = self._better_off(seen, elapsed_ms)", "wanted = dict()", "followed", "V25"),
    Bug("it is not looked what waits in a shard that comes", f"{KEEPER}._look_into",
        "self._coordinator.left_alone.note(shard, definitions)", "pass", "followed", "V09"),
    Bug("a send after the lease", f"{KEEPER}.may_send", "elapsed_ms < self.until_ms and not self.is_fenced", "True",
        "outside", "V26"),
    Bug("a lease counted twice", f"{KEEPER}.step",
        "            self.until_ms = elapsed_ms + self._lease_ms\n",
        "            self.until_ms = elapsed_ms + 2 * self._lease_ms\n", "outside", "V26", first=70),
    Bug("a taker believes that nothing was sent", "coordinator:Coordinator.take_over",
        "self.gain(shards, fence.at_ms)", "self.gain(shards, 0)", "together", "P2"),
    # --- limits for all engines ---
    Bug("a budget given twice", "amends.adapters.memory.ownership:MemoryOwnership._granted", "[*shares.values()]",
        "[share for share in shares.values() if share.engine == asks.engine]", "crowd", "V30"),
    Bug("places are free when the lease runs out, and calls go on",
        "amends.adapters.memory.ownership:MemoryOwnership._granted", "[*shares.values()]",
        "[share for share in shares.values() if share.engine == asks.engine\n"
        "            or self._database.leases[share.engine].until_ms > self._database.now_ms()]", "together", "V30"),
    Bug("an engine keeps its places beyond its lease", "amends.adapters.memory.database:MemoryDatabase.end_lease",
        "shares.pop(engine, None)", "pass", "crowd", "V09", first=3),
    Bug("places are given back while calls use them", "budgets:Budget.asks",
        "self._have(Places(max(common, running - reserved), reserved))", "self._have(self._may_use)", "crowd", "V30"),
    Bug("what is to be granted is taken for granted", "budgets:Budget.take",
        "Places(grant.share.common, grant.share.reserved)", "grant.goal", "crowd", "V30"),
    Bug("actions take what is kept for compensations", "slots:Slots._divide",
        "self.actions.share = places.common", "self.actions.share = sum(places)", "crowd", "V30"),
    # --- letters ---
    Bug("a letter taken twice", "letters:ActOnLetter._acted_on",
        "row = work.keys.remember(key, digest,", "row = type(work.keys)({}, work.unreadable).remember(key, digest,",
        "shop", "V25"),
    Bug("an operator who comes second is told that it is done", "letters:_heard",
        "        raise RequestRefused(run.reason)\n", "        return work.found(task.saga_id).run\n",
        "together", "V28"),
    Bug("a letter lost", "amends.adapters.memory.reading:MemoryReader.letters",
        "return list(islice((letter for letter in self.database.letters.values() if letter.shard in shards), limit))",
        "found = [letter for letter in self.database.letters.values() if letter.shard in shards][:limit]\n"
        "            [self.database.letters.pop(letter.letter_id) for letter in found if limit > 1]\n"
        "            return found",
        "shop", "V25"),
]  # fmt: skip
LOOKED: Final = "            last: Head = yield ReadHead(dead)\n", "            seen: ShardsSeen = yield LookAround()\n"
RARE: Final = [
    Bug("the shards of a dead engine are looked at before the end of its chain", f"{KEEPER}._take_over",
        "".join(LOOKED), "".join(reversed(LOOKED)), "shop", "V23"),
]  # fmt: skip
"""Those that no few thousand seeds find, but a kept schedule does."""
