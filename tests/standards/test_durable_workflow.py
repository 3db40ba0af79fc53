"""The saga scenarios of Durable Workflow's test plan (https://github.com/durable-workflow), which ours have to stand.

A saga of four steps, A to D, with a pivot behind them: any of them may fail.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

import amends
from amends import Call, Compensated, Completed, Done, Refused, Saga, Unknown, external
from amends.adapters.memory import MemoryStore
from amends.views.sagas import AsOf
from amends.views.story import story
from tests.acceptance.command import amends as command
from tests.standards.trip import Trip, booking

STEPS = ("A", "B", "C", "D")
LINE = Saga("line", str, [*(booking(name) for name in STEPS), external("SENT", lambda *_: Done(), pivot=True)])


def failed_at(name: str) -> Trip:
    """Return a saga whose step of that name refused, the ones before being done."""
    life = Trip(LINE).booked(*(f"{before}_BOOKED" for before in STEPS[: STEPS.index(name)]))
    life.say(Refused(f"{name} is out"), f"{name}_BOOKED/do")
    return life


def undone(life: Trip) -> list[str]:
    """Return whose undo was sent, in order."""
    return [sent[0] for sent in life.sent if "/undo" in sent]


def test_success_leaves_no_compensation() -> None:
    """Every step once, no undo, nothing outstanding."""
    life = Trip(LINE).booked(*(f"{name}_BOOKED" for name in STEPS), "SENT")
    life.wait()
    assert (undone(life), life.run("a-1").outstanding()) == ([], ())
    assert isinstance(life.run("a-1").state, Completed)


@pytest.mark.parametrize("name", ["D", "C", "A"])
def test_failure_compensates_exactly_what_was_done(name: str) -> None:
    """Fail at D, fail at C, fail at A: those before it, in reverse, each once."""
    life = failed_at(name)
    before = [*reversed(STEPS[: STEPS.index(name)])]
    for each in before:
        life.say(Done(), f"{each}_BOOKED/undo")
    life.wait()
    assert undone(life) == before
    assert isinstance(life.run("a-1").state, Compensated)
    assert life.run("a-1").reason == f"{name} is out"


def test_a_retried_compensation_acts_once() -> None:
    """It is asked again under the same key, by which its participant knows it; and twice the same answer is one."""
    life, acted = failed_at("B"), set[str]()
    for _ in range(3):
        acted.add(life.asked["A_BOOKED/undo"].request.call.key)
        life.say(Unknown("the answer was lost"), "A_BOOKED/undo")
        life.wait()
    life.say(Done(), "A_BOOKED/undo", "A_BOOKED/undo")
    assert acted == {"a-1/A_BOOKED/undo"}
    assert life.run("a-1").trail[-1].status.value == "undone"
    assert [entry.event for entry in life.run("a-1").trail].count("A_CANCELED") == 1


def test_a_failed_compensation_is_seen_by_step_and_reason_on_every_surface(tmp_path: Path) -> None:
    """The client, the list, the story, the overview, as text and as JSON: which step, and why."""
    kept = external("A_BOOKED", lambda *_: Done(), undo=lambda *_: Refused("the window is closed"), undone="A_CANCELED")
    saga = Saga("kept", str, [kept, external("SENT", lambda *_: Refused("no van"), pivot=True)])
    store = tmp_path / "shop.db"
    with amends.open(f"sqlite:///{store}", sagas=[saga]) as engine:
        handle = engine.submit(saga, "ann")
        with pytest.raises(amends.OperatorNeeded) as told:
            handle.result(30)
    surfaces = {
        "client": str(told.value),
        "show": command("show", handle.saga_id, "--db", store).out,
        "show --json": command("show", handle.saga_id, "--json", "--db", store).out,
        "sagas": command("sagas", "--db", store, columns=200).out,
        "sagas --json": command("sagas", "--json", "--db", store).out,
        "status": command("status", "--db", store, columns=200).out,
        "status --json": command("status", "--json", "--db", store).out,
    }
    silent = {name for name, text in surfaces.items() if "A_BOOKED" not in text or "the window is closed" not in text}
    assert not silent, surfaces


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_a_worker_killed_in_mid_compensation_resumes_without_a_skip_or_a_double(answered: int) -> None:
    """Another process goes on where this one was: what was undone is not asked again, what was not is not left out."""
    life = failed_at("D")
    for name in ("C", "B")[:answered]:
        life.say(Done(), f"{name}_BOOKED/undo")
    following = life.later()
    left = ["C", "B", "A"][answered:]
    assert following.wait() == [f"{left[0]}_BOOKED/undo#2"], "it may have been sent, so it is asked again, by its key"
    for name in left:
        following.say(Done(), f"{name}_BOOKED/undo")
    assert undone(following) == left
    trail = [entry.event for entry in following.run("a-1").trail]
    assert trail[-3:] == ["C_CANCELED", "B_CANCELED", "A_CANCELED"]
    assert isinstance(following.run("a-1").state, Compensated)


class NoRoom(NamedTuple):
    """Why there is no room, for who undoes."""

    code: Literal["FULL", "CLOSED"]
    beds: int


def test_a_typed_error_survives_every_boundary(tmp_path: Path) -> None:
    """What a step found out reaches undos and the client as what it was, from the file as well as from memory.

    Here an error is an answer of a type of its own, which later steps read; the reason of a refusal is text.
    """
    heard = list[Any]()

    def look(_client: None, _name: str, _call: Call) -> Done[NoRoom]:
        return Done(NoRoom("FULL", 2))

    def drop(_client: None, _name: str, call: Call) -> Done:
        heard.append(call.answer)
        return Done()

    def decide(_client: None, _name: str, call: Call) -> Refused:
        found = call.answers["ROOM_LOOKED"]
        heard.append(found)
        return Refused(f"{found.code}: {found.beds} beds")

    look_step = external("ROOM_LOOKED", look, undo=drop, undone="ROOM_DROPPED")
    saga = Saga("typed", str, [look_step, external("ROOM_TAKEN", decide, pivot=True)])
    with amends.open(f"sqlite:///{tmp_path / 'shop.db'}", sagas=[saga]) as engine:
        result = engine.submit(saga, "ann").result(30)
    assert heard == [NoRoom("FULL", 2)] * 2
    assert [type(found) for found in heard] == [NoRoom] * 2
    assert (result.state, result.reason) == (Compensated(), "FULL: 2 beds")


def test_a_view_in_mid_compensation_tells_what_is_done_running_pending_and_failed() -> None:
    """Of each step: whether it is undone, being undone, still to be, or what failed."""
    life = failed_at("D")
    life.say(Done(), "C_BOOKED/undo")
    store = life.store
    assert isinstance(store, MemoryStore)
    seen = story(store, "a-1", AsOf(life.now_ms))
    assert seen is not None
    assert {step.event[0]: step.back or step.outcome for step in seen.steps} == {
        "A": "done",  # its undo is pending
        "B": "undoing",
        "C": "undone",
        "D": "refused",
    }
    assert seen.saga.outstanding == ("A_BOOKED/undo", "B_BOOKED/undo")  # type: ignore[union-attr]  # it is readable
    assert json.loads(json.dumps(seen.saga.reason)) == "D is out"  # type: ignore[union-attr]  # likewise
