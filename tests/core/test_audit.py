"""The chain: whatever is done to the records before a kept head shows."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from amends.core.audit import GENESIS, HEAD_BYTES, chain

lines = st.lists(st.text("[]ab1,", max_size=6), min_size=1, max_size=4)
blocks = st.lists(lines, min_size=1, max_size=5)


def head_of(history: list[list[str]]) -> bytes:
    """Return the head after all blocks."""
    head = GENESIS
    for block in history:
        head = chain(head, "\n".join(block))
    return head


def test_the_head_is_the_same_everywhere() -> None:
    """A head that somebody keeps has to be found again by any later version."""
    assert bytes(HEAD_BYTES) == GENESIS
    assert chain(GENESIS, "one\ntwo").hex() == "53e320abe6294e1d2ea4712e78993b927b154b6a060f157f354b4d1c2b33a3b1"


@given(blocks, st.data())
def test_any_change_removal_insertion_or_swap_changes_the_head(history: list[list[str]], data: st.DataObject) -> None:
    """Of a line, or of a whole block."""
    forged = [list(block) for block in history]
    block = forged[data.draw(st.integers(0, len(forged) - 1))]
    at = data.draw(st.integers(0, len(block)))
    match data.draw(st.sampled_from(["change", "remove", "insert", "swap", "move", "drop"])):
        case "change" if at < len(block):
            block[at] = data.draw(st.text("[]ab1,", max_size=6))
        case "remove" if 0 < at < len(block):
            del block[at]
        case "insert":
            block.insert(at, data.draw(st.text("[]ab1,", max_size=6)))
        case "swap":
            block.reverse()
        case "move":
            forged.append(forged.pop(0))
        case "drop":
            del forged[-1]
    assume(forged != history)
    assert head_of(forged) != head_of(history)


def test_where_one_record_ends_and_the_next_begins_matters() -> None:
    """No line holds a line's end; and where a block ends is kept too."""
    assert chain(GENESIS, "ab\nc") != chain(GENESIS, "a\nbc")
    assert chain(GENESIS, "abc") != chain(GENESIS, "abc\n")
    assert head_of([["a", "b"]]) != head_of([["a"], ["b"]])
    assert chain(GENESIS, "") != GENESIS
