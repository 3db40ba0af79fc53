"""Salted digests: another value, or another salt, has another one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from amends.storage.digests import digest, digests, each_of

salts = st.binary(min_size=16, max_size=16).map(bytes.hex)


def test_the_digest_is_the_same_everywhere() -> None:
    """Also of text that is no ASCII."""
    assert digest("00" * 16, '{"name":"größer"}') == "a6b5f680911b1ba4d52dbbb92edf3773"


@given(salts, salts, st.text(max_size=8), st.text(max_size=8))
def test_another_value_or_another_salt_has_another_digest(salt: str, other: str, one: str, two: str) -> None:
    """So that a value cannot be told from its digest once its salt is gone."""
    assert (digest(salt, one) == digest(other, two)) == ((salt, one) == (other, two))


@given(st.lists(st.tuples(salts, st.text(max_size=8)), max_size=4))
def test_many_at_once_are_as_each_by_itself(pairs: list[tuple[str, str]]) -> None:
    """In their order."""
    many = digests("".join(salt for salt, _ in pairs), [value for _, value in pairs])
    assert list(each_of(many)) == [digest(*pair) for pair in pairs]
