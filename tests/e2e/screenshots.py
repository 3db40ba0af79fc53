"""`make screenshots`: every page, in light and dark, and on a phone, into build/screenshots."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.e2e.browsing import DESK, NO_BROWSER, PHONE, SCHEMES, a_browser, a_page, chromium
from tests.e2e.pages import shown

TARGET: Final = Path(__file__).resolve().parents[2] / "build/screenshots"
SETTLED_MS: Final = 600  # for a chart to be drawn, and a fetched list


def main(names: list[str]) -> None:
    """Make them.

    Args:
        names: of pages; none for all.

    Raises:
        SystemExit: there is no browser.
    """
    if not chromium():
        raise SystemExit(NO_BROWSER)
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, shown(Path(folder)) as pages, a_browser() as browser:
        for each in pages:
            for size, after in ((DESK, ""), (PHONE, "-phone")):
                for scheme in SCHEMES if not names or each.name in names else ():
                    with a_page(browser, each.base, size=size, scheme=scheme) as page:
                        each.open(page)
                        page.wait_for_timeout(SETTLED_MS)
                        page.screenshot(path=TARGET / f"{each.name}-{scheme}{after}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
