"""The dialogue helper: what it says, what it lets pass, and how it fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from amends.core.definition import Saga, parallel
from amends.core.messages import Cancel, Done, Refused, Retry
from amends.testing import Dialogue, do, given, probe, undo
from tests.core.sagas import GROUP, LINE, last, nobody, pivot, saga, step


def failing(attempt: Callable[[], object]) -> str:
    """Return the message of a failing expectation."""
    with pytest.raises(AssertionError) as caught:
        attempt()
    return str(caught.value)


def test_a_failure_tells_the_dialogue_so_far() -> None:
    """What was expected, what came, and everything before it, on the test's clock."""
    dialogue = given(LINE, "a ring", saga_id="s-7").asks(do("A")).done("A", "a-1").asks(do("B")).times_out("B")
    assert failing(lambda: dialogue.asks(do("B", attempt=3))) == (
        "expected to go out: do('B', attempt=3)\n"
        "but      went out:  do('B', attempt=2, answers={'A': 'a-1'})\n"
        "\n"
        "         0.000 s  given test: 'a ring'\n"
        "         0.000 s       A sent\n"
        "         0.000 s  out  do('A')\n"
        "         0.000 s  in   A/do done with 'a-1'\n"
        "         0.000 s       A done, forward at B, B sent\n"
        "         0.000 s  out  do('B', answers={'A': 'a-1'})\n"
        "        10.000 s  in   B/do timed out\n"
        "        10.000 s       B resent\n"
        "        10.146 s  out  do('B', attempt=2, answers={'A': 'a-1'})\n"
        "        10.146 s  stands at Forward: B resent"
    )


def test_a_long_dialogue_is_cut_in_the_middle() -> None:
    """A failure fits on a screen; its beginning says what was given."""
    message = failing(given(LINE, "a ring").passes(40).passes(3600).compensated)
    assert "given test: 'a ring'" in message
    assert "lines left out; Dialogue.transcript has them)" in message
    assert len(message.splitlines()) == 45


WRONG: list[tuple[str, Callable[[], object], list[str]]] = [
    ("another step", lambda: given(LINE).asks(do("B")), ["expected to go out: do('B')", "went out:  do('A')"]),
    ("another kind", lambda: given(LINE).asks(undo("A")), ["expected to go out: undo('A')", "went out:  do('A')"]),
    ("more", lambda: given(LINE).asks(do("A"), do("B")), ["to go out: do('A'), do('B')", "went out:  do('A')\n"]),
    ("nothing", lambda: given(LINE).asks_nothing(), ["expected to go out: nothing", "went out:  do('A')"]),
    ("another order", lambda: group().asks(do("C"), do("B")), ["do('C'), do('B')", "do('B'"]),
    ("a key", lambda: given(LINE).asks(do("A", key="x")), ["do('A', key='x')", "do('A', key='saga-1/A/do')"]),
    ("answers", lambda: given(LINE).asks(do("A", answers={"B": 1})), ["answers={'B': 1}", "answers={}"]),
    (
        "an answer",
        lambda: given(LINE).asks(do("A")).done("A", 5).asks(do("B")).refused("B").asks(undo("A", answer=6)),
        ["undo('A', answer=6)", "undo('A', answer=5)"],
    ),
    ("unsaid", lambda: given(LINE).done("A"), ["nothing unsaid to have gone out", "say .asks(do('A')) before this"]),
    ("unsaid at the end", lambda: given(LINE).goes_forward(), ["say .asks(do('A')) before this"]),
    ("unsaid before a verb", lambda: given(LINE).cancel(), ["say .asks(do('A')) before this"]),
    ("unsaid before a declined verb", lambda: given(LINE).declines(Cancel()), ["say .asks(do('A')) before this"]),
    ("nobody asked", lambda: given(LINE).asks(do("A")).done("B"), ["B to be waited for", "waited for: do('A')"]),
    ("other kind", lambda: given(LINE).asks(do("A")).done(undo("A")), ["undo('A') to be waited for", "do('A')"]),
    ("nobody waits", lambda: ended().done("A"), ["A to be waited for", "waited for: nothing"]),
    ("not late", lambda: given(LINE).asks(do("A")).late(do("A"), Done()), ["do('A') to be late", "still waited for"]),
    ("not again", lambda: given(LINE).asks(do("A")).again(do("A")), ["do('A') to come again", "none was given"]),
    (
        "not the end",
        lambda: group().asks(do("B"), do("C")).completed(),
        ["expected Completed", "Forward: B sent, C sent"],
    ),
    ("no reason", lambda: ended().compensated(because="full"), ["a reason with 'full'", "the reason is 'sold out'"]),
    ("no alert", lambda: ended().needs_operator(), ["an alert for an operator", "none was raised"]),
    ("owes", lambda: stuck().needs_operator("A/do"), ["outstanding: A/do", "outstanding: LAST/do"]),
    ("declined", lambda: stuck().cancel(), ["cancel to be taken", "declined: too late"]),
    ("taken", lambda: given(LINE).asks(do("A")).declines(Cancel()), ["cancel to be declined", "it was taken"]),
    ("why", lambda: stuck().declines(Cancel(), because="no"), ["a reason with 'no'", "too late: the pivot"]),
    ("no deadline", lambda: given(LINE).asks(do("A")).deadline_passes(), ["a deadline to pass", "the saga has none"]),
    (
        "over the deadline",
        lambda: given(saga(step("A"), deadline_s=5)).asks(do("A")).times_out("A"),
        ["to reach     10.000 s", "the deadline is before, at      5.000 s"],
    ),
]


def group() -> Dialogue:
    """Return a dialogue in which A is done, and B and C are asked and not said."""
    return given(GROUP).asks(do("A")).done("A")


def ended() -> Dialogue:
    """Return a dialogue that has ended."""
    return given(LINE).asks(do("A")).refused("A", "sold out")


def stuck() -> Dialogue:
    """Return a dialogue that waits for an operator."""
    return given(saga(pivot(), last())).asks(do("PIVOT")).done("PIVOT").asks(do("LAST")).refused("LAST", "gone")


@pytest.mark.parametrize(("attempt", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_does_not_hold_fails_with_both_sides(attempt: Callable[[], object], words: list[str]) -> None:
    """The message says what was expected, and what was there instead."""
    message = failing(attempt)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "attempt",
    [lambda d: d.asks(do("NO")), lambda d: d.done("NO"), lambda d: d.late(undo("NO"), Done())],
)
def test_a_step_that_the_saga_does_not_have_is_a_slip_of_the_pen(attempt: Callable[[Dialogue], object]) -> None:
    """It raises at once, whatever the saga does."""
    with pytest.raises(KeyError, match="saga 'test' has no step 'NO'"):
        attempt(given(LINE).asks(do("A")))


def test_a_duplicate_that_changes_something_fails() -> None:
    """Say `Dialogue.late` of an answer that is to have a consequence."""
    unknown = given(LINE).asks(do("A")).unknown("A")
    assert "expected a duplicate to change nothing\nbut      it changed the saga" in failing(
        lambda: unknown.again(do("A"))
    )


def test_a_dialogue_is_a_value() -> None:
    """Two tests can go on from one beginning."""
    begun = given(LINE).asks(do("A"))
    begun.done("A").asks(do("B")).goes_forward()
    begun.refused("A").compensated()
    begun.goes_forward()


def test_a_pause_passes_when_the_retry_is_expected() -> None:
    """And only then: before it, an answer may come."""
    waiting = given(LINE).asks(do("A")).unknown("A", "boom").asks_nothing()
    assert waiting.now_ms == 0
    assert 0 < waiting.asks(do("A", attempt=2)).now_ms <= 200
    waiting.done("A").asks(do("B")).goes_forward()


def test_time_that_passes_sends_retries_and_runs_out() -> None:
    """All that went out is said after it."""
    dialogue = given(saga(step("A", timeout_s=5, limit_s=6))).passes(7)
    dialogue.asks(do("A"), do("A", attempt=2)).passes(4).asks(undo("A")).goes_back(because="timed out")
    assert dialogue.now_ms == 7000


def test_what_else_is_due_is_still_waited_for() -> None:
    """Only what is named times out."""
    dialogue = given(saga(parallel(step("A"), step("B")))).asks(do("A"), do("B")).times_out("A").done("B")
    dialogue.asks(do("A", attempt=2)).done("A").completed()
    both = given(saga(parallel(step("A"), step("B")))).asks(do("A"), do("B")).times_out(do("A"), do("B"))
    both.asks(do("B", attempt=2), do("A", attempt=2)).goes_forward()


def test_it_says_what_can_go_wrong() -> None:
    """Timeout, late, duplicate, unknown, a refused compensation, a crash, an operator: one line each."""
    (
        given(GROUP)
        .asks(do("A"))
        .later("A", within_s=60)
        .done("A", "a-1")
        .asks(do("B"), do("C"))
        .again(do("A"))
        .unknown("B", "boom")
        .crashes()
        .asks(do("C", attempt=2), do("B", attempt=3))
        .refused("B", "sold out")
        .goes_back(because="sold out")
        .times_out("C")
        .asks(undo("B"), undo("C"))
        .late(do("C"), Done("c-1"))
        .refused("B", "what?")
        .needs_operator("A/undo", "B/undo", "C/undo", because="what?")
        .declines(Retry("A"), because="C is undoing")
        .done("C")
        .resolve("B", Done(), "by hand")
        .asks(undo("A", answer="a-1"))
        .late(undo("C"), Refused())
        .retry("A", "now")
        .asks(undo("A", attempt=2))
        .done("A")
        .compensated()
    )


def test_probes_deadlines_and_giving_up() -> None:
    """The rest of the words."""
    looks = step("A", probe=nobody, settles_within_s=30, limit_s=10)
    definition: Saga = saga(looks, pivot(), deadline_s=5)
    dialogue = given(definition).asks(do("A")).deadline_passes().goes_back(because="deadline").times_out("A")
    dialogue = dialogue.asks(probe("A", key="saga-1/A/do")).unknown(probe("A"), "busy")
    dialogue.asks(probe("A", attempt=2)).abandon("enough").abandoned("A/undo")
    given(LINE).asks(do("A")).compensate("operator").done("A").asks(undo("A")).done("A").compensated()


def test_requests_show_what_is_looked_at() -> None:
    """As a test writes them."""
    assert str(do("A")) == "do('A')"
    assert str(undo("A", answer=1, attempt=2, answers={"B": 3}, key="k")) == (
        "undo('A', attempt=2, answer=1, answers={'B': 3}, key='k')"
    )
    assert hash(do("A")) == hash(do("A"))
    assert do("A") != undo("A")
