"""What a definition is, and that a wrong one is refused when it is built, in words that say how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from amends.core.definition import (
    Backoff,
    Child,
    Command,
    Parallel,
    Saga,
    external,
    local,
    parallel,
    pause,
    takes_call,
    wait_for,
)
from amends.errors import AmendsError, DefinitionError
from tests.core.sagas import GROUP, LINE, last, nobody, ours, pivot, saga, step


def two(entity: object, request: object) -> object:
    """Stand in for a local function."""
    return entity


def yields(entity: object, request: object) -> Iterator[object]:
    """Stand in for a function whose result is a generator."""
    yield entity


async def turns_async(request: object) -> float:
    """Stand in for what cannot make a time of a request."""
    return 1.0


async def awaits(entity: object, request: object) -> object:
    """Stand in for a function that a local step cannot have."""
    return entity


async def asks(client: object, request: object, call: object) -> None:
    """Stand in for an external participant."""


class Model:
    """A class of which nobody knows what to store."""


def on_model(model: Model | None, asked: object) -> Model:
    """Take one as an entity."""
    return Model()


def one(request: object) -> str:
    """Take too little."""
    return ""


WRONG: list[tuple[Callable[[], Any], str]] = [
    # the saga
    (
        lambda: Saga("", Any, [step("A")]),
        "saga '': a saga's name is printable text of 1 to 100 characters, without '/'",
    ),
    (lambda: saga(pivot(), starts=7), "starts is 7; give a list of Child(SAGA, request)"),
    (lambda: saga(pivot(), starts=[7]), "starts is (7,); give a list of Child(SAGA, request)"),
    (
        lambda: saga(pivot(), starts=[Child(LINE, one), Child(LINE, one)]),
        "two sagas that it starts would have the id 'test.test'; name their definitions differently",
    ),
    (lambda: Saga("a/b", Any, [step("A")]), "saga 'a/b': a saga's name is printable text"),
    (lambda: Saga("a\nb", Any, [step("A")]), "a saga's name is printable text"),
    (lambda: Saga("n" * 101, Any, [step("A")]), "a saga's name is printable text"),
    (lambda: Saga(7, Any, [step("A")]), "saga 7: a saga's name is printable text"),  # type: ignore[arg-type]
    (lambda: Saga("s", "dict", [step("A")]), "request is 'dict'; give the type"),  # type: ignore[arg-type]
    (lambda: Saga("s", None, [step("A")]), "request is None; give the type of its values, such as a NamedTuple, dict"),  # type: ignore[arg-type]
    (
        lambda: Saga("s", Model, [step("A")]),
        "Model'>, which cannot be stored; give a NamedTuple, dataclass, TypedDict, msgspec",
    ),
    (lambda: Saga("s", list[Model | None], [step("A")]), "a part of it is <class 'tests.core.test_definition.Model'>"),
    (
        lambda: Saga("s", int, [local("A", on_model, entity=one, pivot=True)]),
        "a part of it is <class 'tests.core.",
    ),
    (lambda: saga(step("A"), prepare=asks), "give a function (entities, saga_id, asked) -> request, not async"),
    (lambda: Command("", "S", on_model), "command '' of service 'S': each name is"),
    (lambda: Command("C", "S", one), "command 'C': apply must take (entity, body), and be neither async nor yield"),  # type: ignore[arg-type]
    (lambda: Command("C", "S", "apply"), "command 'C': apply must take (entity, body)"),  # type: ignore[arg-type]
    (lambda: saga(step("A"), version=0), "version is 0; count from 1"),
    (lambda: saga(step("A"), version=True), "version is True; count from 1"),
    (lambda: saga(step("A"), deadline_s=0), "deadline_s is 0; give seconds above 0, or leave it out"),
    (lambda: saga(step("A"), prepare="place"), "prepare is 'place'; give a function"),
    (lambda: saga(step("A"), upcast="today"), "upcast is 'today'; give a function from a stored request"),
    (lambda: saga(step("A"), upcast=lambda: 1), "give a function from a stored request, a dict by names"),
    (
        lambda: saga(step("A"), reads=[("S", "x")]),
        "reads is [('S', 'x')]; give a function from what is asked to entities",
    ),
    (saga, "saga 'test': it has no step; give it at least one"),
    (lambda: Saga("s", Any, step("A")), "give a list of local(...), external(...), wait_for(...), pause(...)"),  # type: ignore[arg-type]
    (lambda: Saga("s", Any, "AB"), "steps is 'AB'; give a list of local(...)"),  # type: ignore[arg-type]
    (lambda: Saga("s", Any, None), "steps is None; give a list"),  # type: ignore[arg-type]
    (lambda: saga(nobody), "is no step; give local(...), external(...), wait_for(...), pause(...)"),
    (lambda: saga(parallel(step("A"), "B")), "'B' is no step; give"),  # type: ignore[arg-type]
    (lambda: saga(Parallel((Parallel((step("A"),)),))), "; a group cannot hold a group"),  # type: ignore[arg-type]
    # groups and pivots
    (lambda: saga(parallel()), "a group has 0 members; 1 to 8 can run at the same time: split it"),
    (lambda: saga(parallel(*(step(f"S{n}") for n in range(9)))), "a group has 9 members; 1 to 8 can run"),
    (lambda: saga(pivot("P"), pivot("Q")), "step 'P' and step 'Q' are both pivots; a saga has one point of no return"),
    (lambda: saga(parallel(step("A"), pivot())), "step 'PIVOT': the pivot is in a parallel group; it decides alone"),
    (lambda: saga(step("A"), step("A")), "step 'A': two events have this name; name each differently"),
    (lambda: saga(step("A"), step("B", undone="A")), "step 'A': two events have this name"),
    (lambda: saga(step("A", undone="A")), "step 'A': two events have this name"),
    # names
    (lambda: saga(step("")), "step '': an event's name is printable text of 1 to 100 characters, without '/'"),
    (lambda: saga(step("A/B")), "step 'A/B': an event's name is"),
    (lambda: saga(external(5, nobody)), "step 5: an event's name is printable text"),  # type: ignore[arg-type]
    (lambda: saga(step("A", service="a/b")), "step 'A': service is 'a/b'; give printable text"),
    (lambda: saga(step("_A")), "step '_A': service is ''; give printable text"),
    (lambda: saga(step("A", pivot=1)), "step 'A': pivot is 1; give True or False"),
    (lambda: saga(step("A", remembers_refusals="no")), "remembers_refusals is 'no'; give True or False"),
    (lambda: saga(step("A", at_least_once=None)), "at_least_once is None; give True or False"),
    (
        lambda: saga(external("A", nobody, asks=True, undo=nobody, undone="B")),
        "it only asks, so there is nothing to undo",
    ),
    # waits
    (
        lambda: saga(wait_for("A", limit_s=0)),
        "step 'A': limit_s is 0; give a number above 0, up to 1e+09, or a function",
    ),
    (lambda: saga(wait_for("A", limit_s=turns_async)), "that makes one of the request, not async"),  # type: ignore[arg-type]
    (lambda: saga(wait_for("A", limit_s=1, assignee=7)), "step 'A': assignee is 7; give a text or a function"),  # type: ignore[arg-type]
    (lambda: saga(wait_for("A", limit_s=1, answer=Model)), "step 'A': answer is <class"),
    (lambda: saga(wait_for("A", limit_s=1, notify=two)), "step 'A': notify is <function two at"),  # type: ignore[arg-type]
    (
        lambda: saga(wait_for("A", limit_s=1, remind_every_s=-1)),
        "step 'A': remind_every_s is -1; give a number above 0",
    ),
    (lambda: saga(wait_for("A", limit_s=1, timeout_s=0)), "step 'A': timeout_s is 0; give a number above 0"),
    (lambda: saga(pivot(), wait_for("A", limit_s=1)), "step 'A': it comes after the pivot, and its answer may be no"),
    (
        lambda: saga(pause("A", "long")),  # type: ignore[arg-type]
        "step 'A': seconds is 'long'; give a number above 0, up to 1e+09, or a function",
    ),
    # the way back
    (
        lambda: saga(external("A", nobody)),
        "step 'A': it comes before the pivot and has no compensation; give undo= and",
    ),
    (lambda: saga(step("A"), external("B", nobody), pivot()), "step 'B': it comes before the pivot and has no"),
    (lambda: saga(step("A", undone="")), "step 'A': undone is ''; name the event of its compensation, printable text"),
    (lambda: saga(step("A", undone="a/b")), "undone is 'a/b'; name the event of its compensation"),
    (lambda: saga(pivot(undo=nobody)), "step 'PIVOT': it is the pivot, which is never undone: remove undo"),
    (lambda: saga(pivot(), step("Z")), "step 'Z': it comes after the pivot, which is never undone: remove undo"),
    (lambda: saga(pivot(undone="X")), "step 'PIVOT': it is the pivot, which is never undone: remove undone"),
    (
        lambda: saga(pivot(), last(leaves=two)),
        "step 'LAST': it comes after the pivot, which is never undone: remove leaves",
    ),
    # functions
    (lambda: saga(step("A", undo="B")), "step 'A': undo is 'B'; it must take (client, request, call)"),
    (lambda: saga(external("A", two, undo=nobody, undone="B")), "it must take (client, request, call)"),  # type: ignore[arg-type]
    (lambda: saga(step("A", undo=one)), "step 'A': undo is <function one at"),
    (lambda: saga(pivot(probe=two, settles_within_s=1)), "step 'PIVOT': probe is <function two at"),
    (lambda: saga(ours("A", undo=one)), "; it must take (entity, request) or (entity, request, call)"),
    (lambda: saga(local("A", 3, entity=str, pivot=True)), "action is 3; it must take (entity,"),  # type: ignore[arg-type]
    (
        lambda: saga(local("A", awaits, entity=str, pivot=True)),
        "step 'A': action is async, or yields; a local step",
    ),
    (lambda: saga(ours("A", undo=awaits)), "step 'A': undo is async, or yields; a local step is a pure function: make"),
    (lambda: saga(ours("A", entity="id")), "step 'A': entity is 'id'; give a function from the request to an id"),
    (lambda: saga(step("A", leaves=1)), "step 'A': leaves is 1; give a function (entity before, request) -> entity"),
    (lambda: saga(ours("A", holds=[1])), "step 'A': holds is (1,); give the names of the entity's fields"),
    (lambda: saga(ours("A", holds="reserved")), "step 'A': holds is 'reserved'; give the names"),
    (lambda: saga(ours("A", holds=None)), "step 'A': holds is None; give the names of the entity's fields"),
    (lambda: saga(local("A", None, entity=str, pivot=True)), "step 'A': action is None; it must take"),  # type: ignore[arg-type]
    (lambda: saga(local("A", yields, entity=str, pivot=True)), "step 'A': action is async, or yields"),
    (lambda: saga(local("A", two, entity=lambda: "x", pivot=True)), "give a function from the request to an id"),  # type: ignore[misc, arg-type]
    (lambda: saga(ours("A", leaves=lambda: 1)), "give a function (entity before, request) -> entity"),
    (lambda: saga(step("A"), prepare=lambda: 1), "give a function (entities, saga_id, asked) -> request"),
    # times
    (lambda: saga(step("A", timeout_s=0)), "step 'A': timeout_s is 0; give a number above 0"),
    (lambda: saga(step("A", timeout_s=True)), "timeout_s is True; give a number above 0"),
    (lambda: saga(step("A", limit_s=float("nan"))), "limit_s is nan; give a number above 0"),
    (lambda: saga(step("A", limit_s=float("inf"))), "limit_s is inf; give a number above 0"),
    (lambda: saga(step("A", limit_s=1e300)), "limit_s is 1e+300; give a number above 0"),
    (lambda: saga(step("A", key_lives_h=-1)), "key_lives_h is -1; give a number above 0"),
    (lambda: saga(step("A", settles_within_s="1")), "settles_within_s is '1'; give a number above 0"),
    (lambda: saga(step("A", limit_s=5)), "limit_s=5 is shorter than timeout_s=10.0; give one attempt time to end"),
    (lambda: saga(step("A", backoff=5)), "step 'A': backoff is 5; give Backoff(first_s=..., cap_s=...)"),
    (lambda: saga(step("A", backoff=Backoff(0))), "backoff has first_s=0 and cap_s=300.0; give numbers above 0"),
    (
        lambda: saga(step("A", backoff=Backoff(2, 1))),
        "backoff has first_s=2 and cap_s=1; give numbers above 0, the cap",
    ),
    (lambda: saga(step("A", probe=nobody)), "probe and settles_within_s go together: a probe may look once"),
    (lambda: saga(step("A", settles_within_s=5)), "probe and settles_within_s go together"),
]


@pytest.mark.parametrize(("build", "words"), WRONG, ids=[words[:60] for _, words in WRONG])
def test_a_wrong_definition_is_refused_when_it_is_built(build: Callable[[], Any], words: str) -> None:
    """The message names the saga and the step, what is wrong, and what to do."""
    with pytest.raises(DefinitionError) as caught:
        build()
    assert words in str(caught.value)
    assert str(caught.value).startswith(("saga ", "command "))
    assert isinstance(caught.value, AmendsError)


def test_a_child_that_cannot_be_started_is_refused_when_it_is_built() -> None:
    """What it is to start, and what it is asked for; a function may take the call or leave it."""
    with pytest.raises(DefinitionError, match="a child's saga is 'LINE'; give the definition of the saga to start"):
        Child("LINE", one)  # type: ignore[arg-type]
    for request in (turns_async, yields, None):
        with pytest.raises(DefinitionError, match=r"child 'test': request must take \(request\) or \(request, call\)"):
            Child(LINE, request)  # type: ignore[arg-type]
    assert saga(pivot(), starts=[Child(LINE, two)]).starts[0].saga is LINE


def test_the_messages_in_full() -> None:
    """Three of them, as an author reads them."""
    messages: list[tuple[Callable[[], Any], str]] = [
        (
            lambda: saga(step("A"), external("PAID", nobody), pivot()),
            (
                "saga 'test': step 'PAID': it comes before the pivot and has no compensation; give undo= and undone=, "
                "or move it after the pivot"
            ),
        ),
        (
            lambda: saga(pivot("P"), pivot("Q")),
            (
                "saga 'test': step 'P' and step 'Q' are both pivots; a saga has one point of no return: the later ones "
                "are retriable steps without pivot=True"
            ),
        ),
        (
            lambda: saga(step("A", probe=nobody)),
            (
                "saga 'test': step 'A': probe and settles_within_s go together: a probe may look once the request can "
                "no longer take effect; give both, or neither"
            ),
        ),
    ]
    for build, message in messages:
        with pytest.raises(DefinitionError) as caught:
            build()
        assert str(caught.value) == message


def test_a_group_has_at_most_eight_members() -> None:
    """Eight can run at the same time, and one alone is a group too."""
    assert len(saga(parallel(*(step(f"S{n}") for n in range(8)))).groups[0]) == 8
    assert len(saga(parallel(step("A"))).groups[0]) == 1
    with pytest.raises(DefinitionError, match="a group has 9 members"):
        saga(parallel(*(step(f"S{n}") for n in range(9))))


def test_a_definition_is_a_frozen_value() -> None:
    """Whoever has it can rely on it."""
    for frozen, name in ((LINE, "name"), (LINE.groups[0][0], "event")):
        with pytest.raises(FrozenInstanceError):
            setattr(frozen, name, "x")
    steps = [step("A")]
    definition = saga(*steps)
    steps.append(step("B"))
    assert [part.event for part in definition.every_step()] == ["A"]
    assert isinstance(definition.steps, tuple)


def test_what_is_looked_up_is_derived() -> None:
    """The groups, the pivot's place, the steps by name."""
    assert [[part.event for part in group] for group in GROUP.groups] == [["A"], ["B", "C"], ["PIVOT"], ["LAST"]]
    assert (GROUP.pivot, saga(step("A")).pivot) == (2, 1)
    assert GROUP.step("C").undone == "C_UNDONE"
    with pytest.raises(KeyError, match="saga 'test' has no step 'D'"):
        GROUP.step("D")


def test_a_step_says_what_it_is() -> None:
    """Its service is its first word, unless told otherwise; a step is local when it has an entity."""
    assert (step("SEATS_HELD").service, step("SEATS_HELD", service="HALL").service) == ("SEATS", "HALL")
    assert (ours("A").is_local, step("A").is_local) == (True, False)
    assert (ours("A").remembers_refusals, step("A").remembers_refusals) == (True, False)
    assert ours("A", holds=["held"]).holds == ("held",)


def test_functions_may_be_of_any_kind_that_can_be_called() -> None:
    """Plain, async, a bound method, written in C and telling nothing of its parameters."""
    saga(external("A", asks, pivot=True))
    saga(local("A", two, entity=str, pivot=True))
    saga(local("A", max, entity=str, pivot=True))
    assert (takes_call(two), takes_call(nobody)) == (False, True)
    assert takes_call(lambda *parts: parts)


def test_a_failure_is_injected_from_outside() -> None:
    """The same saga with one other action; the first one is as it was."""
    for definition in (LINE, GROUP):
        failing = definition.replacing("B", asks)
        assert failing.step("B").action is asks
        assert definition.step("B").action is nobody
        assert [s.event for s in failing.every_step()] == [s.event for s in definition.every_step()]
        assert (failing.fingerprint, failing.compiled) == (definition.fingerprint, {})
    with pytest.raises(KeyError, match="has no step 'NO'"):
        LINE.replacing("NO", asks)


def test_the_fingerprint_changes_with_what_a_stored_saga_depends_on() -> None:
    """The order, the grouping, the names, the pivot; not the limits, which may be tuned while sagas run."""
    variants: list[tuple[Any, ...]] = [
        (step("A"), step("B"), pivot()),
        (step("B"), step("A"), pivot()),
        (parallel(step("A"), step("B")), pivot()),
        (step("A"), step("B"), last("PIVOT", undo=nobody, undone="X")),
        (step("A"), step("B", undone="OTHER"), pivot()),
        (step("A"), step("B", service="OTHER"), pivot()),
        (step("A"), step("B", probe=nobody, settles_within_s=1), pivot()),
        (step("A"), step("B", remembers_refusals=True), pivot()),
        (step("A"), ours("B"), pivot()),
        (step("A"), external("B", nobody, asks=True), pivot()),
        (step("A"), wait_for("B", limit_s=1), pivot()),
        (step("A"), pause("B", 1), pivot()),
    ]
    prints = [saga(*parts).fingerprint for parts in variants] + [
        LINE.fingerprint,
        saga(step("A"), version=2).fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    assert saga(step("A"), step("B", timeout_s=3, limit_s=9), pivot()).fingerprint == prints[0]
    assert len(prints[0]) == 16
    assert int(prints[0], 16) >= 0


def test_the_fingerprint_is_the_same_everywhere() -> None:
    """It is stored with every saga."""
    assert LINE.fingerprint == "a4fbbdd06eee1360"
