"""The engine's process: what `amends.engine.engine` does with asyncio, done with the simulated world.

It takes one turn at a time on what was queued meanwhile, sends and answers once that is committed. Between any two of
these it can crash, wait, or stand still for long. `Coordinator` is the engine's own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Final

from amends.checking.simulator.clock import HostClock
from amends.checking.simulator.environment import Reply
from amends.checking.simulator.interruptions import Interruptions
from amends.checking.simulator.process_calls import ProcessCalls
from amends.checking.simulator.process_letters import ProcessLetters
from amends.checking.simulator.process_rules import ProcessRules
from amends.checking.simulator.process_shards import ProcessShards
from amends.checking.simulator.process_spread import ProcessSpread
from amends.checking.simulator.process_tasks import ProcessTasks, Queued
from amends.checking.simulator.setting import known_salts
from amends.checking.simulator.storage import DISK_FAILED, Point, ProcessKilled, ProcessStore
from amends.checking.simulator.surroundings import Surroundings
from amends.core.definition import Saga
from amends.core.messages import Answered
from amends.engine.batch import BatchResult
from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import AttemptId
from amends.engine.limits import LEASE_MS
from amends.engine.task import Task
from amends.engine.tasks import Deliver
from amends.errors import EngineStopped, LeaseLost, StoreFailed, StoreFull
from amends.storage.codecs.sagas import definition_of

TURN_MS: Final = 1  # between two turns: what a commit takes
TEND_MS: Final = 500  # between two looks at letters and at the lease, where nothing wakes an engine
SPACE_PAUSE_MS: Final = 1000  # as the shell waits on a full disk
STOPPED: Final = EngineStopped("the process is gone")


class EngineProcess:
    """One process, from its start to its crash.

    Attributes:
        life: its number.
        clock: its host's.
        is_up: whether it runs.
        interruptions: what keeps it from going on.
        coordinator: the engine's loop.
        shards: those that it has of a shared database; ``None`` where it has a database for itself.
        spread: what it does over a wire; ``None`` where there is none.
    """

    def __init__(
        self,
        at: Surroundings,
        life: int,
        clock: HostClock,
        died: Callable[[], None],
        given: Sequence[Saga],
    ) -> None:
        world = self.world = at.world
        self._sightings = at.sightings
        self._died = died
        self.life = life
        self.clock = clock
        self.is_up = True
        self.interruptions = Interruptions(world, life)
        name = f"e{life}"
        self._store = ProcessStore(at.site.database, at.site.hooks)
        lease = (
            self._store.ownership.enter(name, LEASE_MS, [*map(definition_of, given)]) if self._store.is_shared else None
        )
        start_ms = lease.until_ms - LEASE_MS if lease else clock.start_ms
        self.coordinator = Coordinator(
            self._store, given, elsewhere=at.site.elsewhere, now_ms=start_ms, prefix=name, salts=known_salts
        )
        self._letters = ProcessLetters(self._store, self.coordinator)
        self.shards = ProcessShards(self._store, self.coordinator, lease, clock, self._letters) if lease else None
        self.spread = ProcessSpread(self, at) if world.setting.apart else None
        self._calls = ProcessCalls(self, at, name if self.shards else "", self.spread)
        known = self.coordinator.definitions.by_name
        self._rules = ProcessRules(at, self, name if self.shards else "", known)
        self._rules.took(self.coordinator.shards.all)
        self._tasks = ProcessTasks()
        self._is_in_turn = False
        self._tending: Iterator[Point] | None = None  # what sees to the shards, while nothing else is to be done
        self._turn_at_ms = -1
        self._turns = 0
        if self.shards is not None:
            world.in_background(0, self._tend)
        self._wake(0)

    def now_ms(self) -> int:
        """The time of its turns: where it shares its database, that one's, as it reckons it."""
        return self.shards.now_ms() if self.shards else self.clock.now_ms()

    def ask(self, task: Task, reply: Reply | None) -> None:
        """Queue a task; the reply is `EngineStopped` once the process is gone."""
        if not self.is_up:
            Queued(task, reply).tell(STOPPED)
            return
        self._tasks.put(Queued(task, reply))
        self._wake(TURN_MS)

    def hear(self, saga_id: str, said: Answered, attempt_id: AttemptId, service: str) -> None:
        """A call comes back."""
        if not self.is_up:
            self.world.saw("an answer to a process that is gone")
        elif still_ms := self.interruptions.still_ms:
            self.world.after(still_ms, self.hear, saga_id, said, attempt_id, service)
        else:
            self._go_on(self._heard(saga_id, said, attempt_id, service))

    def _heard(self, saga_id: str, said: Answered, attempt_id: AttemptId, service: str) -> Iterator[Point]:
        yield "when an answer arrives"
        self.heard(saga_id, said, attempt_id, service)

    def heard(self, saga_id: str, said: Answered, attempt_id: AttemptId, service: str) -> None:
        """A call is over, and nothing comes between that and its place in the queue."""
        self._sightings.of_answer(saga_id, said)
        self.must_be_done(Deliver(saga_id, said))
        self._calls.ended(service, attempt_id)

    def must_be_done(self, task: Task) -> None:
        """Queue a task for which no client waits, but for what became of a call for a saga elsewhere."""
        if self.spread is None or not self.spread.takes(task):
            self.ask(task, None)

    # What it does, and what comes between ---------------------------------------------------------------------

    def _go_on(self, steps: Iterator[Point]) -> None:
        """Do one thing after the other; before each the process may crash, wait, or stand still for long.

        Args:
            steps: what it does, and where it may be stopped.
        """
        if not self.is_up:
            return
        try:
            for point in steps:
                if isinstance(point, str):
                    self.interruptions.expect_none(point)
                if pause_ms := point if isinstance(point, int) else self.interruptions.pause_ms():
                    is_idle = steps is self._tending and not self.interruptions.still_ms
                    later = self.world.in_background if is_idle else self.world.after
                    later(pause_ms, self._go_on, steps)
                    return
        except ProcessKilled as crash:
            self.die(crash)
        except LeaseLost as lost:
            self.world.saw("an engine found that it was taken over")
            self.die(lost)
        except StoreFailed as failed:
            if str(failed) != DISK_FAILED:
                self.world.broke("P16", f"it stopped, and no disk had failed: {failed}")
            self.die(failed)

    # A turn ---------------------------------------------------------------------------------------------------

    def _wake(self, pause_ms: int) -> None:
        at_ms = self.world.now_ms + max(pause_ms, 0)
        if self._turn_at_ms < 0 or at_ms < self._turn_at_ms:
            self._turn_at_ms = at_ms
            self.world.in_background(max(pause_ms, 0), self._turn, at_ms)

    def _turn(self, at_ms: int) -> None:
        if not self.is_up or self._turn_at_ms != at_ms or self._is_in_turn:
            return
        if still_ms := self.interruptions.still_ms:
            self.world.after(still_ms, self._turn, at_ms)
            return
        self._turn_at_ms = -1
        self._is_in_turn = True
        self._go_on(self._taken())

    @property
    def is_waiting(self) -> bool:
        """Whether it is going to take a turn, or takes one."""
        return self.is_up and (self._turn_at_ms >= 0 or (self._is_in_turn and self._tending is None))

    def _tend(self) -> None:
        """See to the shards now and then, and to letters."""
        if not self.is_up or self.shards is None:
            return
        if not self._is_in_turn and not self.interruptions.still_ms:
            if self.world.chance.hit("leave", self.world.swarm.leave):
                self._go_on(self._left(self.shards))
            elif self.shards.wants_turn() or self._calls.budgets.next_ms() <= self.clock.now_ms():
                self._is_in_turn = True
                self._tending = self._tended(self.shards)
                self._go_on(self._tending)
        self.world.in_background(TEND_MS, self._tend)

    def _tended(self, shards: ProcessShards) -> Iterator[Point]:
        """See to the shards; then take a turn, but for one that would be empty."""
        is_wanted = yield from self._keep(shards)
        self._tending = None
        if is_wanted or self._tasks.are_waiting:
            yield from self._take()
        self._end_turn()

    def _taken(self) -> Iterator[Point]:
        """See to the shards, take a turn, and give what comes of it back."""
        if self.shards is not None:
            yield from self._keep(self.shards)
        else:
            self._tasks.put_first(self._letters.tasks())
        yield from self._take()
        self._end_turn()

    def _end_turn(self) -> None:
        self._is_in_turn = False
        if 0 <= self._turn_at_ms <= self.world.now_ms:  # a turn was wanted meanwhile
            self.world.after(TURN_MS, self._turn, self._turn_at_ms)

    def _left(self, shards: ProcessShards) -> Iterator[Point]:
        """End as a deploy ends it: others may have its shards at once."""
        yield from shards.leave()
        self.world.saw("an engine left, and its shards were free")
        self.die(EngineStopped("it left"))

    def _keep(self, shards: ProcessShards) -> Generator[Point, None, bool]:
        """Do what it is time for; gives whether other shards are its own now."""
        had, strange = {*shards.all}, {*self.coordinator.left_alone.shards}
        self._calls.leave((yield from shards.keep()))
        has = {*shards.all}
        if strange & (had - has):
            self.world.saw("a shard went to an engine that knows what waits in it")
        if gained := has - had:
            self._rules.took(gained)
        if self._tasks.drop_others(shards):
            self.world.saw("an answer for the saga of another engine")
        self._tasks.put_first(self._letters.tasks())
        yield from self._calls.share_places(self._store, self.clock.now_ms())
        return has != had

    def _take(self) -> Iterator[Point]:
        tasks = self._tasks.take()
        self._rules.before_turn(tasks)
        try:
            turn = yield from self._store.drive(self.coordinator.turn(tasks, self.now_ms()))
        except StoreFull:
            self._wait_for_space()
            return
        except (StoreFailed, LeaseLost):
            raise
        except Exception as error:  # noqa: BLE001 - any exception is what the simulator looks for
            self.world.broke("P16", f"the turn ended with {type(error).__name__}: {error}")
            return
        self._letters.remove(tasks, turn.replies)
        done, turn = self._tasks.put_back(turn)
        if len(done) < len(tasks) or turn.posts:
            self._wake(TURN_MS)
        self._turns += 1
        self._rules.after_turn(done, turn)
        if turn.due_ms is not None:
            self._wake(self.clock.truly_ms(max(turn.due_ms - self.now_ms(), TURN_MS)))
        yield from self._give_back(turn)

    def _give_back(self, turn: BatchResult) -> Iterator[Point]:
        self._calls.take(turn)
        answers = self._tasks.answers(turn)
        answers_first = bool(turn.sends and answers and self.world.chance.below("order", 2))
        if answers_first:
            yield from self._tasks.answer(answers)
        yield from self._calls.send_all(turn)
        for saga_id, run in turn.ended.items():
            self._sightings.of_end(saga_id, run)
        if not answers_first:
            yield from self._tasks.answer(answers)

    def _wait_for_space(self) -> None:
        self.world.tell(f"engine {self.life}", "finds no space")
        self._sightings.was_full = True
        self._tasks.refuse_turn(StoreFull("there is no space"))
        self._turn_at_ms = -1
        self._wake(SPACE_PAUSE_MS)

    def die(self, why: BaseException) -> None:
        """It is gone."""
        self.is_up = False
        if self.spread is not None:
            self.spread.end()
        self._store.close()
        self._sightings.of_crash(str(why), self.life, self._turns)
        self.world.tell(f"engine {self.life}", f"crashes: {why}")
        self._tasks.refuse_all(STOPPED)
        self._died()
