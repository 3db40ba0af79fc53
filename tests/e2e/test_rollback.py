"""An order is placed and fails, and a person watches it being undone. This is the part that `make test` runs, too."""

from __future__ import annotations

from playwright.sync_api import Page, expect

STAYS = "window.isSamePage = true"


def test_a_rollback_arrives_without_a_reload(shop_page: Page) -> None:
    """Place an order, inject a failure, follow it: what went forward comes back, and the page is still the same."""
    shop_page.goto("/#/shop")
    shop_page.evaluate(STAYS)
    shop_page.get_by_label("Inject a failure at").select_option("SHIPPING")
    shop_page.get_by_role("button", name="Place").click()
    shop_page.get_by_role("link", name="watch").click()
    expect(shop_page.get_by_role("status").filter(has_text="compensated")).to_be_visible()
    picture = shop_page.get_by_role("img", name="ORDER_SHIPPED")
    for undone in ("INVENTORY_RELEASED", "PAYMENT_REFUNDED", "ORDER_CANCELED"):
        expect(picture).to_contain_text(undone)
    expect(shop_page.locator("main")).to_contain_text("injected failure")
    assert shop_page.evaluate("window.isSamePage")
