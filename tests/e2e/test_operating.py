"""People tell sagas: one with a reason, many with a preview, and by an answer to a question."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.scenes import NO, answer, asked, seen, start, stuck
from tests.http.serving import Served

pytestmark = pytest.mark.e2e


def test_a_saga_is_retried_with_a_reason(page: Page, travel: Served, tmp_path: Path) -> None:
    """It says why it needs an operator; without a reason nothing is told; then it is undone, and says who told it."""
    saga_id = stuck(travel.http, tmp_path, "a")
    page.goto(f"/#/sagas/{saga_id}")
    expect(page.locator("main")).to_contain_text("the account is closed")
    (tmp_path / "closed").unlink()
    page.get_by_role("button", name="Retry").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Retry").click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("Reason").fill("the bank opened it again")
    dialog.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status").filter(has_text="compensated")).to_be_visible()
    expect(dialog).to_be_hidden()
    expect(page.locator("main")).to_contain_text("the bank opened it again")
    (verb,) = seen(travel.http, saga_id, "compensated")["verbs"]
    assert (verb["verb"], verb["reason"]) == ("retry", "the bank opened it again")


def test_a_page_follows_what_others_do(page: Page, travel: Served) -> None:
    """An answer that comes elsewhere turns the saga back before the eyes of who looks at it."""
    saga_id = asked(travel.http, "a")
    page.goto(f"/#/sagas/{saga_id}")
    expect(page.get_by_role("status").filter(has_text="forward")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Waits for an answer from ada@travel.example")
    answer(travel.http, saga_id, NO)
    expect(page.get_by_role("status").filter(has_text="compensated")).to_be_visible()
    expect(page.get_by_role("img", name="trip")).to_contain_text("CARD_REFUNDED")
    expect(page.locator("main")).to_contain_text("too dear")


def test_a_question_is_answered_where_it_is_asked(page: Page, travel: Served) -> None:
    """The list says who is asked; after the answer it is empty, and the saga went on."""
    saga_id = asked(travel.http, "a")
    page.goto("/#/questions")
    expect(page.locator("main")).to_contain_text("ada@travel.example")
    page.get_by_role("button", name="Answer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What is answered").fill("yes")
    dialog.get_by_label("Reason").fill("within the limit")
    dialog.get_by_role("button", name="Answer").click()
    expect(page.locator("main")).to_contain_text("Nothing is asked")
    assert seen(travel.http, saga_id, "completed")["answers"]["MANAGER_APPROVED"] == "yes"


def test_many_are_told_at_once_after_a_preview(page: Page, travel: Served) -> None:
    """The address is the query; exactly its sagas are named, then told, and the page says by whom and how far."""
    ids = [asked(travel.http, f"a-{number}") for number in range(3)]
    start(travel.http, "other", definition="visit")
    page.goto("/#/sagas?definition=trip&status=forward")
    page.get_by_role("button", name="all of these").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Verb").select_option("cancel")
    dialog.get_by_label("Reason").fill("the airline is on strike")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_role("status")).to_contain_text("3 sagas take it")
    for saga_id in ids:
        expect(dialog).to_contain_text(saga_id)
    dialog.get_by_role("button", name="cancel these 3").click()
    expect(page.locator("main")).to_contain_text("3 of 3 done")
    expect(page.locator("main")).to_contain_text("by anyone on this machine")
    for saga_id in ids:
        assert seen(travel.http, saga_id, "compensated")["reason"].endswith("the airline is on strike")


def test_a_verb_for_many_is_paused_and_stopped(page: Page, travel: Served) -> None:
    """What is not done yet is not done."""
    for number in range(3):
        asked(travel.http, f"a-{number}")
    page.goto("/#/groups")
    page.get_by_role("button", name="A verb for all").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Verb").select_option("cancel")
    dialog.get_by_label("Reason").fill("strike")
    dialog.get_by_label("a second").fill("0.001")
    dialog.get_by_role("button", name="Preview").click()
    dialog.get_by_role("button", name="cancel these 3").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("main")).to_contain_text("paused")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("main")).to_contain_text("stopped")
    (run,) = travel.http.get("/bulk").json()
    assert run["done"] < 3
