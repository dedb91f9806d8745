"""A hand that strikes twice: keys, keys on the glass and targets count once within half a second, for whoever asks for it."""

from __future__ import annotations

from datetime import timedelta

from playwright.sync_api import Page, expect

from pos import clock
from tests.journeys.conftest import System

WISH = "Ignorer un second appui"
SOON_MS, LATER_MS = 200, 501
SCANNED = """(field, digits) => [...digits].map((key) =>
  field.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })))"""


class Hand:
    """Strikes at moments that are told it."""

    def __init__(self, page: Page) -> None:
        self.page, self.at = page, clock.now()
        self.wait(0)

    def wait(self, ms: int) -> None:
        self.at += timedelta(milliseconds=ms)
        self.page.clock.set_fixed_time(self.at)

    def type(self, keys: str) -> None:
        for key in keys:
            self.wait(SOON_MS)
            self.page.keyboard.press(key)

    def tap(self, selector: str, *, times: int = 2) -> None:
        """Tap the same place."""
        box = self.page.locator(selector).first.bounding_box()
        assert box
        for _ in range(times):
            self.wait(SOON_MS)
            self.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_a_second_strike_within_half_a_second_counts_for_nothing(page: Page, shared_system: System) -> None:
    hand, field = Hand(page), page.locator("#q")
    page.goto(f"{shared_system.kiosk_url}/home")
    field.click()
    hand.type("aa")
    expect(field).to_have_value("aa")
    with page.expect_response("**/strikes.js"):
        page.get_by_role("button", name=WISH).click()
    expect(page.get_by_role("button", name=WISH, pressed=True)).to_be_visible()
    hand.wait(LATER_MS)

    field.tap()
    hand.tap("#keyboard-dock button:text-is('z')")
    hand.tap("#keyboard-dock button:text-is('e')", times=1)
    expect(field).to_have_value("aaze")
    hand.wait(LATER_MS)
    hand.tap("#keyboard-dock button:text-is('e')", times=1)
    expect(field).to_have_value("aazee")

    field.focus()
    hand.type("bbb")
    hand.wait(LATER_MS)
    hand.type("ba")
    expect(field).to_have_value("aazeebba")
    page.keyboard.down("c")
    hand.wait(LATER_MS)
    page.keyboard.down("c")
    expect(field).to_have_value("aazeebbac")
    hand.wait(LATER_MS)
    assert field.evaluate(SCANNED, "3771") == [True] * 4, "a scanner's digits are no strikes of a hand"
    hand.wait(LATER_MS)
    assert field.evaluate(SCANNED, "11") == [True, False]


def test_a_second_touch_of_a_target_or_of_the_page_that_came_counts_for_nothing(page: Page, shared_system: System) -> None:
    hand = Hand(page)
    page.context.add_cookies([{"name": "view", "value": "strikes", "url": shared_system.kiosk_url}])
    page.goto(f"{shared_system.kiosk_url}/browse?category=phones")
    page.wait_for_load_state("networkidle")
    hand.tap(".tick-box")
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(1)
    hand.wait(LATER_MS)

    hand.tap(".device > a", times=1)
    page.wait_for_url("**/sku/**")
    page.wait_for_load_state("networkidle")
    shown = page.url
    hand.tap(".mark")
    page.wait_for_load_state("networkidle")
    assert page.url == shown
    hand.wait(LATER_MS)
    hand.tap(".mark", times=1)
    page.wait_for_url("**/home**")
