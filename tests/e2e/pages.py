"""Every page of the console with something on it: what is photographed, and looked at by axe and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from playwright.sync_api import Page

from tests.e2e.scenes import NO, YES, answer, asked, demo, seen, start, stuck, trips

ORDERS = 24


class Shown(NamedTuple):
    """A page that is shown.

    Attributes:
        name: of it.
        base: where it is served.
        path: of it.
        button: what is pressed to see all of it; empty for nothing.
    """

    name: str
    base: str
    path: str
    button: str = ""

    def open(self, page: Page) -> None:
        """Show it, once it is all there."""
        page.goto(f"{self.base}/{self.path}")
        page.locator("h1").wait_for()
        page.wait_for_load_state("load")
        if self.button:
            page.get_by_role("button", name=self.button).first.click()


@contextmanager
def shown(folder: Path) -> Iterator[list[Shown]]:
    """All of them, as long as they are served."""
    folders = [folder / name for name in ("shop", "trips", "closed")]
    for each in folders:
        each.mkdir()
    with ExitStack() as ends:
        shop = ends.enter_context(demo(folders[0]))
        travel = ends.enter_context(trips(folders[1]))
        closed = ends.enter_context(trips(folders[2], is_open=False))
        yield [
            *_of_shop(shop.http),
            *_of_trips(travel.http, folders[1]),
            Shown("log-in", str(closed.http.base_url), "#/"),
        ]


def order(http: httpx.Client, key: str, fail_at: str = "") -> str:
    """Place an order; its id."""
    body = {"customer_id": "ada", "product_id": "pen", "quantity": 2, "fail_at": fail_at}
    return str(http.post("/orders", json=body, headers={"Idempotency-Key": key}).json()["saga_id"])


def _of_shop(http: httpx.Client) -> Iterator[Shown]:
    base, failures = str(http.base_url), ("", "", "", "SHIPPING", "", "INVENTORY")
    placed = [order(http, f"shown-{number}", failures[number % len(failures)]) for number in range(ORDERS)]
    undone = seen(http, placed[3], "compensated")["saga_id"]
    completed = seen(http, placed[0], "completed")["saga_id"]
    yield Shown("board", base, "#/")
    yield Shown("shop", base, "#/shop")
    yield Shown("saga-undone", base, f"#/sagas/{undone}")
    yield Shown("saga-completed", base, f"#/sagas/{completed}")


def _of_trips(http: httpx.Client, folder: Path) -> Iterator[Shown]:
    base = str(http.base_url)
    needs = [stuck(http, folder, f"stuck-{number}") for number in range(3)]
    (folder / "closed").unlink()
    for number in range(4):
        answer(http, asked(http, f"done-{number}", traveller="nobody" if number == 1 else "ada"), YES)
    answer(http, asked(http, "undone"), NO)
    waits = [asked(http, f"asked-{number}", traveller="grace") for number in range(5)]
    _start_bulk(http)
    (folder / "away").touch()
    failing = start(http, "failing")
    yield Shown("board-of-trips", base, "#/")
    yield Shown("sagas", base, "#/sagas")
    yield Shown("sagas-none", base, "#/sagas?definition=none")
    yield Shown("saga-stuck", base, f"#/sagas/{needs[0]}")
    yield Shown("saga-waits", base, f"#/sagas/{waits[0]}")
    yield Shown("saga-failing", base, f"#/sagas/{failing}")
    yield Shown("verb", base, f"#/sagas/{needs[0]}", "Retry")
    yield Shown("groups", base, "#/groups")
    yield Shown("questions", base, "#/questions")
    yield Shown("question", base, "#/questions", "Answer")
    yield Shown("owed", base, "#/owed")
    yield Shown("bulk", base, "#/bulk")
    yield Shown("bulk-ask", base, "#/sagas?status=needs-operator", "for all of these")
    yield Shown("versions", base, "#/versions")
    yield Shown("audit", base, "#/audit", "Verify")
    yield Shown("missing", base, "#/none")
    yield Shown("api", base, "docs")


def _start_bulk(http: httpx.Client) -> None:
    """A verb that is so slow that it is seen under way."""
    wanted = {
        "verb": "cancel", "reason": "the airline is on strike", "filter": {"definition": "trip", "status": ["forward"]},
        "rate_per_s": 0.01,
    }  # fmt: skip
    preview = http.post("/bulk/preview", json=wanted).json()
    http.post("/bulk", json={"token": preview["token"]})
