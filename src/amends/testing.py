"""Saga tests that read as dialogues: this goes out, this answer comes back, this compensation goes out.

The test plays every participant, and the clock; nothing is called and nothing waits. Each expectation that does not
hold raises an ``AssertionError`` with the dialogue so far.

Example:
    ::

        from amends.testing import do, given, undo

        def test_a_full_flight_gives_back_the_room() -> None:
            dialogue = given(trip, request).asks(do("HOTEL_BOOKED"), do("FLIGHT_BOOKED"))
            dialogue = dialogue.done("HOTEL_BOOKED", "h-1").refused("FLIGHT_BOOKED", "full")
            dialogue.asks(undo("HOTEL_BOOKED", answer="h-1")).done("HOTEL_BOOKED").compensated(because="full")

A dialogue is a value: every method gives a new one, so that several tests can go on from one beginning.

The rules of the game:
    - What goes out has to be said, with `Dialogue.asks`, before anything else happens; but for time that passes.
    - Only what was asked and is still waited for can be answered. What comes too late, or twice, is said with
      `Dialogue.late` and `Dialogue.again`.
    - Time moves only where the test says so. A retry that backs off goes out when `Dialogue.asks` expects it, or when
      `Dialogue.passes` gets there.

A test of an engine that runs moves its time with a `ManualClock`: ``amends.open(..., clock=clock)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn, Self

from amends.core.definition import Saga
from amends.core.effects import CallOperator, Contradicted, Decline, Effect, Send, Write
from amends.core.messages import (
    Abandon,
    Answered,
    Cancel,
    Compensate,
    DeadlinePassed,
    Done,
    Input,
    Kind,
    Later,
    Outcome,
    Refused,
    Request,
    Resolve,
    Retry,
    TimedOut,
    Undo,
    Unknown,
    Verb,
)
from amends.core.state import (
    Abandoned,
    Backward,
    Compensated,
    Completed,
    Forward,
    NeedsOperator,
    awaited,
    member_of,
    underway,
)
from amends.core.step import SagaInstance, in_words, start, step
from amends.engine.manual_clock import ManualClock
from amends.engine.round_trip import round_trip_of
from amends.errors import ParticipantError
from amends.storage.children import children_of
from amends.storage.words import change_in_words

__all__ = ["Ask", "Dialogue", "ManualClock", "do", "given", "probe", "undo", "undo_late"]

SECOND_MS: Final = 1000
LINES_SHOWN: Final = 40  # of a dialogue that fails: a screen


class _Anything:
    """What an `Ask` does not look at."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


ANYTHING: Final[Any] = _Anything()
DETAILS: Final = ("attempt", "answer", "answers", "key", "reason")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a participant is asked; built by `do`, `undo` and `probe`. What is not given is not looked at.

    Attributes:
        kind: to do, to undo, or to look.
        step: event name of the step.
        attempt: number of the attempt.
        answer: of an undo: what its action answered.
        answers: what the groups before answered.
        key: the idempotency key.
        reason: of an undo or a probe on the way back: why the saga turned back.
    """

    kind: Kind
    step: str
    attempt: int = ANYTHING
    answer: Any = ANYTHING
    answers: Mapping[str, Any] = ANYTHING
    key: str = ANYTHING
    reason: str = ANYTHING

    def __str__(self) -> str:
        return self.shown(self.details())

    def details(self) -> set[str]:
        """The names of the details that are looked at."""
        return {name for name in DETAILS if getattr(self, name) is not ANYTHING}

    def telling(self) -> set[str]:
        """The names of the details that say more than that this is a first, plain request."""
        plain: dict[str, Any] = {"attempt": 1, "answer": None, "answers": {}, "key": self.key, "reason": self.reason}
        return {name for name in self.details() if getattr(self, name) != plain[name]}

    def shown(self, details: Iterable[str]) -> str:
        """The request as the test writes it, with these details."""
        named = [f"{name}={getattr(self, name)!r}" for name in DETAILS if name in details]
        name = self.kind.value.replace("-", "_")
        return f"{name}({', '.join([repr(self.step), *named])})"


def do(step: str, *, attempt: int = ANYTHING, answers: Mapping[str, Any] = ANYTHING, key: str = ANYTHING) -> Ask:
    """A participant is asked to act."""
    return Ask(Kind.DO, step, attempt, ANYTHING, answers, key)


def undo(
    step: str,
    *,
    answer: Any = ANYTHING,
    attempt: int = ANYTHING,
    answers: Mapping[str, Any] = ANYTHING,
    key: str = ANYTHING,
    reason: str = ANYTHING,
) -> Ask:
    """A participant is asked to undo.

    Args:
        step: event name of the step.
        answer: what its action answered, or what the probe found.
        attempt: number of the attempt.
        answers: what the groups before answered.
        key: the idempotency key.
        reason: why the saga turned back.
    """
    return Ask(Kind.UNDO, step, attempt, answer, answers, key, reason)


def undo_late(step: str, *, answer: Any = ANYTHING, key: str = ANYTHING, reason: str = ANYTHING) -> Ask:
    """A participant is asked to undo what is owed, by an operator's word; `answer` is what came too late."""
    return Ask(Kind.UNDO_LATE, step, ANYTHING, answer, ANYTHING, key, reason)


def probe(step: str, *, attempt: int = ANYTHING, key: str = ANYTHING, reason: str = ANYTHING) -> Ask:
    """A participant is asked whether its action took effect."""
    return Ask(Kind.PROBE, step, attempt, ANYTHING, ANYTHING, key, reason)


def given(saga: Saga, request: Any = None, *, saga_id: str = "saga-1") -> Dialogue:
    """Start a saga, at 0 s.

    Args:
        saga: the definition.
        request: the saga's request.
        saga_id: goes into the idempotency keys.

    Raises:
        ParticipantError: the request would be read back from a store as another one; so do the methods that take an
            answer.
    """
    stored = None if request is None else round_trip_of(saga).request(request)  # a test may be about no request
    run, effects = start(saga, saga_id, stored)
    first_line = f"{_clock(0)}  given {saga.name}: {request!r}"
    return Dialogue(run, transcript=(first_line,))._with(effects)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """What was said to a saga and what went out so far, under a test's clock; `Dialogue` has the words for a test.

    Attributes:
        run: the saga as it stands.
        now_ms: the test's clock.
        transcript: one line for each thing that happened.
    """

    run: SagaInstance
    now_ms: int = 0
    transcript: tuple[str, ...] = ()
    _out: tuple[Send, ...] = ()
    _held: tuple[Send, ...] = ()
    _answered: tuple[Answered, ...] = ()
    _alerted: bool = False

    def _takes(self, said: Input, *, checked: bool = True) -> Self:
        if checked:
            self._check_all_said()
        said = _as_read(self.run.saga, said)
        run, effects = step(self.run, said, self.now_ms)
        answered = (*self._answered, said) if isinstance(said, Answered) else self._answered
        dialogue = replace(self, run=run, _answered=answered)._noted(f"in   {in_words(said)}{_answer(said)}")
        dialogue = dialogue._with(effects)
        for effect in effects:
            if isinstance(effect, Decline):
                dialogue._fail(f"{in_words(said)} to be taken", f"declined: {effect.reason}")
        return dialogue

    def _with(self, effects: Iterable[Effect]) -> Self:
        """The dialogue after a step's effects: what is overtaken is dropped, what is due goes out, the rest is held."""
        dialogue = self
        for effect in effects:
            if isinstance(effect, Decline):
                dialogue = dialogue._noted(f"     declined: {effect.reason}")
            elif isinstance(effect, CallOperator):
                dialogue = replace(dialogue, _alerted=True)._noted(f"     an alert: {_listed(effect.outstanding)}")
            elif isinstance(effect, Contradicted):
                dialogue = dialogue._noted(f"     an operator is told: {effect.words}")
            elif isinstance(effect, Write) and effect.changes:
                dialogue = dialogue._noted(f"     {', '.join(map(change_in_words, effect.changes))}")
        sends = [effect for effect in effects if isinstance(effect, Send)]
        held = sorted([*filter(self.run.wants, self._held), *sends], key=lambda send: send.at_ms)
        return replace(dialogue, _held=tuple(held))._at(self.now_ms)

    def _at(self, now_ms: int) -> Self:
        """The dialogue at a time, with what goes out until then."""
        deadline_ms = min((due_ms for due_ms, said in self.run.timers() if said == DeadlinePassed()), default=now_ms)
        if self.now_ms <= deadline_ms < now_ms:
            self._fail(f"to reach {_clock(now_ms)}", f"the deadline is before, at {_clock(deadline_ms)}")
        dialogue = self
        while dialogue._held and dialogue._held[0].at_ms <= now_ms:
            send, *held = dialogue._held
            dialogue = replace(dialogue, now_ms=max(self.now_ms, send.at_ms), _held=tuple(held))
            dialogue = replace(dialogue, _out=(*dialogue._out, send))._noted(f"out  {_told(send.request)}")
        return replace(dialogue, now_ms=now_ms)

    def _next_ms(self) -> int | None:
        """When something happens by itself."""
        due_ms = [due_ms for due_ms, _ in self.run.timers()]
        return min([max(self.now_ms, moment) for moment in [*due_ms, *(s.at_ms for s in self._held)]], default=None)

    def _waiting_asks(self) -> list[tuple[str, Kind]]:
        run = self.run
        return [(member_of(run.saga, run.state, member).event, kind) for member, kind in awaited(run.state)]

    def _waited_for(self, step: str | Ask) -> Ask:
        name = step.step if isinstance(step, Ask) else step
        _check_steps(self.run.saga, [name])
        for event, kind in self._waiting_asks():
            if event == name and (isinstance(step, str) or step.kind is kind):
                return Ask(kind, event)
        what = str(step) if isinstance(step, Ask) else step
        waiting = (f"{kind.value}({event!r})" for event, kind in self._waiting_asks())
        return self._fail(f"{what} to be waited for", "waited for: " + _listed(waiting))

    def _stands(self, where: type) -> Self:
        self._check_all_said()
        if not isinstance(self.run.state, where):
            self._fail(where.__name__, _where(self.run))
        return self

    def _owes(self, outstanding: tuple[str, ...]) -> Self:
        if self.run.outstanding() != outstanding:
            self._fail("outstanding: " + _listed(outstanding), "outstanding: " + _listed(self.run.outstanding()))
        return self

    def _check_all_said(self) -> None:
        if self._out:
            unsaid = ", ".join(_as_ask(send.request).shown(()) for send in self._out)
            self._fail("nothing unsaid to have gone out", f"say .asks({unsaid}) before this")

    def _noted(self, line: str) -> Self:
        return replace(self, transcript=(*self.transcript, f"{_clock(self.now_ms)}  {line}"))

    def _fail(self, expected: str, got: str) -> NoReturn:
        lines = self.transcript
        if len(lines) > LINES_SHOWN:
            left_out = f"{'':13}({len(lines) - LINES_SHOWN} lines left out; Dialogue.transcript has them)"
            lines = (lines[0], left_out, *lines[1 - LINES_SHOWN :])
        story = "\n".join(f"    {line}" for line in lines)
        raise AssertionError(
            f"expected {expected}\nbut      {got}\n\n{story}\n    {_clock(self.now_ms)}  stands at {_where(self.run)}"
        )


class Dialogue(_Exchange):
    """A saga's conversation with its participants so far; begun by `given`.

    All else can be looked at by its attributes: ``dialogue.run.answers``.
    """

    __slots__ = ()

    # What goes out ------------------------------------------------------------------------------------------------

    def asks(self, *expected: Ask) -> Dialogue:
        """Expect exactly these requests to have gone out since they were asked for last.

        Members of a group go out in the order of the definition. Where fewer went out than are expected, time passes
        until the next retries do; since their pauses are drawn, requests of different moments are said in any order.
        """
        _check_steps(self.run.saga, (ask.step for ask in expected))
        dialogue = self
        while len(dialogue._out) < len(expected) and dialogue._held:
            dialogue = dialogue._at(dialogue._held[0].at_ms)
        got = [_as_ask(send.request) for send in dialogue._out]
        if not _same(expected, got, in_order=len({send.at_ms for send in dialogue._out}) == 1):
            looked_at = {name for ask in expected for name in ask.details()}
            went_out = _listed(ask.shown({*looked_at, *ask.telling()}) for ask in got)
            dialogue._fail("to go out: " + _listed(map(str, expected)), "went out:  " + went_out)
        return replace(dialogue, _out=())

    def asks_nothing(self) -> Dialogue:
        """Expect that nothing goes out now."""
        return self.asks()

    def asks_whatever(self) -> Dialogue:
        """Let go by what has gone out, for a stretch of time that this test is not about."""
        return replace(self, _out=())

    # What comes back ----------------------------------------------------------------------------------------------

    def done(self, step: str | Ask, answer: Any = None) -> Dialogue:
        """The step's participant answers that it took effect, is undone, or, to a probe, that it had taken effect.

        Args:
            step: event name, for what the step is asked now; or `do`, `undo` or `probe`.
            answer: what it says with it.
        """
        return self.answers(step, Done(answer))

    def refused(self, step: str | Ask, reason: str = "") -> Dialogue:
        """The step's participant refuses; to a probe: there is nothing."""
        return self.answers(step, Refused(reason))

    def unknown(self, step: str | Ask, error: str = "") -> Dialogue:
        """The step's participant raises, or says what makes no sense: it is not known whether it took effect."""
        return self.answers(step, Unknown(error))

    def later(self, step: str | Ask, within_s: float) -> Dialogue:
        """The step's participant took the request; its answer comes from outside."""
        return self.answers(step, Later(within_s))

    def answers(self, step: str | Ask, outcome: Outcome) -> Dialogue:
        """The step's participant gives this answer to what it is asked now."""
        ask = self._waited_for(step)
        return self._takes(Answered(ask.step, ask.kind, outcome))

    def late(self, ask: Ask, outcome: Outcome) -> Dialogue:
        """An answer comes after the wait for it ended. What it changes, the next lines say."""
        _check_steps(self.run.saga, [ask.step])
        if (ask.step, ask.kind) in self._waiting_asks():
            self._fail(f"an answer to {ask} to be late", "it is still waited for")
        return self._takes(Answered(ask.step, ask.kind, outcome))

    def again(self, ask: Ask) -> Dialogue:
        """The answer that was given to a request comes a second time; expect that it changes nothing."""
        same = [said for said in self._answered if (said.step, said.kind) == (ask.step, ask.kind)]
        if not same:
            self._fail(f"an answer to {ask} to come again", "none was given")
        dialogue = self._takes(same[-1])
        if dialogue.run._replace(number=self.run.number) != self.run or dialogue._out:
            dialogue._fail("a duplicate to change nothing", "it changed the saga")
        return dialogue

    def times_out(self, *steps: str | Ask) -> Dialogue:
        """Time passes until these requests are due, and their answers have not come.

        What else is due by then is still waited for, as if its answer came in the same moment.
        """
        asks = [self._waited_for(step) for step in steps]
        dues = [due_ms for ask in asks for due_ms, said in self.run.timers() if said == TimedOut(ask.step, ask.kind)]
        dialogue = self._at(max([self.now_ms, *dues]))
        for ask in asks:
            dialogue = dialogue._takes(TimedOut(ask.step, ask.kind), checked=ask is asks[0])
        return dialogue

    # Time, and the machine ----------------------------------------------------------------------------------------

    def passes(self, seconds: float) -> Dialogue:
        """Time passes: retries go out, and what is due runs out, in its order.

        What went out by its end is said after it, all in one, or let go by with `asks_whatever`.
        """
        dialogue, until_ms = self, self.now_ms + round(seconds * SECOND_MS)
        while (moment_ms := dialogue._next_ms()) is not None and moment_ms <= until_ms:
            dialogue = dialogue._at(moment_ms)
            for said in dialogue.run.overdue(moment_ms):
                dialogue = dialogue._takes(said, checked=False)
        return dialogue._at(until_ms)

    def deadline_passes(self) -> Dialogue:
        """Time passes until the deadline of the whole saga."""
        if self.run.deadline_ms is None:
            self._fail("a deadline to pass", "the saga has none")
        return self._at(max(self.now_ms, self.run.deadline_ms or 0))._takes(DeadlinePassed())

    def crashes(self) -> Dialogue:
        """The process ends and starts again: the saga as it is stored, and of nothing is known whether it went out.

        Every request that waits for an answer counts as timed out.
        """
        dialogue = replace(self, _out=(), _held=())._noted("the process ends, and starts again")
        for said in [said for _, said in dialogue.run.timers() if isinstance(said, TimedOut)]:
            dialogue = dialogue._takes(said, checked=False)
        return dialogue

    # Verbs --------------------------------------------------------------------------------------------------------

    def cancel(self, why: str = "") -> Dialogue:
        """The client cancels, and that is taken."""
        return self._takes(Cancel(why))

    def compensate(self, why: str = "") -> Dialogue:
        """An operator turns the saga back, and that is taken."""
        return self._takes(Compensate(why))

    def retry(self, step: str, why: str = "") -> Dialogue:
        """An operator has a step asked again, and that is taken."""
        return self._takes(Retry(step, why))

    def resolve(self, step: str, outcome: Done | Refused, why: str = "") -> Dialogue:
        """An operator tells the outcome of a step, and that is taken."""
        return self._takes(Resolve(step, outcome, why))

    def undo(self, step: str, why: str = "") -> Dialogue:
        """An operator has undone what a step owes, and that is taken."""
        return self._takes(Undo(step, why))

    def abandon(self, why: str = "") -> Dialogue:
        """An operator gives the saga up."""
        return self._takes(Abandon(why))

    def declines(self, verb: Verb, *, because: str = "") -> Dialogue:
        """Expect that a verb is not taken.

        Args:
            verb: what a client or an operator wants: ``Cancel()``, ``Retry("STEP")`` ...
            because: a part of the reason that is given.
        """
        self._check_all_said()
        _, effects = step(self.run, verb, self.now_ms)
        reasons = [effect.reason for effect in effects if isinstance(effect, Decline)]
        dialogue = self._noted(f"in   {in_words(verb)}")._with(effects)
        if not reasons:
            dialogue._fail(f"{in_words(verb)} to be declined", "it was taken")
        if because not in reasons[0]:
            dialogue._fail(f"a reason with {because!r}", reasons[0])
        return dialogue

    # Where it stands ----------------------------------------------------------------------------------------------

    def completed(self) -> Dialogue:
        """Expect that the saga is final: every step took effect."""
        return self._stands(Completed)

    def starts(self, expected: Mapping[str, Any]) -> Dialogue:
        """Expect that exactly these sagas follow, now that the saga has completed.

        Args:
            expected: by the name of a definition, what its saga is asked for.
        """
        got = {child.saga.name: child.fault or child.asked for child in children_of(self.run)}
        if got != expected:
            self._fail(f"to follow: {dict(expected)}", f"follows:   {got}")
        return self

    def compensated(self, *, because: str = "") -> Dialogue:
        """Expect that the saga is final: nothing is left.

        Args:
            because: a part of the reason why it turned back.
        """
        return self._stands(Compensated).because(because)

    def abandoned(self, *outstanding: str) -> Dialogue:
        """Expect that the saga is final, given up, with exactly this owed: ``STEP/do``, ``STEP/undo``."""
        return self._stands(Abandoned)._owes(outstanding)

    def needs_operator(self, *outstanding: str, because: str = "") -> Dialogue:
        """Expect that the saga waits for an operator, and raised an alert.

        Args:
            outstanding: exactly this is owed: ``STEP/do``, ``STEP/undo``.
            because: a part of the trouble: why it got stuck.
        """
        if not self._alerted:
            self._fail("an alert for an operator", "none was raised")
        dialogue = self._stands(NeedsOperator)._owes(outstanding)
        if because not in self.run.trouble:
            self._fail(f"trouble with {because!r}", f"the trouble is {self.run.trouble!r}")
        return dialogue

    def goes_forward(self) -> Dialogue:
        """Expect that the saga goes forward."""
        return self._stands(Forward)

    def goes_back(self, *, because: str = "") -> Dialogue:
        """Expect that the saga goes back."""
        return self._stands(Backward).because(because)

    def owes(self, *steps: str) -> Dialogue:
        """Expect that exactly the effects of these steps are owed, given up as they were before they were heard of."""
        if self.run.owed() != steps:
            self._fail("owed: " + _listed(steps), "owed: " + _listed(self.run.owed()))
        return self

    def because(self, reason: str) -> Dialogue:
        """Expect that the saga's reason, why it turned back, has these words."""
        if reason not in self.run.reason:
            self._fail(f"a reason with {reason!r}", f"the reason is {self.run.reason!r}")
        return self


def _as_read(saga: Saga, said: Input) -> Input:
    """What was said, with its answer as it would be read back from a store."""
    if not isinstance(said, Answered | Resolve) or not isinstance(said.outcome, Done):
        return said
    kind = said.kind if isinstance(said, Answered) else Kind.DO
    try:
        outcome: Any = round_trip_of(saga).outcome(said.step, kind, said.outcome)
    except ParticipantError as error:
        raise ParticipantError(f"{said.step}/{kind.value}: {error}") from error
    return replace(said, outcome=outcome)


def _as_ask(request: Request) -> Ask:
    answer = request.call.answer if request.kind in (Kind.UNDO, Kind.UNDO_LATE) else ANYTHING
    call = request.call
    return Ask(request.kind, request.step, call.attempt, answer, dict(call.answers), call.key, call.reason)


def _same(expected: Sequence[Ask], got: Sequence[Ask], *, in_order: bool) -> bool:
    if in_order or len(expected) != len(got):
        return list(expected) == list(got)
    left = list(got)
    for ask in expected:
        if ask in left:
            left.remove(ask)
    return not left


def _told(request: Request) -> str:
    ask = _as_ask(request)
    return ask.shown(ask.telling())


def _check_steps(saga: Saga, events: Iterable[str]) -> None:
    for event in events:
        saga.step(event)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "nothing"


def _clock(now_ms: int) -> str:
    return f"{now_ms / SECOND_MS:10.3f} s"


def _answer(said: Input) -> str:
    answer = said.outcome.answer if isinstance(said, Answered) and isinstance(said.outcome, Done) else None
    return f" with {answer!r}" if answer is not None else ""


def _where(run: SagaInstance) -> str:
    at = underway(run.state)
    name = type(run.state).__name__
    if at is None:
        return name
    group = zip(run.saga.groups[at.group], at.members, strict=True)
    return f"{name}: {', '.join(f'{step.event} {status.value}' for step, status in group)}"
