"""Texts as PostgreSQL takes them: without U+0000, in arrays of one literal for each column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

ESCAPED: Final = str.maketrans({"\0": "\1\1", "\1": "\1\2"})
"""U+0000, which PostgreSQL cannot hold, and the character that stands for it. Texts keep their order: an escaped one
comes before U+0002 and after nothing. JSON has neither of the two, so bodies are stored as they are."""


def stored(text: str) -> str:
    """A text as it is stored."""
    return text.translate(ESCAPED) if "\0" in text or "\1" in text else text


def opened(text: str) -> str:
    """A text as it was written."""
    return text.replace("\1\1", "\0").replace("\1\2", "\1") if "\1" in text else text


def text_array(texts: Sequence[str]) -> str:
    """An array of texts, as a literal: a column of a batch in some passes of C, also where texts hold quotes."""
    if not texts:
        return "{}"
    joined = "\0".join(texts)
    if joined.count("\0") != len(texts) - 1 or "\1" in joined:
        joined = "\0".join(map(stored, texts))
    quoted = joined.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return f'{{"{quoted}"}}'


def optional_text_array(texts: Sequence[str | None]) -> str:
    """The same, with ``NULL`` for ``None``."""
    if None not in texts:
        return text_array([text for text in texts if text is not None])
    return f"{{{','.join('NULL' if text is None else text_array([text])[1:-1] for text in texts)}}}"


def number_array(numbers: Sequence[float | None]) -> str:
    """An array of numbers, as a literal."""
    return f"{{{','.join('NULL' if number is None else str(number) for number in numbers)}}}"
