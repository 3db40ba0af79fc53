"""`check`: one line in a test."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import amends
from amends import Call, Done, Refused, Saga, Scenario, UnusableInput, check, checking, external, wait_for
from amends.checking import CheckCut, CheckFailed, adapter, honours_keys, simulate
from amends.checking.api import replayed
from amends.checking.replay_token import FORM, is_about, read_token
from amends.entrypoints.demo.tickets import tickets
from amends.shop.scenarios import ONE_ORDER
from tests.checking.cases.outside import card, paid
from tests.checking.sales import BROKEN, MENDED, Row, Seat, give_back_half, seating


def failed(scenario: Scenario, **more: Any) -> CheckFailed:
    """Return what a check raises."""
    with pytest.raises(CheckFailed) as caught:
        check(scenario, **more)
    return caught.value


def text_of(error: CheckFailed) -> str:
    """Return how a rule is broken."""
    assert error.answer.counterexample is not None
    return error.answer.counterexample.broken.text


def test_a_saga_that_holds_gives_its_answer() -> None:
    """With the bound that it holds within."""
    answer = check(MENDED)
    assert (answer.verdict, answer.counterexample, answer.token) == ("holds", None, "")
    assert answer.states > 100
    assert "at most 2 faults" in answer.bound()[0][1]
    assert answer.name == "tickets"


def test_a_counterexample_is_an_assertion_error_whose_text_is_the_timeline() -> None:
    """So that any test runner shows it."""
    error = failed(BROKEN)
    assert isinstance(error, AssertionError)
    assert str(error).startswith("saga tickets\n\n      the saga asks")
    assert "broken: all or nothing is left" in str(error)
    assert "saga tickets, at night" in str(failed(BROKEN, name="at night"))


def test_a_cut_search_never_passes() -> None:
    """It is a failure of its own kind."""
    for limits in ({"max_states": 1}, {"timeout_s": 0}):
        with pytest.raises(CheckCut, match="cut by --"):
            check(MENDED, **limits)  # type: ignore[arg-type]


def test_a_saga_with_its_world_is_a_scenario_too() -> None:
    """Without a name for it."""
    saga, row = seating().saga, {"ROW": {"A": Row(1, 0)}}
    assert check(saga, given=row, requests=[Seat("A")], models={"CARD": honours_keys()}, faults=1).states > 10
    with pytest.raises(CheckFailed, match="it is held"):
        check(saga, given=row, requests=[Seat("A")], never=[lambda given: given["ROW"]["A"].held and "it is held"])


def test_how_many_faults_there_are_by_default() -> None:
    """Two for a saga alone, one for several."""
    assert "at most 2 faults" in str(check(seating()))
    assert "at most 1 fault:" in str(check(seating(rows=2, sagas=2)))


def test_arguments_that_describe_no_scenario_are_refused() -> None:
    """Or two of them."""
    with pytest.raises(TypeError, match="give it alone"):
        check(MENDED, requests=[1])
    with pytest.raises(TypeError, match="neither a Saga nor a Scenario"):
        check("tickets")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"requests": []}, "tickets: it has no requests"),
        (
            {"given": {"SEAT": {}}},
            r"given names .* 'SEAT', and the saga has no local step of it; .* SEATS, TICKET",
        ),
        ({"models": {"CARDS": honours_keys()}}, r"models names the service 'CARDS'.* are: CARD"),
        ({"ids": ["a", "b"]}, r"1 requests and ids=\['a', 'b'\]"),
        ({"requests": MENDED.requests[0]}, r"requests is Buy\(.*, one request; give a list of them"),
        ({"models": {"CARD": honours_keys}}, r"models has <function honours_keys.* for CARD, which is no model"),
        ({"never": ["oversold"]}, "never has 'oversold', which is no function"),
    ],
)
def test_a_scenario_that_would_hold_for_nothing_is_refused(change: dict[str, Any], words: str) -> None:
    """A slip of the pen must not be green."""
    with pytest.raises(UnusableInput, match=words):
        check(replace(MENDED, **change))


def test_a_client_in_place_of_its_class_is_refused() -> None:
    """Where the model is built, before anything runs."""
    with pytest.raises(UnusableInput, match=r"adapter: <object .* is no function from books to a client"):
        adapter(object())  # type: ignore[arg-type]
    with pytest.raises(UnusableInput, match=r"adapter: 'closed' is no function"):
        adapter(dict, also=["closed"])  # type: ignore[list-item]


def test_a_request_of_another_type_than_declared_says_which_to_give() -> None:
    """It is not the definition that is to be mended."""
    error = failed(replace(MENDED, requests=[tuple(MENDED.requests[0])]))
    assert "the saga's request is declared as Buy: give one" in text_of(error)


def test_an_undo_that_nothing_was_told_of_says_what_it_needs() -> None:
    """A saga without a probe, whose charge's answer is lost."""
    assert "its undo knows nothing of it: give CARD_CHARGED probe= and settles_within_s=" in text_of(failed(BROKEN))


def test_a_promise_that_is_too_short_is_told_where_it_is_broken() -> None:
    """Both times, so that nobody has to know what a model does by default."""
    text = text_of(failed(paid(card(settles_within_s=10))))
    assert (
        "CARD_CHARGED says settles_within_s=10, and the model of CARD may carry out a request up to 60 s after" in text
    )


def test_books_that_are_compared_whole_say_how_to_say_what_counts() -> None:
    """A row that is marked, and not removed."""

    def mark(bank: Any, _: Any, call: Call) -> None:
        bank.books = (*bank.books, ("back", call.answer))

    card = external("CARD_CHARGED", lambda *_: Done("r"), undo=mark, undone="CARD_REFUNDED")
    error = failed(
        Scenario(Saga("sale", int, [card]), {}, [1], {"CARD": adapter(lambda books: SimpleNamespace(books=books))})
    )
    assert "say what counts: adapter(standing=...)" in text_of(error)


def test_a_local_saga_has_no_models() -> None:
    """And says so when it is given one."""
    with pytest.raises(UnusableInput, match="it has no external step"):
        check(replace(ONE_ORDER, models={"BANK": honours_keys()}))


# --- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", [BROKEN, seating(give_back_half), seating(give_back_half, sagas=2)])
def test_a_token_leads_to_its_counterexample_again(scenario: Scenario) -> None:
    """The same rule, the same moves, without a search."""
    first = failed(scenario).answer
    again = failed(scenario, replay=first.token).answer
    assert first.counterexample
    assert again.counterexample
    assert again.counterexample.broken == first.counterexample.broken
    assert [seen.move for seen in again.counterexample.trace] == [seen.move for seen in first.counterexample.trace]
    assert again.states == len(first.counterexample.trace) + 1
    assert "shown again, without a search" in str(again)


def test_a_token_is_about_one_definition_and_scenario() -> None:
    """It is short, and says what it is about."""
    answer = failed(BROKEN, name="dusk", faults=1).answer
    token = read_token(answer.token)
    assert is_about(token, "dusk")
    assert not is_about(token, "dawn")
    assert (token.fingerprint, token.faults, len(token.moves)) == (BROKEN.saga.fingerprint, 1, 5)
    assert len(answer.token) < 50


def test_a_token_of_another_definition_is_refused() -> None:
    """The definition changed since: one line."""
    with pytest.raises(UnusableInput, match=r"its definition changed since, to .*: check it anew"):
        replayed(MENDED, failed(BROKEN).answer.token)


def test_a_token_whose_way_is_gone_is_refused() -> None:
    """The functions changed since, and do something else: one line."""
    with pytest.raises(UnusableInput, match=r"no further than move \d of 5; participants, models or entities"):
        replayed(seating(give_back_half, rows=0), failed(seating(give_back_half)).answer.token)


def test_a_mended_saga_is_searched_whole() -> None:
    """When the token's way is gone, or ends well: a test that has it turns green only when everything holds."""
    token = failed(seating(give_back_half)).answer.token
    assert replayed(seating(), token) is None
    assert check(seating(), replay=token).verdict == "holds"
    assert check(MENDED, replay=failed(BROKEN).answer.token).verdict == "holds"


@pytest.mark.parametrize("text", ["", "x", FORM, f"{FORM}x", f"{FORM}{'A' * 21}", f"{FORM}äöü", "A" * 24])
def test_what_is_no_token_is_refused(text: str) -> None:
    """With what one looks like."""
    with pytest.raises(UnusableInput, match=f"is no token; one begins with {FORM}"):
        read_token(text)


def test_a_saga_that_never_ends_is_followed_too() -> None:
    """That needs a look beyond the token's end."""

    def pay_never(books: Any, request: Any, step: Any) -> Any:
        yield from ()

    model = honours_keys()
    deaf = replace(seating(), models={"CARD": replace(model, replies=pay_never)})
    answer = failed(deaf, faults=0).answer
    assert answer.counterexample
    assert answer.counterexample.broken.rule == "every saga ends"
    again = failed(deaf, faults=0, replay=answer.token).answer
    assert again.counterexample
    assert again.counterexample.broken == answer.counterexample.broken


# --- the package -----------------------------------------------------------------------------------------------------


def test_the_core_does_not_know_the_checker() -> None:
    """`check` is loaded when it is used."""
    code = "import sys, amends; amends.run, amends.Scenario; print('amends.checking' in sys.modules); amends.check"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_every_public_name_is_documented() -> None:
    """Of the checker as of the rest."""
    for name in checking.__all__:
        assert (getattr(checking, name).__doc__ or "").strip(), name
    assert amends.check is checking.check
    assert tickets().name == "tickets"


class Approval(NamedTuple):
    """What a person says."""

    limit: int


class Shelf:
    """What the goods are ordered from."""

    def __init__(self, books: Any) -> None:
        self.books = books


def order(client: Any, cents: int, call: Call) -> Done[int] | Refused:
    """GOODS_ORDERED."""
    return Done(cents) if cents <= call.answers["APPROVED"].limit else Refused("above the limit")


APPROVED = Saga("approved", int, [
    wait_for("APPROVED", answer=Approval, limit_s=60), external("GOODS_ORDERED", order, pivot=True),
])  # fmt: skip


def test_a_scenario_lists_what_a_person_may_say() -> None:
    """Each answer is tried; the made-up one alone would not show what a later step makes of another."""
    models = {"GOODS": adapter(Shelf)}
    with pytest.raises(CheckFailed, match=r"(?s)NO SAGA EVER COMPLETED|no saga completes"):
        check(Scenario(APPROVED, {}, [50], models))
    said = [Done(Approval(100)), Done(Approval(9)), Refused("too dear")]
    answer = check(Scenario(APPROVED, {}, [50], models, answers={"APPROVED": said}))
    assert answer.verdict == "holds"
    assert check(Scenario(APPROVED, {}, [50], models, answers={"APPROVED": said[:1]})).states < answer.states
    assert simulate(Scenario(APPROVED, {}, [50], answers={"APPROVED": said}), seeds=40).holds


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"ORDERED": [Done()]}, "'ORDERED', which is no step that waits for a person; those that do are: APPROVED"),
        ({"APPROVED": Done(Approval(1))}, "give a list of Done(...) and Refused(...)"),
        ({"APPROVED": []}, "give a list of Done(...) and Refused(...)"),
        ({"APPROVED": ["yes"]}, "answers has 'yes' for APPROVED; give Done(...) or Refused(...)"),
        ({"APPROVED": [Done("yes")]}, "answers has Done(answer='yes') for APPROVED: the answer cannot be stored"),
    ],
)
def test_answers_that_no_wait_takes_are_refused(answers: Any, why: str) -> None:
    """With what there is, or what to give."""
    with pytest.raises(UnusableInput) as refused:
        check(Scenario(APPROVED, {}, [50], answers=answers))
    assert why in str(refused.value)
