"""Databases for several engines, of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.engines import SHARED, Shared


@pytest.fixture(params=SHARED)
def shared(request: pytest.FixtureRequest) -> Iterator[Shared]:
    """Return an empty database for several engines."""
    with SHARED[request.param]() as shared:
        yield shared
