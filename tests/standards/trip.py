"""A trip, as both standards have it: three bookings outside, of which two are made at once, and a confirmation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amends import Call, Done, Saga, external, local, parallel
from amends.adapters.memory import MemoryStore
from amends.core.effects import Send
from amends.core.messages import Outcome
from amends.engine.batch import BatchResult
from tests.engine.world import Life, names

HOUR_MS = 3_600_000


async def book(_client: Any, _name: str, _call: Call) -> Done:
    """Stand for a participant whose answers a test gives."""
    return Done()


def booking(name: str, **more: Any) -> Any:
    """Return a step that books something, and its undo."""
    return external(f"{name}_BOOKED", book, undo=book, undone=f"{name}_CANCELED", **more)


CONFIRMED = local("TRIP_CONFIRMED", lambda _, name: name, entity=str, pivot=True)
TOLD = external("GUEST_TOLD", book)


def trip(**options: Any) -> Saga:
    """Return a flight, then hotel and car at once, then the confirmation, then a mail."""
    steps = [booking("FLIGHT"), parallel(booking("HOTEL"), booking("CAR")), CONFIRMED, TOLD]
    return Saga("trip", str, steps, **options)


class Trip(Life):
    """A trip under way, in a process that can be replaced by another one."""

    def __init__(self, saga: Saga | None = None, store: MemoryStore | None = None, **more: Any) -> None:
        super().__init__(store or MemoryStore(), saga or trip(), **more)
        self.sent: list[str] = []
        self.asked: dict[str, Send] = {}

    def turn(self, *tasks: Any, after_ms: int = 1) -> BatchResult:
        """Take a turn, and note what it sends."""
        turn = super().turn(*tasks, after_ms=after_ms)
        self.sent += names(turn)
        self.asked |= {f"{send.request.step}/{send.request.kind.value}": send for _, send in turn.sends}
        return turn

    def say(self, outcome: Outcome, *requests: str) -> None:
        """Answer what was asked last of each of these steps, ``STEP/kind``."""
        for request in requests:
            self.answer(self.asked[request], outcome)

    def booked(self, *events: str) -> Trip:
        """Start, and let these be done."""
        self.begin("ann")
        self.say(Done(), *(f"{event}/do" for event in events))
        return self

    def later(self, **more: Any) -> Trip:
        """Return another process on the same store, some time later, which has looked at what it finds."""
        following = Trip(self.saga, self.store, prefix="b", now_ms=self.now_ms + 50, **more)  # type: ignore[arg-type]  # it is a memory's
        following.turn()
        return following

    def wait(self, sends: int = 1) -> Sequence[str]:
        """Let the time pass until so much was sent, or nothing is due any more; return what was."""
        before = len(self.sent)
        for _ in range(10 * sends):
            if self.due_ms is None or len(self.sent) - before >= sends:
                break
            self.turn(after_ms=max(1, self.due_ms - self.now_ms))
        return self.sent[before:]
