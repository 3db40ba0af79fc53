"""A saga as data: steps, groups and their limits, checked when it is built.

A definition is a frozen value. What could not run, or could not be put back, is refused here with a
`DefinitionError` that names the step and says how to mend it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Generic

from amends.core.messages import Call, Changed, Done, Kind, Refused
from amends.declared import accepts, faults_of_answer, faults_of_entity, faults_of_type, is_plain
from amends.errors import DefinitionError
from amends.generic import Asked_contra, Body, Body_contra, Form

GROUP_MEMBERS_MAX: Final = 8  # the state of a group is finite and drawn: 8 members keep it so (design: rules)
NAME_LENGTH_MAX: Final = 100  # a name is a column of a table and a word of a diagram
A_NAME: Final = f"printable text of 1 to {NAME_LENGTH_MAX} characters, without '/', a str itself"  # which parts a key
DURATION_MAX: Final = 1e9  # 30 years in seconds; beyond it a time is a slip of the pen
REQUEST: Final = 1  # (request), and with a call one more
WITHOUT_CALL: Final = 2  # (entity, request)
PREPARE: Final = 3  # (entities, saga_id, asked)
OF_ONE: Final = {"upcast": "a stored request, a dict by names, to one of today", "reads": "what is asked to entities"}
WITH_CALL: Final = 3  # (entity, request, call), (client, request, call)
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a request is sent again: full jitter below a doubling ceiling.

    Attributes:
        first_s: the ceiling before the second attempt. Seconds, > 0. Raise it for a participant that takes long to come
            back; lower it in tests and where a person waits.
        cap_s: the ceiling never grows above this. Seconds, >= `first_s`. Lower it where an outage should be noticed to
            be over within less; raise it to spare a participant that is away for hours.
    """

    first_s: float = 0.2  # docs/promises.md, P2: 0.2 s to 300 s
    cap_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Wait:
    """What a step waits for that has no effect; built by `wait_for` and `pause`, which say what each value means."""

    lasts_s: float | Callable[[Any], float]
    assignee: str | Callable[[Any], str] = ""
    answer: Any = Any
    remind_every_s: float = DAY_S

    @property
    def is_pause(self) -> bool:
        """Whether its time alone ends it, and it is done then."""
        return self.assignee == ""


@dataclass(frozen=True, slots=True, eq=False)
class Step(Generic[Body_contra]):
    """One step; built by `local`, `external`, `wait_for` and `pause`, which say what each value means."""

    event: str
    action: Callable[..., Any] | None
    service: str
    undo: Callable[..., Any] | None = None
    undone: str = ""
    pivot: bool = False
    entity: Callable[[Body_contra], str] | None = None
    leaves: Callable[[Any, Any], Any] | None = None
    holds: tuple[str, ...] = ()
    probe: Callable[..., Any] | None = None
    timeout_s: float = 10.0
    limit_s: float = 60.0
    settles_within_s: float | None = None
    key_lives_h: float | None = None
    backoff: Backoff = field(default_factory=Backoff)
    remembers_refusals: bool = True
    at_least_once: bool = False
    start_within_s: float = 3600.0
    asks: bool = False
    wait: Wait | None = None

    @property
    def is_local(self) -> bool:
        """Whether the participant's state is kept by us, so that its action is a pure function."""
        return self.entity is not None

    def function(self, kind: Kind) -> Callable[..., Any] | None:
        """The function that a request of this kind asks; ``None`` where the step has none."""
        return {Kind.DO: self.action, Kind.PROBE: self.probe}.get(kind, self.undo)


@dataclass(frozen=True, slots=True)
class Parallel(Generic[Body_contra]):
    """Steps that are asked at the same time; built by `parallel`."""

    steps: tuple[Step[Body_contra], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Child(Generic[Body_contra]):
    """A saga that another one, its parent, starts once it has completed: by a letter in the commit that completes it.

    So it is started once, or not at all: not by a parent that was compensated or abandoned. It is a saga of its own,
    which its parent neither waits for nor undoes. Its id is that of the parent, a point, and its definition's name.

    Attributes:
        saga: its definition, one of those that the engine is opened with.
        request: pure, ``(request[, call])`` to what it is asked for, from the parent's request; ``None`` starts none.
            The second parameter is passed when the function has one: ``call.answers`` are those of the parent's steps,
            ``call.key`` is the client key under which the child is started. Where the child's definition has a
            `prepare`, that gets what this gives, as plain JSON. A function that raises starts none; why is kept under
            the key.
    """

    saga: Saga[Any, Any]
    request: Callable[[Body_contra], Any] | Callable[[Body_contra, Call], Any]

    def __post_init__(self) -> None:
        """Check both.

        Raises:
            DefinitionError: one of them is of no use.
        """
        if not isinstance(self.saga, Saga):
            raise DefinitionError(f"a child's saga is {self.saga!r:.60}; give the definition of the saga to start")
        if not any(is_plain(self.request, count) for count in (REQUEST, REQUEST + 1)):
            raise DefinitionError(
                f"child {self.saga.name!r}: request must take (request) or (request, call), and be neither async nor "
                "yield"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """A change of one entity that is no step of a saga: a new customer, a restock, the next order number.

    Attributes:
        event: what to call it in the audit.
        service: the participant that owns the entity.
        apply: pure, ``(entity, body) -> entity | Refused``; the entity is ``None`` when it does not exist. Its first
            parameter says as what type the entity is read back.
    """

    event: str
    service: str
    apply: Callable[[Any, Any], Any]

    def __post_init__(self) -> None:
        """Check the names, which are stored, and the function.

        Raises:
            DefinitionError: one of them cannot be.
        """
        if not (is_name(self.event) and is_name(self.service)):
            raise DefinitionError(f"command {self.event!r} of service {self.service!r}: each name is {A_NAME}")
        if not is_plain(self.apply, WITHOUT_CALL):
            raise DefinitionError(
                f"command {self.event!r}: apply must take (entity, body), and be neither async nor yield"
            )


Local = Callable[[Any, Body], Any] | Callable[[Any, Body, Call], Any]
"""A function of ours: ``(entity, request[, call])``."""

External = Callable[[Any, Body, Call], Any]
"""One of the world outside: ``(client, request, call)``."""


def local(
    event: str,
    action: Local[Body],
    *,
    entity: Callable[[Body], str],
    undo: Local[Body] | None = None,
    undone: str = "",
    service: str = "",
    pivot: bool = False,
    leaves: Callable[[Any, Body], Any] | None = None,
    holds: Sequence[str] = (),
    limit_s: float = 60.0,
    backoff: Backoff | None = None,
) -> Step[Body]:
    """A step of a participant whose state we keep: pure functions from an entity to the next one.

    Args:
        event: what happened, once it has; also the step's name. Unique in the saga.
        action: ``(entity, request[, call])`` to the new entity, `Changed`, `GONE` or `Refused`; pure. The entity is
            ``None`` when it does not exist. The third parameter is passed when the function has one.
        entity: from the request to the entity's id, a text.
        undo: like `action`, for the way back; ``call.answer`` is the action's answer. Give it to every step before the
            pivot.
        undone: what happened, once it is undone. Unique in the saga. Give it wherever there is an `undo`.
        service: the participant that owns the entity; by default the event's first word (``SEATS`` of ``SEATS_HELD``).
            Give it where that is another word, such as one owner of several kinds of event.
        pivot: whether this is the point of no return, after which the saga only goes forward. Set it where nothing can
            be undone any more once this is done: goods that left, money paid out.
        leaves: ``(entity before, request)`` to the entity that is left after the compensation. Give it where that is on
            purpose not the entity before: an order row that stays, canceled; a fee.
        holds: fields of the entity that stand for a reservation while the saga runs; at its end they must be as before
            (`docs/promises.md`, V19). Give it where an entity has such fields, so that `amends check` can hold it to
            that.
        limit_s: how long a step before the pivot is retried when its function raises; then the saga turns back.
            Seconds, > 0. Lower it where a quick no is better than a late yes; raise it for a function whose error goes
            away by a deploy.
        backoff: the pause between these tries; by default `Backoff()`. Give one where tries should come faster or
            slower.

    Returns:
        The step, to be put into a `Saga`, where it is checked.
    """
    return Step(
        event, action, service or _first_word(event), undo, undone, pivot, entity, leaves, _listed(holds),
        limit_s=limit_s, backoff=Backoff() if backoff is None else backoff,
    )  # fmt: skip


def external(
    event: str,
    action: External[Body],
    *,
    undo: External[Body] | None = None,
    undone: str = "",
    service: str = "",
    pivot: bool = False,
    probe: External[Body] | None = None,
    timeout_s: float = 10.0,
    limit_s: float = 60.0,
    settles_within_s: float | None = None,
    key_lives_h: float | None = None,
    backoff: Backoff | None = None,
    remembers_refusals: bool = False,
    at_least_once: bool = False,
    leaves: Callable[[Any, Any], Any] | None = None,
    start_within_s: float = 3600.0,
    asks: bool = False,
) -> Step:
    """A step in the world outside: a function with an idempotency key. Raising or timing out means unknown.

    Args:
        event: what happened, once it has; also the step's name. Unique in the saga.
        action: ``(client, request, call)``, plain or async, to `Done`, `Refused` or `Later`.
        undo: like `action`; ``call.answer`` is the action's answer, or what the probe found. Give it to every step
            before the pivot that does more than ask.
        undone: what happened, once it is undone. Unique in the saga. Give it wherever there is an `undo`.
        service: the participant that is asked, which is the name of its client, too; by default the event's first word.
            Give it where that is another word.
        pivot: whether this is the point of no return, after which the saga only goes forward. Set it where nothing can
            be undone any more once this is done: goods that left, money paid out.
        probe: like `action`: looks for the action under ``call.key``; `Done` when it took effect, `Refused` when
            nothing is to be found. Give it wherever the outside system can be asked and its undo needs an answer: an
            unknown action is then looked for before it is undone.
        timeout_s: how long one attempt may take before its outcome is unknown. Seconds, > 0. Raise it above the longest
            time that a good answer takes; lower it where a second attempt is cheap and often quicker.
        limit_s: how long a step before the pivot is tried, first sending to last; what it waited for a place at its
            participant before does not count. Seconds, >= `timeout_s`. Raise it where it is worth waiting for a
            participant that is away; lower it where a client waits for the end.
        settles_within_s: how long after its sending a request can still take effect, by way of queues and proxies. The
            probe waits for that, counted from when the last attempt was due, since until then it may be sent: what it
            does not find before proves nothing. Seconds. Give it with every `probe`.
        key_lives_h: how long the outside system honours a key; after it only a probe decides. Hours; ``None`` for ever.
            Give it where the system's documentation says that it forgets keys.
        backoff: the pause between attempts; by default `Backoff()`. Give one where a participant asks for fewer
            requests, or where attempts should come faster.
        remembers_refusals: whether a refused key stays refused, so that a refusal after an unknown attempt proves that
            nothing happened. Set it where the participant keeps its refusals under their keys, as `amends.inbox` does.
        at_least_once: whether a retry may repeat the effect; shown wherever the saga is (`docs/promises.md`, P4). Set
            it where the outside system honours no keys.
        leaves: as for `local`, about the books of the outside system's model. Give it where the compensation leaves
            something on purpose, such as a fee.
        start_within_s: how long a step up to the pivot waits for its first sending, while its participant has as many
            calls as it may (`amends.open(concurrency=...)`); then it counts as refused, since it was never sent. The
            field calls that schedule-to-start. Seconds, >= `timeout_s`. Lower it where an answer is worth nothing
            later.
        asks: whether it only asks, and changes nothing; such a step may be asked any number of times. Set it for a rate
            or a stock level: the step then has no undo, and needs none.

    Returns:
        The step, to be put into a `Saga`, where it is checked.
    """
    return Step(
        event, action, service or _first_word(event), undo, undone, pivot, None, leaves, (), probe, timeout_s, limit_s,
        settles_within_s, key_lives_h, Backoff() if backoff is None else backoff, remembers_refusals or asks,
        at_least_once, start_within_s, asks,
    )  # fmt: skip


def wait_for(
    event: str,
    *,
    limit_s: float | Callable[[Body], float],
    assignee: str | Callable[[Body], str] = "",
    answer: Any = Any,
    service: str = "",
    notify: External[Body] | None = None,
    remind_every_s: float = DAY_S,
    timeout_s: float = 10.0,
    backoff: Backoff | None = None,
) -> Step[Body]:
    """A step that waits for a person, or for anything outside that answers of its own accord (`Engine.answer`).

    It has no effect but the commit that takes its answer. So a cancel, the saga's deadline, or another step of the
    group that is refused, withdraws it at once and for certain; of an answer and a withdrawal the first commit counts,
    and who comes second is told. It stands before the pivot, and has nothing to undo.

    Args:
        event: what happened, once it was answered with `Done`; also the step's name. Unique in the saga. `Refused`
            turns the saga back.
        limit_s: how long the answer is waited for; then it counts as refused. Seconds from when the wait begins, > 0,
            or a function that makes them of the request, called once. Lower it where a late yes is worth nothing.
        assignee: who is asked, as it is shown to people: a text, or a function that makes one of the request, called
            once. By default the `service`. Give it where that is a person, or depends on the request.
        answer: the type of the answer, as which it is stored and read back; another one is refused to who gives it.
            By default plain JSON. Give it where later steps read the answer.
        service: who answers: by default the event's first word (``MANAGER`` of ``MANAGER_APPROVED``); with `notify` the
            name of its client, too. Give it where that is another word.
        notify: ``(client, request, call)``, plain or async: tells who is asked, with ``call.key``, under which the
            answer is given. It is called when the wait begins, and again after each `remind_every_s`; once more where
            it raised, or the process ended meanwhile. What it gives back decides nothing. Give it where a person is to
            be told; without it the wait is found by `pending`.
        remind_every_s: how long after a call of `notify` the next one comes. Seconds, > 0; by default a day. Lower it
            where the answer is urgent; give it the `limit_s` to notify once.
        timeout_s: how long one call of `notify` may take. Seconds, > 0. Raise it for a slow mail server.
        backoff: the pause after a call of `notify` that failed; by default `Backoff()`. Give one where tries should
            come faster or slower.

    Returns:
        The step, to be put into a `Saga`, where it is checked.
    """
    who = service or _first_word(event)
    return Step(
        event, notify, who, timeout_s=timeout_s, backoff=Backoff() if backoff is None else backoff, asks=True,
        wait=Wait(limit_s, assignee or who, answer, remind_every_s),
    )  # fmt: skip


def pause(event: str, seconds: float | Callable[[Body], float]) -> Step[Body]:
    """A step that is done once its time has passed: a sleep that survives restarts.

    Before the pivot, a cancel, the saga's deadline, or another step of the group that is refused, ends it at once.

    Args:
        event: what happened then; also the step's name. Unique in the saga.
        seconds: how long it lasts, > 0, or a function that makes them of the request, called once.

    Returns:
        The step, to be put into a `Saga`, where it is checked.
    """
    return Step(event, None, _first_word(event), asks=True, wait=Wait(seconds))


def parallel(*steps: Step[Body]) -> Parallel[Body]:
    """Steps that are asked at the same time; the saga goes on when all are done.

    Args:
        steps: 1 to 8 steps, none of them the pivot.
    """
    return Parallel(steps)


@dataclass(frozen=True, slots=True, eq=False)
class Saga(Generic[Body, Asked_contra]):
    """A definition: what runs, in which order, and what makes amends for it.

    Attributes:
        name: stored with every saga that runs under it.
        request: the type of a saga's request, as which it is stored and read back: a class, `list[int]`, a union.
        steps: steps and `parallel` groups, in order.
        version: stored with every saga; a saga finishes under the version it started with. A whole number, >= 1. Raise
            it when the steps change while sagas of before may be under way, and open the engine with both versions.
        deadline_s: when to turn back a saga that has not reached its pivot's request. Seconds from its start; ``None``
            for never. Give it where the end is worth nothing later, such as when a customer waits for it.
        prepare: ``(entities, saga_id, asked) -> request | Refused``: builds a saga's request in the batch that starts
            it, from entities (service, then id) that it only reads. Give it where the request needs what only the store
            knows: a price, the next number.
        upcast: pure, from a request that was stored as another type, its records as dicts by the names of their fields,
            to one of the type `request` (`docs/versions.md`). Give it when a deploy changes that type in a way that
            would not read the stored ones right.
        starts: the sagas that one which has completed starts. Give it what is to follow for certain, and does not
            decide whether this one succeeds: an invoice, a letter of thanks. A definition starts those that were made
            before it alone, so that no saga can go on starting others for ever.
        reads: pure, from what `prepare` gets to the entities that it looks up, each as (service, id). Give it where
            engines share a store: these are then read together, before anything is decided. Else `prepare` is called
            once more for each look that depends on the one before, and each of them waits for the store. What it does
            not name is read when it is met.
        groups: the steps again, each group a tuple; a step alone is a group of one.
        fingerprint: 16 hex digits over everything that decides how a stored saga goes on.

    Raises:
        DefinitionError: a saga that could not run or not be put back; names the step and the remedy.
    """

    name: str
    request: type[Body] | Form
    steps: Sequence[Step[Body] | Parallel[Body]]
    version: int = 1
    deadline_s: float | None = None
    prepare: Callable[[Mapping[str, Mapping[str, Any]], str, Asked_contra], Body | Refused] | None = None
    upcast: Callable[[Any], Body] | None = None
    starts: Sequence[Child[Body]] = ()
    reads: Callable[[Asked_contra], Iterable[tuple[str, str]]] | None = None
    groups: tuple[tuple[Step, ...], ...] = field(init=False, repr=False)
    pivot: int = field(init=False, repr=False)
    fingerprint: str = field(init=False, repr=False)
    compiled: dict[Any, Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check the definition and derive what is looked up often."""
        _refuse_first(self.name, _faults_of_list(self.steps))
        object.__setattr__(self, "steps", tuple(self.steps))
        object.__setattr__(self, "groups", tuple(_members(entry) for entry in self.steps))
        object.__setattr__(self, "starts", _listed(self.starts))
        _refuse_first(self.name, _faults_of_saga(self))
        object.__setattr__(self, "pivot", [*(bool(group[0].pivot) for group in self.groups), True].index(True))
        for number, group in enumerate(self.groups):
            for step in group:
                faults = _faults_of_step(step, number > self.pivot)
                _refuse_first(self.name, (f"step {step.event!r}: {fault}" for fault in faults))
        object.__setattr__(self, "fingerprint", _fingerprint(self))

    def every_step(self) -> Iterable[Step]:
        """The steps in order, without their grouping."""
        return (step for group in self.groups for step in group)

    def step(self, event: str) -> Step:
        """The step of that name.

        Raises:
            KeyError: the saga has no such step.
        """
        for step in self.every_step():
            if step.event == event:
                return step
        raise KeyError(f"saga {self.name!r} has no step {event!r}")

    def replacing(self, event: str, action: Callable[..., Any]) -> Saga:
        """The same saga with another action for one step: how failures are injected from outside."""
        self.step(event)
        groups = ((replace(s, action=action) if s.event == event else s for s in group) for group in self.groups)
        return replace(self, steps=[parallel(*group) for group in groups])


@lru_cache(maxsize=1024)  # a signature takes 10 us to read; more functions than this no process calls in turn
def takes_call(function: Callable[..., Any]) -> bool:
    """Whether a local function has a third parameter, for the `Call`."""
    return accepts(function, WITH_CALL)


def _first_word(event: object) -> str:
    return event.split("_")[0] if isinstance(event, str) else ""


def _listed(values: Any) -> Any:
    return tuple(values) if isinstance(values, list | tuple) else values


def _members(entry: Any) -> tuple[Any, ...]:
    return entry.steps if isinstance(entry, Parallel) else (entry,)


# What can be wrong with a definition: each gives what it finds, in words that say how to mend it -----------------
# Their parameters are `Any`: they look at what an author wrote, of any type.


def _refuse_first(saga: Any, faults: Iterator[str]) -> None:
    for fault in faults:
        raise DefinitionError(f"saga {saga!r}: {fault}")


def _faults_of_list(steps: Any) -> Iterator[str]:
    if not isinstance(steps, list | tuple):
        yield f"steps is {steps!r}; give a list of local(...), external(...), wait_for(...), pause(...), parallel(...)"
    for entry in steps:
        for step in _members(entry):
            if not isinstance(step, Step):
                hint = "; a group cannot hold a group" if isinstance(step, Parallel) else ""
                yield f"{step!r:.60} is no step; give local(...), external(...), wait_for(...), pause(...){hint}"


def _faults_of_saga(saga: Any) -> Iterator[str]:
    if not is_name(saga.name):
        yield f"a saga's name is {A_NAME}"
    yield from faults_of_type(saga.request, "request")
    if type(saga.version) is not int or saga.version < 1:
        yield f"version is {saga.version!r}; count from 1"
    if saga.deadline_s is not None and not is_duration(saga.deadline_s):
        yield f"deadline_s is {saga.deadline_s!r}; give seconds above 0, or leave it out"
    if saga.prepare is not None and not is_plain(saga.prepare, PREPARE):
        yield f"prepare is {saga.prepare!r}; give a function (entities, saga_id, asked) -> request, not async"
    for name, wanted in OF_ONE.items():
        if (given := getattr(saga, name)) is not None and not is_plain(given, 1):
            yield f"{name} is {given!r}; give a function from {wanted}"
    if not saga.groups:
        yield "it has no step; give it at least one"
    yield from _faults_of_groups(saga.groups)
    yield from _faults_of_starts(saga)
    names = [text for step in saga.every_step() for text in (step.event, step.undone) if text]
    for text in (text for text in names if names.count(text) > 1):
        yield f"step {text!r}: two events have this name; name each differently"


def _faults_of_starts(saga: Any) -> Iterator[str]:
    if not isinstance(saga.starts, tuple) or not all(isinstance(child, Child) for child in saga.starts):
        yield f"starts is {saga.starts!r:.60}; give a list of Child(SAGA, request)"
    ids = [*_descendants(saga)]
    for name in (name for name in ids if ids.count(name) > 1):
        yield f"two sagas that it starts would have the id {saga.name + name!r}; name their definitions differently"


def _descendants(saga: Any) -> Iterator[str]:
    """What the id of each saga that follows from one has behind the id of that."""
    for child in saga.starts:
        yield f".{child.saga.name}"
        yield from (f".{child.saga.name}{name}" for name in _descendants(child.saga))


def _faults_of_groups(groups: Any) -> Iterator[str]:
    for group in groups:
        if not 1 <= len(group) <= GROUP_MEMBERS_MAX:
            yield (
                f"a group has {len(group)} members; 1 to {GROUP_MEMBERS_MAX} can run at the same time: "
                "split it into groups that follow each other"
            )
    pivots = [step for group in groups for step in group if step.pivot]
    for step in pivots[1:]:
        yield (
            f"step {pivots[0].event!r} and step {step.event!r} are both pivots; a saga has one point of no return: "
            "the later ones are retriable steps without pivot=True"
        )
    if pivots and (pivots[0],) not in groups:
        yield f"step {pivots[0].event!r}: the pivot is in a parallel group; it decides alone: move it out"


def _faults_of_step(step: Any, after_pivot: bool) -> Iterator[str]:
    if not is_name(step.event):
        yield f"an event's name is {A_NAME}"
    if not is_name(step.service):
        yield f"service is {step.service!r}; give {A_NAME}"
    for name in ("pivot", "remembers_refusals", "at_least_once", "asks"):
        if not isinstance(getattr(step, name), bool):
            yield f"{name} is {getattr(step, name)!r}; give True or False"
    yield from _faults_of_way_back(step, after_pivot)
    yield from _faults_of_functions(step)
    yield from _faults_of_times(step)
    yield from _faults_of_wait(step.wait, after_pivot) if step.wait else ()


def _faults_of_wait(wait: Any, after_pivot: bool) -> Iterator[str]:
    name = "seconds" if wait.is_pause else "limit_s"
    for what, value, is_one, kind in (
        (name, wait.lasts_s, is_duration(wait.lasts_s), f"a number above 0, up to {DURATION_MAX:g},"),
        ("assignee", wait.assignee, isinstance(wait.assignee, str), "a text"),
    ):
        if not is_one and not is_plain(value, 1):
            yield f"{what} is {value!r:.60}; give {kind} or a function that makes one of the request, not async"
    yield from faults_of_type(wait.answer, "answer")
    if not is_duration(wait.remind_every_s):
        yield f"remind_every_s is {wait.remind_every_s!r}; give a number above 0, up to {DURATION_MAX:g}"
    if after_pivot and not wait.is_pause:
        yield "it comes after the pivot, and its answer may be no, from where no way leads back: move it before"


def _faults_of_way_back(step: Any, after_pivot: bool) -> Iterator[str]:
    if step.asks:
        for name in ("undo", "undone", "leaves", "probe", "pivot"):
            if getattr(step, name):
                yield f"it only asks, so there is nothing to undo, to leave or to look for: remove {name}, or asks"
    elif step.pivot or after_pivot:
        where = "is the pivot" if step.pivot else "comes after the pivot"
        for name in ("undo", "undone", "leaves"):
            if getattr(step, name):
                yield f"it {where}, which is never undone: remove {name}"
    elif step.undo is None:
        yield "it comes before the pivot and has no compensation; give undo= and undone=, or move it after the pivot"
    elif not is_name(step.undone):
        yield f"undone is {step.undone!r}; name the event of its compensation, {A_NAME}"


def _faults_of_functions(step: Any) -> Iterator[str]:
    shape = "(entity, request) or (entity, request, call)" if step.is_local else "(client, request, call)"
    counts = (WITHOUT_CALL, WITH_CALL) if step.is_local else (WITH_CALL,)
    for name in ("action", "undo", "probe"):
        function = getattr(step, name)
        if function is None and (name != "action" or step.wait):
            continue
        if not any(accepts(function, count) for count in counts):
            yield f"{'notify' if step.wait else name} is {function!r:.60}; it must take {shape}, and be hashable"
        if step.is_local:
            yield from faults_of_entity(function, f"{name}: the entity")
        yield from faults_of_answer(function, f"{name}: the answer", (Done, Changed))
        if step.is_local and not any(is_plain(function, count) for count in counts):
            yield f"{name} is async, or yields; a local step is a pure function: make it plain, or it external(...)"
    if step.is_local and not is_plain(step.entity, 1):
        yield f"entity is {step.entity!r}; give a function from the request to an id, not async"
    if step.leaves is not None and not accepts(step.leaves, WITHOUT_CALL):
        yield f"leaves is {step.leaves!r}; give a function (entity before, request) -> entity"
    if not isinstance(step.holds, tuple) or not all(isinstance(name, str) for name in step.holds):
        yield f"holds is {step.holds!r}; give the names of the entity's fields"


def _faults_of_times(step: Any) -> Iterator[str]:
    for name in ("timeout_s", "limit_s", "start_within_s", "settles_within_s", "key_lives_h"):
        value = getattr(step, name)
        if not is_duration(value) and (value is not None or name in ("timeout_s", "limit_s", "start_within_s")):
            yield f"{name} is {value!r}; give a number above 0, up to {DURATION_MAX:g}"
    for name in ("limit_s", "start_within_s"):
        value = getattr(step, name)
        if not step.is_local and value < step.timeout_s:
            yield f"{name}={value!r} is shorter than timeout_s={step.timeout_s!r}; give one attempt time to end"
    if not isinstance(step.backoff, Backoff):
        yield f"backoff is {step.backoff!r}; give Backoff(first_s=..., cap_s=...)"
    first, cap = step.backoff.first_s, step.backoff.cap_s
    if not (is_duration(first) and is_duration(cap) and first <= cap):
        yield f"backoff has first_s={first!r} and cap_s={cap!r}; give numbers above 0, the cap not below the first"
    if bool(step.probe) != bool(step.settles_within_s):
        yield (
            "probe and settles_within_s go together: a probe may look once the request can no longer take effect; "
            "give both, or neither"
        )


def is_name(value: Any) -> bool:
    """Whether a value can be the name of a saga, an event or a service."""
    return type(value) is str and 1 <= len(value) <= NAME_LENGTH_MAX and value.isprintable() and "/" not in value


def is_duration(value: Any) -> bool:
    """Whether a value is a length of time: a number above 0, up to `DURATION_MAX`."""
    return type(value) in (int, float) and 0 < value <= DURATION_MAX


def _fingerprint(saga: Saga) -> str:
    shape = [
        [
            [s.event, s.service, s.undone, s.pivot, s.is_local, s.probe is not None, s.remembers_refusals]
            + (["pause" if s.wait.is_pause else "wait"] if s.wait else [])
            for s in group
        ]
        for group in saga.groups
    ]
    children = [[child.saga.name for child in saga.starts]] if saga.starts else []
    text = json.dumps([saga.name, saga.version, shape, *children], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
