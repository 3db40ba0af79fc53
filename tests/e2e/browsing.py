"""A browser, and pages of the console in it: what a page complains about is an error of the test that opened it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER: Final = "there is no chromium: `make e2e` installs one, or name one by AMENDS_CHROMIUM"
WITHIN_MS: Final = 60_000  # for what comes within a second: on a machine ten times slower, that does ten other things
REFUSED: Final = "Failed to load resource"
"""How a browser words an answer of 4xx, which a page shows by itself."""

Scheme = Literal["light", "dark"]
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
DESK: Final = (1280, 860)
PHONE: Final = (360, 740)

expect.set_options(timeout=WITHIN_MS)


def chromium() -> str:
    """The path of a browser; empty for none."""
    named = os.environ.get("AMENDS_CHROMIUM", "")
    return named or next((path for name in NAMES if (path := shutil.which(name))), "")


@contextmanager
def a_browser() -> Iterator[Browser]:
    """A browser of its own, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), timeout=WITHIN_MS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def a_page(browser: Browser, base: str, *, size: tuple[int, int] = DESK, scheme: Scheme = "light") -> Iterator[Page]:
    """A page of a person who was never here before, with nothing in it yet.

    Args:
        browser: that shows it.
        base: the address that its paths are below.
        size: width and height, in pixels.
        scheme: what the person's system is set to.

    Raises:
        AssertionError: the page raised an error, or logged one, as a browser does for what the policy forbids.
    """
    complaints = list[str]()

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(REFUSED):
            complaints.append(message.text)

    width, height = size
    context = browser.new_context(
        base_url=base, viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    try:
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        assert not complaints, complaints
    finally:
        context.close()
