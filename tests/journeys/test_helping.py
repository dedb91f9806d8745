"""A customer asks for a person: the counter rings, a clerk takes their selection over by a scan, and later reads what HQ says."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import System
from tests.journeys.steps import CONTACT, enter_counter, first_sku, location, slip_url, sync


def test_a_customer_rings_a_clerk_scans_their_code_and_the_slip_is_known_as_ordered_later(
    page: Page, browser: Browser, system: System
) -> None:
    page.goto(f"{system.kiosk_url}/sku/{first_sku(page.context, system, 'phones')}")
    page.locator("#choose").click()
    page.wait_for_url("**/selections/*")
    code = page.locator(".said .code").inner_text()
    page.locator("#ring").click()
    expect(page.get_by_text("Le comptoir est prévenu.")).to_be_visible()

    tablet = browser.new_context(viewport={"width": 1280, "height": 800}, locale="fr-FR", has_touch=True)
    clerk = tablet.new_page()
    enter_counter(clerk, system)
    expect(clerk.get_by_text(f"Sa sélection : {code}.")).to_be_visible()
    clerk.get_by_role("button", name="J’y vais").click()
    clerk.wait_for_url("**/counter/selections/*")
    expect(page.get_by_text("Quelqu’un arrive.")).to_be_visible()
    address = clerk.url
    clerk.goto(f"{system.kiosk_url}/counter/paper")
    scan(clerk, f"S-{code}")
    clerk.wait_for_url(address)
    clerk.locator("select[name=plan]").select_option(index=1)
    clerk.get_by_role("button", name="Changer").click()
    expect(clerk.locator(".sum dt:has-text('Par mois')")).to_be_visible()
    clerk.locator("#issue").click()
    clerk.wait_for_url("**/counter/slips/*")
    expect(clerk.get_by_text("commandé", exact=True)).to_have_count(0)

    paper = slip_url(system, clerk.url)
    location(page.context, f"{paper}/claim", **CONTACT)
    for _ in range(2):
        sync(system)
    clerk.goto(f"{system.kiosk_url}/counter/")
    scan(clerk, paper)
    clerk.wait_for_url("**/counter/slips/*")
    expect(clerk.get_by_text("commandé", exact=True)).to_be_visible()
    tablet.close()


def scan(page: Page, code: str) -> None:
    """Type a code as a scanner does: at once, outside of any field, with Enter behind it."""
    page.evaluate(
        """(code) => {
          document.activeElement?.blur();
          for (const key of [...code, "Enter"]) {
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
          }
        }""",
        code,
    )
