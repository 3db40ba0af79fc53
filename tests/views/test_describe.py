"""What is told of one saga: how it stands step by step, what it waits for, in words, and what people told it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from amends import Abandon, Cancel, Done, Later, Refused, RequestRefused, Resolve, Retry, Saga, Undo, Unknown, external
from amends.adapters.memory import MemoryStore
from amends.adapters.sqlite.store import SqliteStore
from amends.core.messages import Answered, Kind
from amends.engine.in_flight import Outgoing
from amends.engine.tasks import Deliver
from amends.storage.codecs.sagas import definition_of
from amends.storage.ports import Store
from amends.views.pending import pending
from amends.views.sagas import AsOf
from amends.views.search import Search, found_by, page
from amends.views.story import NO_DEFINITIONS, Description, describe
from tests.engine.world import Life, nothing

SALE = Saga(
    "sale",
    int,
    [
        external("CARD_CHARGED", nothing, undo=nothing, undone="CARD_REFUNDED"),
        external("STOCK_TAKEN", nothing, undo=nothing, undone="STOCK_RETURNED"),
        external("PARCEL_SENT", nothing, pivot=True, timeout_s=10),
    ],
)
KNOWN = {definition_of(SALE): SALE}
ALL = Search()


@pytest.fixture(params=["memory", "file"])
def life(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Life]:
    """Return an engine without a loop, on a store of each kind."""
    with closing(MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "sale.db")) as store:
        yield Life(store, SALE)


def seen(life: Life, definitions: Mapping[str, Saga] = KNOWN, saga_id: str = "a-1") -> Description:
    """Return what is told of a saga now."""
    return describe(life.store, saga_id, AsOf(life.now_ms), definitions)


def asked_again(life: Life, asking: Outgoing, error: str) -> Outgoing:
    """Say that nothing is known of a request, and return its next attempt."""
    life.answer(asking, Unknown(error))
    while not (sends := life.turn(after_ms=500).sends):
        pass
    return sends[0]


def outcomes(told: Description) -> list[str]:
    """Return how each step stands."""
    return [f"{step.event} {step.back or step.outcome}".strip() for step in told.steps]


def test_a_saga_says_whom_it_asked_how_often_and_when_it_asks_next(life: Life) -> None:
    """In one sentence, with what it heard last."""
    (asking,) = life.begin(1).sends
    assert seen(life).waits_for == "CARD was asked, has 10 s left to answer"
    again = asked_again(life, asking, "timeout")
    assert seen(life).waits_for == "CARD was asked 2 times, has 9 s left to answer, last: timeout"
    life.answer(again, Unknown("no route"))
    words, _, last = seen(life).waits_for.rpartition(", ")
    assert words.startswith("CARD was asked 2 times, next in ")
    assert last == "last: no route"
    card = seen(life).steps[0]
    assert (card.outcome, card.service, card.attempts, card.error) == ("sent", "CARD", 2, "no route")


def test_the_steps_ahead_are_told_where_the_definition_is_known(life: Life) -> None:
    """Without it, those are that were reached."""
    (asking,) = life.begin(1).sends
    life.answer(asking, Done("receipt 7"))
    told = seen(life)
    assert outcomes(told) == ["CARD_CHARGED done", "STOCK_TAKEN sent", "PARCEL_SENT"]
    assert [step.service for step in told.steps] == ["CARD", "STOCK", "PARCEL"]
    assert told.answers == {"CARD_CHARGED": "receipt 7"}
    assert outcomes(seen(life, NO_DEFINITIONS)) == ["CARD_CHARGED done", "STOCK_TAKEN sent"]


def test_why_it_turned_back_and_why_an_undo_failed_are_two_things(life: Life) -> None:
    """Also once an operator has to see to it."""
    (asking,) = life.begin(1).sends
    (asking,) = life.answer(asking, Done()).sends
    (asking,) = life.answer(asking, Refused("sold out")).sends
    asking = asked_again(life, asking, "connection reset")
    told = seen(life)
    assert told.reason == "sold out"
    assert [(step.error, step.undo_error) for step in told.steps] == [
        ("", "connection reset"),
        ("sold out", ""),
        ("", ""),
    ]
    assert told.waits_for == "CARD was asked 2 times to undo it, has 9 s left to answer, last: connection reset"
    life.answer(asking, Refused("the account is closed"))
    told = seen(life)
    assert (told.status, told.reason, told.trouble) == ("needs operator", "sold out", "the account is closed")
    assert told.waits_for == "needs an operator: the account is closed"
    assert told.steps[0].undo_error == "the account is closed"
    assert (told.outstanding, outcomes(told)[:2]) == (
        ("CARD_CHARGED/undo",),
        ["CARD_CHARGED stuck", "STOCK_TAKEN refused"],
    )


def test_what_people_told_it_is_listed_with_their_reasons(life: Life) -> None:
    """In the order in which it took it; a verb that it could not take is not among it."""
    (asking,) = life.begin(1).sends
    (asking,) = life.answer(asking, Done()).sends
    life.turn(Deliver("a-1", Retry("CARD_CHARGED", "by mistake")))
    life.turn(Deliver("a-1", Cancel("the customer called", "ann")))
    (undoing,) = life.answer(asking, Done()).sends
    life.answer(undoing, Refused("unknown article"))
    life.turn(Deliver("a-1", Resolve("STOCK_TAKEN", Done(), "looked into the shelf", "bob@example.org")))
    life.turn(Deliver("a-1", Abandon("written off")))
    assert [(verb.verb, verb.step, verb.by, verb.reason) for verb in seen(life).verbs] == [
        ("cancel", "", "ann", "the customer called"),
        ("resolve", "STOCK_TAKEN", "bob@example.org", "looked into the shelf"),
        ("abandon", "", "", "written off"),
    ]
    assert (seen(life).status, seen(life).waits_for) == ("abandoned", "")


def test_an_answer_from_outside_is_told_with_its_key(life: Life) -> None:
    """Since when it is waited for, and until when; once it has come, it is pending no more."""
    (asking,) = life.begin(1).sends
    life.answer(asking, Later(3600))
    life.now_ms += 3 * 60_000
    told = seen(life).waits_for
    assert told.startswith("waits for an answer from CARD, since 3 min, until 2023-11-14 ")
    (answer,) = pending(life.store, Search(), AsOf(life.now_ms))
    assert (answer.key, answer.service, answer.name) == ("a-1/CARD_CHARGED/do", "CARD", "sale")
    assert not list(pending(life.store, Search(service="STOCK"), AsOf(life.now_ms)))
    life.answer(asking, Done())
    assert not list(pending(life.store, Search(), AsOf(life.now_ms)))


def owing(life: Life, number: int) -> str:
    """Have a saga of which a charge is owed that came after it had been refused, and return its id."""
    saga_id = f"a-{number}"
    (asking,) = life.begin(number).sends
    life.answer(asking, Refused("no money"))
    life.turn(Deliver(saga_id, Answered("CARD_CHARGED", Kind.DO, Done("r-1"))))
    assert seen(life, saga_id=saga_id).owed == ("CARD_CHARGED",)
    return saga_id


def test_an_undo_of_what_is_owed_is_pending_once_its_participant_took_it(life: Life) -> None:
    """Under the key that it was asked by, until it is answered; it is no more once it is asked anew, or refused."""
    saga_id, other = owing(life, 1), owing(life, 2)

    def answers(search: Search = ALL, definitions: Mapping[str, Saga] = KNOWN) -> list[tuple[str, str, int, int]]:
        found = pending(life.store, search, AsOf(life.now_ms), definitions)
        return [(each.key, each.service, each.since_ms, each.until_ms) for each in found]

    (undoing,) = life.turn(Deliver(saga_id, Undo("CARD_CHARGED"))).sends
    since_ms = life.now_ms
    assert answers() == []
    life.now_ms += 60_000
    life.answer(undoing, Later(3600))
    told = (undoing[1].request.call.key, "CARD", since_ms, life.now_ms + 3_600_000)
    assert answers() == answers(Search(service="CARD", step="CARD_CHARGED")) == [told]
    assert answers(Search(service="STOCK")) == answers(Search(step="STOCK_TAKEN")) == []
    assert answers(definitions=NO_DEFINITIONS) == [(told[0], "", *told[2:])]

    (second,) = life.turn(Deliver(other, Undo("CARD_CHARGED"))).sends
    life.answer(second, Later(3600))
    assert [key for key, *_ in answers()] == [f"{other}/CARD_CHARGED/undo", told[0]]
    life.answer(second, Refused("the account is closed"))
    assert answers() == [told]
    (again,) = life.turn(Deliver(saga_id, Undo("CARD_CHARGED"))).sends
    assert answers() == []
    life.answer(again, Later(60))
    assert len(answers()) == 1
    life.turn(Deliver(saga_id, Answered("CARD_CHARGED", Kind.UNDO, Done())))
    assert (answers(), seen(life).owed) == ([], ())


def test_a_late_undo_is_pending_under_a_key_of_its_own_where_the_plain_one_was_used(life: Life) -> None:
    """The saga had asked for it itself, not knowing whether there was anything to undo."""
    (asking,) = life.begin(1).sends
    life.turn(Deliver("a-1", Cancel("the customer called", "ann")))
    undoing = life.answer(asking, Unknown("no route")).sends
    while not undoing:
        undoing = life.turn(after_ms=500).sends
    life.answer(undoing[0], Done())
    life.turn(Deliver("a-1", Answered("CARD_CHARGED", Kind.DO, Done("r-1"))))
    (late,) = life.turn(Deliver("a-1", Undo("CARD_CHARGED"))).sends
    life.answer(late, Later(3600))
    (answer,) = pending(life.store, Search(), AsOf(life.now_ms), KNOWN)
    assert answer.key == late[1].request.call.key == "a-1/CARD_CHARGED/undo-late"


def test_all_of_it_is_plain_json(life: Life) -> None:
    """The request among it, as what it was."""
    (asking,) = life.begin(17).sends
    life.answer(asking, Refused("no money"))
    document = json.loads(json.dumps(seen(life).as_json()))
    assert (document["request"], document["status"], document["reason"]) == (17, "compensated", "no money")
    assert document["steps"][0]["error"] == "no money"
    listed = page(life.store, Search(), AsOf(life.now_ms)).as_json()
    assert json.loads(json.dumps(listed))["sagas"][0]["saga_id"] == "a-1"


def test_what_is_not_there_is_refused_by_name(life: Life) -> None:
    """And never told as empty."""
    with pytest.raises(RequestRefused, match="there is no saga 'a-9'"):
        seen(life, saga_id="a-9")


def test_a_saga_is_found_by_its_client_key(life: Life) -> None:
    """A key that is new stands for none."""
    life.begin(1, keys=["order 17"])
    found = found_by(life.store, AsOf(life.now_ms), "order 17")
    assert found is not None
    assert (found.saga_id, found.status) == ("a-1", "forward")
    assert found_by(life.store, AsOf(life.now_ms), "order 18") is None


def test_pages_of_a_filter_neither_miss_nor_double_a_saga(life: Life) -> None:
    """While others start and end between them; also of what only the body of a row tells."""
    first = life.begin(*range(6)).sends
    life.answer(first[2], Done())
    wanted = Search(service="CARD", limit=2)
    ids = list[str]()
    one = page(life.store, wanted, AsOf(life.now_ms))
    while True:
        ids += [saga.saga_id for saga in one.sagas]
        life.begin(9)
        if one.after is None:
            break
        one = page(life.store, wanted._replace(after=one.after), AsOf(life.now_ms))
    assert ids == ["a-6", "a-5", "a-4", "a-2", "a-1"]


def test_a_page_of_what_is_failing_or_owed(life: Life) -> None:
    """By the condition alone, or beside a status that it can have."""
    first, other = life.begin(1, 2).sends
    asked_again(life, first, "timeout")
    life.answer(other, Refused("no money"))
    life.turn(Deliver("a-2", _said_late(other)))
    store, as_of = life.store, AsOf(life.now_ms, worried_after_ms=0)
    assert _ids(store, Search(is_failing=True), as_of) == ["a-1"]
    assert _ids(store, Search(("completed",), is_failing=True), as_of) == []
    assert _ids(store, Search(is_failing=True), AsOf(life.now_ms)) == []
    assert _ids(store, Search(is_owed=True), as_of) == ["a-2"]
    assert _ids(store, Search(is_owed=True, after="a-2"), as_of) == []
    assert _ids(store, Search(step="CARD_CHARGED"), as_of) == ["a-1"]


def _said_late(asking: Outgoing) -> Answered:
    request = asking[1].request
    return Answered(request.step, request.kind, Done("after all"), request.call.attempt)


def _ids(store: Store, wanted: Search, as_of: AsOf) -> list[str]:
    return [saga.saga_id for saga in page(store, wanted, as_of).sagas]
