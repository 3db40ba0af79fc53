"""`amends.events.cloud_events`: each record as one JSON document that those who know nothing of us can read."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from amends.bootstrap import located
from amends.core.messages import Answered, Cancel, Done, Kind, Later, Refused, Resolve, TimedOut
from amends.core.records import GroupEntered, SagaEnded, StepBecame
from amends.core.state import Status
from amends.events.cloud_events import cloud_events
from amends.events.log import EventBlock, EventLog
from amends.storage.records import ERASED, Cause, FormerWords, Record, SagaStarted
from amends.storage.rows import COMPLETED, Head
from tests.engine.test_engine import PATIENCE_S
from tests.engine.test_verbs import ORDER, Bank, opened, stuck

AT_MS = 1_700_000_000_123
HEAD = Head(7, b"7" * 32, AT_MS, "one")


def event(cause: Cause, value: str | None = None, *changes: Any, **options: Any) -> dict[str, Any]:
    """Return the event of one record."""
    (told,) = cloud_events(EventBlock(HEAD, (Record("S1", 3, AT_MS, cause, changes, value),)), **options)
    found: dict[str, Any] = json.loads(told.as_json())
    return found


def test_an_event_has_what_cloudevents_asks_for() -> None:
    """And the sequence of its extension, which is in the order of its text; of what is not known there is no key."""
    found = event(SagaStarted("tickets/1/abc"), '{"n": 2}', StepBecame("HELD", Status.DONE), source="//shop.example")
    data = found.pop("data")
    assert found == {
        "specversion": "1.0", "id": "S1/3", "source": "//shop.example", "type": "amends.saga.started", "subject": "S1",
        "time": "2023-11-14T22:13:20.123Z", "datacontenttype": "application/json", "sequence": "0000000003",
    }  # fmt: skip
    assert data == {
        "number": 3, "what": "started", "definition": "tickets/1/abc", "changes": [["done", "HELD"]],
        "value": {"n": 2}, "chain": "one", "block": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "value", "told"),
    [
        (
            Answered("HELD", Kind.DO, Done(), 2, "ann", "she saw it"), '"r"',
            {"what": "done", "step": "HELD", "kind": "do", "attempt": 2, "within_s": 0.0, "by": "ann",
             "value": "r", "why": "she saw it"},
        ),
        (
            Answered("HELD", Kind.UNDO, Refused("no"), 1), '"no"',
            {"what": "refused", "step": "HELD", "kind": "undo", "attempt": 1, "value": "no"},
        ),
        (
            Answered("HELD", Kind.DO, Later(60), None), None,
            {"what": "later", "step": "HELD", "kind": "do", "attempt": None, "within_s": 60},
        ),
        (TimedOut("HELD", Kind.PROBE, 4), None, {"what": "timed out", "step": "HELD", "kind": "probe", "attempt": 4}),
        (Cancel(by="ann"), '"late"', {"what": "cancel", "by": "ann", "value": "late"}),
        (
            Resolve("HELD", Done(), by="ann"), '[null,"seen"]',
            {"what": "resolve", "step": "HELD", "outcome": "done", "by": "ann", "value": [None, "seen"]},
        ),
        (FormerWords("it was so"), None, {"what": "former", "words": "it was so"}),
    ],
)  # fmt: skip
def test_what_happened_has_names(cause: Cause, value: str | None, told: dict[str, Any]) -> None:
    """Those of docs/audit.md; in the type a space is a hyphen."""
    found = event(cause, value)
    place = {"number": 3, "changes": [], "chain": "one", "block": 7}
    assert found["data"] == {**told, **place}
    assert found["type"] == "amends.saga." + told["what"].replace(" ", "-")


@pytest.mark.parametrize("last", [SagaEnded(COMPLETED), FormerWords(COMPLETED)])
def test_the_event_that_ends_a_saga_says_so(last: Any) -> None:
    """In an attribute of its own, by which brokers filter; also of what an earlier version wrote."""
    found = event(Answered("A", Kind.DO, Done(), 1), None, GroupEntered("forward", ("A", "B")), last)
    assert (found["ended"], found["data"]["changes"]) == (COMPLETED, [["forward", "A", "B"], [COMPLETED]])
    assert "ended" not in event(Answered("A", Kind.DO, Done(), 1), None, FormerWords("A done"))


@pytest.mark.parametrize("cause", [Cancel(), Answered("A", Kind.DO, Done(), None, "ann", "(said)")])
def test_what_was_erased_stays_so(cause: Cause) -> None:
    """It is said that there was something."""
    data = event(cause, ERASED)["data"]
    assert (data["erased"], "value" in data, "why" in data) == (True, False, False)


def test_values_can_be_left_out() -> None:
    """What is copied elsewhere is not erased with the store; that something was said is no secret."""
    data = event(Answered("A", Kind.DO, Done(), None, "ann", "why"), '"v"', with_values=False)["data"]
    assert not {"value", "why", "erased"} & data.keys()


def test_what_cannot_be_read_is_an_event_too() -> None:
    """In its place; a damaged time is no reason to stop."""
    head = Head(9, b"", 2**62, "one")
    (told,) = cloud_events(EventBlock(head, (), True))
    found = json.loads(told.as_json())
    assert (found["type"], found["id"], found["subject"]) == ("amends.audit.damaged", "one:9", "one:9")
    assert (found["data"], "sequence" in found) == ({"chain": "one", "block": 9}, False)
    assert re.fullmatch(r"9999-12-31T23:59:59\.\d{3}Z", found["time"])


def test_a_saga_is_told_from_its_start_to_its_end(tmp_path: Path) -> None:
    """Of an engine that really ran, all that `amends show` has of it."""
    bank = Bank()
    with opened(bank, tmp_path) as engine:
        saga_id = stuck(engine)
        bank.is_open = True
        engine.retry(saga_id, "CARD_CHARGED", reason="the account is open again", by="ann")
        engine.result(saga_id, PATIENCE_S)
    with closing(located(str(tmp_path / "orders.db")).records()) as store:
        told = [each for block in EventLog(store, {}).blocks() for each in cloud_events(block)]
        assert [each.data["number"] for each in told] == [*range(1, len(told) + 1)]
    found = [json.loads(each.as_json()) for each in told]
    assert (found[0]["type"], found[0]["data"]["value"]) == ("amends.saga.started", 42)
    assert found[0]["data"]["definition"].startswith(f"{ORDER.name}/")
    assert [each["data"]["by"] for each in found if each["type"] == "amends.saga.retry"] == ["ann"]
    assert (found[-1]["ended"], [each.get("ended") for each in found[:-1]]) == (
        "compensated",
        [None] * (len(found) - 1),
    )
