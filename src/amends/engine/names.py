"""Names that no other process makes: of engines, and of what comes before the ids of sagas and letters."""

from __future__ import annotations

import secrets
from typing import Final

LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no two that look alike


def new_name(length: int) -> str:
    """A name of letters drawn by chance, 5 bits in each.

    Args:
        length: so that two are not alike, among as many as are ever made, >= 1.
    """
    return "".join(secrets.choice(LETTERS) for _ in range(length))
