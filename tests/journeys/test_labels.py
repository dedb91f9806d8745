"""A price moves, the counter says whose label it makes untrue, and the new one is printed, put up and scanned."""

from __future__ import annotations

import io
import time

import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.journeys.conftest import System
from tests.journeys.steps import enter_counter, get, listing_at, reprice

PRINTED_S = 30


def test_a_label_follows_its_price_from_hq_to_the_table(page: Page, system: System) -> None:
    page.set_viewport_size({"width": 800, "height": 1280})
    page.goto(f"{system.kiosk_url}/home")
    spot = page.locator(".spot").first
    position, sku = spot.locator(".place").inner_text(), spot.get_attribute("href")
    enter_counter(page, system)
    page.get_by_role("link", name="Étiquettes").click()
    label = page.locator(f"#label-{position}")
    expect(label).to_contain_text("Pas encore d’étiquette.")
    label.get_by_role("button", name="Imprimer").click()
    scan(page, code_of_paper(system, 1))
    expect(page.get_by_text(f"{position} : bien en place.")).to_be_visible()

    reprice(system, listing_at(page.context, f"{system.kiosk_url}{sku}"), by_cents=-100)

    page.reload()
    expect(label).to_contain_text("Le prix a changé, vu le")
    label.get_by_role("button", name="Imprimer").click()
    old, new = (code_of_paper(system, count) for count in (1, 2))
    scan(page, old)
    expect(page.get_by_text(f"{position} : cette étiquette n’est plus juste.")).to_be_visible()
    scan(page, new)
    expect(page.get_by_text(f"{position} : bien en place.")).to_be_visible()
    scan(page, old)
    expect(page.get_by_text(f"{position} : l’ancienne étiquette est encore en place.")).to_be_visible()
    assert label.locator(".price").inner_text() in get(page.context, f"{system.kiosk_url}{sku}")


def code_of_paper(system: System, count: int) -> str:
    """Return the code on a paper, counted from 1, once it came out."""
    deadline = time.monotonic() + PRINTED_S
    while len(system.printer.papers()) < count:
        assert time.monotonic() < deadline, "the label does not come out"
        time.sleep(0.05)
    _, paper = sorted(system.printer.papers().items())[count - 1]
    [code] = zxingcpp.read_barcodes(Image.open(io.BytesIO(paper.png)))
    return str(code.text)


def scan(page: Page, code: str) -> None:
    """Type a code as a scanner does: signs, then Enter."""
    page.locator("#code").fill(code)
    with page.expect_navigation():
        page.locator("#code").press("Enter")
