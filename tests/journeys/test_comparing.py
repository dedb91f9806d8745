"""Somebody weighs two devices, at the corner and at home, and learns what the price of one was."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import System

PATIENCE_MS = 20_000


@pytest.mark.parametrize("door", ["kiosk", "home"])
def test_two_devices_are_compared_and_one_is_understood(page: Page, shared_system: System, door: str) -> None:
    page.set_default_timeout(PATIENCE_MS)
    base = shared_system.kiosk_url if door == "kiosk" else shared_system.marketplace_url
    page.goto(f"{base}/sku/IPHONE-13-128-BLUE")
    page.get_by_role("link", name="Comparer").click()
    page.get_by_role("searchbox", name="Quel appareil ?").fill("iphone 12")
    page.get_by_role("button", name="Chercher").click()
    page.locator(".proposed a").first.click()

    expect(page.locator("table.compare thead th")).to_have_count(2)
    expect(page.locator(".verdicts li").first).to_contain_text("iPhone 1")
    page.get_by_role("link", name="Très bon état", exact=True).click()
    page.wait_for_url("**grade=GOOD**")
    page.get_by_role("link", name="Voir iPhone 13").click()

    page.get_by_role("link", name="À quoi ressemble chaque grade").click()
    expect(page.locator(".wears img")).to_have_count(4)
    page.go_back()
    page.get_by_role("link", name="Historique du prix").click()
    expect(page.get_by_role("heading", name="Historique du prix")).to_be_visible()
    expect(page.locator("table.past")).to_contain_text("aujourd’hui")
