"""A batch under a key is carried out once, wherever the process ends and whenever the batch comes again."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from amends.errors import KeyReused, RequestRefused
from amends.shop import Session
from amends.shop.inventory import INVENTORY
from tests.shop.batches import random_batch, text_of
from tests.storefront.storefronts import DURABLE, Broken, assert_sound, breaking, change, storefront_of

BATCH = [
    ["CREATE_CUSTOMER", "C001", 1000], ["ADD_PRODUCT", "P001", 20, 100], ["QUERY_ORDER", "O001"],
    ["PLACE_ORDER", "C001", "P001", 2], ["PLACE_ORDER", "C009", "P001", 2], ["INJECT_FAILURE", "SHIPPING", "O002"],
    ["PLACE_ORDER", "C001", "P001", 1], "nonsense", ["PLACE_ORDER", "C001", "P009", 1], ["QUERY_ORDER", "O001"],
    ["PLACE_ORDER", "C001", "P001", 9], ["CREATE_CUSTOMER", "C002", 50], ["PLACE_ORDER", "C002", "P001", 0],
    ["INJECT_FAILURE", "ORDER", "O009"], ["QUERY_CUSTOMER", "C003"], ["CREATE_CUSTOMER", "C001", 5000],
    ["PLACE_ORDER", "C001", "P001", 9], ["INJECT_FAILURE", "PAYMENT", "O005"], ["ADD_PRODUCT", "P001", 30, 7],
]  # fmt: skip
ORDERS = 5
ACCEPTED = len(BATCH) - 4  # three injections and nonsense are told without the store


def all_of(session: Session) -> tuple[Any, ...]:
    """Return what a session said of its last batch."""
    return session.refusals, session.notes, session.named


def uninterrupted(batch: Any, *, limits: bool = False) -> tuple[str, Session]:
    """Return the report of a session in memory, and the session."""
    session = Session(limits=limits)
    report: Any = session.process(batch)
    return text_of(report), session


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("piece_max", [1, *(pytest.param(size, marks=pytest.mark.torture) for size in (4, 1000))])
@pytest.mark.parametrize("kind", DURABLE)
def test_broken_at_every_transaction(kind: str, piece_max: int, after: bool, tmp_path: Path) -> None:
    """Whichever transaction it is, before it or after: the next run says what one run would have said."""
    report, theirs = uninterrupted(BATCH)
    for at in itertools.count(1):
        folder = tmp_path / str(at)
        folder.mkdir()
        with storefront_of(kind, folder, piece_max=piece_max) as storefront:
            try:
                breaking(storefront, at, after=after).process(BATCH, key="run/1")
                break
            except Broken:
                pass
        with storefront_of(kind, folder, piece_max=3) as storefront:
            ours: Any = storefront.session
            assert text_of(ours.process(BATCH, key="run/1")) == report, at
            assert all_of(ours) == all_of(theirs), at
            assert ours.entities[INVENTORY]["P001"] == theirs.entities[INVENTORY]["P001"]
        assert_sound(folder, ORDERS)
    assert at > ACCEPTED // piece_max


@pytest.mark.parametrize("kind", DURABLE)
@pytest.mark.parametrize("seed", range(3))
def test_broken_again_and_again(kind: str, seed: int, tmp_path: Path) -> None:
    """Random batches, limits on, each run broken sooner or later, with pieces of another size each time."""
    rng = random.Random(f"again {seed}")
    batch = [*BATCH, *random_batch(rng, ORDERS + 1)]
    report, theirs = uninterrupted(batch, limits=True)
    for left in itertools.count(1):
        with storefront_of(kind, tmp_path, piece_max=rng.randint(1, 5)) as storefront:
            ours: Any = breaking(storefront, 3 + left, after=rng.random() < 0.5, limits=True)
            try:
                assert text_of(ours.process(batch, key="run/1")) == report
                break
            except Broken:
                pass
    assert all_of(ours) == all_of(theirs)
    assert_sound(tmp_path, len(theirs._ledger.sagas))  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", DURABLE)
def test_the_same_batch_twice(kind: str, tmp_path: Path) -> None:
    """The second time it says the same and does nothing; under another key it does it once more."""
    with storefront_of(kind, tmp_path) as storefront:
        session: Any = storefront.session
        first = text_of(session.process(BATCH, key="run/1"))
        said = all_of(session)
        assert session.known == 0
        assert text_of(session.process(BATCH, key="run/1")) == first
        assert all_of(session) == said
        assert session.known == ACCEPTED
        assert list(session.process(BATCH, key="run/2")["orders"])[-1] == "O010"
        assert session.known == 0
    assert_sound(tmp_path, 2 * ORDERS)


def test_without_a_key_nothing_is_remembered(tmp_path: Path) -> None:
    """The same batch is carried out each time it comes."""
    with storefront_of("local in a file", tmp_path) as storefront:
        storefront.session.process(BATCH)
        storefront.session.process(BATCH)
        assert storefront.session.known == 0
    assert_sound(tmp_path, 2 * ORDERS)


def test_a_key_that_is_somebody_elses(tmp_path: Path) -> None:
    """A key under which something else was asked is told, and nothing of the piece is done."""
    with storefront_of("local in a file", tmp_path) as storefront:
        storefront.session._ledger._engine.transact(  # type: ignore[attr-defined]
            lambda transaction: transaction.remember("run/1/3", "another", "O001")
        )
        with pytest.raises(KeyReused, match="run/1/3"):
            storefront.session.process(BATCH, key="run/1")
    assert_sound(tmp_path, 0)


def test_the_report_of_a_batch_that_was_finished_earlier_shows_the_state_now(tmp_path: Path) -> None:
    """Orders are as they ended; customers and products as they are."""
    with storefront_of("local in a file", tmp_path) as storefront:
        session: Any = storefront.session
        session.process(BATCH, key="a/1")
        session.process([["CREATE_CUSTOMER", "C002", 77]], key="b/1")
        assert session.process(BATCH, key="a/1")["customers"]["C002"]["credit_limit"] == 77


def test_an_order_that_has_left_the_store(tmp_path: Path) -> None:
    """It is told, and not placed again."""
    with storefront_of("local in a file", tmp_path) as storefront:
        storefront.session.process(BATCH, key="run/1")
    change(tmp_path, "DELETE FROM sagas WHERE id = 'O002'")
    with (
        storefront_of("local in a file", tmp_path) as storefront,
        pytest.raises(RequestRefused, match="order O002 was placed before, and is no longer in the store"),
    ):
        storefront.session.process(BATCH, key="run/1")


def test_it_says_how_far_it_is(tmp_path: Path) -> None:
    """After each piece, and as well for what was answered before."""
    with storefront_of("local in a file", tmp_path, piece_max=6) as storefront:
        for _ in range(2):
            reached: list[int] = []
            storefront.session.process(BATCH, key="run/1", done=reached.append)
            assert reached == [6, 12, ACCEPTED]
