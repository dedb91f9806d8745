"""The lock of the counter in a browser: it covers a page whose work is still there once a PIN opens it."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from tests.journeys.conftest import System
from tests.journeys.steps import enter_counter
from tests.world import PIN


def test_the_lock_covers_the_page_and_a_pin_gives_it_back_as_it_was(
    page: Page, context: BrowserContext, shared_system: System
) -> None:
    counter = f"{shared_system.kiosk_url}/counter"
    enter_counter(page, shared_system)
    page.goto(f"{counter}/me/pin")
    page.locator("#new").fill("7394")
    # As another tab, or two quiet minutes, would.
    assert context.request.post(f"{counter}/session/lock", max_redirects=0).status == 303
    page.locator("h1").first.click()
    cover = page.locator("#lock")
    expect(cover).to_be_visible()

    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(cover).to_be_visible()
    cover.locator("#lock_pin").fill("000000")
    cover.locator("#unlock").click()
    expect(cover.get_by_role("alert")).to_be_visible()
    assert context.request.get(f"{counter}/").status == 423
    cover.locator("#lock_pin").fill(PIN)
    cover.locator("#unlock").click()

    expect(cover).to_be_hidden()
    expect(page.locator("#new")).to_have_value("7394")
    assert context.request.get(f"{counter}/").status == 200
    page.goto(f"{counter}/me")
    page.locator("#lock-up").click()
    expect(cover).to_be_visible()
