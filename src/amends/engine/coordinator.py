"""The turns of an engine, sans I/O: tasks in, what they need read, one commit; then what is to be sent and said.

Nothing is decided on what is not committed, and nothing goes out before it is: a turn gives its answers and its
requests back only once the store has them. A turn is a generator, and yields what its store is to do
(`amends.engine.turn_io`). The caller (`amends.engine.engine` with asyncio, the simulator with a world of its own)
drives it, and hands in time and the answers of participants.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from amends.core.definition import Command, Saga
from amends.engine.batch import BatchResult, BatchRunner
from amends.engine.checkpoint import checkpoint
from amends.engine.committed import CommittedState, SagaIds, fence_of
from amends.engine.definitions import Definitions
from amends.engine.due import DueSagas
from amends.engine.in_flight import AttemptId
from amends.engine.left_alone import LeftAlone
from amends.engine.limits import VALUE_BYTES_MAX
from amends.engine.owned_shards import OwnedShards
from amends.engine.recording import Salts
from amends.engine.task import Task, Unfinished
from amends.engine.turn_io import Turn
from amends.engine.upcasting import NO_UPCASTS, Upcast
from amends.engine.versions import Versions
from amends.engine.waking import Wake
from amends.storage.ports import Store
from amends.storage.records import ChainTakenOver, ShardsHandedOver
from amends.storage.rows import Head


class Coordinator:
    """Takes turns on a store.

    Attributes:
        definitions: those that it knows.
        shards: whose sagas it moves.
        left_alone: what waits in these under definitions that it does not know.
    """

    def __init__(  # noqa: PLR0913 - what `amends.open` is given
        self,
        store: Store,
        sagas: Iterable[Saga],
        commands: Iterable[Command] = (),
        *,
        elsewhere: Collection[str] = (),
        now_ms: int,
        prefix: str,
        upcasts: Mapping[str, Upcast] = NO_UPCASTS,
        value_bytes_max: int = VALUE_BYTES_MAX,
        salts: Salts = os.urandom,
    ) -> None:
        """Take over a store.

        Args:
            store: no other process writes to it, but where it is shared, and divides its sagas by shards.
            sagas: the definitions, each version that may be under way.
            commands: those whose entities have types that no step tells.
            elsewhere: the services that are asked over a wire.
            now_ms: the clock; what was to be sent by then may have been sent by a process before this one.
            prefix: goes into the ids of this process's sagas; no process before may have had it. Where the store is
                shared, the engine has entered under this name, which is that of its chain.
            value_bytes_max: of one request, answer, entity or command's body.
            upcasts: by service, what makes entities of today's type of those that are stored as another one.
            salts: where the salts of recorded values come from; in a simulation, something that repeats itself.

        Raises:
            DefinitionError: two definitions have the same name and version, one cannot be stored, one starts sagas of
                a definition that is not given, or what is stored would be read as something else.
            StoreError: the entities could not be upcast.
        """
        head = store.head(prefix if store.is_shared else "")
        since_ms = max(now_ms, head.at_ms)
        self.shards = OwnedShards(since_ms, is_shared=store.is_shared)
        self.definitions = Definitions(sagas, commands, elsewhere)
        self.definitions.expect_children()
        self.left_alone = LeftAlone(self.definitions.by_name)
        versions = Versions(store, self.definitions.entities, upcasts)
        head = checkpoint(store, versions.take_over(self.definitions.codecs, store, head, since_ms), since_ms)
        self._committed = CommittedState(
            self.definitions,
            head,
            store.set_aside(),
            shards=self.shards,
            new_id=SagaIds(prefix, self.shards),
            value_bytes_max=value_bytes_max,
            salts=salts,
        )
        versions.go_on(self._committed.entities.has_any)
        self._due = DueSagas(self.definitions.by_name, self._committed.immovable, self.shards)
        self._batches = BatchRunner(self._committed, versions, self._due)

    @property
    def departed(self) -> dict[AttemptId, int]:
        """When each attempt under way was really sent: its sender writes it, and removes what was dropped."""
        return self._committed.in_flight.departed

    # A turn ---------------------------------------------------------------------------------------------------

    def turn(self, tasks: Sequence[Task], now_ms: int) -> Turn[BatchResult]:
        """Carry out some tasks in one transaction, and look at the sagas whose time has come.

        Args:
            tasks: each is carried out on what the ones before it left; one that raises leaves nothing.
            now_ms: the clock.

        Raises:
            StoreFull: nothing was written, nothing is to be sent; all of it may be tried again.
            StoreFailed: the storage failed; this object is not to be used any more.
        """
        now_ms = self._now_ms(now_ms)
        self._committed.begin()
        page = yield from self._due.page(now_ms)
        wakes = [Wake(saga_id, due_ms) for due_ms, saga_id in page]
        result = yield from self._batches.run([*wakes, *tasks], now_ms)
        woken = sum(not isinstance(reply, Unfinished) for reply in result.replies[: len(wakes)])
        due_ms = yield from self._due.looked_at(woken, now_ms)
        return result._replace(due_ms=due_ms, replies=result.replies[len(wakes) :])

    def look(self, tasks: Sequence[Task], now_ms: int) -> Turn[list[Any]]:
        """Carry out tasks that only look, while nothing can be written."""
        self._committed.begin()
        return (yield from self._batches.look(tasks, now_ms))

    # Shards of a shared store ---------------------------------------------------------------------------------

    def gain(self, shards: Collection[int], at_ms: int) -> None:
        """Move the sagas of more shards; each of them is looked at once.

        Args:
            shards: that this engine has now.
            at_ms: not before anything that their former owners committed: what was to be sent by then may have been.
        """
        self.shards.gain(shards, at_ms)
        self._due.gain(shards)

    def lose(self, shards: Collection[int]) -> list[AttemptId]:
        """Move the sagas of some shards no longer; gives their attempts, which are not to be sent any more."""
        gone = [*shards]
        self.shards.lose(gone)
        self.left_alone.forget(gone)
        self._committed.sagas.clear()
        return self._committed.in_flight.forget(gone)

    def busy(self) -> Collection[int]:
        """The shards of which a call is under way."""
        return self._committed.in_flight.busy()

    def take_over(self, last: Head, shards: Sequence[int], now_ms: int) -> Turn[None]:
        """End the chain of an engine whose lease ran out, and take its shards: in one commit.

        Args:
            last: where its chain ends.
            shards: those that it had then, or got since.
            now_ms: the clock.

        Raises:
            StoreConflict: its lease goes on, it has committed since, or another engine was faster.
            LeaseLost: this engine's own chain is ended.
        """
        fence = fence_of(last, self._committed.head.chain, self._now_ms(max(now_ms, last.at_ms)), self._committed.salts)
        taken = ChainTakenOver(last.chain, fence.number, fence.head.hex(), (*shards,))
        yield from self._committed.write(taken, at_ms=fence.at_ms, fences=[fence])
        self.gain(shards, fence.at_ms)

    def hand_over(self, moved: Mapping[int, str], now_ms: int) -> Turn[list[AttemptId]]:
        """Give shards away, and no longer move their sagas.

        Args:
            moved: each to the engine that gets it.
            now_ms: the clock.

        Returns:
            Attempts of their sagas: they are not to be sent any more, if they were not yet.

        Raises:
            StoreConflict: an engine that gets one is gone.
            LeaseLost: this engine's own chain is ended.
        """
        to = {engine: tuple(shard for shard in moved if moved[shard] == engine) for engine in moved.values()}
        given = [ShardsHandedOver(engine, shards) for engine, shards in to.items()]
        yield from self._committed.write(*given, at_ms=self._now_ms(now_ms), moved=moved)
        return self.lose(moved)

    def _now_ms(self, now_ms: int) -> int:
        """The clock, which goes on from what this engine committed last, and from when it gained its last shard."""
        return max(now_ms, self.shards.not_before_ms + 1, self._committed.head.at_ms)
