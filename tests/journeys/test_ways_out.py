"""The kiosk's own pages open nothing beside themselves, whatever a visitor does: in a browser with the flags as shipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, BrowserType, expect

from tests import world
from tests.journeys.test_restarts import Desk

FLAGS = Path(__file__).parents[2] / "deploy/root/etc/comptoir/chromium.flags"
HEADED = ("--kiosk", "--ozone-platform-hint=auto")
REFUSED = """(device) => ["contextmenu", "auxclick", "dragstart", "drop"].filter(
  (kind) => device.dispatchEvent(new MouseEvent(kind, { bubbles: true, cancelable: true })))"""
SKU = "a[href='/sku/IPHONE-13-128-BLUE']"


@pytest.fixture
def shipped(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any], browser_context_args: dict[str, Any], tmp_path: Path
) -> Iterator[BrowserContext]:
    """A browser with the shipped flags, but for those that need a screen."""
    flags = [flag for flag in FLAGS.read_text().split() if flag not in HEADED]
    arguments = {**browser_type_launch_args, "args": [*browser_type_launch_args["args"], *flags]}
    opened = browser_type.launch_persistent_context(tmp_path / "profile", **arguments, **browser_context_args)
    yield opened
    opened.close()


def test_held_keys_odd_buttons_drags_and_a_pinch_leave_the_page_alone(shipped: BrowserContext, kiosk: world.Kiosk) -> None:
    desk = Desk(kiosk)
    desk.start()
    try:
        page = shipped.pages[0]
        page.goto(f"{desk.url}/browse")
        device = page.locator(SKU).first
        device.click(modifiers=["Shift"])
        device.click(modifiers=["Control"])
        device.click(button="middle")
        assert device.evaluate(REFUSED) == []
        device.drag_to(page.locator("#q"))

        box = device.bounding_box()
        assert box is not None
        finger = {"x": box["x"] + 20, "y": box["y"] + 20}
        cdp = shipped.new_cdp_session(page)
        cdp.send("Input.synthesizePinchGesture", {**finger, "scaleFactor": 3})

        assert page.evaluate("[visualViewport.scale, devicePixelRatio]") == [1, 1]
        assert (len(shipped.pages), page.url) == (1, f"{desk.url}/browse")
        device.click()
        expect(page.locator("#choose")).to_be_visible()
        assert page.locator("input[type=file], [target=_blank], [download]").count() == 0
    finally:
        desk.stop()
