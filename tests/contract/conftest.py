"""Stores of each kind, and databases for several engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amends.storage.ports import Store
from tests.contract.engines import SHARED, Shared
from tests.contract.subjects import WRITERS, opened


@pytest.fixture(params=WRITERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return an empty store, of each kind; a shared one as the only engine of it sees it."""
    with opened(request.param, tmp_path) as subject:
        yield subject.store


@pytest.fixture(params=SHARED)
def shared(request: pytest.FixtureRequest) -> Iterator[Shared]:
    """Return an empty database for several engines."""
    with SHARED[request.param]() as shared:
        yield shared
