"""What tests share: the profiles of Hypothesis, whose lines are counted, core and shop in one file, empty stores."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from hypothesis import settings

from amends.storage.ports import Store
from tests import postgres
from tests.contract.subjects import ONE_OWNER, opened
from tools.single_file import write

settings.register_profile("dev", deadline=None, max_examples=100)  # two cores under load make any deadline flaky
settings.register_profile("ci", deadline=None, max_examples=100, print_blob=True)  # as long as on any machine
settings.register_profile("night", deadline=None, max_examples=10_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


COUNTED = ("core", "shop")
"""Folders whose tests run with the lines of core and shop counted, and reach every one.

With its lines counted the core takes twice as long; so the tests of all that runs on it count none.
"""
UNCOUNTED = ("core/test_properties.py",)
"""Files in these folders that walk the core a million times, and reach nothing that the others do not."""


def pytest_xdist_auto_num_workers() -> int:
    """Run twice as many tests at a time as there are cores: they wait for disks and processes a third of their time."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count no lines where that costs more than it shows.

    Raises:
        pytest.UsageError: a test is named by an address of this process: its other workers would not know it.
    """
    if named := next((item.nodeid for item in items if " at 0x" in item.nodeid), ""):
        raise pytest.UsageError(f"{named}: the name has an address in it; give ids")
    here = Path(__file__).parent
    for item in items:
        place = item.path.relative_to(here)
        if place.parts[0] not in COUNTED or str(place) in UNCOUNTED:
            item.add_marker(pytest.mark.no_cover)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Bound the ends of fixtures, too: pytest stops `faulthandler_timeout` for a test once that has failed."""
    seconds = float(item.config.getini("faulthandler_timeout"))
    faulthandler.dump_traceback_later(seconds, file=item.config.stash[fault_handler_stderr_fd_key], exit=True)


def pytest_sessionfinish() -> None:
    """Stop the PostgreSQL of this process."""
    postgres.stop()


@pytest.fixture(scope="session")
def single_file_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a `main.py` built from the present source."""
    return write(tmp_path_factory.mktemp("single-file") / "main.py")


@pytest.fixture(params=ONE_OWNER)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return an empty store for one engine, of each kind."""
    with opened(request.param, tmp_path) as subject:
        yield subject.store
