"""Thousands of random batches: the shop and the naive reading of docs/contract.md say the same.

Reports are compared as JSON text, so that the order of the keys counts too; refusals and notes by the place
and the operation they are about. A disagreement is reported as the smallest batch that still shows it.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.shop import batches
from tests.shop.batches import Batch, Door, batch_strategy, crowded_batch, places, random_batch, text_of
from tests.shop.naive import NaiveSession, naive_processor

# How many examples: the profiles of tests/conftest.py say.
MANY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(params=["package", "single-file"])
def door(request: pytest.FixtureRequest) -> Door:
    """Return the function and the session, once of the package and once of its build in one file."""
    if request.param == "package":
        return batches.package_door()
    return batches.single_file_door(request.getfixturevalue("single_file_path"))


def disagreement(door: Door, batch: Batch) -> str | None:
    """Return what the function and the naive reading say of a batch, if it is not the same."""
    ours, theirs = text_of(door.processor(batch)), text_of(naive_processor(batch))
    return None if ours == theirs else f"shop:  {ours}\nnaive: {theirs}"


def smallest(batch: Batch, is_bad: Callable[[Batch], object]) -> Batch:
    """Leave out entry after entry for as long as the batch still shows what is wrong."""
    place = 0
    while place < len(batch):
        shorter = batch[:place] + batch[place + 1 :]
        if is_bad(shorter):
            batch, place = shorter, 0
        else:
            place += 1
    return batch


def expect_agreement(door: Door, batch: Batch, origin: str) -> None:
    """Fail with the smallest batch of which the function and the naive reading say different things."""
    if disagreement(door, batch) is None:
        return
    small = smallest(batch, lambda shorter: disagreement(door, shorter))
    pytest.fail(f"{origin}\nbatch: {small!r}\n{disagreement(door, small)}")


def expect_same_session(ours: batches.ShopSession, theirs: NaiveSession, batch: object, origin: str) -> None:
    """Give one batch to both sessions, and compare the reports, the refusals and the notes."""
    assert text_of(ours.process(batch)) == text_of(theirs.process(batch)), origin
    assert places(ours.refusals) == places(theirs.refusals), origin
    assert places(ours.notes) == places(theirs.notes), origin


@pytest.mark.parametrize("seed", range(16))
def test_function(door: Door, seed: int) -> None:
    """The function gives the report of the naive reading, on thousands of random batches."""
    rng = random.Random(f"function {seed}")
    for number in range(300):
        expect_agreement(door, random_batch(rng), f"seed {seed}, batch {number}")


def test_function_in_a_crowd(door: Door) -> None:
    """The function gives the report of the naive reading, on batches that go over the count limits."""
    rng = random.Random("crowd")
    for number in range(40):
        expect_agreement(door, crowded_batch(rng), f"crowded batch {number}")


@pytest.mark.parametrize("limits", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_session(door: Door, seed: int, limits: bool) -> None:
    """Sessions of many batches agree batch by batch: reports, refusals and notes, with and without limits."""
    rng = random.Random(f"session {seed}")
    for number in range(20):
        ours, theirs = door.session(limits=limits), NaiveSession(limits=limits)
        for turn in range(rng.randint(1, 12)):
            batch = random_batch(rng, first_order=len(theirs.orders) + 1)
            expect_same_session(ours, theirs, batch, f"seed {seed}, session {number}, batch {turn}")


@pytest.mark.parametrize("seed", range(2))
def test_long_session(door: Door, seed: int) -> None:
    """A session that places more than a thousand orders goes on agreeing, O999, O1000 and after."""
    rng = random.Random(f"long session {seed}")
    ours, theirs = door.session(), NaiveSession()
    turn = 0
    while len(theirs.orders) < 1100:
        draw = crowded_batch if rng.random() < 0.2 else random_batch
        batch = draw(rng, len(theirs.orders) + 1)
        expect_same_session(ours, theirs, batch, f"seed {seed}, batch {turn}")
        turn += 1


def test_broken_batches_between(door: Door) -> None:
    """What cannot be read is one refusal and an empty report, and the session goes on from where it was."""
    rng = random.Random("broken")
    for number in range(50):
        ours, theirs = door.session(), NaiveSession()
        for turn in range(6):
            batch = random_batch(rng, first_order=len(theirs.orders) + 1)
            if rng.random() < 0.3:
                broken = rng.choice((None, 5, object()))
                expect_same_session(ours, theirs, broken, f"session {number}, batch {turn}: {broken!r}")
            expect_same_session(ours, theirs, batch, f"session {number}, batch {turn}")


def test_the_random_batches_are_worth_it() -> None:
    """The batches of these tests meet each outcome, each kind of refusal and each kind of note, often."""
    rng = random.Random("worth it")
    seen: dict[str, int] = {}
    for _ in range(600):
        session = NaiveSession(limits=True)
        for _ in range(2):
            report = session.process(random_batch(rng, first_order=len(session.orders) + 1))
            kinds = [f"refused: {refusal.kind}" for refusal in session.refusals]
            kinds += [f"note: {note.kind}" for note in session.notes]
            for order_id in session.new_orders:
                row = report["orders"][order_id]
                kind = "zero" if row["quantity"] == 0 else "injected" if order_id in session.injected else "plain"
                kinds.append(f"{kind}: {len(row['events_completed'])} steps")
            for kind in kinds:
                seen[kind] = seen.get(kind, 0) + 1
    expected = [
        *[f"injected: {steps} steps" for steps in (0, 1, 2, 3)],
        *[f"plain: {steps} steps" for steps in (1, 2, 4)],
        "zero: 4 steps",
        "refused: no tuple or list",
        "refused: unknown operation",
        "refused: number of arguments",
        "refused: id",
        "refused: credit limit",
        "refused: stock",
        "refused: price",
        "refused: unknown customer",
        "refused: unknown product",
        "refused: quantity",
        "refused: unknown service",
        "refused: order id",
        "refused: customers in a batch",
        "refused: products in a batch",
        "refused: orders in a batch",
        "note: unknown id",
        "note: matched no order",
        "note: zero quantity",
    ]
    assert {kind: seen.get(kind, 0) for kind in expected if seen.get(kind, 0) < 10} == {}


@MANY
@given(batch=batch_strategy())
def test_any_batch(batch: Batch) -> None:
    """The function gives the report of the naive reading, for whatever batch Hypothesis finds."""
    assert text_of(batches.package_door().processor(batch)) == text_of(naive_processor(batch))


@MANY
@given(operations=batches.strange_value_strategy())
def test_anything_as_operations(operations: object) -> None:
    """The function and a session agree with the naive reading about operations that are none at all."""
    if hasattr(type(operations), "__next__") or isinstance(operations, batches.TrappedList):
        return  # what can be read only once, or counts its readings, is for test_contract.py
    expect_same_session(batches.package_door().session(), NaiveSession(), operations, "")


@MANY
@given(session=st.lists(batch_strategy(max_size=10), max_size=5), limits=st.booleans())
def test_any_session(session: list[Batch], limits: bool) -> None:
    """A session agrees with the naive reading, batch by batch, for whatever batches Hypothesis finds."""
    ours, theirs = batches.package_door().session(limits=limits), NaiveSession(limits=limits)
    for turn, batch in enumerate(session):
        expect_same_session(ours, theirs, batch, f"batch {turn}")
