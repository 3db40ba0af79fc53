"""A schema for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import schema


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a schema of its own."""
    with schema() as url:
        yield url
