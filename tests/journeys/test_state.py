"""A printer runs out of paper: the clerk reads a code, HQ sees the same, and a paper says it all once there is paper again."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Page, expect

from tests.journeys.conftest import System
from tests.journeys.steps import enter_counter, sync


def test_a_code_read_out_at_the_counter_is_the_one_hq_sees(page: Page, context: BrowserContext, shared_system: System) -> None:
    printer, papers = shared_system.printer, len(shared_system.printer.papers())
    printer.faults.paper_out = True
    try:
        enter_counter(page, shared_system)
        page.get_by_role("link", name="État").click()
        page.get_by_role("button", name="Regarder de nouveau").click()
        card = page.locator("[data-fault=printer_paper_out]")
        expect(card.locator(".code")).to_have_text("P-21")
        expect(card).to_contain_text("Mettez un rouleau neuf")
        page.get_by_role("button", name="Imprimer le diagnostic").click()
        expect(page.locator("#paper-state")).to_contain_text("plus de papier")

        sync(shared_system)
        hq = context.new_page()
        hq.goto(f"{shared_system.marketplace_url}/console/login")
        hq.locator("[name=password]").fill(shared_system.password)
        hq.locator("form.login button").click()
        hq.wait_for_url("**/console/")
        hq.goto(f"{shared_system.marketplace_url}/console/corners/nantes-crebillon")
        expect(hq.locator(".troubles")).to_contain_text(re.compile(r"P-21\s+Plus de papier"))
    finally:
        printer.faults.paper_out = False

    for _ in range(40):
        page.get_by_role("button", name="Regarder de nouveau").click()
        if "imprimé" in page.locator("#paper-state").inner_text():
            break
    expect(page.locator("[data-fault=printer_paper_out]")).to_have_count(0)
    assert len(printer.papers()) == papers + 1
    assert "P-21" in list(printer.papers().values())[-1].text
