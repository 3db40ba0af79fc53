"""A whole saga at once, on a clock of its own, with participants that answer at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from amends.core.definition import Saga, external, local, parallel
from amends.core.messages import (
    GONE,
    Call,
    Cancel,
    Changed,
    Done,
    Kind,
    Later,
    Outcome,
    Refused,
    Request,
    Retry,
    Unknown,
)
from amends.core.run import outcome_of, perform, run
from amends.core.state import Backward, Compensated, Completed, Forward, NeedsOperator, Status
from amends.core.step import in_words
from amends.errors import ParticipantError, UnusableInput
from tests.core.sagas import LINE


class World:
    """A client that answers what it is told to, and writes down what it was asked."""

    def __init__(self, **outcomes: list[object]) -> None:
        self.outcomes = outcomes
        self.calls: list[tuple[str, int]] = []
        self.seen: list[Call] = []

    def answer(self, call: Call) -> Any:
        """Give the next outcome for the request; `Done` when there is none left."""
        _, step, kind = call.key.split("/")
        self.calls.append((f"{step}/{kind}", call.attempt))
        self.seen.append(call)
        left = self.outcomes.get(f"{step}_{kind}", [])
        outcome = left.pop(0) if left else Done()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def act(world: World, request: object, call: Call) -> Any:
    """Ask the world."""
    return world.answer(call)


def look(world: World, request: object, call: Call) -> Any:
    """Ask the world whether it was done."""
    return world.answer(Call(call.key.replace("/do", "/look"), call.attempt))


def step(event: str, **options: Any) -> Any:
    """Return an external step of the world."""
    return external(event, act, **{"undo": act, "undone": f"{event}_UNDONE", "service": "WORLD", **options})


def saga(*steps: Any, **options: Any) -> Saga:
    """Return a saga."""
    return Saga("test", str, list(steps), **options)


TWO = saga(step("A"), step("B"))


def test_it_runs_to_the_end() -> None:
    """Answers travel on; what gives nothing back is done."""
    world = World(A_do=[Done("a-1")], B_do=[None])
    ended = run(TWO, "x", saga_id="s", clients={"WORLD": world})
    assert ended.state == Completed()
    assert world.calls == [("A/do", 1), ("B/do", 1)]
    assert (ended.answers, world.seen[1].answers, world.seen[1].key) == ({"A": "a-1"}, {"A": "a-1"}, "s/B/do")
    assert ended.waiting == ()


def test_it_goes_back() -> None:
    """The undo gets its action's answer."""
    world = World(A_do=[Done("a-1")], B_do=[Refused("no")])
    ended = run(TWO, "x", clients={"WORLD": world})
    assert (ended.state, ended.reason) == (Compensated(), "no")
    assert world.calls == [("A/do", 1), ("B/do", 1), ("A/undo", 1)]
    assert world.seen[2].answer == "a-1"
    assert [entry.event for entry in ended.trail] == ["A", "B", "A_UNDONE"]
    assert [entry.status for entry in ended.trail] == [Status.DONE, Status.REFUSED, Status.UNDONE]


def test_raising_is_unknown_and_asked_again_in_time() -> None:
    """Hours pass in no time."""
    world = World(A_do=[OSError("boom"), Unknown("what?"), "nonsense", Done("a-1")])
    assert run(TWO, "x", clients={"WORLD": world}).state == Completed()
    assert world.calls[:4] == [("A/do", 1), ("A/do", 2), ("A/do", 3), ("A/do", 4)]


def test_an_error_is_on_the_books() -> None:
    """What the attempt before ended with, for whoever looks."""
    world = World(A_undo=[OSError("down")] * 10_000, B_do=[Refused()])
    stuck = run(TWO, "x", clients={"WORLD": world})
    assert isinstance(stuck.state, Backward)
    assert stuck.waiting[0].error == "OSError: down"
    due_ms = stuck.due_ms()
    assert due_ms is not None
    assert due_ms > 3_600_000


def test_it_stops_where_only_an_operator_can_go_on() -> None:
    """A refused compensation."""
    world = World(B_do=[Refused()], A_undo=[Refused("gone")])
    ended = run(TWO, "x", clients={"WORLD": world})
    assert isinstance(ended.state, NeedsOperator)
    assert (ended.outstanding(), ended.trouble, ended.due_ms()) == (("A/undo",), "gone", None)


def test_the_horizon_ends_it_as_it_stands() -> None:
    """A saga that still waits is given back."""
    world = World(A_do=[Later(7200)])
    waits = run(TWO, "x", clients={"WORLD": world})
    assert (waits.state, waits.due_ms()) == (Forward(0, (Status.SENT,)), 7_200_000)
    ended = run(TWO, "x", clients={"WORLD": World(A_do=[Later(7200)])}, horizon_ms=10**8)
    assert (ended.state, ended.reason) == (Compensated(), "A/do timed out")


def test_a_deadline_passes_between_attempts() -> None:
    """Also while retries are on their way; a retry that was held back is not sent any more."""
    world = World(A_do=[OSError()] * 1000)
    ended = run(saga(step("A", limit_s=600), deadline_s=20), "x", clients={"WORLD": world})
    assert (ended.state, ended.reason) == (Compensated(), "deadline passed")
    assert world.calls[-1] == ("A/undo", 1)
    assert len(world.calls) < 12


def test_a_retry_that_was_overtaken_is_not_sent() -> None:
    """The group turns back while one member's retry waits for its time."""
    world = World(A_do=[OSError()], B_do=[Refused("no")])
    ended = run(saga(parallel(step("A"), step("B"))), "x", clients={"WORLD": world})
    assert ended.state == Compensated()
    assert world.calls == [("A/do", 1), ("B/do", 1), ("A/undo", 1)]


def test_a_probe_is_asked() -> None:
    """Before the undo; its key is the action's."""
    world = World(A_do=[OSError()] * 100, A_look=[Done("found")])
    ended = run(saga(step("A", probe=look, settles_within_s=1)), "x", clients={"WORLD": world})
    assert ended.state == Compensated()
    assert [call for call in world.calls if call[0] != "A/do"] == [("A/look", 1), ("A/undo", 1)]
    assert world.seen[-1].answer == "found"


def book(free: int | None, request: str) -> int | Refused:
    """Take one."""
    return free - 1 if free else Refused("sold out")


def give_back(free: int, request: str) -> int:
    """Give one back."""
    return free + 1


MIXED = saga(
    local("ROOM_HELD", book, undo=give_back, undone="ROOM_FREED", entity=lambda _: "r"),
    parallel(step("A"), local("SEAT_HELD", book, undo=give_back, undone="SEAT_FREED", entity=lambda _: "s")),
    local("NOTE_LEFT", lambda _, text: Changed(text, f"note {text}"), entity=str, pivot=True),
    step("LAST", undo=None, undone=""),
    local("NOTE_GONE", lambda *_: GONE, entity=str),
)


def test_local_and_external_steps_mix() -> None:
    """Local ones are carried out at once, on the entities that are given."""
    entities: dict[str, dict[str, Any]] = {"ROOM": {"r": 1}, "SEAT": {"s": 1}, "NOTE": {}}
    world = World()
    ended = run(MIXED, "x", entities=entities, clients={"WORLD": world})
    assert ended.state == Completed()
    assert entities == {"ROOM": {"r": 0}, "SEAT": {"s": 0}, "NOTE": {}}
    assert ended.answers == {"NOTE_LEFT": "note x"}
    assert world.seen[-1].answers == {"NOTE_LEFT": "note x"}


def test_local_and_external_steps_go_back_together() -> None:
    """In one group too."""
    entities: dict[str, dict[str, Any]] = {"ROOM": {"r": 1}, "SEAT": {"s": 1}, "NOTE": {}}
    world = World(A_do=[Refused("no")])
    ended = run(MIXED, "x", entities=entities, clients={"WORLD": world})
    assert (ended.state, ended.reason) == (Compensated(), "no")
    assert entities == {"ROOM": {"r": 1}, "SEAT": {"s": 1}, "NOTE": {}}


def test_r10_who_was_not_asked_yet_is_not_asked() -> None:
    """A local member refuses in the moment in which the group is asked: the others need not act, nor undo."""
    world = World()
    ended = run(MIXED, "x", entities={"ROOM": {"r": 1}, "SEAT": {"s": 0}, "NOTE": {}}, clients={"WORLD": world})
    assert (ended.state, ended.reason, world.calls) == (Compensated(), "sold out", [])


def test_a_refusal_of_ours_is_the_reason() -> None:
    """Nothing exists by default, so that there is nothing to hold."""
    ended = run(MIXED, "x")
    assert (ended.state, ended.reason) == (Compensated(), "sold out")


async def awaits(client: object, request: object, call: object) -> None:
    """Do nothing, later."""


def test_an_async_function_needs_an_engine() -> None:
    """It says so instead of never being awaited."""
    with pytest.raises(ParticipantError, match=r"A: awaits is async; run\(\) calls plain functions alone"):
        run(saga(external("A", awaits, pivot=True)), "x")


@pytest.mark.parametrize("kind", [Kind.DO, Kind.UNDO, Kind.PROBE])
def test_performing_calls_the_function_of_the_kind(kind: Kind) -> None:
    """The action, its undo, or its probe."""

    def function(part: Kind) -> Callable[..., Done]:
        return lambda client, request, call: Done((part, client, request, call.key))

    functions = {part: function(part) for part in Kind}
    asked = external(
        "A",
        functions[Kind.DO],
        undo=functions[Kind.UNDO],
        undone="B",
        probe=functions[Kind.PROBE],
        settles_within_s=1,
    )
    request = Request("s", "A", kind, "x", Call("key"))
    assert perform(saga(asked), request, {"A": "client"}) == Done((kind, "client", "x", "key"))


OUTCOMES: list[tuple[object, Kind, type[object]]] = [
    (Done(1), Kind.DO, Done),
    (Refused("no"), Kind.UNDO, Refused),
    (Unknown("?"), Kind.PROBE, Unknown),
    (Later(5), Kind.DO, Later),
    (None, Kind.DO, Done),
    (None, Kind.UNDO, Done),
    (None, Kind.PROBE, Unknown),
    (True, Kind.DO, Unknown),
    ("x" * 10**6, Kind.DO, Unknown),
    (Later(0), Kind.DO, Unknown),
    (Later(float("nan")), Kind.DO, Unknown),
    (Later(float("inf")), Kind.DO, Unknown),
    (Later("soon"), Kind.DO, Unknown),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("answer", "kind", "outcome"), OUTCOMES)
def test_what_is_no_outcome_is_unknown(answer: object, kind: Kind, outcome: type[Outcome]) -> None:
    """A participant that answers nonsense may have acted; what it said is shown, not all of it."""
    said = outcome_of(answer, Request("s", "A", kind, None, Call("k")), LINE.step("A"))
    assert isinstance(said, outcome)
    if isinstance(said, Unknown) and answer != Unknown("?"):
        assert said.error.startswith(f"A/{kind.value} gave back ")
        assert len(said.error) < 300


def test_a_service_that_is_not_there_is_named() -> None:
    """A misspelt service would look like a participant that never answers."""
    with pytest.raises(UnusableInput, match="A: clients has no 'WORLD'; it has: WROLD"):
        run(saga(step("A")), "x", clients={"WROLD": World()})
    with pytest.raises(UnusableInput, match="entities has no 'OURS'; it has: "):
        run(Saga("t", str, [local("A", lambda *_: 1, entity=str, service="OURS", pivot=True)]), "x", entities={})


def test_what_none_may_give_back_is_raised() -> None:
    """A function that says so itself has no answer that may come another time."""

    def refuse(client: object, request: object, call: object) -> None:
        raise ParticipantError("A: no such answer")

    with pytest.raises(ParticipantError, match="A: no such answer"):
        run(saga(external("A", refuse, pivot=True)), "x")


def test_an_input_is_told_with_who_wanted_it_and_why() -> None:
    """On one line; what is not said is left out."""
    assert in_words(Cancel()) == "cancel"
    assert in_words(Cancel("changed my mind", by="ada")) == "cancel by ada: changed my mind"
    assert in_words(Retry("A", by="ada")) == "retry A by ada"
