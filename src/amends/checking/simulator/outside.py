"""The outside system of a step that no model is named for: it does what its definition allows, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from amends.checking.models import Books, Effect, Model, SystemReply, by_key, find, put, standing
from amends.core.definition import Step
from amends.core.messages import Done, Kind, Later, Refused, Request

WITHIN_S: Final = 60  # how long a participant that answers later says that it takes


def as_declared() -> Model:
    """A provider that honours keys, as `amends.checking.honours_keys`, and has its moods.

    It may decline, and remembers that where its step says so; do again what a step lets it do again; take a request and
    answer later; refuse an undo for now. The first reply of each request is the plain one.
    """
    return Model("as declared: honours keys, declines, answers later, refuses an undo for now", (), _replies, standing)


def _replies(books: Books, request: Request, step: Step) -> Iterator[SystemReply]:
    for reply in by_key(books, request, step):
        yield reply
        if request.kind is not Kind.PROBE:
            yield SystemReply(reply.books, Later(WITHIN_S), "took it, and answers later", later=reply.outcome)
    yield from _moods(books, find(books, request), request, step)


def _moods(books: Books, effect: Effect, request: Request, step: Step) -> Iterator[SystemReply]:
    if request.kind is Kind.UNDO and effect.done > effect.undone:
        yield SystemReply(books, Refused("not now"), "refused to undo it")
    if request.kind is not Kind.DO:
        return
    if not effect.done and not effect.refused:
        kept = put(books, effect._replace(refused=True)) if step.remembers_refusals else books
        yield SystemReply(kept, Refused("declined"), "declined")
    if effect.done and step.at_least_once:
        again = effect._replace(done=effect.done + 1)
        yield SystemReply(put(books, again), Done(f"receipt of {effect.key}"), "did it again")
