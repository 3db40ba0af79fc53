"""The audit record and the chain: whatever is done to the records before a kept head shows."""

from __future__ import annotations

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from amends.core.audit import GENESIS, HEAD_BYTES, Record, chain

texts = st.text(max_size=8)
changes = st.lists(texts, max_size=3).map(tuple)
records = st.builds(Record, texts, st.integers(1, 10**6), st.integers(0, 10**13), texts, changes)
blocks = st.lists(st.lists(st.binary(max_size=6), max_size=4), min_size=1, max_size=5)


def head_of(history: list[list[bytes]]) -> bytes:
    """Return the head after all blocks."""
    head = GENESIS
    for block in history:
        head = chain(head, block)
    return head


@given(records, records)
def test_different_records_have_different_bytes(one: Record, other: Record) -> None:
    """And equal ones the same."""
    assert (one.canonical() == other.canonical()) == (one == other)


def test_the_bytes_are_the_same_everywhere() -> None:
    """ASCII, no spaces, one order: they are stored, and compared years later."""
    record = Record("saga-1", 3, 1_700_000_000_000, "A/do refused: größer", ("A refused", 'backward at "A"'))
    assert record.canonical() == (
        b'["saga-1",3,1700000000000,"A/do refused: gr\\u00f6\\u00dfer",["A refused","backward at \\"A\\""]]'
    )
    assert json.loads(record.canonical())[3] == "A/do refused: größer"


def test_the_head_is_the_same_everywhere() -> None:
    """A head that somebody keeps has to be found again by any later version."""
    assert bytes(HEAD_BYTES) == GENESIS
    assert chain(GENESIS, [b"one", b"two"]).hex() == "cf0af093bc0aa5ecd05321139dc0e5f31d2a2370e04801f43a15787423edf1ef"


@given(blocks, st.data())
def test_any_change_removal_insertion_or_swap_changes_the_head(history: list[list[bytes]], data: st.DataObject) -> None:
    """Of a record, or of a whole block."""
    forged = [list(block) for block in history]
    block = forged[data.draw(st.integers(0, len(forged) - 1))]
    at = data.draw(st.integers(0, len(block)))
    match data.draw(st.sampled_from(["change", "remove", "insert", "swap", "move", "drop"])):
        case "change" if at < len(block):
            block[at] = data.draw(st.binary(max_size=6))
        case "remove" if at < len(block):
            del block[at]
        case "insert":
            block.insert(at, data.draw(st.binary(max_size=6)))
        case "swap":
            block.reverse()
        case "move":
            forged.append(forged.pop(0))
        case "drop":
            del forged[-1]
    assume(forged != history)
    assert head_of(forged) != head_of(history)


def test_where_one_record_ends_and_the_next_begins_matters() -> None:
    """Every part is hashed behind its length; and where a block ends is kept too."""
    assert chain(GENESIS, [b"ab", b"c"]) != chain(GENESIS, [b"a", b"bc"])
    assert chain(GENESIS, [b"abc"]) != chain(GENESIS, [b"abc", b""])
    assert head_of([[b"a", b"b"]]) != head_of([[b"a"], [b"b"]])
    assert chain(GENESIS, []) != GENESIS
