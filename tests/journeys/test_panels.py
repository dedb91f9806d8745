"""Low reach on a tall panel: what is touched lies in its lower part, or can be dragged there. Sizes: `test_screens.py`."""

from __future__ import annotations

from playwright.sync_api import BrowserContext

from tests.journeys.conftest import System
from tests.journeys.looks import Look
from tests.journeys.pages import customer_screens
from tests.journeys.screens import EYE, prepare, settle


def test_low_reach_brings_everything_into_the_lower_forty_percent(context: BrowserContext, shared_system: System) -> None:
    """Whatever lies at that height or below in the page can be dragged there, since nothing above it is fixed."""
    screens = customer_screens(context, shared_system)
    context.add_init_script(EYE)
    page, wrong = context.new_page(), []
    prepare(page, Look(reach="low"))
    for name in ("attract", "home", "device with everything", "selection", "slip"):
        screens[name](page)
        settle(page)
        wrong += [f"{name}: {each}" for each in page.evaluate("eye.outOfReach()")]
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        wrong += [f"{name}, at its end: {each}" for each in page.evaluate("eye.outOfReach()")]

    assert not wrong, "\n".join(wrong)
