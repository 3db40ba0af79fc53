"""Looks from the first row on, as often as a test needs them."""

from __future__ import annotations

import pytest

from amends.storage import whole_looks


def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each look be one from the first row on."""
    monkeypatch.setattr(whole_looks, "EVERY_S", 0)
    monkeypatch.setattr(whole_looks, "SHARE", 0)
