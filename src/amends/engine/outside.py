"""What comes from outside, by a web handler or an operator: looked at before it is taken, so that nothing gets lost."""

from __future__ import annotations

from types import NoneType
from typing import Any, Final, get_args

from amends.core.debts import undo_was_asked
from amends.core.definition import DURATION_MAX, Step, Wait, is_duration
from amends.core.messages import Answered, Done, Kind, Later, Outcome, Refused, Resolve, Verb
from amends.core.state import ASKED, Abandoned, Debt, Forward, Status, underway, word_for
from amends.core.step import SagaInstance
from amends.core.walk import parts_of
from amends.errors import RequestRefused
from amends.storage.codecs.hints import answer_codec
from amends.storage.codecs.values import heard, opened, shown

NAME_LENGTH_MAX: Final = 255  # of a person or a program: an address of an e-mail has at most 254 (RFC 5321)
WHOLE: Final = "the whole saga"  # what a verb without a step is about
KEYS: Final = {kind.value: kind for kind in (Kind.DO, Kind.UNDO, Kind.UNDO_LATE)}


def request_of(key: str) -> tuple[str, str, Kind]:
    """Saga, step and kind of the request that has a key.

    Raises:
        RequestRefused: no request has such a key.
    """
    saga_id, event, kind = parts_of(key)
    if kind not in KEYS:
        raise RequestRefused(f"{shown(key)} is no key of a request: saga/step/do or saga/step/undo; it is Call.key")
    return saga_id, event, KEYS[kind]


def refuse_no_outcome(outcome: object) -> None:
    """Refuse what is no outcome.

    Raises:
        RequestRefused: it is none, and what to give.
    """
    if not isinstance(outcome, Outcome):
        raise RequestRefused(
            f"{shown(outcome)} is no outcome: give Done(...), Refused(...), Unknown(...) or Later(...)"
        )
    if isinstance(outcome, Later) and not is_duration(outcome.within_s):
        raise RequestRefused(f"within_s is {shown(outcome.within_s)}; give seconds above 0, up to {DURATION_MAX:g}")
    _refuse_no_text(outcome, "reason", "error")


def refuse_no_verb(verb: object) -> None:
    """Refuse what is no verb.

    Raises:
        RequestRefused: it is none, and what to give.
    """
    if not isinstance(verb, Verb):
        raise RequestRefused(
            f"{shown(verb)} is no verb: give Cancel(), Compensate(), Retry(step), Resolve(step, outcome), Undo(step) "
            "or Abandon()"
        )
    step = getattr(verb, "step", WHOLE)
    if type(step) is not str or not step or not step.isprintable():
        raise RequestRefused(f"{type(verb).__name__}: step is {shown(step)}; give the event of a step, a str itself")
    refuse_no_origin(verb.by, verb.why)
    if isinstance(verb, Resolve):
        if type(verb.outcome) not in (Done, Refused):
            raise RequestRefused(f"Resolve: outcome is {shown(verb.outcome)}; give Done(answer) or Refused(reason)")
        _refuse_no_text(verb.outcome, "reason")


def refuse_no_name(by: object) -> None:
    """Refuse what is no name of a person or a program; empty is for one that is not known.

    Raises:
        RequestRefused: it is no printable text, or too long for the record.
    """
    if not isinstance(by, str) or not by.isprintable() or len(by) > NAME_LENGTH_MAX:
        raise RequestRefused(f"by is {shown(by)}; give printable text, at most {NAME_LENGTH_MAX} characters")


def refuse_no_origin(by: object, reason: object) -> None:
    """Refuse what does not say who wants something, or why.

    Raises:
        RequestRefused: `by` is no name, or `reason` no text.
    """
    refuse_no_name(by)
    if not isinstance(reason, str):
        raise RequestRefused(f"the reason is {shown(reason)}; give text, a str itself")


def _refuse_no_text(said: object, *names: str) -> None:
    for name in names:
        words: Any = getattr(said, name, "")
        if not isinstance(words, str):
            raise RequestRefused(f"{type(said).__name__}: {name} is {shown(words)}; give text, a str itself")


def refuse_unasked(run: SagaInstance, said: Answered) -> None:
    """Refuse the answer to a request that was not sent, so that its sender does not believe that it was taken.

    Raises:
        RequestRefused: the request was not sent yet, or never will be; or it is of a local step, which its own function
            answers; or it is of a wait that is over, that time alone ends, or that is answered with yes or no.
    """
    event, kind = said.step, said.kind
    what, at, step = f"saga {run.saga_id!r}: {event}/{kind.value}", underway(run.state), run.saga.step(event)
    if step.is_local:
        raise RequestRefused(f"{what} is answered by its own function, in the engine, and by nobody else")
    if _was_asked(run, event, kind):
        if step.wait is not None:
            _refuse_to_wait(run, step, step.wait, said.outcome, what)
        return
    if kind is not Kind.UNDO_LATE and (isinstance(at, Forward) or (kind is Kind.UNDO and at is not None)):
        raise RequestRefused(f"{what} has not been asked yet; answer again later")
    raise RequestRefused(f"{what} was never asked, and will not be: the saga is {word_for(run.state)}")


def _refuse_to_wait(run: SagaInstance, step: Step, wait: Wait, outcome: Outcome, what: str) -> None:
    """Refuse what does not answer a wait, and what comes second: only one answer, or none, has an effect."""
    if wait.is_pause:
        raise RequestRefused(
            f"{what} is a pause, which its time ends; an operator ends it by Resolve({step.event!r}, Done())"
        )
    if not isinstance(outcome, Done | Refused):
        raise RequestRefused(f"{what} is answered with Done(answer) or Refused(reason), and not {shown(outcome)}")
    may_be_missing = wait.answer is Any or NoneType in get_args(wait.answer)
    if isinstance(outcome, Done) and outcome.answer is None and not may_be_missing:
        raise RequestRefused(f"{what}: the answer is missing; give Done(...) of the type {_type_name(wait.answer)}")
    at = underway(run.state)
    if at and dict(zip(run.saga.groups[at.group], at.members, strict=True)).get(step) in (*ASKED, Status.STUCK):
        return
    if Status.DONE not in {entry.status for entry in run.trail if entry.event == step.event}:
        raise RequestRefused(f"{what} is not waited for any more, the saga turned back: {run.reason}")
    if not isinstance(outcome, Done) or not _is_same(outcome, run.answers.get(step.event), step):
        raise RequestRefused(f"{what} was answered before, in another way, and the first answer counts")


def _type_name(kind: Any) -> str:
    return kind.__qualname__ if isinstance(kind, type) else str(kind)


def _is_same(outcome: Done[Any], known: Any, step: Step) -> bool:
    """Whether an answer is the one that was taken, so that who gives it twice is not told that it came too late."""
    try:
        said: Any = heard(outcome, step.event, answer_codec(step))
    except ValueError:
        return False
    return bool(opened(said.answer) == opened(known))


def _was_asked(run: SagaInstance, event: str, kind: Kind) -> bool:
    """Whether a step was asked that; of one that was under way when an operator gave up, whether it may have been."""
    told = {entry.status for entry in run.trail if entry.event == event}
    at = underway(run.state)
    here = [step.event for step in run.saga.groups[at.group]] if at else []
    last = run.waiting[here.index(event)].kind if event in here else None
    if kind is Kind.UNDO_LATE or event in run.owed():
        return not told.isdisjoint(Debt)
    if kind is Kind.UNDO:
        return last is Kind.UNDO or undo_was_asked(run.saga, run.state, run.trail, run.saga.step(event))
    left = run.outstanding() if isinstance(run.state, Abandoned) else ()
    return bool(told) or last is not None or any(f"{event}/" in words for words in left)
