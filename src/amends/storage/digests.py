"""Salted digests: what records keep of the values that lie beside them, and of the rows that their commit stores."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2s, shake_128
from struct import unpack
from typing import Final

SALT_BYTES: Final = 16  # one of 2**128: a value that was erased cannot be guessed from its digest
DIGITS: Final = 2 * SALT_BYTES  # of a salt, and of a digest, in hex
ERASED_SALT: Final = "0" * DIGITS
"""In the place of a salt that was erased together with its value."""

SEED_BYTES: Final = 24  # its digits, 48, are those of no number of salts
DIGEST_BYTES: Final = DIGITS // 2  # a second value of one digest takes 2**128 tries (RFC 7693)
_EMPTY: Final = blake2s(digest_size=DIGEST_BYTES)


def salts_of(text: str, number: int) -> str:
    """The salts of so many values, 32 hex digits each, one after the other.

    Args:
        text: the salts, or the seed that they come from by SHAKE128 (FIPS 202), which a block has until one of its
            values is erased. No salt tells anything of another.
        number: how many values there are.
    """
    return shake_128(bytes.fromhex(text)).hexdigest(SALT_BYTES * number) if len(text) == 2 * SEED_BYTES else text


def digest(salt: str, value: str) -> str:
    """What is kept of a value: BLAKE2s over its salt and itself, 32 hex digits.

    Args:
        salt: 32 hex digits, drawn for this value alone.
        value: JSON.
    """
    return blake2s(f"{salt}{value}".encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()


def digests(salts: str, values: Sequence[str]) -> str:
    """The digests of many values, one after the other, as one text.

    A commit has several values for each saga: a copy of an empty hash takes a fifth less than a new one.

    Args:
        salts: theirs, one after the other.
        values: JSON each.
    """
    found = list[bytes]()
    for salt, value in zip(unpack(f"{DIGITS}s" * len(values), salts.encode()), values, strict=True):
        of_value = _EMPTY.copy()
        of_value.update(salt)
        of_value.update(value.encode())
        found.append(of_value.digest())
    return b"".join(found).hex()


def each_of(text: str) -> list[str]:
    """The salts, or digests, of a text."""
    return [text[at : at + DIGITS] for at in range(0, len(text), DIGITS)]
