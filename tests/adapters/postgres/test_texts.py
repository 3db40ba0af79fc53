"""Any text comes back from PostgreSQL as it was, and texts keep their order."""

from __future__ import annotations

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from amends.adapters.postgres.texts import number_array, opened, optional_text_array, stored, text_array
from tests.postgres import server

TEXT = st.text(st.characters(exclude_categories=["Cs"], include_characters='\0\1\2"\\{},'), max_size=9)
NUMBER = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(TEXT, max_size=9))
def test_stored_texts_keep_their_order(texts: list[str]) -> None:
    """And are opened as they were, and hold nothing that PostgreSQL refuses."""
    assert [opened(text) for text in sorted(map(stored, texts))] == sorted(texts)
    assert "\0" not in "".join(map(stored, texts))


@settings(max_examples=30)
@given(
    st.lists(st.lists(TEXT, max_size=9), max_size=20),
    st.lists(st.one_of(st.none(), TEXT)),
    st.lists(st.one_of(st.none(), NUMBER)),
)
def test_an_array_is_read_as_it_was_written(
    lists: list[list[str]], optional: list[str | None], numbers: list[int | None]
) -> None:
    """Of texts, of texts some of which are missing, of numbers."""
    with psycopg.connect(server()) as database:
        for texts in lists:
            (row,) = database.execute("SELECT %s::text[]", [text_array(texts)]).fetchall()
            assert [opened(text) for text in row[0]] == texts
        (row,) = database.execute("SELECT %s::text[]", [optional_text_array(optional)]).fetchall()
        assert [text if text is None else opened(text) for text in row[0]] == optional
        (row,) = database.execute("SELECT %s::bigint[]", [number_array(numbers)]).fetchall()
        assert row[0] == numbers
