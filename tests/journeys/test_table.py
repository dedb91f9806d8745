"""The opening round: a clerk scans the table in any order, accepts a swap, misses one device; HQ hears of it until it is seen."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from pos import corners, demo_devices
from pos.ops import open_ops
from pos.scans import code_of, place_value
from tests.journeys.conftest import System
from tests.journeys.steps import enter_counter, get, sync

PATIENCE_MS = 20_000


def test_a_table_is_opened_by_scan_and_hq_sees_what_is_missing(page: Page, system: System) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.set_viewport_size({"width": 800, "height": 1280})
    tags, labels = codes(system)
    enter_counter(page, system)
    page.get_by_role("link", name="Table").click()
    page.get_by_role("button", name="Tour d’ouverture").click()
    expect(page.get_by_text("0 place vue sur 12")).to_be_visible(timeout=PATIENCE_MS)

    # A fast scanner: nothing waits for the page, and two codes come as one.
    scan(page, labels["B1"] + tags["B2"], labels["B2"] + tags["B1"])
    scan(page, *(tags[position] for position in ("C4", "A1", "A2", "A1", "A3", "B3", "B4", "C1", "C2", "C3")))
    expect(page.get_by_text("11 places vues sur 12")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("heading", name="À sa place 9")).to_be_visible()
    page.get_by_role("button", name="Échangés, c’est fait").click()
    expect(page.get_by_role("heading", name="À sa place 11")).to_be_visible(timeout=PATIENCE_MS)
    page.locator(".demo-spot[value=A4]").click()
    expect(page.get_by_text("Vous êtes en A4.")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Manquant", exact=True).click()
    expect(page.get_by_role("heading", name="Manquant 1")).to_be_visible(timeout=PATIENCE_MS)

    assert "Introuvables" in at_hq(page, system)
    scan(page, tags["A4"])
    expect(page.get_by_text("12 places vues sur 12")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("heading", name="Manquant 0")).to_be_visible(timeout=PATIENCE_MS)
    page.locator(".thumb.next", has_text="Terminer le tour").click()
    expect(page.get_by_text("Dernier tour : tour d’ouverture")).to_be_visible(timeout=PATIENCE_MS)
    assert "Introuvables" not in at_hq(page, system)


def codes(system: System) -> tuple[dict[str, str], dict[str, str]]:
    """Return what stands on the tag of each place's device, and on the label of each place."""
    store = open_ops(system.kiosk / "ops.db")
    corner = corners.corner(store.read())
    known = demo_devices.devices(store.read(), corner)
    store.close()
    tags = {each.planned: code_of("device", each.demo_id) for each in known}
    return tags, {place: code_of("place", place_value(corner.corner_id, place)) for place in tags}


def scan(page: Page, *codes: str) -> None:
    """Type codes as a scanner does, into no field, one right after the other."""
    for code in codes:
        page.keyboard.type(code)
        page.keyboard.press("Enter")


def at_hq(page: Page, system: System) -> str:
    """Return the corner's table as HQ's console shows it after a round of sync, once HQ has judged all that it was sent."""
    sync(system)
    request = page.context.request
    assert request.post(f"{system.marketplace_url}/console/login", form={"password": system.password}).ok
    return get(page.context, f"{system.marketplace_url}/console/corners/nantes-crebillon/table")
