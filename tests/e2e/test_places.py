"""Where the console is, and how one gets around in it: below a path of another application, and by keyboard alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsing import a_page
from tests.e2e.scenes import asked, seen, trips
from tests.http.serving import Served

pytestmark = pytest.mark.e2e


@contextmanager
def mounted(folder: Path) -> Iterator[str]:
    """An application that mounts the console; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "tests.e2e.mounted:app", "--fd", str(listening.fileno())]
        env = {**os.environ, "AMENDS_E2E": str(folder)}
        process = subprocess.Popen(command, env=env, pass_fds=[listening.fileno()], stderr=subprocess.DEVNULL)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def test_it_works_below_a_path(browser: Browser, tmp_path: Path) -> None:
    """Each file, route and event is asked for where the application has it, under the name that it gives a caller."""
    with trips(tmp_path) as served, mounted(tmp_path) as base, a_page(browser, base) as page:
        saga_id = asked(served.http, "a")
        page.goto(f"/ours/sagas/#/sagas/{saga_id}")
        page.get_by_role("button", name="Cancel").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Reason").fill("by the application")
        dialog.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("status").filter(has_text="compensated")).to_be_visible()
        assert seen(served.http, saga_id, "compensated")["verbs"][0]["by"] == "the application"
        assert httpx.get(f"{base}/ours/sagas/live").status_code == 200


def test_a_saga_is_cancelled_by_keyboard_alone(page: Page, travel: Served) -> None:
    """What has the focus is reached by Tab, pressed by Enter and left by Escape; the focus comes back then."""
    saga_id = asked(travel.http, "a")
    page.goto(f"/#/sagas/{saga_id}")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the page")).to_be_focused()
    page.keyboard.press("Enter")
    press_until(page, "Cancel")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="compensated")).to_be_visible()
    assert seen(travel.http, saga_id, "compensated")["reason"].endswith("by keyboard")


def press_until(page: Page, name: str) -> None:
    """Go on by Tab until a button has the focus."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith(name):
            return
    raise AssertionError(f"{name} is not reached")


def test_light_and_dark_are_switched_and_kept(page: Page) -> None:
    """The switch goes over the system, also after the page is loaded anew."""
    page.goto("/#/")
    page.get_by_role("button", name="Dark").click()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    expect(page.get_by_role("button", name="Light")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ground


def test_a_saga_is_taken_home(page: Page, travel: Served) -> None:
    """The file is the saga with its records, as `amends show --json` has it."""
    saga_id = asked(travel.http, "a")
    page.goto(f"/#/sagas/{saga_id}")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Take it home").click()
    document = taken.value.path().read_text("utf-8")
    assert saga_id in document
    assert taken.value.suggested_filename == f"{saga_id}.json"
