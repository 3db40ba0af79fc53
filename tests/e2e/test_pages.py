"""Every page: axe finds nothing serious in it, in light and in dark, and it fits a phone."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browsing import PHONE, SCHEMES, Scheme, a_page
from tests.e2e.pages import Shown, shown

pytestmark = pytest.mark.e2e

AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
SERIOUS = ("serious", "critical")
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT_OFF = """[...document.querySelectorAll("main *")].filter((each) => {
  const box = each.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1 && !each.closest(".scroll, .preview, .chips");
}).map((each) => each.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Shown]]:
    """All of them."""
    with shown(tmp_path_factory.mktemp("pages")) as served:
        yield served


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_serious(browser: Browser, pages: list[Shown], scheme: Scheme) -> None:
    """Names, roles, contrast, landmarks: by axe-core, in what is on the page."""
    found = dict[str, list[str]]()
    for each in pages:
        with a_page(browser, each.base, scheme=scheme) as page:
            each.open(page)
            found[each.name] = serious(page)
    assert {name: problems for name, problems in found.items() if problems} == {}


def serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody from using a page."""
    page.evaluate(AXE)
    report: Any = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['html'][:120]}"
        for violation in report["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


def test_every_page_fits_a_phone(browser: Browser, pages: list[Shown]) -> None:
    """Nothing is wider than 360 pixels but what scrolls by itself, and nothing is cut off."""
    wide = dict[str, Any]()
    for each in pages:
        with a_page(browser, each.base, size=PHONE) as page:
            each.open(page)
            wide[each.name] = (page.evaluate(WIDER), page.evaluate(CUT_OFF))
    assert {name: found for name, found in wide.items() if found != (0, [])} == {}
