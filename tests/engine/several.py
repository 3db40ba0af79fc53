"""Several engines on one database in memory: hosts that take whole turns, one after the other, and a card company."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amends import Done, Refused, Saga
from amends.adapters.memory import MemoryStore
from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.mailbox import MemoryMailbox
from amends.adapters.memory.ownership import MemoryOwnership
from amends.core.messages import Answered, Kind
from amends.core.step import SagaInstance
from amends.engine.batch import BatchResult
from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import Outgoing, attempt_id_of
from amends.engine.letters import LettersToActOn
from amends.engine.ownership import ShardKeeper
from amends.engine.task import Task, Unfinished
from amends.engine.tasks import Deliver, StartSagas
from amends.engine.turn_io import drive
from amends.errors import LeaseLost
from amends.storage.codecs.sagas import definition_of
from amends.storage.codecs.values import text_of
from amends.storage.letters import start_letter
from amends.storage.rows import FINAL, Letter, SagaRow
from tests.engine.world import START_MS, Buy, tickets

LEASE_MS = 6_000
LETTERS_MAX = 20


class Card:
    """A card company: it does once what comes under a key, and remembers what it said; a seat costs one.

    Attributes:
        charged: what each key came to.
        calls: (engine, saga, kind, attempt) of each call that came.
    """

    def __init__(self) -> None:
        self.charged: dict[str, int] = {}
        self.calls: list[tuple[str, str, str, int]] = []
        self.refuses: set[str] = set()

    def serve(self, engine: str, outgoing: Outgoing) -> Answered:
        """Serve a request."""
        request = outgoing[1].request
        self.calls.append((engine, request.saga_id, request.kind.value, request.call.attempt))
        seats = self.charged.setdefault(request.call.key, self._charge(request))
        refused = request.kind is Kind.DO and not seats
        return Answered(request.step, request.kind, Refused("no money") if refused else Done(), request.call.attempt)

    def _charge(self, request: Any) -> int:
        """What a new request comes to; an undo gives back what its action took, or keeps it from being done later."""
        if request.kind is Kind.DO:
            return 0 if request.saga_id in self.refuses else int(request.body.seats)
        return -self.charged.setdefault(request.call.key.replace("/undo", "/do"), 0)

    @property
    def total(self) -> int:
        """What was charged, less what was given back."""
        return sum(self.charged.values())


def _salts(size: int) -> bytes:
    """Salts that repeat themselves; zeros would mean that a value was erased."""
    return b"s" * size


class House:
    """A database, a card company, and the engines that were started on it."""

    def __init__(self, *, lock_timeout_s: float = 0) -> None:
        self.now_ms = START_MS
        self.database = MemoryDatabase(lambda: self.now_ms, lock_timeout_s=lock_timeout_s)
        self.store, self.mailbox = MemoryStore(self.database), MemoryMailbox(self.database)
        self.ownership, self.card, self.saga = MemoryOwnership(self.database), Card(), tickets()
        self.hosts: list[Host] = []
        self.moved: list[tuple[str, str]] = []

    def host(self, name: str, **options: Any) -> Host:
        """Start an engine."""
        host = Host(self, name, **options)
        self.hosts.append(host)
        return host

    def pass_ms(self, ms: int, *, of_hosts: Sequence[Host] | None = None, step_ms: int = 500) -> None:
        """Let time pass, in which hosts work: all, or those that are given."""
        for _ in range(ms // step_ms):
            self.now_ms += step_ms
            for host in self.hosts if of_hosts is None else of_hosts:
                host.work()

    def post(self, key: str, buy: Buy, saga_id: str = "") -> Letter:
        """Have a client start a saga."""
        saga_id = saga_id or f"client-{key}"
        definition = self.hosts[0].coordinator.definitions.codec_of(self.saga).definition
        letter = start_letter(key, saga_id, definition, text_of(buy), self.now_ms)
        self.mailbox.post([letter])
        return letter

    def rows(self) -> list[SagaRow]:
        """Return every saga."""
        return [*self.database.sagas.values()]

    @property
    def is_at_rest(self) -> bool:
        """Whether every saga is over, and every letter was acted on."""
        return not self.database.letters and all(row.status in FINAL for row in self.rows())


class Host:
    """A process: a coordinator, its shards, a clock, and calls that it has made.

    Attributes:
        is_alive: whether it works.
        holds_calls: whether its calls get no answer for now.
        waiting: requests that are called, and not answered yet.
    """

    def __init__(
        self,
        house: House,
        name: str,
        *,
        clock_off_ms: int = 0,
        drain_ms: int = 2 * LEASE_MS,
        lease_ms: int = LEASE_MS,
        sagas: Sequence[Saga] = (),
    ) -> None:
        self.house, self.name, self._off_ms = house, name, clock_off_ms
        self.store = MemoryStore(house.database)
        self.is_alive, self.holds_calls = True, False
        self.waiting: list[Outgoing] = []
        given = sagas or [house.saga]
        lease = house.ownership.enter(name, lease_ms, [*map(definition_of, given)])
        self.coordinator = Coordinator(self.store, given, now_ms=house.now_ms, prefix=name, salts=_salts)
        self.letters = LettersToActOn(self.coordinator.left_alone)
        self.keeper = ShardKeeper(self.coordinator, lease, self.elapsed_ms, lease_ms=lease_ms, drain_ms=drain_ms)

    @property
    def now_ms(self) -> int:
        """The store's time, as it reckons it."""
        return self.keeper.clock.now_ms(self.elapsed_ms)

    @property
    def elapsed_ms(self) -> int:
        """Its clock."""
        return self.house.now_ms + self._off_ms

    @property
    def shards(self) -> set[int]:
        """Those that it moves."""
        return {*self.coordinator.shards.all}

    def keep(self) -> None:
        """See to its shards."""
        dropped = drive(self.keeper.step(self.elapsed_ms), self.store)
        for attempt_id in dropped:
            self.coordinator.departed.pop(attempt_id, None)
        self.waiting = [outgoing for outgoing in self.waiting if attempt_id_of(outgoing[1]) not in dropped]

    def work(self) -> None:
        """See to its shards where it is time, take a turn, and call the card company."""
        if not self.is_alive:
            return
        if self.keeper.next_ms <= self.elapsed_ms:
            self.keep()
        self.act_on_letters()
        self.call()

    def act_on_letters(self, letters: Sequence[Letter] | None = None) -> BatchResult:
        """Take a turn with the letters to its shards, or with those that are given."""
        if letters is None:
            tasks = self.letters.read(self.house.mailbox, self.shards, LETTERS_MAX)
        else:
            tasks = self.letters.tasks(letters)
        result = self.turn(*tasks)
        self.house.mailbox.remove(self.letters.removable(tasks, result.replies))
        return result

    def turn(self, *tasks: Task) -> BatchResult:
        """Take a turn."""
        before = {name: row.version for name, row in self.house.database.sagas.items()}
        result = drive(self.coordinator.turn(tasks, self.now_ms), self.store)
        assert not any(isinstance(reply, Unfinished) for reply in result.replies)
        changed = [row.saga_id for row in self.house.rows() if before.get(row.saga_id) != row.version]
        self.house.moved += [(self.name, saga_id) for saga_id in changed]
        self.waiting += result.sends
        for attempt_id in result.dropped:
            self.coordinator.departed.pop(attempt_id, None)
        return result

    def begin(self, *asked: Buy) -> list[Any]:
        """Start sagas."""
        codec = self.coordinator.definitions.codec_of(self.house.saga)
        (reply,) = self.turn(StartSagas(codec, asked)).replies
        return [reply] if isinstance(reply, Exception) else list(reply)

    def call(self) -> None:
        """Send what waits, while the lease holds, and hear the answers."""
        if not self.keeper.may_send(self.elapsed_ms):
            return
        for outgoing in self.waiting:
            self.coordinator.departed[attempt_id_of(outgoing[1])] = self.now_ms
        if self.holds_calls:
            return
        waiting, self.waiting = self.waiting, []
        for outgoing in waiting:
            said = self.house.card.serve(self.name, outgoing)
            self.turn(Deliver(outgoing[1].request.saga_id, said))

    def die(self) -> None:
        """End, as by a kill."""
        self.is_alive = False

    def is_refused(self, *tasks: Task) -> bool:
        """Return whether a turn of it is fenced."""
        try:
            self.turn(*tasks)
        except LeaseLost:
            return True
        return False


def run_of(house: House, saga_id: str) -> SagaInstance:
    """Return a saga as its row says it."""
    codec = house.hosts[0].coordinator.definitions.codec_of(house.saga)
    return codec.run_of(house.database.sagas[saga_id])


def seats_left(house: House, show: str) -> int:
    """Return how many seats of a show are free: of 10 at first."""
    row = house.database.entities.get(("SEATS", show))
    return 10 if row is None or row.body is None else int(row.body)
