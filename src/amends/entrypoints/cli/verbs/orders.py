"""What a verb is to do to which sagas, looked up in what is stored, before anything is said to an engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from amends.client.client import Client
from amends.core.messages import Abandon, Cancel, Done, Refused, Resolve, Retry, Undo, Verb
from amends.entrypoints.cli.store.sagas import search_for
from amends.entrypoints.drawing.words import one_line
from amends.errors import UnusableInput
from amends.views.pending import ANSWERED
from amends.views.search import CONDITIONS, STATUS_WORDS, Search
from amends.views.story import Description

FILTERS: Final = ("status", "saga", "service", "step", "older", "newer")
TEXT_MAX: Final = 200  # characters of what a saga waits for; `amends show` has all of it
WORDS: Final = {
    "cancel": "turn back, and undo what it did", "abandon": "end as it stands, with what it owes listed",
    "retry": "ask {step} again now", "undo": "have {step} undone, whose effect is owed",
    "resolve": "take {step} to be {outcome}", "answer": "take the answer of {step}: {outcome}",
}  # fmt: skip
"""What a saga is to do."""


class VerbGiven(NamedTuple):
    """What is to be said.

    Attributes:
        verb: its name, or ``answer``.
        by: who says it.
        reason: why.
        step: the step that it is about; empty for the one that it can be, and for the whole saga.
        outcome: of an answer, and of `Resolve`.
    """

    verb: str
    by: str
    reason: str
    step: str = ""
    outcome: Done | Refused | None = None

    def of(self, saga: Description) -> Order:
        """What is said to one saga.

        Raises:
            UnusableInput: it is none that can be said to it as it stands.
        """
        if saga.has_ended and self.verb not in ("undo", "answer"):
            raise UnusableInput(f"saga {saga.saga_id} has ended: it is {saga.status}, and takes no {self.verb}")
        if self.verb in ("cancel", "abandon"):
            return Order(saga, self, "", "")
        here = self._steps(saga)
        step = self.step or (next(iter(here)) if len(here) == 1 else "")
        reached = [each.event for each in saga.steps]
        if self.step and self.step not in reached:
            known = ", ".join(reached)
            raise UnusableInput(f"saga {saga.saga_id} has no step {self.step!r:.100} so far; its steps are {known}")
        if self.verb == "answer" and self.step:  # also a late one, which may show that something is owed
            here.setdefault(self.step, "do")
        if step not in here:
            which = f"{', '.join(here)}; name one with --step" if here else f"none: {saga.waits_for or saga.status}"
            about = f"{self.step} is none that" if self.step else "it is not clear which step"
            raise UnusableInput(f"saga {saga.saga_id}: {about} takes {self.verb} now; those that do are {which}")
        return Order(saga, self, step, here[step])

    def _steps(self, saga: Description) -> dict[str, str]:
        """The steps that it can be said of now, and what each was asked."""
        if self.verb == "undo":
            return dict.fromkeys(saga.owed, "undo-late")
        asked = [each for each in saga.questions if self.verb != "answer" or (each.is_taken and each.kind in ANSWERED)]
        stuck = [each for each in asked if each.is_stuck]
        return {each.step: each.kind for each in stuck or asked}


class Order(NamedTuple):
    """What is said to one saga.

    Attributes:
        saga: as it stands before.
        said: what is said.
        step: the step that it is about; empty for the whole saga.
        kind: what that was asked.
    """

    saga: Description
    said: VerbGiven
    step: str
    kind: str

    def line(self) -> str:
        """What the saga is, and what it is to do."""
        saga = self.saga
        waits = f": {saga.waits_for}" if saga.waits_for else ""
        stands = one_line(f"{saga.name} {saga.version}, {saga.status}{waits}", TEXT_MAX)
        return f"{saga.saga_id}  {stands}\n  is to {self.effect()}"

    def effect(self) -> str:
        """What it is to do."""
        return WORDS[self.said.verb].format(step=f"{self.step}/{self.kind}", outcome=_in_words(self.said.outcome))

    async def say(self, client: Client, timeout_s: float) -> None:
        """Say it, and wait for the engine to have acted on it; what the client raises is for the caller."""
        said, saga_id = self.said, self.saga.saga_id
        if said.verb == "answer":
            key = f"{saga_id}/{self.step}/{self.kind}"
            await client.answer(key, said.outcome or Done(), by=said.by, reason=said.reason, timeout=timeout_s)
            return
        verbs: dict[str, Callable[[], Verb]] = {
            "cancel": lambda: Cancel(said.reason, said.by),
            "abandon": lambda: Abandon(said.reason, said.by),
            "retry": lambda: Retry(self.step, said.reason, said.by),
            "undo": lambda: Undo(self.step, said.reason, said.by),
            "resolve": lambda: Resolve(self.step, said.outcome or Done(), said.reason, said.by),
        }
        await client.tell(saga_id, verbs[said.verb](), timeout=timeout_s)


def outcome_of(verb: str, done: str | None, refused: str | None) -> Done | Refused:
    """The outcome that the options give.

    Raises:
        UnusableInput: they give none, or two, or what is no JSON.
    """
    if (done is None) == (refused is None):
        raise UnusableInput(f"{verb}: give --done JSON, such as --done null, or --refused TEXT")
    if done is None:
        return Refused(refused or "")
    try:
        return Done(msgspec.json.decode(done))
    except (ValueError, RecursionError) as error:  # bytes that are no text come as what UTF-8 has not
        text = "text has its quotes, as in --done '\"text\"'"
        raise UnusableInput(f"--done {done!r:.100} is no JSON: {error}; {text}") from error


def search_of(where: Sequence[str], limit: int, now_ms: int) -> Search:
    """The sagas that filters mean.

    Raises:
        UnusableInput: a filter is none.
    """
    statuses, named = list[str](), dict[str, str]()
    for text in where:
        key, _, value = text.partition("=")
        if not value or key not in FILTERS:
            raise UnusableInput(f"--where {text!r:.100}: give KEY=VALUE, KEY being one of {', '.join(FILTERS)}")
        if key != "status":
            named[key] = value
        elif value in (*STATUS_WORDS, *CONDITIONS):
            statuses.append(value)
        else:
            raise UnusableInput(f"--where {text!r:.100}: a status is {', '.join((*STATUS_WORDS, *CONDITIONS))}")
    return search_for(statuses, limit, now_ms, **named)


def _in_words(outcome: Done | Refused | None) -> str:
    if isinstance(outcome, Done):
        return f"done, {msgspec.json.encode(outcome.answer).decode()}" if outcome.answer is not None else "done"
    return f"refused: {outcome.reason}" if outcome else ""
