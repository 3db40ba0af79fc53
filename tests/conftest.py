"""What tests share: the profiles of Hypothesis, the build of core and shop in one file, and empty stores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from amends.storage.ports import Store
from tests.contract.subjects import WRITERS, opened
from tools.single_file import write

settings.register_profile("dev", deadline=None, max_examples=100)  # two cores under load make any deadline flaky
settings.register_profile("ci", deadline=None, max_examples=300, print_blob=True)
settings.register_profile("night", deadline=None, max_examples=10_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


@pytest.fixture(scope="session")
def single_file_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a `main.py` built from the present source."""
    return write(tmp_path_factory.mktemp("single-file") / "main.py")


@pytest.fixture(params=WRITERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return an empty store, of each kind."""
    with opened(request.param, tmp_path) as subject:
        yield subject.store
