"""What tests in a browser share. A module has a browser of its own, which is closed before tests of another one run.

Playwright runs an event loop in the thread of the tests, beside which no other one can run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browsing import NO_BROWSER, a_browser, a_page, chromium
from tests.e2e.scenes import demo, trips
from tests.http.serving import Served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; without one the test is skipped."""
    if not chromium():
        pytest.skip(NO_BROWSER)
    with a_browser() as opened:
        yield opened


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Served]:
    """The demo's shop."""
    with demo(tmp_path) as served:
        yield served


@pytest.fixture
def travel(tmp_path: Path) -> Iterator[Served]:
    """Trips."""
    with trips(tmp_path) as served:
        yield served


@pytest.fixture
def shop_page(browser: Browser, shop: Served) -> Iterator[Page]:
    """A page of the demo's shop."""
    with a_page(browser, str(shop.http.base_url)) as page:
        yield page


@pytest.fixture
def page(browser: Browser, travel: Served) -> Iterator[Page]:
    """A page of the trips."""
    with a_page(browser, str(travel.http.base_url)) as opened:
        yield opened
