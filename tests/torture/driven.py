"""An engine without a loop around it: turns on a store, and clients and participants that survive it.

Time is a number, and whoever waits for it has it at once: thousands of crashes take seconds.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from amends import Cancel, RequestRefused
from amends.core.audit import GENESIS
from amends.core.messages import Answered, Kind
from amends.core.run import outcome_of
from amends.core.step import SagaInstance
from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import Outgoing
from amends.engine.task import Task
from amends.engine.tasks import Deliver, ExecuteCommand, StartSagas
from amends.engine.turn_io import drive
from amends.shop.outside import Books, Providers, Timers
from amends.shop.payments import PAYMENT
from amends.shop.shipping import SHIPPING
from amends.storage.codecs.sagas import status_of
from amends.storage.codecs.values import storable
from amends.storage.ports import Store
from tests.torture.broken import BrokenPromise, demand
from tests.torture.carrier import TOLD, Carrier
from tests.torture.checks import World
from tests.torture.shop import CARRIER, COMMANDS, CUSTOMERS, RESTOCKED, SAGAS, Asked, opening, wanted

START_MS: Final = 1_700_000_000_000
TURNS_TO_REST: Final = 3_000
ALL: Final = 10**9
IS_LOST: Final = 0.1  # so many requests are never heard of, and so many take effect without an answer
CANCELS: Final = 0.1  # so many clients change their mind
ASKS_AGAIN: Final = 0.1  # so many ask for what they were answered already
WAITING_MAX: Final = 12  # clients that wait for an answer

T = TypeVar("T")


class NoTime(Timers):
    """Timers of a world in which waiting is over at once, and what would be late never comes."""

    async def sleep(self, ms: int) -> None:
        """Do not wait."""

    def call_later(self, ms: int, act: Callable[[], object]) -> None:
        """Do nothing."""


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        answer: T = stop.value
        return answer
    raise AssertionError("it waits")


class Outer:
    """What no crash of ours touches: the services outside, and what clients were told.

    Attributes:
        now_ms: the time.
        answers: see `tests.torture.journal.Journal`; likewise `ends`, `canceled` and `heard`.
        restocked: product to pieces that clients were told have come.
        waiting: what clients asked and were not answered.
        head: the audit's, as the last commit that came back left it.
        lives: so many processes there were.
        cancels: so many clients change their mind, of all: 0 to 1.
    """

    def __init__(self, seed: int) -> None:
        self.now_ms = START_MS
        self.outside = Providers(Books(), timers=NoTime())
        for name, limit in CUSTOMERS.items():
            self.outside.set_limit(name, limit)
        self.carrier = Carrier(None)
        self.answers: dict[str, list[str]] = {}
        self.ends: dict[str, str] = {}
        self.canceled: set[str] = set()
        self.heard: set[str] = set()
        self.restocked: Counter[str] = Counter()
        self.waiting: list[Sequence[Asked]] = [[one] for one in opening()]
        self.head = GENESIS
        self.lives = 0
        self.cancels = CANCELS
        self._seed = seed
        self._asked = 0

    def ask(self, chance: random.Random) -> None:
        """Let clients ask: something new, or what they were answered already."""
        while len(self.waiting) < chance.randrange(1, WAITING_MAX):
            number = chance.randrange(1, self._asked) if self._asked > 1 and chance.random() < ASKS_AGAIN else 0
            self._asked += not number
            self.waiting.append(wanted(self._seed, number or self._asked))

    def answer(self, one: Asked, *answer: str) -> None:
        """Answer a client.

        Raises:
            BrokenPromise: it was answered otherwise before.
        """
        is_new = one.key not in self.answers
        before = self.answers.setdefault(one.key, list(answer))
        demand(before == list(answer), f"key {one.key} was answered {before}, and now {answer}")
        if is_new and one.command is RESTOCKED:
            self.restocked[one.entity_id] += one.asked

    def serve(self, asking: Outgoing) -> Deliver:
        """Let a participant do what it is asked, and give its answer."""
        step, request = asking[0], asking[1].request
        client = {PAYMENT: self.outside, SHIPPING: self.outside, CARRIER: self.carrier}[step.service]
        function = step.function(request.kind)
        assert function is not None, "only what a step has is asked"
        answer = at_once(function(client, request.body, request.call))
        said = storable(outcome_of(answer, request, step), request.step)
        return Deliver(request.saga_id, Answered(request.step, request.kind, said, request.call.attempt))

    def world(self, store: Store) -> World:
        """Return everything that is looked at when it is at rest."""
        return World(store, self.outside.books, self.carrier, self, self.restocked)


class Wish(NamedTuple):
    """A task, and what its reply is to somebody."""

    task: Task
    told: Callable[[Any], None]


class Process:
    """One process: a coordinator on a store, until something ends it."""

    def __init__(
        self, store: Store, outer: Outer, chance: random.Random, make: type[Coordinator] = Coordinator
    ) -> None:
        """Start.

        Args:
            store: as the process before left it.
            outer: everything else.
            chance: draws what happens.
            make: the coordinator's class; another one for a planted bug.
        """
        outer.lives += 1
        outer.now_ms += chance.randrange(1, 50)
        self._store = store
        self._outer = outer
        self._chance = chance
        self._coordinator = make(store, SAGAS.values(), COMMANDS, now_ms=outer.now_ms, prefix=f"l{outer.lives}")
        self._sent: list[Outgoing] = []
        self._wishes: list[Wish] = []

    def work(self, turns: int) -> None:
        """Take some turns, with clients that ask and participants that answer, late, or never."""
        for _ in range(turns):
            self._outer.ask(self._chance)
            self._ask(self._outer.waiting[: self._chance.randrange(1, WAITING_MAX)])
            self._chance.shuffle(self._sent)
            self._serve(self._chance.randrange(len(self._sent) + 1), IS_LOST)
            self._tell(self._chance.random())
            self._turn()

    def rest(self, at_a_time: int = ALL) -> None:
        """Take turns until nothing is on its way any more.

        Args:
            at_a_time: so many clients ask in one turn, and so many requests are served.

        Raises:
            BrokenPromise: it does not come to rest.
        """
        for _ in range(TURNS_TO_REST):
            self._ask(self._outer.waiting[:at_a_time])
            self._serve(min(len(self._sent), at_a_time), 0)
            self._tell(1)
            due_ms = self._turn()
            if not (self._sent or self._wishes or self._outer.waiting or self._outer.carrier.untold()):
                if due_ms is None:
                    return
                self._outer.now_ms = max(self._outer.now_ms, due_ms)
        raise BrokenPromise(f"no rest after {TURNS_TO_REST} turns: {dict(self._store.counts())}")

    def _ask(self, waiting: Sequence[Sequence[Asked]]) -> None:
        for asked in waiting:
            first = asked[0]
            if first.command is not None:
                task: Task = ExecuteCommand(first.command, first.entity_id, first.asked, [first.key])
            else:
                codec = self._coordinator.definitions.codec_of(SAGAS[first.kind])
                task = StartSagas(codec, [one.asked for one in asked], [one.key for one in asked])
            self._wishes.append(Wish(task, partial(self._answered, asked)))

    def _serve(self, count: int, lost: float) -> None:
        """Let participants serve some requests: of these some never come, and some answers do not."""
        for asking in [self._sent.pop() for _ in range(count)]:
            fate = self._chance.random()
            if fate >= lost:
                hear = self._outer.serve(asking)
                if fate >= 2 * lost:
                    self._wishes.append(Wish(hear, _nothing))

    def _tell(self, share: float) -> None:
        """Let the carrier tell what became of some of its parcels."""
        for saga_id in self._outer.carrier.untold():
            if self._chance.random() < share:
                said = Answered("CARRIER_BOOKED", Kind.DO, self._outer.carrier.answer_of(saga_id))
                self._wishes.append(Wish(Deliver(saga_id, said), partial(self._told, saga_id)))

    def _turn(self) -> int | None:
        """Take a turn, and let everybody know what came back."""
        self._outer.now_ms += self._chance.randrange(1, 20)
        turn = drive(self._coordinator.turn([wish.task for wish in self._wishes], self._outer.now_ms), self._store)
        self._outer.head = self._store.head().head
        wishes, self._wishes = self._wishes, []
        for wish, reply in zip(wishes, turn.replies, strict=True):
            wish.told(reply)
        self._sent += turn.sends
        for saga_id, run in turn.ended.items():
            demand(saga_id not in self._outer.ends, f"{saga_id} ended twice")
            self._outer.ends[saga_id] = status_of(run.state)
        return turn.due_ms

    # What those who asked are told ----------------------------------------------------------------------------

    def _answered(self, asked: Sequence[Asked], reply: Any) -> None:
        if asked in self._outer.waiting:
            self._outer.waiting.remove(asked)
        for one, begun in zip(asked, reply if isinstance(reply, list) else [reply], strict=True):
            if one.command is not None:
                self._outer.answer(one, "refused", begun.reason) if begun else self._outer.answer(one, "done", "")
            elif isinstance(begun, RequestRefused):
                self._outer.answer(one, "refused", str(begun))
            else:
                saga_id = begun.saga_id if isinstance(begun, SagaInstance) else begun
                self._outer.answer(one, "saga", saga_id)
                self._cancel(saga_id)

    def _cancel(self, saga_id: str) -> None:
        if self._chance.random() < self._outer.cancels:
            self._wishes.append(Wish(Deliver(saga_id, Cancel("changed my mind")), self._canceled))

    def _canceled(self, reply: Any) -> None:
        if isinstance(reply, SagaInstance):
            self._outer.canceled.add(reply.saga_id)

    def _told(self, saga_id: str, reply: Any) -> None:
        demand(isinstance(reply, SagaInstance), f"the answer to parcel {saga_id} was refused: {reply}")
        self._outer.heard.add(f"{saga_id}/CARRIER_BOOKED/do")
        if TOLD not in self._outer.carrier.book_of[saga_id]:
            self._outer.carrier.book_of[saga_id].append(TOLD)


def _nothing(reply: Any) -> None:
    """A participant that answered does not want to know more."""
