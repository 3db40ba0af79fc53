"""A row that is read back is what was written, of the types that were written, or `Unreadable`."""

from __future__ import annotations

from typing import Any

import pytest

from amends.adapters.sqlite.rows import entity_of, key_of, saga_of
from amends.storage.rows import Unreadable, checksum
from tests.contract.rows import entity, key, saga

ROWS: list[tuple[Any, Any]] = [
    (saga_of, saga("S1", request="1", body="2")),
    (saga_of, saga("S1", due_ms=None)),
    (entity_of, entity("E1", "3")),
    (entity_of, entity("E1", None)),
    (key_of, key("K1")),
]


@pytest.mark.parametrize(("read", "row"), ROWS)
def test_a_row_is_read_back(read: Any, row: Any) -> None:
    """With its checksum; without it, or with another, it is not."""
    assert read("name", (*row, checksum(row))) == row
    for check in (checksum(row) + 1, str(checksum(row)), None):
        assert isinstance(read("name", (*row, check)), Unreadable)
    assert isinstance(read("name", ()), Unreadable)


@pytest.mark.parametrize(("read", "row"), ROWS)
def test_a_value_of_another_type_is_no_value(read: Any, row: Any) -> None:
    """Also when it reads the same: a flipped bit may make a number of a text, and the checksum is of texts."""
    for place, value in enumerate(row):
        for other in (str(value), value.encode() if isinstance(value, str) else float(value or 0), True):
            if type(other) is not type(value) and not (value is None and isinstance(other, str)):
                changed = (*row[:place], other, *row[place + 1 :])
                assert isinstance(read("name", (*changed, checksum(changed))), Unreadable), changed


@pytest.mark.parametrize(("read", "row"), ROWS)
def test_a_checksum_is_of_every_value(read: Any, row: Any) -> None:
    """Whichever changes."""
    for place, value in enumerate(row):
        changed = (*row[:place], value + 1 if isinstance(value, int) else f"{value} ", *row[place + 1 :])
        assert isinstance(read("name", (*changed, checksum(row))), Unreadable)
