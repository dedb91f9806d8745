"""Finding in one's own words: a sentence becomes criteria that can be taken away one by one, and leads to a device."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.journeys.conftest import System


def test_a_customer_says_it_in_a_sentence_and_finds_a_device(page: Page, shared_system: System) -> None:
    page.goto(f"{shared_system.kiosk_url}/home")
    page.get_by_role("link", name="en une phrase").click()
    page.get_by_role("searchbox").fill("un téléphone grand écran, moins de 600 €, pas d'Apple, qui vole")
    page.get_by_role("button", name="Trouver").first.click()

    expect(page.locator(".said .left")).to_have_text("vole")
    expect(page.get_by_role("heading", level=3).first).not_to_contain_text("Apple")
    page.get_by_role("link", name="sans Apple").click()
    expect(page.get_by_role("link", name="sans Apple")).to_have_count(0)
    expect(page.get_by_role("link", name="600")).to_have_count(1)
    model = page.get_by_role("heading", level=3).first.inner_text().split("\n")[0]
    page.get_by_role("link", name="Voir celui-ci").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(model.split()[-3])
