"""What a letter asks for, as JSON: the start of a saga, an answer from outside, or a verb with its actor and reason.

Clients write them, and so do sagas that have completed, whose children are to start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from amends.core.messages import (
    Abandon,
    Answered,
    Cancel,
    Compensate,
    Done,
    Input,
    Kind,
    Outcome,
    Refused,
    Resolve,
    Retry,
    Undo,
    Unknown,
    Verb,
)
from amends.errors import Overloaded
from amends.storage.codecs.values import json_of, opened
from amends.storage.outcomes import OutcomeWord, outcome_in
from amends.storage.ports import ALL, Mailbox, Records
from amends.storage.rows import Letter
from amends.storage.shards import shard_of

VERBS: Final[Mapping[str, type[Verb]]] = {
    "cancel": Cancel, "compensate": Compensate, "retry": Retry, "resolve": Resolve, "abandon": Abandon, "undo": Undo,
}  # fmt: skip
WORDS: Final = {kind: word for word, kind in VERBS.items()}
NOTHING: Final = msgspec.Raw(b"null")
STARTS: Final = ('["start",', '["child",')
"""How the bodies begin of letters that start sagas: with the tags of `StartAsked` and `ChildAsked`."""
OUTBOX: Final = "outbox-"
"""How the ids begin of sagas and letters that were asked for in a user's own transaction: no other name begins so."""
RESERVE: Final = 10
"""A mailbox takes one letter to so many starts beside these: 10 000, on which an engine acts in four turns."""


class SaidOutcome(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What a participant answered, or an operator knows.

    Attributes:
        word: which outcome it is.
        value: the answer of one that is done; the reason, the error, or how long to wait in seconds.
    """

    word: OutcomeWord
    value: msgspec.Raw = NOTHING

    def outcome(self) -> Outcome:
        """The outcome.

        Raises:
            ValueError: it is none.
        """
        return outcome_in(self.word, self.value)


class StartAsked(msgspec.Struct, array_like=True, tag="start", frozen=True, forbid_unknown_fields=True):
    """Start a saga.

    Attributes:
        saga_id: made by the client, unique in the store.
        definition: ``name/version/fingerprint``.
        request: what `Saga.prepare` gets, where there is one.
        digest: of the request as the client had it, by which another request under its key is told apart; empty where
            it is to be reckoned from the request that is read here.
    """

    saga_id: str
    definition: str
    request: msgspec.Raw
    digest: str = ""


class ChildAsked(msgspec.Struct, array_like=True, tag="child", frozen=True, forbid_unknown_fields=True):
    """Start a saga that follows from another one.

    Attributes:
        saga_id: made of that of the other one, so unique in the store.
        definition: ``name/version/fingerprint``.
        request: what `Saga.prepare` gets, where there is one.
        parent: the other one, which has completed.
        fault: why there is no request that it could be started with; empty where there is one.
    """

    saga_id: str
    definition: str
    request: msgspec.Raw
    parent: str
    fault: str = ""


class AnswerAsked(msgspec.Struct, array_like=True, tag="answer", frozen=True, forbid_unknown_fields=True):
    """Take the answer to a request.

    Attributes:
        saga_id: of the saga.
        step: event name of the step.
        kind: what it was asked.
        outcome: what it said.
        by: who brings it; empty where that is not known.
        why: what that person says of it.
    """

    saga_id: str
    step: str
    kind: Kind
    outcome: SaidOutcome
    by: str = ""
    why: str = ""

    def said(self) -> Input:
        """The input of the saga.

        Raises:
            ValueError: it holds no outcome.
        """
        return Answered(self.step, self.kind, self.outcome.outcome(), by=self.by, why=self.why)


class VerbAsked(msgspec.Struct, array_like=True, tag="verb", frozen=True, forbid_unknown_fields=True):
    """Carry out a verb of an operator or a client.

    Attributes:
        saga_id: of the saga.
        verb: its name.
        actor: who wants it.
        why: for the record, and for a person who reads it.
        step: event name of the step, where it is about one.
        outcome: of `Resolve`, what the step came to.
    """

    saga_id: str
    verb: Literal["cancel", "compensate", "retry", "resolve", "abandon", "undo"]
    actor: str
    why: str
    step: str = ""
    outcome: SaidOutcome | None = None

    def said(self) -> Input:
        """The input of the saga.

        Raises:
            ValueError: it is no verb with what belongs to it.
        """
        more: dict[str, Any] = {"step": self.step} if self.step else {}
        if self.outcome is not None:
            more["outcome"] = self.outcome.outcome()
        try:
            return VERBS[self.verb](why=self.why, by=self.actor, **more)
        except TypeError as error:
            raise ValueError(f"{self.verb}: {error}") from error


Asked = StartAsked | ChildAsked | AnswerAsked | VerbAsked


def start_letter(
    letter_id: str, saga_id: str, definition: str, request: str, posted_ms: int, digest: str = ""
) -> Letter:
    """A letter that starts a saga.

    Args:
        letter_id: the client key; a second letter under it gives the saga of the first.
        saga_id: made by the client, unique in the store, without ``/``.
        definition: ``name/version/fingerprint``.
        request: JSON.
        posted_ms: the clock.
        digest: see `StartAsked.digest`.
    """
    return _letter(letter_id, StartAsked(saga_id, definition, msgspec.Raw(request.encode()), digest), posted_ms)


def child_letter(key: str, asked: ChildAsked, posted_ms: int) -> Letter:
    """A letter that starts a saga which follows from another one.

    Args:
        key: the client key of the start, made of the other saga's id.
        asked: the saga.
        posted_ms: the time of the commit that it is part of.
    """
    return _letter(key, asked, posted_ms)


def answer_letter(letter_id: str, saga_id: str, said: Answered, posted_ms: int) -> Letter:
    """A letter that brings the answer to a request.

    Args:
        letter_id: the same for the same answer, however often it is posted.
        saga_id: of the saga.
        said: the answer, one that JSON can hold, with who brings it, and why.
        posted_ms: the clock.
    """
    asked = AnswerAsked(saga_id, said.step, said.kind, _said(said.outcome), said.by, said.why)
    return _letter(letter_id, asked, posted_ms)


def verb_letter(letter_id: str, saga_id: str, verb: Verb, posted_ms: int) -> Letter:
    """A letter that has a verb carried out.

    Args:
        letter_id: the same for the same wish, however often it is posted.
        saga_id: of the saga.
        verb: with who wants it, and why.
        posted_ms: the clock.
    """
    step = "" if isinstance(verb, Cancel | Compensate | Abandon) else verb.step
    outcome = _said(verb.outcome) if isinstance(verb, Resolve) else None
    asked = VerbAsked(saga_id, WORDS[type(verb)], verb.by, verb.why, step, outcome)  # type: ignore[arg-type]  # a word of VERBS
    return _letter(letter_id, asked, posted_ms)


def is_start(letter: Letter) -> bool:
    """Whether a letter starts a saga; if not, it is for one that was started: an answer or a verb."""
    return letter.body.startswith(STARTS)


def expect_room(
    starts_max: int, starts: int, letters: int, posted: Iterable[Letter], count: Callable[[str], int]
) -> None:
    """Refuse letters that a mailbox does not take.

    A full one still takes answers and verbs, up to a reserve for them; and starts of definitions of which it has few,
    up to as many more: those that no engine knows yet keep out no others.

    Args:
        starts_max: so many letters that start sagas the mailbox takes, >= 1.
        starts: so many there would be.
        letters: so many there would be of all.
        posted: those that come now.
        count: gives how many there would be that hold a text: asked for definitions, as JSON, where it is full.

    Raises:
        Overloaded: there is no room for them.
    """
    reserve = math.ceil(starts_max / RESERVE)
    if starts > starts_max:
        definitions = {asked.definition for asked in map(start_in, posted) if asked}
        if starts > 2 * starts_max or any(count(json_of(name)) > reserve for name in definitions):
            raise Overloaded(f"the mailbox takes {starts_max} letters that start sagas, and there would be {starts}")
    if letters - max(0, starts - starts_max) > starts_max + reserve:
        raise Overloaded(f"the mailbox takes {starts_max + reserve} letters, and there would be {letters}")


def asked_in(letter: Letter) -> Asked:
    """What a letter asks for.

    Raises:
        ValueError: it is none that this version knows.
    """
    asked: Asked = _DECODER.decode(letter.body)
    return asked


def child_in(letter: Letter) -> ChildAsked | None:
    """The saga that a letter starts which follows from another one; ``None`` where it asks for something else."""
    asked = start_in(letter)
    return asked if isinstance(asked, ChildAsked) else None


def start_in(letter: Letter) -> StartAsked | ChildAsked | None:
    """The saga that a letter starts; ``None`` where it asks for something else, or cannot be read."""
    try:
        asked = asked_in(letter)
    except ValueError:
        return None
    return asked if isinstance(asked, StartAsked | ChildAsked) else None


def is_of_outbox(letter: Letter) -> bool:
    """Whether a letter was written in a user's own transaction, so that no caller waits for its answer."""
    asked = start_in(letter)
    return letter.letter_id.startswith(f"letter {OUTBOX}") or (asked is not None and asked.saga_id.startswith(OUTBOX))


def start_letter_of(source: Records | Mailbox, saga_id: str) -> Letter | None:
    """The first letter by which a saga is to start; ``None`` where none waits there.

    Args:
        source: a store, which has letters of sagas that follow from others, or a mailbox, which has those of clients.
        saga_id: of the saga.
    """
    letters = source.letters([shard_of(saga_id)], ALL)
    return next((letter for letter in letters if (asked := start_in(letter)) and asked.saga_id == saga_id), None)


def _letter(letter_id: str, asked: Asked, posted_ms: int) -> Letter:
    return Letter(letter_id, shard_of(asked.saga_id), _ENCODER.encode(asked).decode(), posted_ms)


def _said(outcome: Outcome) -> SaidOutcome:
    match outcome:
        case Done(answer):
            return SaidOutcome("done", msgspec.Raw(json_of(opened(answer)).encode()))
        case Refused(reason):
            return SaidOutcome("refused", msgspec.Raw(_ENCODER.encode(reason)))
        case Unknown(error):
            return SaidOutcome("unknown", msgspec.Raw(_ENCODER.encode(error)))
    return SaidOutcome("later", msgspec.Raw(_ENCODER.encode(outcome.within_s)))


_DECODER: Final = msgspec.json.Decoder(Asked)
_ENCODER: Final = msgspec.json.Encoder(enc_hook=str.__str__)  # of text of a class of its own, as frameworks mark it
