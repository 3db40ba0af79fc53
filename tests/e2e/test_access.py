"""Who logs in, and who is refused; and what a key that may less does not show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsing import a_page
from tests.e2e.scenes import asked, trips
from tests.http.serving import Served

pytestmark = pytest.mark.e2e


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Served]:
    """Trips that nobody sees without a key."""
    with trips(tmp_path, is_open=False) as served:
        yield served


@pytest.fixture
def closed_page(browser: Browser, closed: Served) -> Iterator[Page]:
    """A page of these."""
    with a_page(browser, str(closed.http.base_url)) as page:
        yield page


def first_key(served: Served) -> str:
    """The key that is printed at the first start."""
    return served.said[0].rpartition(" ")[2].strip()


def test_a_wrong_key_is_refused_and_a_right_one_is_not(closed_page: Page, closed: Served) -> None:
    """The page says why; the right key leads to where the person wanted to go; logging out ends it."""
    closed_page.goto("/#/sagas")
    field = closed_page.get_by_label("Access key")
    field.fill("amends_none")
    closed_page.get_by_role("button", name="Log in").click()
    expect(closed_page.get_by_role("alert")).to_contain_text("the key is none")
    field.fill(first_key(closed))
    closed_page.get_by_role("button", name="Log in").click()
    expect(closed_page.get_by_role("heading", name="Sagas")).to_be_visible()
    expect(closed_page.get_by_role("banner")).to_contain_text("first key")
    closed_page.reload()
    expect(closed_page.get_by_role("heading", name="Sagas")).to_be_visible()
    closed_page.get_by_role("button", name="Log out").click()
    expect(closed_page.get_by_label("Access key")).to_be_visible()
    closed_page.reload()
    expect(closed_page.get_by_label("Access key")).to_be_visible()


def test_a_person_tells_a_saga_under_their_name(closed_page: Page, closed: Served) -> None:
    """By a session, whose requests have its token against forgery."""
    closed.http.headers["Authorization"] = f"Bearer {first_key(closed)}"
    saga_id = asked(closed.http, "a")
    closed_page.goto(f"/#/sagas/{saga_id}")
    closed_page.get_by_label("Access key").fill(first_key(closed))
    closed_page.get_by_role("button", name="Log in").click()
    closed_page.get_by_role("button", name="Cancel").click()
    dialog = closed_page.get_by_role("dialog")
    expect(dialog).to_contain_text("turn back")
    dialog.get_by_label("Reason").fill("changed her mind")
    dialog.get_by_role("button", name="Cancel").click()
    expect(closed_page.locator("main")).to_contain_text("cancel by first key: changed her mind")
