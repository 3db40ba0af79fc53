"""`make screenshots`: every page, in light and dark, and on a phone, into build/screenshots."""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Final

import httpx

from tests.e2e.browsing import DESK, NO_BROWSER, PHONE, SCHEMES, a_browser, a_page, chromium
from tests.e2e.pages import order, shown

TARGET: Final = Path(__file__).resolve().parents[2] / "build/screenshots"
SETTLED_MS: Final = 600  # for a fetched list to be drawn
TRADE_MS: Final = 24_000  # for lines of a chart to be seen, while orders come
BUSY: Final = "board"  # the page on which they are seen


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
                        with trading(each.base) if each.name == BUSY else nullcontext():
                            page.wait_for_timeout(TRADE_MS if each.name == BUSY else SETTLED_MS)
                        page.screenshot(path=TARGET / f"{each.name}-{scheme}{after}.png")


@contextmanager
def trading(base: str) -> Iterator[None]:
    """Have orders placed, of which some fail, as long as this lasts."""
    chance, is_over, keys = random.Random(7), threading.Event(), count()

    def trade() -> None:
        with httpx.Client(base_url=base, timeout=60) as http:
            while not is_over.wait(chance.uniform(0.02, 0.3)):
                order(http, f"traded-{time.monotonic_ns()}-{next(keys)}", chance.choice(("", "", "", "SHIPPING")))

    trader = threading.Thread(target=trade)
    trader.start()
    try:
        yield
    finally:
        is_over.set()
        trader.join()


if __name__ == "__main__":
    main(sys.argv[1:])
