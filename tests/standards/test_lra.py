"""The rules of MicroProfile LRA 2.0.2 that depend on no language: https://github.com/eclipse/microprofile-lra.

Each test names those of the standard's test kit that say the same. Our words: a participant is a step, to close is to
pass the pivot, to cancel is to turn back. Where our rule is the stricter one, the test says so.
"""

from __future__ import annotations

import asyncio
from typing import Any

import amends
from amends import (
    Abandon,
    Abandoned,
    Call,
    Cancel,
    Compensated,
    Completed,
    Done,
    Kind,
    Later,
    Refused,
    Resolve,
    Saga,
    Unknown,
    external,
)
from amends.core.effects import Decline
from amends.core.messages import Answered
from amends.engine.tasks import Deliver
from tests.acceptance.command import ROOT
from tests.standards.trip import CONFIRMED, HOUR_MS, Trip, book, booking, trip

ALL = ("FLIGHT_BOOKED", "HOTEL_BOOKED", "CAR_BOOKED")


def undos(sent: Any) -> list[str]:
    """Return the steps whose undo was sent, in order."""
    return [name.partition("/")[0] for name in sent if "/undo" in name]


def canceled(life: Trip) -> Trip:
    """Return it, told to turn back."""
    life.turn(Deliver("a-1", Cancel("changed my mind")))
    return life


def test_rule_1_a_step_is_undone_once_however_often_it_was_asked() -> None:
    """joinWithOneResourceSameMethodTwiceWithCancel: it is sent twice, and answers twice; one undo."""
    life = Trip().booked()
    life.say(Unknown("no line"), "FLIGHT_BOOKED/do")
    assert "FLIGHT_BOOKED/do#2" in life.wait()
    life.say(Done(), "FLIGHT_BOOKED/do", "FLIGHT_BOOKED/do")
    canceled(life).say(Refused("full"), "HOTEL_BOOKED/do", "CAR_BOOKED/do")
    life.say(Done(), "FLIGHT_BOOKED/undo", "FLIGHT_BOOKED/undo")
    life.wait()
    assert undos(life.sent) == ["FLIGHT_BOOKED"]
    assert isinstance(life.run("a-1").state, Compensated)


def test_rule_2_to_cancel_undoes_all_and_completes_none() -> None:
    """joinWithTwoResourcesWithCancel, cancelLRA."""
    life = Trip().booked("FLIGHT_BOOKED", "HOTEL_BOOKED")
    canceled(life)
    life.say(Done(), "CAR_BOOKED/do")
    life.say(Done(), "HOTEL_BOOKED/undo", "CAR_BOOKED/undo", "FLIGHT_BOOKED/undo")
    assert sorted(undos(life.sent)) == sorted(ALL)
    assert not any("GUEST_TOLD" in name for name in life.sent)
    assert isinstance(life.run("a-1").state, Compensated)


def test_rule_3_to_close_completes_each_once_and_undoes_none() -> None:
    """joinWithTwoResourcesWithClose, closeLRA."""
    life = Trip().booked(*ALL)
    life.say(Done(), "GUEST_TOLD/do")
    life.wait()
    assert sorted(life.sent) == sorted(f"{event}/do#1" for event in (*ALL, "GUEST_TOLD"))
    assert isinstance(life.run("a-1").state, Completed)


def test_rule_4_who_took_no_part_is_told_nothing() -> None:
    """leaveLRA: here who refuses leaves, and is told neither of the end nor of the way back."""
    life = Trip().booked("FLIGHT_BOOKED", "HOTEL_BOOKED")
    life.say(Refused("no car"), "CAR_BOOKED/do")
    life.say(Done(), "HOTEL_BOOKED/undo", "FLIGHT_BOOKED/undo")
    life.wait()
    assert undos(life.sent) == ["HOTEL_BOOKED", "FLIGHT_BOOKED"]
    assert isinstance(life.run("a-1").state, Compensated)


def test_rule_5_at_its_time_limit_a_saga_undoes_and_later_calls_are_refused() -> None:
    """timeLimit, timeLimitWithPreConditionFailed: a verb is declined, and an answer moves nothing."""
    life = Trip(trip(deadline_s=3)).booked(
        "FLIGHT_BOOKED",
        "HOTEL_BOOKED",
    )
    life.turn(after_ms=3_000)
    life.say(Done(), "CAR_BOOKED/do")
    life.say(Done(), "HOTEL_BOOKED/undo", "CAR_BOOKED/undo", "FLIGHT_BOOKED/undo")
    assert isinstance(life.run("a-1").state, Compensated)
    assert "deadline" in life.run("a-1").reason
    assert isinstance(life.turn(Deliver("a-1", Cancel())).replies[0], Decline)
    life.say(Done(), "HOTEL_BOOKED/do")
    assert isinstance(life.run("a-1").state, Compensated)


def test_rule_6_who_has_accepted_is_not_asked_again() -> None:
    """acceptCancelTest, acceptCloseTest: exactly one call. Stricter than the standard, which polls."""
    life = Trip().booked("FLIGHT_BOOKED")
    life.say(Refused("full"), "HOTEL_BOOKED/do", "CAR_BOOKED/do")
    life.say(Later(2 * HOUR_MS / 1000), "FLIGHT_BOOKED/undo")
    for _ in range(10):
        life.turn(after_ms=HOUR_MS // 10)
    assert life.later().sent == []
    life.turn(Deliver("a-1", Answered("FLIGHT_BOOKED", Kind.UNDO, Done())))
    assert undos(life.sent) == ["FLIGHT_BOOKED"]
    assert isinstance(life.run("a-1").state, Compensated)


def test_rule_7_an_unknown_answer_to_an_undo_is_asked_until_it_is_known() -> None:
    """TckUnknownTests, TckUnknownStatusTests: under the same key each time, and without an end."""
    life = Trip().booked("FLIGHT_BOOKED")
    life.say(Refused("full"), "HOTEL_BOOKED/do", "CAR_BOOKED/do")
    keys = set()
    for attempt in range(1, 13):
        assert life.sent[-1] == f"FLIGHT_BOOKED/undo#{attempt}"
        keys.add(life.asked["FLIGHT_BOOKED/undo"].request.call.key)
        life.say(Unknown("410 or 503"), "FLIGHT_BOOKED/undo")
        life.wait()
    life.say(Done(), "FLIGHT_BOOKED/undo")
    assert keys == {"a-1/FLIGHT_BOOKED/undo"}
    assert isinstance(life.run("a-1").state, Compensated)


def test_rule_8_who_was_down_is_undone_when_it_is_back() -> None:
    """TckRecoveryTests: the participant is down, the coordinator is started anew, and then both are there."""
    life = Trip().booked("FLIGHT_BOOKED", "HOTEL_BOOKED")
    life.say(Refused("no car"), "CAR_BOOKED/do")
    life.say(Unknown("connection refused"), "HOTEL_BOOKED/undo")
    second = life.later()
    assert second.wait() == ["HOTEL_BOOKED/undo#2"]
    second.say(Done(), "HOTEL_BOOKED/undo", "FLIGHT_BOOKED/undo")
    assert isinstance(second.run("a-1").state, Compensated)


def test_rule_9_what_is_still_running_when_it_is_canceled_is_undone_as_well() -> None:
    """cancelLraDuringBusinessMethod: the work is done after the cancel, and is undone all the same."""
    life = Trip().booked("FLIGHT_BOOKED")
    canceled(life)
    assert undos(life.sent) == []
    life.say(Done("a room"), "HOTEL_BOOKED/do")
    life.say(Done("a car"), "CAR_BOOKED/do")
    life.say(Done(), "HOTEL_BOOKED/undo", "CAR_BOOKED/undo", "FLIGHT_BOOKED/undo")
    assert sorted(undos(life.sent)) == sorted(ALL)
    assert isinstance(life.run("a-1").state, Compensated)


def test_rule_10_whoever_listens_hears_the_end_also_who_comes_while_it_ends() -> None:
    """testAfterLRAParticipant, testAfterLRAListener, testAfterLRAEnlistmentDuringClosingPhase."""

    async def test() -> None:
        may_end, is_ending = asyncio.Event(), asyncio.Event()

        async def cancel(_client: Any, _name: str, _call: Any) -> Done:
            is_ending.set()
            await may_end.wait()
            return Done()

        refuses = external("HOTEL_BOOKED", lambda client, name, call: Refused("full"), pivot=True)
        flight = external("FLIGHT_BOOKED", book, undo=cancel, undone="FLIGHT_CANCELED")
        saga = Saga("listened", str, [flight, refuses])
        async with amends.open("memory:", sagas=[saga]) as engine:
            handle = await engine.submit(saga, "ann")
            early = asyncio.create_task(handle.result(30))
            await is_ending.wait()
            while_it_ends = asyncio.create_task(engine.result(handle.saga_id, 30))
            await asyncio.sleep(0)
            may_end.set()
            heard = [await early, await while_it_ends, await engine.result(handle.saga_id, 30)]
        assert [(result.state, result.reason) for result in heard] == [(Compensated(), "full")] * 3

    asyncio.run(test())


def test_rule_11_a_failure_is_kept_until_somebody_says_that_it_may_be_forgotten() -> None:
    """testForget: an undo was refused; nothing but an operator's word ends that, and what is owed stays on record."""
    life = Trip().booked("FLIGHT_BOOKED")
    life.say(Refused("full"), "HOTEL_BOOKED/do", "CAR_BOOKED/do")
    life.say(Refused("window closed"), "FLIGHT_BOOKED/undo")
    second = life.later()
    assert second.wait() == []
    assert second.run("a-1").outstanding() == ("FLIGHT_BOOKED/undo",)
    assert second.run("a-1").trouble == "window closed"
    second.turn(Deliver("a-1", Abandon("paid by the airline")))
    assert second.run("a-1").state == Abandoned(("FLIGHT_BOOKED/undo",))


def test_rule_12_is_written_down_as_not_yet() -> None:
    """nestedActivity, mixedMultiLevelNestedActivity, of sagas within sagas: the day that we have them, this is red."""
    assert "**Not yet.** A saga within a saga" in (ROOT / "docs" / "rules.md").read_text("utf-8")
    assert not hasattr(amends, "nested")


def test_rule_13_which_answers_turn_back_each_step_says_for_itself() -> None:
    """TckCancelOnTests: a client's 409 is a no at one step, and none at another."""

    class Answers:
        status = 409

    def strict(client: Answers, _name: str, _call: Any) -> Done | Refused:
        return Refused(f"{client.status}") if client.status == 409 else Done()

    def lenient(_client: Answers, _name: str, _call: Any) -> Done:
        return Done()

    ended = {}
    for action in (strict, lenient):
        saga = Saga(action.__name__, str, [external("HOTEL_BOOKED", action, pivot=True)])
        with amends.open("memory:", sagas=[saga], clients={"HOTEL": Answers()}) as engine:
            ended[action.__name__] = engine.submit(saga, "ann").result(30)
    assert ended["strict"][1:3] == (Compensated(), "409")
    assert ended["lenient"][1:3] == (Completed(), "")


def test_rule_14_the_saga_is_known_also_behind_who_takes_no_part_in_it() -> None:
    """noLRATest, joinLRAViaHeader: its id is in each key, so that whoever hands the key on hands on the saga."""
    seen = []

    def reception(key: str) -> Done:
        seen.append(key)
        return Done()

    def gateway(key: str) -> Done:  # it knows nothing of sagas
        return reception(key)

    def reserve(_client: Any, _name: str, call: Call) -> Done:
        return gateway(call.key)

    saga = Saga("through", str, [external("HOTEL_BOOKED", reserve, pivot=True)])
    with amends.open("memory:", sagas=[saga]) as engine:
        handle = engine.submit(saga, "ann")
        handle.result(30)
    assert seen == [f"{handle.saga_id}/HOTEL_BOOKED/do"]


def test_rule_15_undos_run_in_reverse_each_once_those_behind_it_are_known() -> None:
    """Stricter than the standard, which promises no sequence: nothing is undone beside what stands."""
    life = Trip(Saga("line", str, [booking("FLIGHT"), booking("HOTEL"), booking("CAR"), CONFIRMED]))
    life.booked("FLIGHT_BOOKED", "HOTEL_BOOKED")
    life.say(Refused("no car"), "CAR_BOOKED/do")
    assert undos(life.sent) == ["HOTEL_BOOKED"]
    life.say(Unknown("slow"), "HOTEL_BOOKED/undo")
    life.wait()
    assert undos(life.sent)[-1] == "HOTEL_BOOKED"
    life.say(Done(), "HOTEL_BOOKED/undo")
    assert undos(life.sent)[-1] == "FLIGHT_BOOKED"
    life.say(Refused("window closed"), "FLIGHT_BOOKED/undo")
    life.turn(Deliver("a-1", Resolve("FLIGHT_BOOKED", Done(), "by hand")))
    assert isinstance(life.run("a-1").state, Compensated)
