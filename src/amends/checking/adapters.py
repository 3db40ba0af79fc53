"""A model that runs the saga's own functions, against a client that keeps books: the user's code is under test too."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from amends.checking.clients import books_before_each_call
from amends.checking.exceptions import name_of, what_was_raised
from amends.checking.keys import without_remembered
from amends.checking.models import Books, Model, SystemReply
from amends.checking.values import frozen
from amends.checking.world import short
from amends.core.definition import Step
from amends.core.messages import Done, Kind, Later, Outcome, Refused, Request, Unknown
from amends.core.run import outcome_of
from amends.errors import UnusableInput

SETTLES_S: Final = 60.0  # as long as a proxy waits for the server behind it: nginx, proxy_read_timeout
ATTEMPTS: Final = (*range(2, 21), 1000)  # a limit that people write, and one for those who write none
Client = Callable[[Books], Any]
Answers = Callable[[Books, Request], Iterable[tuple[Books, Done | Refused]]]


def adapter(
    client: Client,
    start: Books = (),
    standing: Callable[[Books], tuple[str, ...]] | None = None,
    *,
    view: Callable[[Books], Any] | None = None,
    also: Sequence[Client] = (),
    later: Answers | None = None,
    settles_within_s: float = SETTLES_S,
) -> Model:
    """The saga's own functions, run against a client that keeps books.

    A function may decline, raise, and answer `Later`. It is also cut off between any two calls that it makes to its
    client, as by a process that is killed there; that costs a fault.

    Args:
        client: from the books to a client; what the saga's functions call on it may replace ``client.books``.
        start: the books at the start.
        standing: the keys of the actions whose effect stands in some books; without it, books are compared.
        view: what of the books is compared; by default all of them, but for keys that are only remembered.
        also: clients that may act in its place, on the same books: one that declines, one whose calls raise.
        later: from the books and a request that was answered with `Later` to everything that may come of it: the books
            then, and the answer. By default what the step's probe finds, else `Done`.
        settles_within_s: how long after its sending the system outside may still carry out a request. Seconds; less
            where it is known to be quicker.

    Returns:
        The model, for a scenario's `models`.

    Raises:
        UnusableInput: a client, in place of what makes one of books.
    """
    for each in (client, *also):
        if not callable(each):
            raise UnusableInput(
                f"adapter: {each!r:.80} is no function from books to a client, such as its class; give that"
            )
    name = f"the saga's own functions on {getattr(client, '__name__', 'a client')}"
    acting = _Acting((client, *also), standing, view, later)
    return Model(name, start, acting.replies, standing, view, runs_functions=True, settles_within_s=settles_within_s)


@dataclass(frozen=True, slots=True, eq=False)
class _Acting:
    """What the functions of a saga do on some clients, as `adapter` says."""

    clients: tuple[Client, ...]
    standing: Callable[[Books], tuple[str, ...]] | None
    view: Callable[[Books], Any] | None
    later: Answers | None

    def replies(self, books: Books, request: Request, step: Step) -> Iterator[SystemReply]:
        """Everything that may come of a request."""
        for client in self.clients:
            for reply in _at_each_attempt(client, books, request, step):
                if isinstance(reply.outcome, Later) and step.wait is None:  # a person answers, and no model
                    yield from self._postponed(client, reply, request, step)
                elif isinstance(reply.outcome, Refused) and self._is_half_done(client, books, request, step):
                    yield reply._replace(outcome=Done(), note="overlooks what is half done, and its undo takes back")
                else:
                    yield reply

    def _postponed(self, client: Client, reply: SystemReply, request: Request, step: Step) -> Iterator[SystemReply]:
        if self.later is None:
            yield reply._replace(later=_found(client, reply.books, request, step))
            return
        for books, said in self.later(reply.books, request):
            yield reply._replace(books=books, note=f"{reply.note}, then {short(said)}", later=said)

    def _is_half_done(self, client: Client, books: Books, request: Request, step: Step) -> bool:
        """Whether a probe looked for what was cut off half-way, which the undo takes back, also without an answer."""
        if request.kind is not Kind.PROBE or step.undo is None:
            return False
        action = _last(client, books, replace(request, kind=Kind.DO), step)
        undo = replace(request, kind=Kind.UNDO, call=replace(request.call, key=f"{request.saga_id}/{step.event}/undo"))
        undone = _last(client, books, undo, step)
        is_open = frozen(action.books) != frozen(books)  # it would still do something: so it is not done as a whole
        return is_open and self._left(undone.books) != self._left(books)

    def _left(self, books: Books) -> Any:
        if self.view is None and self.standing is not None:
            return sorted(self.standing(books))
        return frozen(self.view(books)) if self.view else without_remembered(books)


def _at_each_attempt(client: Client, books: Books, request: Request, step: Step) -> Iterator[SystemReply]:
    """What a client comes to at the first attempt; and at a later one, where the function does something else then."""
    yield from _acted(client, books, request, step)
    first = _last(client, books, request, step)
    if _same(first, _last(client, books, _at(request, ATTEMPTS[-1]), step)):
        return
    for attempt in ATTEMPTS:
        reply = _last(client, books, _at(request, attempt), step)
        if not _same(first, reply):
            yield reply._replace(note=f"{reply.note} at attempt {attempt}", attempt=attempt)
            return


def _at(request: Request, attempt: int) -> Request:
    return replace(request, call=replace(request.call, attempt=attempt))


def _same(one: SystemReply, other: SystemReply) -> bool:
    return frozen(one[:2]) == frozen(other[:2])


def _acted(client: Client, books: Books, request: Request, step: Step) -> Iterator[SystemReply]:
    """What one client comes to: as the function ends, and cut off between any two of its calls."""
    acting, function = client(books), step.function(request.kind)
    assert function is not None, "only what a step has is asked"
    with books_before_each_call(acting) as passed:
        outcome, raised = _called(function, acting, request, step)
    after, name = acting.books, name_of(function)
    said = f"raised {raised}" if raised else f"answers {short(outcome)}"
    yield SystemReply(after, outcome, f"{name}() {said}", raised=raised)
    ends = (frozen(books), frozen(after))
    for key, between in {frozen(each): each for each in passed}.items():
        if key not in ends:
            yield SystemReply(between, None, f"{name}() is cut off between two of its calls", is_fault=True)


def _last(client: Client, books: Books, request: Request, step: Step) -> SystemReply:
    return next(_acted(client, books, request, step))


def _found(client: Client, books: Books, request: Request, step: Step) -> Done | Refused:
    """What comes of a request that was taken: what the step's probe finds of it, else just that it is done."""
    if step.probe is None or request.kind is not Kind.DO:
        return Done()
    outcome = _last(client, books, replace(request, kind=Kind.PROBE), step).outcome
    return outcome if isinstance(outcome, Done) else Done()


def _called(function: Callable[..., Any], client: Any, request: Request, step: Step) -> tuple[Outcome, str]:
    """What the saga's own function says, and what it raised; a coroutine is driven to its end: a model never waits."""
    try:
        answer = function(client, request.body, request.call)
        if inspect.iscoroutine(answer):
            answer = _driven(answer)
    except Exception as error:  # noqa: BLE001 - as an engine sees it: docs/promises.md, P5
        return Unknown(f"{type(error).__name__}: {error}"), what_was_raised(error)
    return outcome_of(answer, request, step), ""


def _driven(coroutine: Any) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("it awaits what no check has, such as a pause or a socket: a client answers at once")
