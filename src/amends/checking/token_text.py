"""Bytes as a word to copy, behind a prefix that says of which form they are."""

from __future__ import annotations

import base64


def token_text(form: str, data: bytes) -> str:
    """The word: the form, then base64 in letters that a shell and an address leave alone, without padding."""
    return form + base64.urlsafe_b64encode(data).decode().rstrip("=")


def token_bytes(form: str, word: str) -> bytes:
    """The bytes that a word stands for; none when it is no word of that form."""
    body = word.removeprefix(form)
    if body == word:
        return b""
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), b"-_", validate=True)
    except ValueError:  # binascii.Error is one; other letters than ASCII raise it too
        return b""
