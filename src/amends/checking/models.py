"""Models of the world outside, to explore an external step with: pure deciders that keep books.

A model says everything that its system may do with a request, each possibility as a `SystemReply`. That the wire loses,
doubles and delays is no model's business: the explorer does that to every request and every answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from amends.core.definition import Step
from amends.core.messages import Done, Kind, Later, Outcome, Refused, Request

RECEIPT_OF: Final = "receipt of "
KEEPS_INBOX: Final = "keeps our inbox"
KEY_LIVES_H: Final = 24.0  # after which Stripe, as others, may remove a key
Books = Any
"""What a model keeps; any hashable value."""


class SystemReply(NamedTuple):
    """One thing that an outside system may do with a request.

    Attributes:
        books: its books after that.
        outcome: what it answers; ``None`` when no answer comes.
        note: what it did, for a person.
        is_fault: whether it counts as a fault.
        later: an answer that comes as a message of its own, after `Later`.
        attempt: from which attempt on it does that.
        raised: what the saga's own function raised, and where; empty when it did not, or none ran.
    """

    books: Books
    outcome: Outcome | None
    note: str = ""
    is_fault: bool = False
    later: Outcome | None = None
    attempt: int = 1
    raised: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A system outside.

    Attributes:
        name: as the answer of a check names it.
        start: its books at the start.
        replies: what it may do with a request for a step.
        standing: the idempotency keys of actions whose effect stands, one for each time; ``None`` when only books as a
            whole can be compared.
        view: what of the books has to be as before once everything is undone, and as one saga after the other would
            leave it; ``None`` for all of them, where there is no `standing`. `never` sees it in place of the books.
        runs_functions: whether the saga's own functions act, so that they are under test too.
        settles_within_s: how long after its sending a request may still take effect; a step may claim another. Seconds;
            ``None`` where its claim is believed.
        key_lives_h: after how long a key may be forgotten; a step may claim another. Hours; ``None`` for never.
        keyed: whether what it does with an action depends on what it did with that action alone, as that of every ready
            model does; where it does, the order of different actions does not matter to it, and is not explored.
    """

    name: str
    start: Books
    replies: Callable[[Books, Request, Step], Iterator[SystemReply]]
    standing: Callable[[Books], tuple[str, ...]] | None
    view: Callable[[Books], Any] | None = None
    runs_functions: bool = False
    settles_within_s: float | None = None
    key_lives_h: float | None = None
    keyed: bool = False

    def settles_late(self, step: Step) -> bool:
        """Whether a request may take effect after the step looked for it, since it promises too short a time."""
        if step.settles_within_s is None or self.settles_within_s is None:
            return False
        return step.settles_within_s < self.settles_within_s

    def outlives_keys(self, step: Step) -> bool:
        """Whether a step may be asked again after its key was forgotten."""
        return self.key_lives_h is not None and (step.key_lives_h is None or step.key_lives_h > self.key_lives_h)

    @property
    def is_ready(self) -> bool:
        """Whether it answers with receipts of its own, and not with what the step's functions would."""
        return self.standing is standing


class Effect(NamedTuple):
    """What a ready model keeps of an action: its key, how often it happened, how often it was undone."""

    key: str
    done: int = 0
    undone: int = 0
    refused: bool = False


def standing(books: tuple[Effect, ...]) -> tuple[str, ...]:
    """The keys of the effects that stand, one for each time."""
    return tuple(effect.key for effect in books for _ in range(effect.done - effect.undone))


def honours_keys() -> Model:
    """A provider that does the same key once.

    It undoes what it is told to undo, by the answer that the action got (a receipt): an undo that knows no receipt
    finds nothing to undo, and succeeds. A probe looks the key up.
    """
    return Model("honours keys", (), by_key, standing, keyed=True)


def forgets_keys(after_h: float = KEY_LIVES_H) -> Model:
    """A provider that honours keys, and may forget one, unless the step says that it lives no longer (`key_lives_h`).

    Where a step says it, nothing is sent again after that time; a rule of its own holds the coordinator to it.

    Args:
        after_h: how long a key is honoured for certain. Hours; by default a day.
    """

    def replies(books: tuple[Effect, ...], request: Request, step: Step) -> Iterator[SystemReply]:
        yield from by_key(books, request, step)
        effect = find(books, request)
        if request.kind is Kind.DO and effect.done and model.outlives_keys(step):
            forgotten = put(books, effect._replace(done=effect.done + 1))
            yield SystemReply(
                forgotten, Done(_receipt(effect)), "had forgotten the key and did it again", is_fault=True
            )

    model = Model("forgets keys after a while", (), replies, standing, key_lives_h=after_h, keyed=True)
    return model


def keeps_inbox() -> Model:
    """A participant behind our inbox rule (`amends.core.inbox`): an undo whose action never came leaves a tombstone."""

    def replies(books: tuple[Effect, ...], request: Request, step: Step) -> Iterator[SystemReply]:
        effect = find(books, request)
        if request.kind is Kind.UNDO and not effect.done:
            yield SystemReply(put(books, effect._replace(refused=True)), Done(), "has nothing to undo, and never will")
        elif request.kind is Kind.UNDO and effect.done > effect.undone:
            yield SystemReply(put(books, effect._replace(undone=effect.undone + 1)), Done(), "undid it")
        else:
            yield from by_key(books, request, step)

    return Model(KEEPS_INBOX, (), replies, standing, keyed=True)


def declines(provider: Model | None = None) -> Model:
    """A provider that may refuse, and remembers that it did.

    Args:
        provider: who else it is, such as `keeps_inbox()`; by default `honours_keys()`.
    """
    base = provider or honours_keys()

    def replies(books: tuple[Effect, ...], request: Request, step: Step) -> Iterator[SystemReply]:
        yield from base.replies(books, request, step)
        effect = find(books, request)
        if request.kind is Kind.DO and not effect.done and not effect.refused:
            yield SystemReply(put(books, effect._replace(refused=True)), Refused("declined"), "declined")

    return replace(base, name=f"{base.name}, and declines", replies=replies)


def answers_later(provider: Model | None = None) -> Model:
    """A provider that takes a request and answers later, or at once.

    Args:
        provider: who else it is; by default `honours_keys()`.
    """
    base = provider or honours_keys()

    def replies(books: tuple[Effect, ...], request: Request, step: Step) -> Iterator[SystemReply]:
        for reply in base.replies(books, request, step):
            yield reply
            if request.kind is Kind.DO and isinstance(reply.outcome, Done):
                yield reply._replace(outcome=Later(60), note="took it, and answers later", later=reply.outcome)

    return replace(base, name=f"{base.name}, and answers later", replies=replies)


def loses_replies(provider: Model | None = None) -> Model:
    """A provider that may do a thing and lose its reply.

    Args:
        provider: who else it is; by default `honours_keys()`.
    """
    base = provider or honours_keys()

    def replies(books: tuple[Effect, ...], request: Request, step: Step) -> Iterator[SystemReply]:
        for reply in base.replies(books, request, step):
            yield reply
            yield reply._replace(outcome=None, note=f"{reply.note}, and lost the reply", is_fault=True)

    return replace(base, name=f"{base.name}, and loses replies", replies=replies)


def without_keys() -> Model:
    """A provider that does everything that it is asked, each time again."""

    def replies(books: tuple[Effect, ...], request: Request, step: Step) -> Iterator[SystemReply]:
        effect = find(books, request)
        if request.kind is Kind.DO and effect.done:
            again = effect._replace(done=effect.done + 1)
            yield SystemReply(put(books, again), Done(_receipt(again)), "did it again")
        else:
            yield from by_key(books, request, step)

    return Model("knows no keys", (), replies, standing, keyed=True)


def by_key(books: tuple[Effect, ...], request: Request, _: Step) -> Iterator[SystemReply]:
    """What a provider does that honours keys: one reply."""
    effect = find(books, request)
    match request.kind:
        case Kind.PROBE:
            found = Done(_receipt(effect)) if effect.done else Refused("nothing is known of this key")
            yield SystemReply(books, found, "found it" if effect.done else "found nothing")
        case Kind.DO if effect.refused:
            yield SystemReply(books, Refused("declined"), "declined before")
        case Kind.DO if effect.done:
            yield SystemReply(books, Done(_receipt(effect)), "knew the key")
        case Kind.DO:
            yield SystemReply(put(books, effect._replace(done=1)), Done(_receipt(effect)), "did it")
        case Kind.UNDO if request.call.answer is None:
            yield SystemReply(books, Done(), "was told of nothing to undo")
        case Kind.UNDO if effect.done > effect.undone:
            yield SystemReply(put(books, effect._replace(undone=effect.undone + 1)), Done(), "undid it")
        case Kind.UNDO:
            yield SystemReply(books, Done(), "had undone it")


def replies_of(model: Model, books: Books, request: Request, each: Step) -> Iterator[SystemReply]:
    """What a system outside may do; a ready model notifies a person, who answers by another way."""
    if each.wait is not None and not model.runs_functions:
        return iter((SystemReply(books, Later(each.wait.remind_every_s), "notified"),))
    return model.replies(books, request, each)


def find(books: tuple[Effect, ...], request: Request) -> Effect:
    """What the books of a ready model say of the action that a request is about."""
    key = f"{request.saga_id}/{request.step}/do"
    return next((effect for effect in books if effect.key == key), Effect(key))


def put(books: tuple[Effect, ...], effect: Effect) -> tuple[Effect, ...]:
    """The books of a ready model, with what is now the case of an action."""
    return tuple(sorted([*(other for other in books if other.key != effect.key), effect]))


def is_receipt(answer: Any) -> bool:
    """Whether a ready model gave an answer."""
    return isinstance(answer, str) and answer.startswith(RECEIPT_OF)


def _receipt(effect: Effect) -> str:
    return f"{RECEIPT_OF}{effect.key}"
