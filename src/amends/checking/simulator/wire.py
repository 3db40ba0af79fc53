"""Participants outside, and the way to them: everything that can happen to a call.

Participants keep books of their own, which outlive every process of ours; what is on its way when a process crashes
still arrives, and takes effect.
"""

from __future__ import annotations

from collections import Counter
from math import isinf
from typing import Any, Final

from amends.checking.models import KEEPS_INBOX, Effect, SystemReply, put, replies_of
from amends.checking.simulator.clock import DRIFT_PPM, MILLION
from amends.checking.simulator.environment import Environment, Process
from amends.checking.simulator.sightings import Sightings
from amends.checking.simulator.swarm import HOUR_MS, MINUTE_MS
from amends.core.definition import Step
from amends.core.effects import Send
from amends.core.messages import Answered, Call, Done, Kind, Outcome, Refused, Request, Unknown
from amends.core.waiting import milliseconds
from amends.core.walk import key_of
from amends.engine.in_flight import attempt_id_of
from amends.errors import AmendsError, EngineStopped

QUICK_MS: Final = 20  # a call within a data centre, or an answer
DOWN_MS: Final = (10_000, 2 * MINUTE_MS, HOUR_MS, 30 * HOUR_MS)
LATER_MS: Final = (
    1_000,
    20_000,
    59_000,
    61_000,
    5 * MINUTE_MS,
)  # around the minute that a participant that answers later says
TOO_LATE: Final = 3  # of these, the first that is
LATE_ATTEMPTS: Final = 3  # a request without a known end of its effects is late by so many limits at most
AGAIN_MS: Final = 1_000  # after which a webhook comes again that was not taken
BROKEN, LOST, SLOW, LATE, DOUBLED = range(1, 6)
LOST_ANSWER, FAILED_ANSWER, REPEATED = range(1, 4)


class SimulatedWire:
    """The way to every participant outside.

    Attributes:
        flying: idempotency key and kind to how many requests are on their way.
    """

    def __init__(self, world: Environment, sightings: Sightings) -> None:
        self._world = world
        self._sightings = sightings
        self.flying: Counter[tuple[str, Kind]] = Counter()
        self._books: dict[str, Any] = {name: model.start for name, model in world.setting.models.items()}
        self._down_until_ms: dict[str, int] = {}
        self._undone: dict[str, None] = {}
        self._set_weights()

    def heal(self) -> None:
        """From now on nothing is lost, late or down; what is on its way is."""
        self._down_until_ms.clear()
        self._set_weights()

    def _set_weights(self) -> None:
        swarm = self._world.swarm
        self._there = (swarm.broken, swarm.lost_request, swarm.slow, swarm.late, swarm.doubled)
        self._back = (swarm.lost_answer, swarm.failed_answer, swarm.repeated)

    # There ----------------------------------------------------------------------------------------------------

    def call(self, host: Process, step: Step, send: Send) -> None:
        """Call a participant."""
        world, request = self._world, send.request
        label = f"{request.saga_id}/{step.event}/{request.kind.value}"
        fate = self._fate(label, step)
        world.tell(f"engine {host.life}", f"asks {step.service}: {_words(request)}{_FATES[fate]}")
        if fate == BROKEN:
            self._returns(host, step, send, Unknown("ConnectionError: cannot be reached"), 1)
        elif fate == LOST:
            world.saw("a request lost")
        else:
            self._departs(host, step, send, label, self._delay_ms(label, step, fate))
            if fate == DOUBLED and world.setting.takes_doubles(step):
                self._departs(host, step, send, label, self._delay_ms(label, step, SLOW))
                world.saw("a request arrived twice")

    def _fate(self, label: str, step: Step) -> int:
        world = self._world
        if self._down_until_ms.get(step.service, 0) <= world.now_ms and world.chance.hit(label, world.swarm.down):
            pause_ms = min(DOWN_MS[world.chance.below(label, len(DOWN_MS))], world.setting.outlasts_ms(step))
            self._down_until_ms[step.service] = world.now_ms + pause_ms
            world.tell(step.service, f"is down for {pause_ms // 1000} s")
            world.saw("a participant down for long")
        fate = world.chance.pick(label, self._there)
        if self._down_until_ms.get(step.service, 0) > world.now_ms:
            fate = BROKEN
        if fate == BROKEN:
            world.saw("a call failed")
        return fate

    def _delay_ms(self, label: str, step: Step, fate: int) -> int:
        limit_ms, below = milliseconds(step.timeout_s), self._world.chance.below
        if fate == SLOW:
            return min(limit_ms // 2 + below(label, max(limit_ms // 2, 1)), self._settles_ms(step))
        if fate == LATE:
            more_ms = max(self._settles_ms(step) - limit_ms, 1)
            return min(limit_ms + below(label, more_ms), self._settles_ms(step))
        return 1 + below(label, min(QUICK_MS, max(limit_ms - 1, 1)))

    def _settles_ms(self, step: Step) -> int:
        """The latest moment at which a request takes effect, from its sending on."""
        if step.settles_within_s is None:
            return LATE_ATTEMPTS * milliseconds(step.timeout_s)
        settles_ms = milliseconds(step.settles_within_s)
        return settles_ms - settles_ms * DRIFT_PPM // MILLION - 1  # by any host's clock

    def _on_its_way_ms(self, step: Step, request: Request) -> int:
        """How long ago a saga elsewhere sent a request at most, by any clock: its participant counts from then."""
        if isinf(request.call.deadline):
            return 0
        sent_s = request.call.deadline - step.timeout_s - self._world.setting.skew_s
        return max(self._world.now_ms - milliseconds(sent_s), 0)

    def _departs(self, host: Process, step: Step, send: Send, label: str, delay_ms: int) -> None:
        self.flying[send.request.call.key, send.request.kind] += 1
        left_ms = max(self._settles_ms(step) - self._on_its_way_ms(step, send.request), 1)
        self._world.after(min(delay_ms, left_ms), self._arrives, host, step, send, label)

    # At the participant's -------------------------------------------------------------------------------------

    def _arrives(self, host: Process, step: Step, send: Send, label: str) -> None:
        request, world = send.request, self._world
        self.flying[request.call.key, request.kind] -= 1
        reply = self._reply(request, step, label)
        world.tell(step.service, f"{_words(request)}: {reply.note}")
        self._meet_tombstones(request, step, reply)
        self._take_effect(request, step, reply)
        if reply.later is not None:
            self._answer_later(request, reply.later, label)
        if reply.outcome is None:
            world.saw("an answer lost")
            return
        fate = world.chance.pick(label, self._back)
        if fate == LOST_ANSWER:
            world.saw("an answer lost")
            world.tell(step.service, f"its answer to {_words(request)} is lost")
            return
        outcome = Unknown("ConnectionError: reset by peer") if fate == FAILED_ANSWER else reply.outcome
        self._returns(host, step, send, outcome, 1 + world.chance.below(label, QUICK_MS))
        if fate == REPEATED:
            self._returns(host, step, send, outcome, QUICK_MS + world.chance.below(label, 1000))

    def _reply(self, request: Request, step: Step, label: str) -> SystemReply:
        world, books = self._world, self._books[step.service]
        replies = replies_of(world.setting.models[step.service], books, request, step)
        if world.chance.hit(label, world.swarm.whim):
            possible = [*replies]
            return possible[world.chance.below(label, len(possible))]
        return next(replies)

    def _meet_tombstones(self, request: Request, step: Step, reply: SystemReply) -> None:
        if self._world.setting.models[step.service].name != KEEPS_INBOX:
            return
        action = key_of(request.saga_id, step, Kind.DO)
        if request.kind is Kind.UNDO:
            self._undone[action] = None
        elif request.kind is Kind.DO and action in self._undone and not self.stands(request.saga_id, step):
            if reply.books != self._books[step.service]:
                self._world.broke("V05", f"{request.saga_id}: {step.event} took effect after it was undone")
            self._world.saw("a late action met its tombstone")

    def _take_effect(self, request: Request, step: Step, reply: SystemReply) -> None:
        service = step.service
        if reply.books is self._books[service] or reply.books == self._books[service]:
            return
        before = self.stands(request.saga_id, step)
        self._books[service] = reply.books
        after = self.stands(request.saga_id, step)
        if before is None or after is None:
            return
        if after > 1 and after > before and not step.at_least_once:
            self._world.broke("V04", f"{request.saga_id}: {step.event} stands {after} times")
        if after < before:
            self._is_in_order(request, step)

    def _is_in_order(self, request: Request, step: Step) -> None:
        group_of = self._world.setting.group_of
        for later in self._world.setting.saga_of[step.event].every_step():
            is_later = group_of[later.event] > group_of[step.event] and not (later.is_local or later.at_least_once)
            if is_later and self.stands(request.saga_id, later):
                self._world.broke("V06", f"{request.saga_id}: {step.event} was undone while {later.event} stands")

    def stands(self, saga_id: str, step: Step) -> int | None:
        """How often a step's effect stands by the participant's books; ``None`` when they do not say."""
        standing = None if step.wait is not None else self._world.setting.models[step.service].standing
        if standing is None:
            return None
        return standing(self._books[step.service]).count(key_of(saga_id, step, Kind.DO))

    # Back -----------------------------------------------------------------------------------------------------

    def _returns(self, host: Process, step: Step, send: Send, outcome: Outcome, delay_ms: int) -> None:
        request = send.request
        said = Answered(request.step, request.kind, outcome, request.call.attempt)
        self._world.after(delay_ms, host.hear, request.saga_id, said, attempt_id_of(send), step.service)

    def _answer_later(self, request: Request, outcome: Outcome, label: str) -> None:
        chance, world = self._world.chance, self._world
        if chance.hit(label, world.swarm.lost_answer):
            return
        place = chance.below(label, len(LATER_MS))
        said = Answered(request.step, request.kind, outcome)
        world.after(LATER_MS[place], self._deliver, request.saga_id, said, place >= TOO_LATE)
        if chance.hit(label, world.swarm.repeated):
            world.after(LATER_MS[place] + AGAIN_MS, self._deliver, request.saga_id, said, place >= TOO_LATE)

    def _deliver(self, saga_id: str, said: Answered, too_late: bool) -> None:
        """As `Engine.answer` does; the webhook comes again until it is taken."""
        world = self._world
        world.tell("webhook", f"{saga_id} {said.step}/{said.kind.value}: {type(said.outcome).__name__.lower()}")

        def reply(answer: Any) -> None:
            if isinstance(answer, EngineStopped):
                world.when_up(self._deliver, saga_id, said, too_late)
            elif isinstance(answer, AmendsError):
                world.after(AGAIN_MS, self._deliver, saga_id, said, too_late)
            else:
                world.saw("answered later, but too late" if too_late else "answered later")

        if not world.gateway.deliver(saga_id, said, reply):
            world.when_up(self._deliver, saga_id, said, too_late)

    # What an operator does ------------------------------------------------------------------------------------

    def truth(self, saga_id: str, step: Step, kind: Kind, row_request: Any) -> Done | Refused | None:
        """What became of a request, as an operator finds out by telephone; ``None`` while that cannot be known.

        An undo that was not done is done by hand, as is an action that the saga cannot do without, where the books of
        the model can be written by hand.
        """
        key = key_of(saga_id, step, kind)
        if self.flying[key, kind] or self.flying[key_of(saga_id, step, Kind.DO), Kind.DO]:
            return None
        stands = self.stands(saga_id, step)
        if stands is None:
            return None
        setting = self._world.setting
        if kind is Kind.DO and not stands and setting.group_of[step.event] > setting.saga_of[step.event].pivot:
            return Done() if self._done_by_hand(saga_id, step) else None
        if kind is not Kind.UNDO:
            return Done(self._receipt(saga_id, step, row_request)) if stands else Refused("an operator looked")
        return Done() if not stands or self._undone_by_hand(saga_id, step) else None

    def _receipt(self, saga_id: str, step: Step, row_request: Any) -> Any:
        request = Request(saga_id, step.event, Kind.PROBE, row_request, Call(key_of(saga_id, step, Kind.DO)))
        reply = next(self._world.setting.models[step.service].replies(self._books[step.service], request, step))
        return reply.outcome.answer if isinstance(reply.outcome, Done) else None

    def _undone_by_hand(self, saga_id: str, step: Step) -> bool:
        return self._write(saga_id, step, lambda effect: effect._replace(undone=effect.done))

    def _done_by_hand(self, saga_id: str, step: Step) -> bool:
        books = self._books[step.service]
        if not isinstance(books, tuple) or not all(isinstance(effect, Effect) for effect in books):
            return False
        self._books[step.service] = put(books, Effect(key_of(saga_id, step, Kind.DO), done=1))
        return True

    def lift(self, saga_id: str, step: Step) -> bool:
        """Have a participant take back that it declined."""
        return self._write(saga_id, step, lambda effect: effect._replace(refused=False))

    def _write(self, saga_id: str, step: Step, change: Any) -> bool:
        books, key = self._books[step.service], key_of(saga_id, step, Kind.DO)
        for effect in books if isinstance(books, tuple) else ():
            if isinstance(effect, Effect) and effect.key == key:
                self._books[step.service] = put(books, change(effect))
                return True
        return False


_FATES: Final = ("", ", and cannot reach it", ", and the request is lost", ", slowly", ", late", ", twice")


def _words(request: Request) -> str:
    return f"{request.saga_id} {request.step}/{request.kind.value} #{request.call.attempt}"
