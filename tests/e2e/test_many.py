"""Ten thousand sagas in one list."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browsing import a_page
from tests.e2e.scenes import trips

pytestmark = pytest.mark.e2e

MANY = 10_000
FILL = "import sys; from tests.e2e.trips import fill; fill(int(sys.argv[1]))"
DRAWN_MAX = 80  # rows: those in the window, and ten above and below
SCREENS_MAX = 2_000  # scrolls, each of which may show another page of 200


def test_ten_thousand_sagas_are_scrolled(browser: Browser, tmp_path: Path) -> None:
    """From the last to the first, one page after the other, and few of them drawn at a time."""
    env = {**os.environ, "AMENDS_E2E": str(tmp_path)}
    subprocess.run([sys.executable, "-c", FILL, str(MANY)], check=True, env=env, timeout=280)
    with trips(tmp_path) as served, a_page(browser, str(served.http.base_url)) as page:
        page.goto("/#/sagas")
        rows = page.get_by_role("list", name="Sagas")
        expect(rows).to_be_visible()
        for _ in range(SCREENS_MAX):
            if rows.get_attribute("data-rows") == str(MANY):
                break
            rows.evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
            page.wait_for_timeout(20)
        assert rows.get_attribute("data-rows") == str(MANY)
        rows.evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
        expect(rows.get_by_role("listitem").last).to_be_in_viewport()
        assert rows.get_by_role("listitem").count() <= DRAWN_MAX
