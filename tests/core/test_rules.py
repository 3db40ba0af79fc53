"""The rules of going on and going back, one by one: docs/rules.md.

Each test fails when the core does not keep its rule. Their numbers are those of the document.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from amends.core.definition import Saga, Step, external, parallel, pause, wait_for
from amends.core.effects import Contradicted, Send, Write
from amends.core.messages import (
    Abandon,
    Answered,
    Call,
    Cancel,
    Compensate,
    Done,
    Halt,
    Kind,
    Later,
    Outcome,
    Refused,
    Request,
    Resolve,
    Retry,
    TimedOut,
    Undo,
    Unknown,
)
from amends.core.run import outcome_of
from amends.core.state import Abandoned, Compensated, Completed, Status
from amends.core.step import start
from amends.core.step import step as take
from amends.testing import Ask, Dialogue, do, given, probe, undo, undo_late
from tests.core.sagas import GROUP, LINE, last, nobody, ours, pivot, saga, step
from tests.house.source import ROOT, functions

HOUR = 3600.0
DAY = 24 * HOUR


def asks(event: str) -> Step[Any]:
    """Return a step that only asks."""
    return external(event, nobody, asks=True)


def at_pivot() -> Dialogue:
    """Return a dialogue in which A and B are done, and the pivot is asked."""
    return given(LINE).asks(do("A")).done("A", "a-1").asks(do("B")).done("B", "b-1").asks(do("PIVOT"))


def at_group() -> Dialogue:
    """Return a dialogue in which A is done, and B and C are asked."""
    return given(GROUP).asks(do("A")).done("A", "a-1").asks(do("B"), do("C"))


# --- going on -----------------------------------------------------------------------------------------------------


def test_r1_a_group_is_asked_when_the_one_before_is_done() -> None:
    """All members at once, and nobody before all of the group before are done."""
    dialogue = at_group().done("C").asks_nothing().done("B").asks(do("PIVOT"))
    dialogue.done("PIVOT").asks(do("LAST")).done("LAST").completed()


def test_r1_a_step_reads_what_the_groups_before_answered() -> None:
    """The own group's answers are not among them: they may come before or after."""
    dialogue = at_group().done("B", "b-1").unknown("C")
    dialogue = dialogue.asks(do("C", attempt=2, answers={"A": "a-1"})).done("C")
    dialogue.asks(do("PIVOT", answers={"A": "a-1", "B": "b-1"}))


def test_r2_an_unknown_step_is_tried_again_with_the_same_key() -> None:
    """Raising and running out of time are the same: nobody knows."""
    dialogue = given(LINE).asks(do("A", attempt=1, key="saga-1/A/do"))
    dialogue = dialogue.unknown("A", "boom").asks(do("A", attempt=2, key="saga-1/A/do"))
    dialogue = dialogue.times_out("A").asks(do("A", attempt=3, key="saga-1/A/do")).goes_forward()
    dialogue.done("A").asks(do("B"))


def test_r2_it_is_tried_until_its_time_limit_then_undone() -> None:
    """No further attempt starts once the limit is over."""
    definition = saga(step("A", timeout_s=5, limit_s=30), pivot())
    dialogue = given(definition).passes(29)
    assert [line for line in dialogue.transcript if "out  undo" in line] == []
    dialogue = dialogue.passes(20).asks_whatever()
    starts = [float(line.split()[0]) for line in dialogue.transcript if "out  do" in line]
    assert len(starts) > 2
    assert max(starts) < 30
    dialogue.done(undo("A")).compensated(because="timed out")


def test_r2_an_answer_later_is_waited_for_without_asking_again() -> None:
    """The participant took the request; when its own time is over too, nobody knows."""
    dialogue = given(LINE).asks(do("A")).later("A", within_s=HOUR).passes(HOUR - 1).asks_nothing()
    dialogue.late(do("B"), Later(5)).done("A").asks(do("B")).late(do("A"), Later(5)).again(do("A"))
    dialogue.done("A", "a-1").asks(do("B", answers={"A": "a-1"}))
    dialogue.passes(1).asks(undo("A")).done("A").compensated()


def test_r2_an_unknown_outcome_counts_for_its_own_attempt_alone() -> None:
    """It comes twice, or late, and says nothing of the attempt that is waited for; done and refused always count."""
    second = given(LINE).asks(do("A")).unknown("A", "boom").asks(do("A", attempt=2))
    for said in (Answered("A", Kind.DO, Unknown("boom"), attempt=1), TimedOut("A", Kind.DO, attempt=1)):
        after = second._takes(said).asks_nothing()
        assert after.run == second.run._replace(number=second.run.number + 1)
    for said in (Answered("A", Kind.DO, Unknown("boom"), attempt=2), TimedOut("A", Kind.DO, attempt=2)):
        second._takes(said).asks(do("A", attempt=3))
    second.unknown("A").asks(do("A", attempt=3))
    second._takes(Answered("A", Kind.DO, Done("a-1"), attempt=1)).asks(do("B", answers={"A": "a-1"}))
    second._takes(Answered("A", Kind.DO, Refused("no"), attempt=1)).asks(undo("A"))
    assert [said for said in second.run.overdue(10**6) if isinstance(said, TimedOut) and said.attempt == 2]


def test_r3_a_duplicate_changes_nothing() -> None:
    """Whether the saga is still at the step or has gone on."""
    dialogue = at_group().done("B", "b-1").again(do("A")).again(do("B")).done("C").asks(do("PIVOT"))
    dialogue = dialogue.again(do("B")).refused("PIVOT").asks(undo("B"), undo("C")).done("B").again(undo("B"))
    dialogue.done("C").asks(undo("A")).again(undo("B")).done("A").compensated().again(undo("A"))


def test_r3_the_first_answer_counts() -> None:
    """A contradiction is on record and changes nothing; no later value replaces an answer."""
    dialogue = at_group().done("B", "b-1").late(do("B"), Done("b-2")).late(do("B"), Refused("no")).asks_nothing()
    dialogue = dialogue.late(do("A"), Done("a-2")).late(do("B"), Unknown("?")).goes_forward()
    dialogue.done("C").asks(do("PIVOT", answers={"A": "a-1", "B": "b-1"}))
    given(LINE).asks(do("A")).refused("A").late(do("A"), Done("a-1")).compensated()


# --- what is heard too late -------------------------------------------------------------------------------------------


def given_up(**options: Any) -> Dialogue:
    """Return a dialogue in which A was undone, and nobody ever knew what had become of it."""
    begun = (
        given(saga(step("A", timeout_s=1, limit_s=1, **options), pivot())).asks(do("A")).times_out("A").asks(undo("A"))
    )
    return begun.done("A").compensated()


def test_r26_what_was_done_after_all_is_owed() -> None:
    """Of a step that was refused; of one that was undone while nobody knew; while that undo is asked, too. Once."""
    refused = given(LINE).asks(do("A")).refused("A", "no").compensated().late(do("A"), Done("a-1")).owes("A")
    assert refused.run.answers == {"A": "a-1"}
    refused.late(do("A"), Done("a-2")).late(do("A"), Refused("no")).compensated().owes("A")
    given_up().late(do("A"), Done()).compensated().owes("A")
    undoing = given(saga(step("A", timeout_s=1, limit_s=1), pivot())).asks(do("A")).times_out("A").asks(undo("A"))
    undoing.late(do("A"), Done()).goes_back().owes("A").done("A").compensated().owes("A")
    told = at_group().resolve("B", Refused(), "nothing there").late(do("B"), Done()).owes("B")
    told.done("C").asks(undo("C")).done("C").asks(undo("A")).done("A").compensated().owes("B")
    found = given(saga(step("A", probe=nobody, settles_within_s=1), pivot())).asks(do("A")).cancel().times_out("A")
    found.asks(probe("A")).refused("A").compensated().late(probe("A"), Done("a-1")).owes("A")


def test_r26_what_was_known_or_is_remembered_is_not_owed() -> None:
    """A duplicate; an answer that came before its undo; a participant that refuses what comes after its undo; ours."""
    undone = at_pivot().refused("PIVOT").asks(undo("B")).done("B").asks(undo("A")).done("A").compensated()
    undone.late(do("B"), Done("b-1")).late(do("A"), Done("a-2")).owes()
    given_up(remembers_refusals=True).late(do("A"), Done("a-1")).owes()
    ours_given_up = given(saga(ours("A"), pivot())).asks(do("A")).refused("A").compensated()
    ours_given_up.late(do("A"), Done("a-1")).owes()
    begun = given(saga(step("A"), step("B"), pivot())).asks(do("A")).later("A", 5)
    cancelled = begun.cancel().done("A", "a-1").asks(undo("A", answer="a-1")).done("A").compensated()
    cancelled.late(do("A"), Done("a-1")).owes()
    given(LINE).asks(do("A")).abandon().late(do("A"), Done("a-1")).abandoned("A/undo").owes()


def test_r26_every_contradiction_is_told_to_an_operator() -> None:
    """What was heard first counts all the same."""
    undone = at_pivot().refused("PIVOT").asks(undo("B")).done("B").asks(undo("A")).done("A").compensated()
    assert words_of(undone, do("A"), Refused("no")) == "A/do is refused, and was done: what was heard first counts"
    assert "A/undo is refused" in words_of(undone, undo("A"), Refused())
    assert words_of(undone, undo("A"), Done()) == words_of(undone, do("A"), Done()) == ""
    assert words_of(undone, do("PIVOT"), Done()) == "PIVOT was done after it had been refused: its effect is owed"
    assert words_of(given_up(), do("A"), Done()) == "A was done after it had been undone: its effect is owed"
    assert words_of(at_group().done("B"), do("B"), Refused("no")).startswith("B/do is refused, ")
    owed = undone.late(do("PIVOT"), Done())
    assert words_of(owed, do("PIVOT"), Done()) == ""


def words_of(dialogue: Dialogue, ask: Ask, outcome: Outcome) -> str:
    """Return what an operator is told of an answer."""
    _, effects = take(dialogue.run, Answered(ask.step, ask.kind, outcome), dialogue.now_ms)
    return "".join(effect.words for effect in effects if isinstance(effect, Contradicted))


def test_r27_an_operator_has_undone_what_is_owed() -> None:
    """Under a key of its own where the plain one was used, the same each time; with what came late, and the reason."""
    owed = given_up().late(do("A"), Done("a-1")).owes("A").undo("A", "found it")
    asked = owed.asks(undo_late("A", answer="a-1", key="saga-1/A/undo-late", reason=owed.run.reason))
    settled = asked.late(undo_late("A"), Done()).compensated().owes()
    settled.late(undo_late("A"), Done()).late(do("A"), Done("a-1")).owes().declines(Undo("A"), because="nothing of A")
    for outcome in (Refused("closed"), Unknown("?"), Later(5)):
        again = asked.late(undo_late("A"), outcome).compensated().owes("A").undo("A")
        again.asks(undo_late("A", key="saga-1/A/undo-late")).late(undo_late("A"), Done()).owes()
    refused = given(LINE).asks(do("A")).refused("A", "no").late(do("A"), Done("a-1")).undo("A")
    plain = refused.asks(undo_late("A", answer="a-1", key="saga-1/A/undo", reason="no"))
    plain.late(undo_late("A"), Done()).owes()
    plain.late(undo("A"), Done()).owes()
    owed.asks_whatever().late(undo("A"), Done()).owes("A")


def test_r27_what_has_no_undo_is_settled_by_an_operators_word() -> None:
    """And so is whatever somebody made amends for by hand."""
    owed = at_pivot().refused("PIVOT").asks(undo("B")).late(do("PIVOT"), Done()).owes("PIVOT")
    owed.declines(Undo("PIVOT"), because="PIVOT has no undo").declines(Undo("A"), because="nothing of A is owed")
    owed.declines(Resolve("PIVOT", Refused()), because="PIVOT").resolve("PIVOT", Done(), "by hand").owes()
    undoing = given(saga(step("A", timeout_s=1, limit_s=1), pivot())).asks(do("A")).times_out("A").asks(undo("A"))
    undoing.late(do("A"), Done()).declines(Undo("A"), because="is being undone")


# --- unknown is not no -----------------------------------------------------------------------------------------------


def test_r4_what_may_have_taken_effect_is_undone() -> None:
    """A step whose outcome is unknown is undone like one that is done."""
    dialogue = at_group().refused("B").times_out("C").asks(undo("C")).done("C").asks(undo("A", answer="a-1"))
    dialogue.done("A").compensated()


def test_r4_what_did_not_happen_is_not_undone() -> None:
    """A refused step has nothing to undo."""
    given(LINE).asks(do("A")).refused("A", "sold out").asks_nothing().compensated(because="sold out")
    dialogue = at_group().done("B").refused("C").asks(undo("B"))
    dialogue.done("B").asks(undo("A")).done("A").compensated()


def test_r4_an_undo_is_done_with_what_is_known() -> None:
    """The action's answer, also one that comes late, and while the undo is under way."""
    definition = saga(parallel(step("A", limit_s=10), step("B")), pivot())
    dialogue = given(definition).asks(do("A"), do("B")).times_out("A").late(do("A"), Done("a-1"))
    dialogue = dialogue.refused("B").asks(undo("A", answer="a-1"))
    alone = given(saga(step("A", limit_s=10), pivot())).asks(do("A")).times_out("A").asks(undo("A", answer=None))
    alone.late(do("A"), Done("a-1")).unknown("A").asks(undo("A", answer="a-1", attempt=2)).done("A").compensated()


def test_r5_a_refusal_after_an_unknown_attempt_clears_only_with_a_memory() -> None:
    """The first attempt may have taken effect, and its refusal says nothing about that."""
    forgets = given(saga(step("A"), pivot())).asks(do("A")).unknown("A").asks(do("A")).refused("A", "no")
    forgets.asks(undo("A")).done("A").compensated(because="no")
    remembers = given(saga(step("A", remembers_refusals=True), pivot())).asks(do("A")).unknown("A").asks(do("A"))
    remembers.refused("A", "no").asks_nothing().compensated(because="no")


def test_r5_our_own_participants_remember() -> None:
    """A local step's refusal always counts."""
    dialogue = given(saga(ours("A"), ours("B", undo=None, undone="", pivot=True))).asks(do("A"))
    dialogue.unknown("A").asks(do("A")).refused("A").compensated()


def test_r5_a_late_refusal_clears_a_step_that_was_given_up_only_with_a_memory() -> None:
    """While other members are still under way."""
    for remembers in (False, True):
        unsure = step("B", limit_s=10, remembers_refusals=remembers)
        dialogue = given(saga(parallel(unsure, step("C", timeout_s=20)), pivot())).asks(do("B"), do("C"))
        dialogue = dialogue.times_out("B").late(do("B"), Refused("no")).done("C")
        dialogue.asks(*[undo("C")] if remembers else [undo("B"), undo("C")])


def test_r6_an_unknown_is_probed_before_it_is_undone() -> None:
    """What the probe finds is what the undo gets."""
    definition = saga(step("A", probe=nobody, settles_within_s=60, limit_s=10), pivot())
    dialogue = given(definition).asks(do("A")).times_out("A").asks(probe("A", key="saga-1/A/do"))
    dialogue.done("A", "a-1").asks(undo("A", answer="a-1", key="saga-1/A/undo")).done("A").compensated()


def test_r6_a_probe_waits_until_the_request_has_settled() -> None:
    """Before, that it finds nothing would prove nothing: the request may still be on its way."""
    definition = saga(step("A", probe=nobody, settles_within_s=30, limit_s=10), pivot())
    dialogue = given(definition).asks(do("A")).times_out("A").asks_nothing().passes(29.999).asks_nothing()
    dialogue = dialogue.passes(0.001).asks(probe("A", attempt=1))
    dialogue.refused("A", "nothing").asks_nothing().compensated()
    dialogue.retry("A").asks(probe("A", attempt=2)).goes_back()


def test_r6_no_retry_and_no_restart_makes_a_probe_come_earlier() -> None:
    """Not an operator's wish, and not a process that starts again."""
    definition = saga(step("A", probe=nobody, settles_within_s=30, limit_s=10), pivot())
    waiting = given(definition).asks(do("A")).times_out("A").asks_nothing()
    for dialogue in (waiting.retry("A"), waiting.crashes(), waiting.crashes().retry("A").crashes()):
        assert dialogue.asks_nothing().asks(probe("A")).now_ms == 40_000


def test_r6_settling_counts_from_when_the_last_attempt_was_due() -> None:
    """The last request is the one that may still be on its way, and it may have waited to be sent until then."""
    definition = saga(step("A", probe=nobody, settles_within_s=30, limit_s=15), pivot())
    dialogue = given(definition).asks(do("A")).times_out("A").asks(do("A", attempt=2))
    due_ms = dialogue.now_ms + 10_000
    assert dialogue.times_out("A").asks(probe("A")).now_ms == due_ms + 30_000
    unknown = given(definition).asks(do("A")).passes(1).later("A", within_s=20).times_out("A")
    assert unknown.asks(probe("A")).now_ms == 40_000, "that it was taken sends nothing later"


def test_r6_a_probe_without_an_outcome_is_sent_again() -> None:
    """It changes nothing, so it may be sent for as long as it takes."""
    definition = saga(step("A", probe=nobody, settles_within_s=30, limit_s=10, key_lives_h=1), pivot())
    dialogue = given(definition).asks(do("A")).times_out("A").asks(probe("A", attempt=1)).unknown("A")
    dialogue = dialogue.asks(probe("A", attempt=2)).times_out("A").asks(probe("A", attempt=3)).goes_back()
    dialogue.passes(3 * HOUR).asks_whatever().done(probe("A"), "a-1").asks(undo("A", answer="a-1"))


def test_r6_a_late_answer_ends_the_probing() -> None:
    """The action's own answer says what the probe looks for."""
    looked_for = step("A", probe=nobody, settles_within_s=30, limit_s=10, remembers_refusals=True)
    dialogue = given(saga(looked_for, pivot())).asks(do("A")).times_out("A").asks(probe("A"))
    dialogue.late(do("A"), Done("a-1")).asks(undo("A", answer="a-1")).late(probe("A"), Refused()).goes_back()
    dialogue.late(do("A"), Refused("no")).compensated()


def test_r7_after_the_keys_life_only_a_probe_decides() -> None:
    """An attempt with a key that was forgotten could take effect a second time."""
    looks = pivot(probe=nobody, settles_within_s=60, key_lives_h=24)
    dialogue = given(saga(looks, last())).passes(DAY).asks_whatever()
    starts = [float(line.split()[0]) for line in dialogue.transcript if "out  do" in line]
    assert max(starts) < DAY
    dialogue.passes(HOUR).asks_whatever().done(probe("PIVOT")).asks(do("LAST"))
    dialogue.passes(HOUR).asks_whatever().refused(probe("PIVOT")).compensated()


def test_r7_without_a_probe_an_operator_decides() -> None:
    """Of the pivot, of a step after it, and of an undo."""
    given(saga(pivot(key_lives_h=1))).passes(2 * HOUR).asks_whatever().needs_operator("PIVOT/do")
    dialogue = given(saga(pivot(), last(key_lives_h=1))).asks(do("PIVOT")).done("PIVOT").passes(2 * HOUR)
    dialogue.asks_whatever().needs_operator("LAST/do")
    dialogue = given(saga(step("A", key_lives_h=1), step("B"))).asks(do("A")).done("A").asks(do("B")).refused("B")
    dialogue.passes(2 * HOUR).asks_whatever().needs_operator("A/undo", because="timed out")


def test_r7_an_operators_retry_does_not_make_a_key_younger() -> None:
    """It is one more attempt, and its time still counts from the first."""
    dialogue = given(saga(pivot(key_lives_h=1))).passes(2 * HOUR).asks_whatever()
    dialogue = dialogue.retry("PIVOT").asks(do("PIVOT")).times_out("PIVOT").needs_operator("PIVOT/do")
    dialogue = given(saga(pivot(key_lives_h=1))).asks(do("PIVOT")).later("PIVOT", within_s=HOUR - 1).passes(HOUR - 2)
    dialogue.retry("PIVOT").asks(do("PIVOT", attempt=2)).times_out("PIVOT").needs_operator("PIVOT/do")


# --- going back -----------------------------------------------------------------------------------------------------


def test_r8_compensations_run_in_the_reverse_order_of_the_groups() -> None:
    """The next starts when everything of the one before is confirmed."""
    dialogue = given(GROUP).asks(do("A")).done("A").asks(do("B"), do("C")).done("B").done("C").asks(do("PIVOT"))
    dialogue = dialogue.refused("PIVOT").asks(undo("B"), undo("C")).done("C").asks_nothing().unknown("B")
    dialogue = dialogue.asks(undo("B", attempt=2)).done("B").asks(undo("A")).done("A").compensated()


def test_r9_a_group_is_undone_when_no_member_is_under_way() -> None:
    """The undo of one could cross the action of another."""
    definition = saga(parallel(step("A"), step("B"), step("C")), pivot())
    dialogue = given(definition).asks(do("A"), do("B"), do("C")).done("A").refused("B").asks_nothing()
    dialogue.times_out("C").asks(undo("A"), undo("C"))
    dialogue.done("C").asks(undo("A"), undo("C"))
    dialogue.refused("C").asks(undo("A"))


def test_r9_a_member_that_only_asks_is_passed_over() -> None:
    """Wherever it stands in its group, also when the saga comes back to it."""
    for first, second in ((asks("Q"), step("B")), (step("B"), asks("Q"))):
        back = given(saga(parallel(first, second), step("C"), pivot())).asks_whatever().done("Q").done("B")
        back = back.asks(do("C")).refused("C").asks(undo("B"))
        assert [*back.crashes().asks(undo("B", attempt=2)).run.timers()]
        back.late(do("Q"), Done()).done("B").compensated()


def test_r9_an_unknown_member_waits_for_the_others_too() -> None:
    """Also when its own time was over first, and also its probe."""
    definition = saga(parallel(step("A", limit_s=10), step("B", timeout_s=30)), pivot())
    dialogue = given(definition).asks(do("A"), do("B")).times_out("A").goes_back().asks_nothing()
    dialogue.done("B").asks(undo("A"), undo("B"))


def test_r10_no_action_is_sent_once_the_saga_goes_back() -> None:
    """Neither after an unknown attempt nor because an operator wants it."""
    at_group().refused("C").unknown("B").asks(undo("B")).done("B").asks(undo("A"))
    at_group().refused("C").declines(Retry("B"), because="goes backward")
    given(LINE).asks(do("A")).cancel().times_out("A").asks(undo("A"))


def test_r10_a_retry_that_waits_for_its_time_is_dropped() -> None:
    """Nobody waits for the answer of what was not sent."""
    waiting = at_group().unknown("B")
    for dialogue in (waiting.refused("C"), waiting.cancel().refused("C")):
        dialogue.asks(undo("B")).done("B").asks(undo("A")).done("A").compensated()
    assert "do('B', attempt=2)" not in "".join(waiting.refused("C").passes(HOUR).transcript)


def test_r10_a_retry_that_an_answer_overtook_is_not_sent() -> None:
    """Least of all after its undo."""
    dialogue = at_group().unknown("B").done("B").passes(9).asks_nothing().refused("C").asks(undo("B"))
    dialogue = dialogue.done("B").asks(undo("A")).passes(HOUR)
    assert "do('B', attempt=2)" not in "".join(dialogue.transcript)
    only_b = given(saga(step("B"), pivot())).asks(do("B")).unknown("B").later("B", within_s=HOUR)
    only_b.passes(HOUR - 1).asks_nothing().done("B").asks(do("PIVOT"))


def test_r11_a_compensation_is_tried_for_as_long_as_it_takes() -> None:
    """No count and no clock ends it."""
    dialogue = given(LINE).asks(do("A")).done("A", "a-1").asks(do("B")).refused("B").asks(undo("A", answer="a-1"))
    dialogue = dialogue.passes(3 * DAY).asks_whatever().goes_back()
    attempts = sum("out  undo('A'" in line for line in dialogue.transcript)
    assert 500 < attempts < 10_000
    dialogue.done(undo("A")).compensated()


def test_r12_a_refused_compensation_needs_an_operator() -> None:
    """The saga says what is owed; what else is under way goes on."""
    dialogue = at_group().done("B").done("C").asks(do("PIVOT")).refused("PIVOT").asks(undo("B"), undo("C"))
    dialogue = dialogue.refused("B", "gone").needs_operator("A/undo", "B/undo", "C/undo", because="gone").done("C")
    dialogue = dialogue.asks_nothing().needs_operator("A/undo", "B/undo").late(undo("B"), Refused()).asks_nothing()
    dialogue.retry("B").asks(undo("B")).done("B").asks(undo("A"))
    dialogue.resolve("B", Done()).asks(undo("A")).done("A").compensated()
    dialogue.late(undo("B"), Done()).asks(undo("A"))
    assert dialogue.run.due_ms() is None
    remembers = given(saga(step("A", remembers_refusals=True), step("B"))).asks(do("A")).done("A").asks(do("B"))
    stuck = remembers.refused("B").asks(undo("A")).refused("A").needs_operator("A/undo")
    stuck.late(do("A"), Refused("a contradiction")).asks_nothing().needs_operator("A/undo")


def test_r12_what_is_probed_beside_a_refused_compensation_is_undone() -> None:
    """Waiting for an operator stops nothing else."""
    unsure = step("B", limit_s=10, probe=nobody, settles_within_s=60)
    dialogue = given(saga(parallel(step("A"), unsure), pivot())).asks(do("A"), do("B")).done("A").times_out("B")
    dialogue = dialogue.asks(undo("A"), probe("B")).refused("A").needs_operator("A/undo", "B/undo").done("B", "b-1")
    dialogue.asks(undo("B", answer="b-1")).done("B").needs_operator("A/undo").resolve("A", Done()).compensated()


# --- the pivot, and after it ----------------------------------------------------------------------------------------


def test_r13_a_refused_pivot_is_compensated() -> None:
    """Like any refused step."""
    at_pivot().refused("PIVOT", "declined").asks(undo("B")).done("B").asks(undo("A")).done("A").compensated(
        because="declined"
    )


def test_r14_an_unknown_pivot_is_tried_and_never_undone() -> None:
    """For as long as it takes."""
    dialogue = at_pivot().passes(DAY).asks_whatever().goes_forward()
    assert "undo" not in "".join(dialogue.transcript)
    dialogue.done(do("PIVOT")).asks(do("LAST"))


def test_r14_a_refusal_after_an_unknown_pivot_is_probed_or_left_to_an_operator() -> None:
    """Unless the participant remembers what it refused."""
    looks = pivot(probe=nobody, settles_within_s=5)
    for definition in (saga(looks, last()), saga(pivot(), last()), saga(pivot(remembers_refusals=True), last())):
        dialogue = given(definition).asks(do("PIVOT")).unknown("PIVOT").asks(do("PIVOT")).refused("PIVOT", "no")
        if definition.groups[0][0].probe:
            dialogue.asks(probe("PIVOT")).passes(6).refused("PIVOT").compensated()
            dialogue.asks(probe("PIVOT")).done("PIVOT").asks(do("LAST"))
        elif definition.groups[0][0].remembers_refusals:
            dialogue.compensated(because="no")
        else:
            dialogue.needs_operator("PIVOT/do", "LAST/do", because="no")


def test_r14_a_stuck_pivot_goes_where_its_outcome_says() -> None:
    """An operator's word, or an answer that comes after all."""
    stuck = given(saga(step("A"), pivot(key_lives_h=1), last())).asks(do("A")).done("A").passes(2 * HOUR)
    stuck = stuck.asks_whatever().needs_operator("PIVOT/do", "LAST/do")
    stuck.late(do("PIVOT"), Done()).asks(do("LAST"))
    stuck.late(do("PIVOT"), Refused()).needs_operator("PIVOT/do", "LAST/do")
    stuck.resolve("PIVOT", Done("p-1")).asks(do("LAST", answers={"PIVOT": "p-1"}))
    stuck.resolve("PIVOT", Refused(), "looked").asks(undo("A")).goes_back(because="looked")


def test_r15_after_the_pivot_a_saga_only_goes_forward() -> None:
    """A step after it is tried for as long as it takes, a probe that finds nothing means: send it again."""
    looks = last(probe=nobody, settles_within_s=5, key_lives_h=1)
    dialogue = given(saga(step("A"), pivot(), looks)).asks(do("A")).done("A").asks(do("PIVOT")).done("PIVOT")
    dialogue = dialogue.passes(2 * HOUR).asks_whatever().refused(probe("LAST"), "nothing").asks(do("LAST"))
    dialogue.goes_forward().done("LAST").completed()
    dialogue = at_pivot().done("PIVOT").passes(3 * DAY).asks_whatever().goes_forward()
    dialogue.done(do("LAST")).completed()


def test_r16_a_refused_step_after_the_pivot_needs_an_operator() -> None:
    """Whatever was unknown before: there is no way back, and no way on."""
    stuck = at_pivot().done("PIVOT").asks(do("LAST")).refused("LAST", "gone").needs_operator("LAST/do", because="gone")
    stuck.retry("LAST").asks(do("LAST", attempt=2)).done("LAST").completed()
    stuck.resolve("LAST", Done()).completed()
    stuck.late(do("LAST"), Done()).completed()
    stuck.declines(Resolve("LAST", Refused()), because="LAST is stuck").late(do("LAST"), Refused()).asks_nothing()
    unsure = at_pivot().done("PIVOT").asks(do("LAST")).unknown("LAST").asks(do("LAST")).refused("LAST", "gone")
    unsure.needs_operator("LAST/do", because="gone")


def test_r16_a_late_refusal_ends_the_probing_of_a_step_after_the_pivot() -> None:
    """The participant remembers: it did not happen, and never will."""
    looks = last(probe=nobody, settles_within_s=5, key_lives_h=1, remembers_refusals=True)
    dialogue = given(saga(pivot(), looks)).asks(do("PIVOT")).done("PIVOT").passes(2 * HOUR).asks_whatever()
    dialogue = dialogue.late(do("LAST"), Refused("gone")).needs_operator("LAST/do", because="gone")
    dialogue.resolve("LAST", Done("l-1")).completed()


# --- cancel, deadline, operators ------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [Cancel("why"), Compensate("why")], ids=["cancel", "compensate"])
def test_r17_turning_back_is_taken_until_the_pivot_is_asked(verb: Cancel | Compensate) -> None:
    """Then it is too late, and while going back it is not needed."""

    def turn_back(dialogue: Dialogue) -> Dialogue:
        return dialogue.cancel("why") if isinstance(verb, Cancel) else dialogue.compensate("why")

    turn_back(given(LINE).asks(do("A"))).done("A").asks(undo("A")).declines(verb, because="going back")
    turn_back(at_group().done("B")).asks_nothing().done("C").asks(undo("B"), undo("C")).goes_back(because="why")
    at_pivot().declines(verb, because="too late").done("PIVOT").asks(do("LAST")).declines(verb, because="too late")
    turn_back(given(saga(step("A"), step("B"))).asks(do("A")).done("A").asks(do("B"))).goes_back()
    given(saga(pivot(), last())).asks(do("PIVOT")).declines(verb, because="too late")


def test_r18_a_deadline_ends_going_forward() -> None:
    """Until the pivot is asked."""
    definition = saga(step("A"), step("B"), pivot(), last(), deadline_s=5)
    begun = given(definition).asks(do("A"))
    assert begun.run.due_ms() == 5000
    begun.deadline_passes().goes_back(because="deadline").done("A").asks(undo("A")).done("A").compensated()
    begun.passes(5).goes_back(because="deadline")
    begun.passes(4.999).goes_forward()


def test_r18_a_deadline_never_ends_going_back_or_the_pivot() -> None:
    """It is not even waited for."""
    definition = saga(step("A"), step("B"), pivot(), last(), deadline_s=5)
    back = given(definition).asks(do("A")).done("A").asks(do("B")).refused("B", "no").asks(undo("A"))
    assert back.run.due_ms() == 10_000
    back.deadline_passes().asks_nothing().goes_back(because="no").done("A").compensated()
    forward = given(definition).asks(do("A")).done("A").asks(do("B")).done("B").asks(do("PIVOT"))
    assert forward.run.due_ms() == 10_000
    forward.deadline_passes().goes_forward().done("PIVOT").asks(do("LAST")).done("LAST").completed()


def test_r19_a_final_state_is_never_left() -> None:
    """No answer and no verb changes it; the verbs are told why."""
    done = at_pivot().done("PIVOT").asks(do("LAST")).done("LAST").completed()
    undone = given(LINE).asks(do("A")).done("A").asks(do("B")).refused("B").asks(undo("A")).done("A").compensated()
    given_up = at_pivot().abandon().abandoned("PIVOT/do", "LAST/do")
    for dialogue, name in ((done, "completed"), (undone, "compensated"), (given_up, "abandoned")):
        for verb in (Cancel(), Compensate(), Retry("A"), Resolve("A", Done()), Abandon()):
            assert dialogue.declines(verb, because=f"the saga is {name}").run.state == dialogue.run.state
        for ask in (do("A"), undo("A"), probe("A"), do("LAST")):
            for outcome in (Done("x"), Refused("x"), Unknown("x")):
                after = dialogue.late(ask, outcome).asks_nothing().run
                _, effects = take(dialogue.run, Answered(ask.step, ask.kind, outcome), 0)
                assert [type(effect) for effect in effects if not isinstance(effect, Contradicted)] == [Write]
                assert after == dialogue.run._replace(number=after.number)
        assert dialogue.run.due_ms() is None
        assert bool(dialogue.run.outstanding()) == (name == "abandoned")
    assert [type(d.run.state) for d in (done, undone, given_up)] == [Completed, Compensated, Abandoned]


def test_r20_only_an_operator_abandons_and_what_is_owed_is_written_down() -> None:
    """In the order of the steps: undos before the pivot, actions from the pivot on."""
    given(LINE).asks(do("A")).abandon("why").abandoned("A/undo")
    at_group().done("B").abandon().abandoned("A/undo", "B/undo", "C/undo")
    at_group().done("B").refused("C").asks(undo("B")).abandon().abandoned("A/undo", "B/undo")
    at_pivot().abandon().abandoned("PIVOT/do", "LAST/do")
    given(saga(pivot(), parallel(last("Y"), last("Z")), last())).asks(do("PIVOT")).done("PIVOT").asks(
        do("Y"), do("Z")
    ).done("Y").abandon().abandoned("Z/do", "LAST/do")
    at_pivot().refused("PIVOT").asks(undo("B")).done("B").asks(undo("A")).abandon().abandoned("A/undo")


def test_r21_an_operator_may_ask_again_at_once() -> None:
    """With the same key; after that a refusal clears the step only where it is remembered."""
    dialogue = given(LINE).asks(do("A")).retry("A", "they are back").asks(do("A", attempt=2, key="saga-1/A/do"))
    assert dialogue.now_ms == 0
    dialogue.refused("A").asks(undo("A"))
    looks = step("A", probe=nobody, settles_within_s=60, limit_s=10)
    dialogue = given(saga(looks, pivot())).asks(do("A")).times_out("A").asks(probe("A"))
    dialogue = dialogue.retry("A").asks(probe("A", attempt=2)).done("A").asks(undo("A"))
    dialogue.retry("A").asks(undo("A", attempt=2)).done("A").compensated()
    looks_at_pivot = pivot(probe=nobody, settles_within_s=5, key_lives_h=1)
    looking = given(saga(looks_at_pivot)).passes(2 * HOUR).asks_whatever().retry("PIVOT")
    looking.asks(probe("PIVOT")).done("PIVOT").completed()


def test_r21_an_operator_may_tell_an_outcome() -> None:
    """A word counts for certain, whatever attempts were unknown."""
    unsure = given(LINE).asks(do("A")).unknown("A").asks(do("A"))
    unsure.resolve("A", Done("a-1"), "saw it").asks(do("B", answers={"A": "a-1"}))
    unsure.resolve("A", Refused("nothing there"), "looked").asks_nothing().compensated(because="looked")
    looks = step("A", probe=nobody, settles_within_s=60, limit_s=10)
    probing = given(saga(looks, pivot())).asks(do("A")).times_out("A").asks(probe("A"))
    probing.resolve("A", Refused()).compensated()
    undoing = probing.resolve("A", Done("a-1")).asks(undo("A", answer="a-1"))
    undoing.resolve("A", Done("not an answer of the action")).compensated()
    assert undoing.resolve("A", Done("x")).run.answers == {"A": "a-1"}
    undoing.resolve("A", Refused("they said no")).needs_operator("A/undo")
    silent = given(LINE).asks(do("A")).done("A").asks(do("B")).refused("B").asks(undo("A"))
    assert silent.resolve("A", Done("of the undo")).run.answers == {}
    given_up = given(saga(parallel(step("A", limit_s=10), step("B")), pivot())).asks(do("A"), do("B")).times_out("A")
    given_up.resolve("A", Refused()).done("B").asks(undo("B")).goes_back()


def test_r21_what_is_no_outcome_resolves_nothing() -> None:
    """It must not count as a no."""
    for outcome in ("done", True, None, Done, Later(5), Unknown("?")):
        at_pivot().declines(Resolve("PIVOT", outcome))  # type: ignore[arg-type]


def test_r21_a_verb_about_a_step_that_waits_for_nothing_is_declined() -> None:
    """The reason says where the steps are."""
    for verb in (Retry("A"), Resolve("A", Done())):
        at_group().declines(verb, because="A cannot take that now: the saga goes forward, B is sent, C is sent")
    for verb in (Retry("B"), Resolve("B", Refused())):
        at_group().done("B").declines(verb, because="B is done")
        at_group().done("B").refused("C").asks(undo("B")).done("B").asks(undo("A")).declines(verb, because="backward")
    given(LINE).asks(do("A")).declines(Retry("NO_SUCH"), because="NO_SUCH cannot take that")


def test_a_restart_asks_again_what_it_may_not_have_asked() -> None:
    """Of a request that was stored, nobody knows whether it went out: it is one more attempt."""
    dialogue = at_group().done("B").crashes().asks(do("C", attempt=2)).crashes().asks(do("C", attempt=3))
    dialogue = dialogue.refused("C").asks(undo("B"), undo("C")).done("B").crashes().asks(undo("C", attempt=2))
    dialogue.done("C").asks(undo("A")).done("A").compensated().crashes().asks_nothing()


def test_what_was_taken_did_arrive() -> None:
    """A process that starts again needs not count it as timed out: until it is asked again."""
    asked_once = given(GROUP).asks(do("A")).done("A").asks(do("B"), do("C"))
    taken = asked_once.later("C", within_s=HOUR)
    assert [[waiting.taken for waiting in dialogue.run.waiting] for dialogue in (asked_once, taken)] == [
        [False, False],
        [False, True],
    ]
    assert not any(waiting.taken for waiting in taken.retry("C").asks(do("C", attempt=2)).run.waiting)
    assert [*map(asked_once.run.wants, asked_once.run.requests())] == [True, True]
    assert [*map(taken.run.wants, taken.run.requests())] == [True, False], "so it is not to be sent any more"


def test_a_stored_run_knows_what_it_asked() -> None:
    """The same that was given out to be sent, and when; what was answered is not among it."""
    run, effects = start(GROUP, "s", "request", 0)
    for said, now_ms in ((Done("a-1"), 5), (Unknown("boom"), 6)):
        assert [*run.requests()] == [effect for effect in effects if isinstance(effect, Send)]
        run, effects = take(run, Answered("A" if now_ms == 5 else "B", Kind.DO, said), now_ms)
    b, c = run.requests()
    assert (b, b.request.call.attempt, b.at_ms > 6) == (effects[1], 2, True)
    assert (c.request.step, c.request.call.attempt, c.at_ms, c.due_ms) == ("C", 1, 5, 10_005)
    assert run.wants(b)
    assert run.wants(c)
    run, _ = take(run, Answered("B", Kind.DO, Done()), 7)
    assert [*run.requests()] == [c]
    assert [*take(run, Abandon(), 8)[0].requests()] == []


def test_r4_what_only_asks_is_neither_undone_nor_owed() -> None:
    """Done, given up or answered after all: nothing of it stands, and the way back passes it by."""
    definition = saga(step("A"), last("RATE", asks=True), pivot())
    at_rate = given(definition).asks(do("A")).done("A").asks(do("RATE"))
    at_rate.done("RATE", 92).asks(do("PIVOT", answers={"RATE": 92})).refused("PIVOT").asks(undo("A")).done(
        "A"
    ).compensated()
    undoing = at_rate.cancel().times_out("RATE").asks(undo("A"))
    assert undoing.run.outstanding() == ("A/undo",)
    undoing.late(do("RATE"), Done(92)).done("A").compensated().owes()
    at_rate.refused("RATE").asks(undo("A")).late(do("RATE"), Done(92)).done("A").compensated().owes()


def test_r25_why_it_turned_back_stays_and_is_told_on_the_way_back() -> None:
    """Nothing that happens later replaces it: a failure, an undo that is refused, an operator's word."""
    back = at_group().done("B", "b-1").refused("C", "sold out").asks(undo("B", answer="b-1", reason="sold out"))
    again = back.unknown("B", "no route").asks(undo("B", attempt=2, reason="sold out"))
    stuck = again.refused("B", "the account is closed").needs_operator("A/undo", "B/undo", because="account is closed")
    assert (stuck.run.reason, stuck.run.trouble) == ("sold out", "the account is closed")
    retried = stuck.retry("B").asks(undo("B", attempt=3, reason="sold out")).done("B")
    ended = retried.asks(undo("A", reason="sold out")).done("A").compensated(because="sold out")
    assert ended.run.trouble == "the account is closed"
    cancelled = (
        given(saga(step("A", probe=nobody, settles_within_s=1), pivot())).asks(do("A")).cancel("changed my mind")
    )
    looking = cancelled.times_out("A").asks(probe("A", reason="cancel: changed my mind")).done("A")
    looking.asks(undo("A", reason="cancel: changed my mind"))


def test_r25_who_says_nothing_is_named() -> None:
    """There is always a reason."""
    back = at_pivot().refused("PIVOT").asks(undo("B", reason="PIVOT/do refused"))
    back.refused("B").needs_operator("A/undo", "B/undo", because="B/undo refused").because("PIVOT/do refused")


def test_r25_going_forward_there_is_trouble_alone() -> None:
    """A saga behind its pivot did not turn back, and its participants are told of no reason."""
    stuck = at_pivot().done("PIVOT").asks(do("LAST")).refused("LAST", "no").needs_operator("LAST/do", because="no")
    assert stuck.run.reason == ""
    assert stuck.retry("LAST")._out[0].request.call.reason == ""


# --- what the engine cannot reach -----------------------------------------------------------------------------------


def halts(dialogue: Dialogue, step: str) -> Dialogue:
    """Let the engine find that it can neither ask nor hear a step."""
    return dialogue._takes(Halt(step, f"the row of {step} is damaged")).asks_nothing()


def test_r23_a_halted_step_needs_an_operator() -> None:
    """Before the pivot, at it and after it; from there all verbs are taken, and so is a late answer."""
    halted = halts(at_group(), "B").needs_operator("A/undo", "B/undo", "C/undo", because="the row of B is damaged")
    assert halted.run.trouble == "the row of B is damaged"
    halted.retry("B").asks(do("B", attempt=2)).done("B").goes_forward().done("C").asks(do("PIVOT"))
    halted.done("C").needs_operator("A/undo", "B/undo", "C/undo").resolve("B", Done("b-1")).asks(
        do("PIVOT", answers={"A": "a-1", "B": "b-1"})
    )
    halted.resolve("B", Refused(), "nothing there").goes_back(because="nothing there").done("C").asks(undo("C"))
    halted.abandon().abandoned("A/undo", "B/undo", "C/undo")
    halted.late(do("B"), Done("b-1")).goes_forward().done("C").asks(do("PIVOT"))
    halted.late(do("B"), Unknown("?")).late(do("B"), Later(5)).needs_operator("A/undo", "B/undo", "C/undo")
    halted = halts(at_pivot(), "PIVOT").needs_operator("PIVOT/do", "LAST/do")
    halted.declines(Cancel(), because="too late").retry("PIVOT").asks(do("PIVOT", attempt=2)).done("PIVOT")
    halted.resolve("PIVOT", Refused(), "no").asks(undo("B")).goes_back(because="no")
    halted = halts(at_pivot().done("PIVOT").asks(do("LAST")), "LAST").needs_operator("LAST/do")
    halted.resolve("LAST", Done()).completed()
    halted.declines(Resolve("LAST", Refused()), because="LAST is stuck").abandon().abandoned("LAST/do")


def test_r23_a_halted_undo_needs_an_operator() -> None:
    """It can be sent again, or told to be done."""
    going_back = at_group().done("B", "b-1").refused("C", "no").asks(undo("B"))
    halted = halts(going_back, "B").needs_operator("A/undo", "B/undo", because="the row of B is damaged")
    halted.retry("B").asks(undo("B", attempt=2, answer="b-1")).done("B").asks(undo("A"))
    halted.resolve("B", Done()).asks(undo("A")).done("A").compensated()
    halted.declines(Resolve("B", Refused()), because="B is stuck").late(do("B"), Refused()).asks_nothing()
    halted.abandon().abandoned("A/undo", "B/undo")
    assert halted.run.due_ms() is None


def test_r23_going_back_a_halted_action_is_not_sent_again() -> None:
    """What an operator tells is of the action; a retry has it probed or undone, like whatever is unknown."""
    halted = halts(at_group().refused("C"), "B").needs_operator("A/undo", "B/undo")
    halted.retry("B").asks(undo("B", attempt=1, answer=None)).done("B").asks(undo("A"))
    halted.resolve("B", Done("b-1")).asks(undo("B", answer="b-1"))
    halted.resolve("B", Refused()).asks(undo("A", answer="a-1"))
    halted.late(do("B"), Done("b-1")).needs_operator("A/undo", "B/undo").retry("B").asks(undo("B", answer="b-1"))
    halted.abandon().abandoned("A/undo", "B/undo")
    cancelled = given(saga(step("A", probe=nobody, settles_within_s=60), pivot())).asks(do("A")).cancel()
    halts(cancelled, "A").retry("A").asks(probe("A", attempt=1)).done("A", "a-1").asks(undo("A", answer="a-1"))
    halted = halts(cancelled.times_out("A").asks(probe("A")), "A").needs_operator("A/undo")
    halted.retry("A").asks(probe("A", attempt=2)).done("A", "a-1").asks(undo("A", answer="a-1"))
    halted.resolve("A", Done("a-1")).asks(undo("A", answer="a-1"))
    halted.resolve("A", Refused()).compensated()


def test_r23_a_probe_from_the_pivot_on_is_sent_again() -> None:
    """Not the action: its key may have been forgotten."""
    looks_at_pivot = pivot(probe=nobody, settles_within_s=5, key_lives_h=1)
    looking = given(saga(looks_at_pivot)).passes(2 * HOUR).asks_whatever()
    halted = halts(looking, "PIVOT").needs_operator("PIVOT/do")
    halted.retry("PIVOT").asks(probe("PIVOT")).refused("PIVOT").compensated()
    halted.resolve("PIVOT", Done()).completed()


def test_r23_nothing_else_stops_for_a_halted_step() -> None:
    """The saga turns back beside it: by a refusal, a cancel, the deadline. The group before waits until it is clear."""
    halted = halts(at_group(), "B")
    cancelled = halted.cancel("why").needs_operator("A/undo", "B/undo", "C/undo").because("why")
    for dialogue in (halted.refused("C", "no"), cancelled.refused("C")):
        dialogue.asks_nothing().needs_operator("A/undo", "B/undo").retry("B").asks(undo("B"))
    cancelled.retry("B").asks_nothing().goes_back().done("C").asks(undo("B"), undo("C"))
    beside = halts(given(saga(parallel(step("A"), step("B"), step("C")))).asks(do("A"), do("B"), do("C")), "B").done(
        "A"
    )
    beside.refused("C").asks(undo("A")).done("A").needs_operator("B/undo").resolve("B", Refused()).compensated()
    halts(at_group().unknown("C"), "B").cancel().asks(undo("C"))  # its retry is dropped
    assert [*map(cancelled.run.wants, cancelled.run.requests())] == [False]
    timed = halts(given(saga(step("A"), pivot(), deadline_s=5)).asks(do("A")), "A")
    assert timed.run.due_ms() == 5000
    timed.passes(5).needs_operator("A/undo").because("deadline").retry("A").asks(undo("A")).done("A").compensated()


def test_r23_what_is_not_asked_cannot_halt() -> None:
    """It is on record, and changes nothing: done, of another group, stuck already, after the end."""
    halted = halts(at_group(), "B")
    going_back = at_group().done("B").refused("C").asks(undo("B"))
    ended = given(LINE).asks(do("A")).refused("A").compensated()
    for dialogue, event in (
        (halted, "B"),
        (at_group().done("B"), "B"),
        (going_back, "C"),
        (at_group(), "A"),
        (ended, "A"),
    ):
        halt = Halt(event, "damaged")
        after, effects = take(dialogue.run, halt, dialogue.now_ms)
        assert effects == (Write("saga-1", after.number, halt, ()),)
        assert after == dialogue.run._replace(number=after.number)


# --- what was taken back ---------------------------------------------------------------------------------------------

RAISED = Unknown("boom", taken_back=True)


def test_r24_what_was_taken_back_is_asked_again() -> None:
    """The action and the undo, with pauses; also at the pivot, of which a refusal then is certain."""
    dialogue = at_pivot().answers("PIVOT", RAISED).asks(do("PIVOT", attempt=2)).answers("PIVOT", RAISED)
    going_back = dialogue.asks(do("PIVOT", attempt=3)).refused("PIVOT").asks(undo("B"))
    going_back = going_back.answers("B", RAISED).asks(undo("B", attempt=2)).goes_back()
    going_back.done("B").asks(undo("A")).done("A").compensated()


def test_r24_what_was_taken_back_is_not_undone() -> None:
    """Not when its time is over, not when the saga turns back before it was asked again."""
    started = given(saga(step("A"), step("B", timeout_s=5, limit_s=5), pivot())).asks(do("A")).done("A").asks(do("B"))
    started.passes(4).answers("B", RAISED).cancel().asks(undo("A")).done("A").compensated()
    limited = started.passes(4.99).answers("B", RAISED).asks(undo("A")).goes_back(because="boom")
    limited.done("A").compensated()
    halves = at_group().answers("B", RAISED).refused("C", "no").asks(undo("A"))
    halves.done("A").compensated()


def test_r24_it_says_nothing_of_an_attempt_before() -> None:
    """One that nobody heard of may have taken effect, whatever became of the next."""
    doubtful = given(LINE).asks(do("A")).times_out("A").asks(do("A", attempt=2)).answers("A", RAISED)
    doubtful.cancel().asks(undo("A"))
    at_its_limit = given(saga(step("A", timeout_s=5, limit_s=6), pivot())).asks(do("A")).passes(4.9)
    at_its_limit = at_its_limit.times_out("A").asks(do("A", attempt=2)).passes(2).answers("A", RAISED)
    at_its_limit.asks(undo("A"))
    remembers = given(saga(step("A", timeout_s=5, limit_s=6, remembers_refusals=True), pivot())).asks(do("A"))
    remembers = remembers.passes(4.9).times_out("A").asks(do("A", attempt=2)).passes(2).answers("A", RAISED)
    remembers.asks(undo("A"))


def test_r24_a_probe_that_was_not_sent_found_nothing_out() -> None:
    """Also not once the key is dead: what is looked for may have taken effect."""
    definition = saga(step("A", probe=nobody, settles_within_s=30, limit_s=10, key_lives_h=1), pivot())
    dialogue = given(definition).asks(do("A")).times_out("A").asks(probe("A"))
    dialogue = dialogue.passes(2 * HOUR).asks_whatever().answers(probe("A"), RAISED)
    dialogue.passes(60).asks_whatever().done(probe("A"), "a-1").asks(undo("A", answer="a-1"))


# --- waits ----------------------------------------------------------------------------------------------------------


def approval(**more: Any) -> Step[Any]:
    """Return a step that waits for a manager, for a day at most."""
    return wait_for("MANAGER_APPROVED", limit_s=DAY, **more)


WAITS = saga(step("A"), approval(), pivot())
BESIDE = saga(step("A"), parallel(step("B"), approval()), pivot(), deadline_s=HOUR)
TOLD = saga(step("A"), approval(notify=nobody, remind_every_s=HOUR), pivot())


def waits(definition: Saga[Any] = WAITS) -> Dialogue:
    """Return a dialogue in which A is done, and the manager is waited for."""
    return given(definition).asks(do("A")).done("A", "a-1")


def test_r29_a_wait_sends_nothing_and_takes_one_answer() -> None:
    """Neither time nor a restart sends anything; the first answer counts, and is read by the steps that follow."""
    dialogue = waits().asks_nothing().passes(HOUR).crashes().asks_nothing().goes_forward()
    (waiting,) = dialogue.run.waiting
    assert (waiting.taken, waiting.assignee, waiting.ends_ms, waiting.due_ms) == (
        True,
        "MANAGER",
        *[int(DAY * 1000)] * 2,
    )
    approved = dialogue.done("MANAGER_APPROVED", 100)
    approved.asks(do("PIVOT", answers={"A": "a-1", "MANAGER_APPROVED": 100})).again(do("MANAGER_APPROVED"))
    dialogue.refused("MANAGER_APPROVED", "too dear").asks(undo("A", reason="too dear")).done("A").compensated()


def test_r29_a_wait_that_nobody_answers_is_refused() -> None:
    """At its end, which was fixed when it began, and not before; that has the reason of turning back."""
    dialogue = waits().passes(DAY - 1).crashes().asks_nothing().goes_forward().passes(1)
    back = dialogue.asks(undo("A", reason="MANAGER_APPROVED: no answer came in time"))
    assert ("MANAGER_APPROVED", Status.REFUSED) in [(entry.event, entry.status) for entry in back.run.trail]


def test_r29_limit_and_assignee_are_made_of_the_request_once() -> None:
    """When the wait begins."""
    asked: list[object] = []

    def minute(request: object) -> float:
        asked.append(request)
        return 60

    who = wait_for("APPROVED", limit_s=minute, assignee=lambda _: "Ada")
    dialogue = given(saga(who, pivot()), "a request").asks_nothing()
    assert dialogue.run.waiting[0].assignee == "Ada"
    dialogue.passes(59).crashes().goes_forward().passes(1).compensated(because="no answer")
    assert asked == ["a request"]


def test_r29_what_makes_no_limit_of_the_request_ends_the_wait() -> None:
    """It is refused at once, and the reason says why; behind the pivot an operator is told."""

    def raises(request: object) -> float:
        raise ValueError(f"no time for {request}")

    wrong: list[tuple[dict[str, Any], str]] = [
        ({"limit_s": lambda _: 0}, "its time is 0, and its assignee 'APPROVED'"),
        ({"limit_s": lambda _: "long"}, "its time is 'long'"),
        ({"limit_s": 1, "assignee": lambda _: 7}, "its time is 1, and its assignee 7"),
        ({"limit_s": raises}, "its time or assignee raised ValueError: no time for a"),
        ({"limit_s": raises, "notify": nobody}, "its time or assignee raised ValueError: no time for a"),
    ]
    for options, words in wrong:
        ended = given(saga(wait_for("APPROVED", **options), pivot()), "a").asks_whatever().passes(1)
        ended.compensated(because=f"APPROVED: no answer came in time; {words}")
    behind = given(saga(pivot(), pause("RESTED", raises)), "a").asks(do("PIVOT")).done("PIVOT").passes(1)
    behind.needs_operator("RESTED/do").resolve("RESTED", Done()).completed()


def test_r30_a_wait_is_withdrawn_at_once_and_for_certain() -> None:
    """By a cancel, the deadline, or another of the group: nothing of it is undone, a late answer changes nothing."""
    for back in (
        waits(BESIDE).asks(do("B")).cancel().times_out("B"),
        waits(BESIDE).asks(do("B")).deadline_passes().times_out("B"),
        waits(BESIDE).asks(do("B")).unknown("B").retry("MANAGER_APPROVED").asks_whatever().cancel(),
    ):
        ended = back.asks(undo("B")).done("B").asks(undo("A")).done("A").compensated()
        assert ("MANAGER_APPROVED", Status.REFUSED) in [(entry.event, entry.status) for entry in ended.run.trail]
        assert ended.late(do("MANAGER_APPROVED"), Done(100)).compensated().run.owed() == ()
    refused = waits(BESIDE).asks(do("B")).refused("B", "no").asks(undo("A")).late(do("MANAGER_APPROVED"), Done(100))
    refused.done("A").compensated(because="no")
    waits(TOLD).asks(do("MANAGER_APPROVED")).cancel().asks(undo("A")).done("A").compensated()


def test_r30_a_wait_is_for_an_operator_like_any_step() -> None:
    """A word resolves it; it can get stuck; nothing of it is outstanding."""
    waits().resolve("MANAGER_APPROVED", Done(1)).asks(do("PIVOT"))
    waits().resolve("MANAGER_APPROVED", Refused("no")).asks(undo("A"))
    waits().abandon().abandoned("A/undo")
    stuck = halts(waits(), "MANAGER_APPROVED").needs_operator("A/undo")
    stuck.retry("MANAGER_APPROVED").asks_nothing().done("MANAGER_APPROVED").asks(do("PIVOT"))
    stuck.cancel().asks(undo("A")).done("A").compensated()


def test_r31_who_is_asked_is_notified_until_the_wait_ends() -> None:
    """At the beginning, after each time, and again where a call failed or was lost: the same key, and no end of it."""
    first = waits(TOLD).asks(do("MANAGER_APPROVED", attempt=1, key="saga-1/MANAGER_APPROVED/do", answers={"A": "a-1"}))
    told = first.later("MANAGER_APPROVED", HOUR).passes(HOUR - 1).asks_nothing().passes(1)
    again = told.asks(do("MANAGER_APPROVED", attempt=2, key="saga-1/MANAGER_APPROVED/do"))
    assert again.run.waiting[0].error == ""
    failed = again.unknown("MANAGER_APPROVED", "no mail").asks(do("MANAGER_APPROVED", attempt=3))
    lost = failed.crashes().asks(do("MANAGER_APPROVED", attempt=4)).later("MANAGER_APPROVED", HOUR)
    lost.done("MANAGER_APPROVED").asks(do("PIVOT"))
    late = lost.passes(DAY - 2 * HOUR).asks_whatever().goes_forward().later("MANAGER_APPROVED", 10 * DAY)
    late.times_out("MANAGER_APPROVED").asks(undo("A")).because("no answer came in time")


def test_r31_what_notifies_decides_nothing() -> None:
    """Whatever it gives back, the person's answer is waited for; only a failure has it called again."""
    request = Request("s", "MANAGER_APPROVED", Kind.DO, None, Call("s/MANAGER_APPROVED/do"))
    notifies = TOLD.step("MANAGER_APPROVED")
    for given_back in (None, True, Done(1), Refused("no"), Later(1), "sent"):
        assert outcome_of(given_back, request, notifies) == Later(HOUR)
    assert outcome_of(Unknown("no mail"), request, notifies) == Unknown("no mail")


def test_r32_a_pause_is_done_at_its_time() -> None:
    """Not before, also after a restart; before the pivot it is withdrawn like a wait, and behind it nothing ends it."""
    slept = given(saga(step("A"), pause("RESTED", HOUR), pivot())).asks(do("A")).done("A").asks_nothing()
    slept.passes(HOUR - 1).crashes().asks_nothing().passes(1).asks(do("PIVOT"))
    slept.cancel().asks(undo("A")).done("A").compensated()
    behind = given(saga(pivot(), pause("RESTED", lambda request: request), last()), 60).asks(do("PIVOT")).done("PIVOT")
    behind.declines(Cancel()).passes(59).asks_nothing().passes(1).asks(do("LAST")).done("LAST").completed()
    behind.resolve("RESTED", Done()).asks(do("LAST"))


# --- the document ---------------------------------------------------------------------------------------------------

TEXT = (ROOT / "docs" / "rules.md").read_text("utf-8")
SECTION = re.compile(r"^### R(\d+) [^\n]+\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"\[`(tests/\w+/\w+\.py)::(\w+)`\]\(\.\./tests/\w+/\w+\.py\)")


def test_every_rule_is_in_the_document_with_its_tests() -> None:
    """R1 to the last, in order; each links tests that exist, and each test of a rule is linked."""
    sections = SECTION.findall(TEXT)
    assert [int(number) for number, _ in sections] == list(range(1, len(sections) + 1))
    linked: set[str] = set()
    for number, words in sections:
        links = TEST.findall(words)
        assert links, f"R{number} has no test"
        for path, name in links:
            assert name in {function.name for function in functions(ROOT / path)}, f"R{number}: {name}"
            linked.add(name)
    ours = {function.name for function in functions(ROOT / "tests/core/test_rules.py")}
    assert {name for name in ours if re.match(r"test_r\d", name)} <= linked
