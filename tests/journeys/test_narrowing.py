"""Narrowing the list: a count is what its tap gives, the price is set by keyboard, and a scanner opens a device from anywhere."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.journeys.conftest import System
from tests.journeys.test_table import codes

PATIENCE_MS = 20_000


def test_a_list_is_narrowed_by_counts_that_hold_and_a_tag_opens_its_device(page: Page, shared_system: System) -> None:
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page.goto(f"{shared_system.kiosk_url}/browse?category=phones")
    told = page.locator(".told [role=status]")
    page.locator("#facet-brand summary").click()
    promised = page.locator(".choice", has=page.locator("#brand-Apple")).locator("small").inner_text()
    page.locator("#brand-Apple").focus()
    page.keyboard.press("Space")
    page.wait_for_url("**/browse?category=phones&brand=Apple")

    expect(told).to_have_text(re.compile(rf"^{promised} appareils?$"))
    expect(page.locator("#facet-brand")).to_have_attribute("open", "")
    expect(page.locator("#brand-Apple")).to_be_focused()

    page.locator("#max").focus()
    page.keyboard.press("PageDown")
    page.wait_for_url("**&max=*")
    expect(page.locator("#max")).to_be_focused()
    page.get_by_role("link", name=re.compile("^Enlever : jusqu’à")).click()
    expect(told).to_have_text(re.compile(rf"^{promised} appareils?$"))

    page.goto(f"{shared_system.kiosk_url}/home")
    tags, _ = codes(shared_system)
    lying = page.locator(".spot", has=page.locator(".place", has_text="A2"))
    model = lying.locator("h3").inner_text().split("\u00a0")[0].rsplit(" ", 1)[0]
    page.keyboard.type(tags["A2"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/sku/*")
    expect(page.get_by_role("heading", level=1)).to_contain_text(model)
