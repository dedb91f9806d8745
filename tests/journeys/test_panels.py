"""Low reach on a tall panel: what is touched lies in its lower part, or can be dragged there. Sizes: `test_screens.py`."""

from __future__ import annotations

from playwright.sync_api import BrowserContext

from tests.journeys.conftest import System
from tests.journeys.looks import Look
from tests.journeys.pages import PLAN_WITH_CREDIT
from tests.journeys.screens import EYE, prepare, settle
from tests.journeys.steps import first_sku, listing_at, new_selection, new_slip


def test_low_reach_brings_everything_into_the_lower_forty_percent(context: BrowserContext, shared_system: System) -> None:
    """Whatever lies at that height or below in the page can be dragged there, since nothing above it is fixed."""
    kiosk, sku = shared_system.kiosk_url, first_sku(context, shared_system, "phones")
    selection = new_selection(context, shared_system, listing=listing_at(context, f"{kiosk}/sku/{sku}"))
    device = f"/sku/{sku}?plan={PLAN_WITH_CREDIT}&option=1&plans=all"
    context.add_init_script(EYE)
    page, wrong = context.new_page(), []
    prepare(page, Look(reach="low"))
    for name in ("/", "/home", device, selection, new_slip(context, shared_system)):
        page.goto(f"{kiosk}{name}")
        settle(page)
        wrong += [f"{name}: {each}" for each in page.evaluate("eye.outOfReach()")]
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        wrong += [f"{name}, at its end: {each}" for each in page.evaluate("eye.outOfReach()")]

    assert not wrong, "\n".join(wrong)
