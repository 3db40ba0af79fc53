"""One session: in memory, on an engine in memory and in a file, local and outside, in pieces of every size."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from amends import Compensated, Completed, SagaInstance
from amends.shop import CHECKOUT, Session
from amends.shop.inventory import INVENTORY
from amends.shop.payments import PAYMENT
from amends.shop.purchase import Purchase
from amends.storefront.ledger import row_of
from tests.shop.batches import crowded_batch, random_batch, text_of
from tests.storefront.storefronts import KINDS, storefront_of

SEEDS = range(4)
PIECES = (1, 2, 3, 7, 1000)


def said(session: Session, batch: Any, key: str = "") -> tuple[Any, ...]:
    """Give a batch to a session, and return everything that it says of it."""
    report: Any = session.process(batch, key=key)
    return text_of(report), session.refusals, session.notes, session.named


def session_of(rng: random.Random) -> list[Any]:
    """Draw some batches of one session."""
    made: list[Any] = []
    first = 1
    for _ in range(rng.randint(2, 6)):
        made.append(random_batch(rng, first))
        first += len(Session().process(made[-1])["orders"])
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_sessions(kind: str, seed: int, tmp_path: Path) -> None:
    """Reports are equal to the byte, and so are refusals, notes and what people are shown."""
    rng = random.Random(f"desk {seed}")
    limits = bool(seed % 2)
    with storefront_of(kind, tmp_path, limits=limits, piece_max=rng.choice(PIECES)) as storefront:
        ours, theirs = storefront.session, Session(limits=limits)
        for turn, batch in enumerate(session_of(rng)):
            assert said(ours, batch, f"batch {turn}" * (seed > 1)) == said(theirs, batch), f"batch {turn}"


@pytest.mark.parametrize("piece_max", PIECES)
def test_pieces_of_every_size(piece_max: int, tmp_path: Path) -> None:
    """The count limits of a call hold across its pieces, and so does everything else."""
    rng = random.Random("pieces")
    with storefront_of("local in memory", tmp_path, limits=True, piece_max=piece_max) as storefront:
        ours, theirs = storefront.session, Session(limits=True)
        for turn in range(6):
            batch = crowded_batch(rng, first_order=1 + 100 * turn)
            assert said(ours, batch) == said(theirs, batch), f"batch {turn}"


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_services_keep_is_the_same(kind: str, tmp_path: Path) -> None:
    """Each entity is as in memory; it is looked up by its id, and not listed."""
    batch = [
        ["CREATE_CUSTOMER", "C001", 1000], ["ADD_PRODUCT", "P001", 9, 100], ["PLACE_ORDER", "C001", "P001", 2],
        ["PLACE_ORDER", "C001", "P001", 8], ["INJECT_FAILURE", "SHIPPING", "O003"], ["PLACE_ORDER", "C001", "P001", 1],
    ]  # fmt: skip
    theirs = Session()
    theirs.process(batch)
    with storefront_of(kind, tmp_path) as storefront:
        ours = storefront.session
        ours.process(batch)
        for service, entities in theirs.entities.items():
            assert {key: ours.entities[service][key] for key in entities} == entities
        assert [ours.placed(order_id) for order_id in ("O001", "O002", "O003")] == [
            theirs.placed(order_id) for order_id in ("O001", "O002", "O003")
        ]
        for missing in ("C009", "\ud800", ""):
            assert missing not in ours.entities[PAYMENT]
        with pytest.raises(TypeError, match="not listed"):
            iter(ours.entities[INVENTORY])
        with pytest.raises(TypeError, match="not counted"):
            len(ours.entities[PAYMENT])
        for missing in ("O004", "O1", "C001", "\ud800"):
            with pytest.raises(KeyError):
                ours.placed(missing)


def test_an_order_is_written_once_for_each_batch_of_numbers(tmp_path: Path) -> None:
    """The numbers of a piece are taken together, in the transaction of its orders."""
    batch = [["CREATE_CUSTOMER", "C001", 9], ["ADD_PRODUCT", "P001", 9, 1], *[["PLACE_ORDER", "C001", "P001", 1]] * 5]
    with storefront_of("local in a file", tmp_path, piece_max=4) as storefront:
        storefront.session.process(batch)
        blocks = storefront.session._ledger._engine._engine._loop._turns._store.blocks()  # type: ignore[attr-defined]
        taken = [block.records.count("ORDER_NUMBERS_TAKEN") for block in blocks]
    assert taken == [0, 1, 1]


def test_an_order_that_arrived_has_no_reason() -> None:
    """Whatever stood in its way until an operator came."""
    purchase = Purchase("O001", "C001", "P001", 1, 9, short=False)
    assert row_of(SagaInstance(CHECKOUT, "O001", purchase, Completed(), reason="it was stuck"))[-1] == ""
    assert row_of(SagaInstance(CHECKOUT, "O001", purchase, Compensated(), reason="refused"))[-1] == "refused"
