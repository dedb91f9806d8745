"""A clerk looks at the day and takes it away on paper."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

from tests.journeys.conftest import System
from tests.journeys.steps import enter_counter, new_slip

PRINTED_S = 20


def test_a_clerk_reads_the_day_and_prints_it(page: Page, shared_system: System) -> None:
    new_slip(page.context, shared_system)
    page.set_viewport_size({"width": 800, "height": 1280})
    enter_counter(page, shared_system)

    page.get_by_role("link", name="Jour", exact=True).click()
    expect(page.get_by_text("Journée en cours")).to_be_visible()
    shown = int(page.locator(".day-count").inner_text())
    assert shown >= 1
    expect(page.get_by_role("img", name="Bons par heure")).to_be_visible()
    page.get_by_text("Ce que compte chaque chiffre").click()
    expect(page.get_by_text("Ils restent comptés.")).to_be_visible()
    page.locator("#print-day").click()

    expect(page.get_by_text("Rapport demandé")).to_be_visible()
    until = time.monotonic() + PRINTED_S
    while not (said := reports(shared_system)) and time.monotonic() < until:
        time.sleep(0.1)
    assert re.search(rf"^Bons +{shown}$", said[-1], re.MULTILINE)


def reports(system: System) -> list[str]:
    """Return what each day report on the printer's roll says."""
    return [paper.text for paper in system.printer.papers().values() if "RAPPORT DU JOUR" in paper.text]
