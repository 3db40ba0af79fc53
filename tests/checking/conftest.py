"""Tests of the checker walk the core a million times, which takes twice as long with its lines counted.

What they would add to the coverage of the core, its own tests have.
"""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count no lines in the tests of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.no_cover)
