"""Names as long as a name may be, and names written the other way: every page stays within its glass."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from pos import catalog
from tests import world
from tests.journeys.screens import EYE
from tests.processes import free_port, wait_for
from tests.shop.test_hostile_catalogues import SPOILT

PATHS = (
    "/",
    "/home",
    "/browse",
    "/sku/IPHONE-13-128-BLUE?grade=GOOD&plan=2&option=1",
    "/compare?sku=IPHONE-13-128-BLUE&sku=GALAXY-S22-256-GREEN&sku=PLAYSTATION-5-825-WHITE",
    "/plans",
    "/finder",
    "/finder?category=phones&want=big_battery&max=90000",
)
WIDTHS = ((390, 844), (1080, 1920))


@pytest.fixture(params=["one long word", "right to left"])
def url(request: pytest.FixtureRequest, kiosk: world.Kiosk) -> Iterator[str]:
    """A kiosk in its own process, over a catalogue in which everything is called so."""
    with kiosk.catalog.write() as database:
        SPOILT[request.param](database)
        catalog.refresh(database, None, now=world.NOW)
    port = free_port()
    command = [sys.executable, "-m", "comptoir", "kiosk", "serve", "--dir", str(kiosk.directory), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(f"http://127.0.0.1:{port}/healthz", process)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def test_no_page_is_wider_than_its_glass_whatever_things_are_called(page: Page, url: str) -> None:
    page.add_init_script(EYE)
    page.goto(f"{url}/sku/IPHONE-13-128-BLUE?grade=GOOD&plan=2")
    page.locator("form[action$='/lines'] button, form[action='/selections'] button").last.click()
    page.wait_for_url("**/selections/**")
    paths = [*PATHS, page.url.removeprefix(url)]
    page.locator("form[action$='/slip'] button").last.click()
    page.wait_for_url("**/slips/**")
    paths.append(page.url.removeprefix(url))
    wide = []
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        for path in paths:
            page.goto(url + path)
            wide += [(width, path, found)] if (found := page.evaluate("eye.tooWide()")) else []

    assert wide == []
