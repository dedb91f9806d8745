"""Motion shows where something went: a device to its page, a slip out of its slot; and nothing moves for whoever wants none."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.journeys.conftest import System
from tests.journeys.steps import new_slip

REVEALED = 'addEventListener("pagereveal", ({ viewTransition }) => { window.moved = Boolean(viewTransition); });'
NAME = "getComputedStyle(document.querySelector('.plate .drawing, .plate img')).viewTransitionName"
OUT = "getComputedStyle(document.querySelector('.ticket')).animationName"


@pytest.mark.parametrize(("wish", "device", "slip"), [("no-preference", "device", "out"), ("reduce", "none", "none")])
def test_what_moves_shows_where_it_went(
    context: BrowserContext, shared_system: System, wish: Literal["no-preference", "reduce"], device: str, slip: str
) -> None:
    page = context.new_page()
    page.emulate_media(reduced_motion=wish)
    page.add_init_script(REVEALED)
    page.goto(f"{shared_system.kiosk_url}/browse?category=phones")
    page.locator(".device > a").first.click()
    page.wait_for_url("**/sku/**")
    page.wait_for_function("'moved' in window")

    assert page.evaluate("window.moved") == (wish == "no-preference")
    assert page.evaluate(NAME) == device

    page.goto(f"{shared_system.kiosk_url}{new_slip(context, shared_system)}")

    assert page.evaluate(OUT) == slip
    expect(page.get_by_role("button", name="Terminer et effacer")).to_be_in_viewport()
