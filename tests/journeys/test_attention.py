"""Somebody stands before the screen, listens to it, works it by keyboard, or has gone: the page knows which."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import System
from tests.journeys.steps import enter_counter, first_sku, listing_at, new_selection, new_slip

WALL = "(() => { const real = Date.now.bind(Date); window.ahead = 0; Date.now = () => real() + window.ahead; })()"
EARS = """window.AudioContext = class {
  createGain() { return { gain: {}, connect() {} }; }
  async resume() {}
  async decodeAudioData() { return {}; }
  createBufferSource() { return { connect() {}, start() { window.isHeard = true; }, stop() {} }; }
}"""
"""Somebody who listens to a piece that does not end."""
FOCUS = "document.activeElement.id || document.activeElement.tagName"


def open_device(page: Page, system: System) -> None:
    page.goto(f"{system.kiosk_url}/sku/{first_sku(page.context, system, 'phones')}")


def test_a_wall_clock_set_forward_opens_the_warning_and_wipes_nobody_at_once(page: Page, shared_system: System) -> None:
    page.add_init_script(WALL)
    open_device(page, shared_system)
    page.evaluate("window.ahead = 3600e3")

    expect(page.get_by_role("alertdialog")).to_be_visible()
    assert int(page.locator("#idle p b").inner_text()) > 15
    page.get_by_role("button", name="Je continue").click()
    expect(page.get_by_role("alertdialog")).to_be_hidden()
    assert "/sku/" in page.url


def test_a_wall_clock_set_back_still_wipes_who_has_gone(page: Page, shared_system: System) -> None:
    page.clock.install()
    open_device(page, shared_system)
    page.evaluate("(() => { const real = Date.now.bind(Date); Date.now = () => real() - 3600e3; })()")
    page.clock.run_for(95_000)

    expect(page.get_by_text("Touchez pour commencer")).to_be_visible()


def test_the_warning_holds_the_keyboard_and_gives_it_back(page: Page, shared_system: System) -> None:
    page.add_init_script(WALL)
    open_device(page, shared_system)
    for key in ("Enter", "Escape"):
        # A scroll would be told a frame later, and be taken for somebody who is there after the time that passes here.
        page.locator("#plan-none").evaluate("each => each.focus({ preventScroll: true })")
        page.evaluate("window.ahead += 75e3")
        expect(page.get_by_role("alertdialog")).to_be_visible()
        for _ in range(3):
            page.keyboard.press("Tab")
            assert page.evaluate(FOCUS) == "idle-stay"
        page.keyboard.press(key)
        expect(page.get_by_role("alertdialog")).to_be_hidden()
        assert page.evaluate(FOCUS) == "plan-none"


ANSWERS: dict[str, Callable[[Page], object]] = {
    "touch": lambda page: page.touchscreen.tap(500, 300),
    "scroll": lambda page: page.mouse.wheel(0, 400),
    "key": lambda page: page.keyboard.press("ArrowDown"),
    "scan": lambda page: page.keyboard.type("BJYTB2ZQ"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_who_only_looks_is_asked_after_45_seconds_and_any_sign_of_them_answers(
    page: Page, shared_system: System, answer: str
) -> None:
    page.clock.install()
    page.goto(f"{shared_system.kiosk_url}/home")
    page.clock.run_for(44_000)
    expect(page.get_by_role("alertdialog")).to_be_hidden()
    page.clock.run_for(10_000)
    expect(page.get_by_role("alertdialog")).to_be_visible()
    ANSWERS[answer](page)

    expect(page.get_by_role("alertdialog")).to_be_hidden()
    page.clock.run_for(40_000)
    assert page.url.endswith("/home")
    expect(page.get_by_role("alertdialog")).to_be_hidden()


def test_what_somebody_has_typed_gives_them_longer(page: Page, shared_system: System) -> None:
    page.clock.install()
    page.goto(f"{shared_system.kiosk_url}/home")
    page.locator("#q").fill("iph")
    page.clock.run_for(85_000)

    expect(page.get_by_role("alertdialog")).to_be_hidden()
    expect(page.locator("#q")).to_have_value("iph")


def test_a_slip_leaves_by_itself_and_one_touch_keeps_it_longer(page: Page, shared_system: System) -> None:
    slip = new_slip(page.context, shared_system)
    page.clock.install()
    page.goto(f"{shared_system.kiosk_url}{slip}")
    page.clock.run_for(20_000)
    assert 0 < int(page.locator("#idle p b").inner_text()) <= 10
    page.get_by_role("button", name="Encore un moment").click()
    page.clock.run_for(80_000)
    assert page.url.endswith(slip)
    page.clock.run_for(31_000)

    expect(page.get_by_text("Touchez pour commencer")).to_be_visible()


def test_devices_take_turns_until_somebody_touches(page: Page, shared_system: System) -> None:
    first = page.locator("#mosaic .tile").first
    page.clock.install()
    page.goto(shared_system.kiosk_url)
    shown = first.inner_text()
    page.clock.run_for(6_500)
    expect(first).not_to_have_text(shown, use_inner_text=True)
    shown = first.inner_text()
    page.keyboard.press("Shift")
    page.clock.run_for(20_000)
    assert first.inner_text() == shown
    assert page.locator("audio, video").count() == 0


def test_devices_stand_still_for_who_wants_no_motion(page: Page, shared_system: System) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.clock.install()
    page.goto(shared_system.kiosk_url)
    shown = page.locator("#mosaic").inner_text()
    page.clock.run_for(30_000)

    assert page.locator("#mosaic").inner_text() == shown


def test_the_first_touch_leads_to_the_beginning_wherever_it_lands(page: Page, shared_system: System) -> None:
    page.goto(shared_system.kiosk_url)
    page.locator("#mosaic .tile").nth(2).click()

    expect(page.get_by_role("heading", name="Que cherchez-vous ?")).to_be_visible()
    assert page.url.endswith("/home")


def listen(page: Page, system: System) -> str:
    """Open a slip with the voice on, and return its path once the voice speaks."""
    slip = new_slip(page.context, system)
    page.context.add_cookies([{"name": "view", "value": "speech", "url": system.kiosk_url}])
    page.add_init_script(EARS)
    page.clock.install()
    page.goto(f"{system.kiosk_url}{slip}")
    for _ in range(200):
        if page.evaluate("window.isHeard === true"):
            return slip
        page.wait_for_timeout(100)
    raise AssertionError("the voice never spoke")


def test_nobody_is_wiped_while_a_voice_reads_to_them(page: Page, shared_system: System) -> None:
    slip = listen(page, shared_system)
    page.clock.run_for(250_000)
    assert page.url.endswith(slip)

    page.evaluate("voice.hush()")
    page.clock.run_for(32_000)
    expect(page.get_by_text("Touchez pour commencer")).to_be_visible()


def test_a_voice_that_never_ends_keeps_nobodys_page_open(page: Page, shared_system: System) -> None:
    listen(page, shared_system)
    page.clock.run_for(400_000)

    expect(page.get_by_text("Touchez pour commencer")).to_be_visible()


def test_a_voice_that_fails_is_said(page: Page, shared_system: System) -> None:
    page.route("**/speech", lambda route: route.fulfill(status=503))
    page.goto(f"{shared_system.kiosk_url}/home")
    page.get_by_role("button", name="Lire à voix haute").click()

    expect(page.locator("#trouble")).to_have_text(re.compile("La voix ne répond pas"))


def test_more_cards_take_the_keyboard_to_the_first_of_them(page: Page, shared_system: System) -> None:
    page.goto(f"{shared_system.kiosk_url}/browse")
    before = page.locator(".device > a").count()
    page.locator("a.more-cards").focus()
    page.keyboard.press("Enter")

    expect(page.locator(".device > a").nth(before)).to_be_focused()


def test_more_plans_take_the_keyboard_to_the_first_of_them(page: Page, shared_system: System) -> None:
    open_device(page, shared_system)
    before = page.locator("a.plan").evaluate_all("all => all.map((each) => each.id)")
    page.locator("#every-plan").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#every-plan")).to_have_count(0)

    shown = page.locator("a.plan").evaluate_all("all => all.map((each) => each.id)")
    expect(page.locator(f"#{next(each for each in shown if each not in before)}")).to_be_focused()


def test_a_line_taken_away_leaves_the_keyboard_at_the_next(page: Page, shared_system: System) -> None:
    listing = listing_at(page.context, f"{shared_system.kiosk_url}/sku/{first_sku(page.context, shared_system, 'phones')}")
    address = f"{shared_system.kiosk_url}{new_selection(page.context, shared_system, listing=listing)}"
    other = listing_at(page.context, f"{shared_system.kiosk_url}/sku/{first_sku(page.context, shared_system, 'consoles')}")
    page.context.request.post(f"{address}/lines", form={"listing": other})
    page.goto(address)
    for left in (1, 0):
        page.locator(".line button.quiet").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator("li.line")).to_have_count(left)
        if left:
            expect(page.locator(".line button.quiet")).to_be_focused()
    expect(page.locator("#main")).to_be_focused()


def test_a_place_that_was_gone_to_keeps_the_keyboard_at_the_table(page: Page, shared_system: System) -> None:
    enter_counter(page, shared_system)
    page.goto(f"{shared_system.kiosk_url}/counter/table")
    page.locator("button[value=opening]").click()
    for place in ("A3", "A2"):
        page.locator(f".demo-spot[value={place}]").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text(f"Vous êtes en {place}.")).to_be_visible()
        expect(page.locator("#drawing")).to_be_focused()
    page.get_by_role("button", name="Arrêter là").click()
    expect(page.locator("button[value=opening]")).to_be_visible()
