"""What follows from sagas, computed again from the records: what was to start did, or has its letter still."""

from __future__ import annotations

import pytest

from amends import Child
from amends.adapters.memory import MemoryStore
from amends.auditing.recompute import recompute
from amends.core.messages import Done
from tests.engine.test_children import INVOICE, Bill, begun, bill_of, sale
from tests.engine.world import Buy


def found(store: MemoryStore, *children: Child[Buy]) -> list[tuple[str, str]]:
    """Return what is found with some children of a sale."""
    return [(each.where, each.what) for each in recompute(store, [sale(*children), INVOICE]).findings]


@pytest.fixture
def store() -> MemoryStore:
    """Return a store with a saga that has completed, and the letter to what follows."""
    store = MemoryStore()
    life, _, asked = begun(store)
    life.answer(asked.sends[0], Done())
    return store


def test_what_is_still_to_start_has_a_letter(store: MemoryStore) -> None:
    """With what its parent leads to; one that was lost, or changed, is found."""
    assert found(store) == []
    assert found(store, Child(INVOICE, lambda buy: Bill(buy.show, 1))) == [
        ("saga a-1.invoice", 'it is asked for ["Hamlet",200], what it follows from leads to ["Hamlet",1]')
    ]
    store.database.letters.clear()
    assert found(store) == [("saga a-1.invoice", "it was to start, and neither did nor has a letter")]


def test_what_has_started_is_what_its_parent_leads_to() -> None:
    """Its request is computed, and that it follows from that saga."""
    store = MemoryStore()
    life, post, asked = begun(store)
    life.answer(asked.sends[0], Done())
    post.act()
    assert found(store) == []
    assert found(store, Child(INVOICE, lambda buy: Bill(buy.show, 1))) == [
        ("saga a-1.invoice", 'it is asked for ["Hamlet",200], what it follows from leads to ["Hamlet",1]')
    ]
    assert found(store, Child(INVOICE, lambda _: None)) == [
        ("saga a-1", "it starts [], its records say ['a-1.invoice']"),
        ("saga a-1.invoice", "it follows from a-1, which does not lead to it"),
    ]


def test_a_saga_that_turned_back_leads_to_none() -> None:
    """A letter that somebody put beside it is found."""
    store = MemoryStore()
    life, _, asked = begun(store)
    other, _, also = begun(MemoryStore())
    other.answer(also.sends[0], Done())
    store.mailbox.post(other.store.mailbox.letters(range(64), 9))
    assert found(store, Child(INVOICE, bill_of)) == [
        ("saga a-1.invoice", "it follows from a-1, which does not lead to it")
    ]
    assert (life.run("a-1").number, len(asked.sends)) == (1, 1)
