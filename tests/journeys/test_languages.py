"""Another language with a touch: the page stays, and so does what somebody has typed into it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from pos.languages import LANGUAGES
from tests.journeys.conftest import System
from tests.journeys.steps import CONTACT, ask_for, new_slip, slip_url


def test_the_counters_door_keeps_who_it_is_and_the_code(page: Page, shared_system: System) -> None:
    page.goto(f"{shared_system.kiosk_url}/counter/session")
    page.locator("[name=clerk][value=camille]").check()
    page.locator("#pin").fill("2468")
    page.get_by_role("button", name="English").click()

    expect(page.get_by_role("heading", name="Who is at the counter?")).to_be_visible()
    expect(page.locator("#pin")).to_have_value("2468")
    expect(page.locator("[name=clerk][value=camille]")).to_be_checked()
    assert page.evaluate("document.documentElement.lang") == "en"


def test_the_list_keeps_what_narrows_it(page: Page, shared_system: System) -> None:
    page.goto(f"{shared_system.kiosk_url}/browse")
    page.locator("#q").fill("iphone")
    page.wait_for_url("**/browse?q=iphone")
    page.locator("#facet-storage summary").click()
    page.locator("#storage-128").check()
    page.wait_for_url("**/browse?q=iphone&storage=128")
    ask_for(page, "English")

    expect(page.get_by_role("button", name="Search")).to_be_visible()
    expect(page.locator("#q")).to_have_value("iphone")
    expect(page.locator("#storage-128")).to_be_checked()
    expect(page.locator(".device h2").first).to_contain_text("iPhone")


def test_a_slip_on_a_phone_keeps_the_address_somebody_typed(page: Page, shared_system: System) -> None:
    page.goto(slip_url(shared_system, new_slip(page.context, shared_system)))
    page.locator("[name=name]").fill(CONTACT["name"])
    page.locator("[name=address]").fill("3 rue Crébillon, Nantes")
    page.keyboard.press("Tab")
    page.locator("[name=email]").press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    ask_for(page, "English")

    expect(page.get_by_role("heading", name="Where should it be delivered?")).to_be_visible()
    expect(page.locator("[name=name]")).to_have_value(CONTACT["name"])
    expect(page.locator("[name=address]")).to_have_value("3 rue Crébillon, Nantes")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_keys_open_the_menu_choose_from_it_and_fold_it(page: Page, shared_system: System) -> None:
    page.goto(f"{shared_system.kiosk_url}/plans")
    menu, choices = page.locator(".lang summary"), page.locator(".lang button")
    menu.press("Enter")
    assert choices.all_inner_texts() == list(LANGUAGES.values())
    choices.first.press("Escape")
    expect(menu).to_be_focused()
    expect(choices.first).to_be_hidden()
    menu.press("Enter")
    page.keyboard.press("Shift+Tab")
    expect(choices.first).to_be_hidden()
    menu.press("Enter")
    choices.last.press("Enter")

    expect(page.locator("html[dir=rtl]")).to_have_count(1)
    expect(menu).to_be_focused()
    assert page.url == f"{shared_system.kiosk_url}/plans"


def test_the_first_screen_lays_every_language_out(page: Page, shared_system: System) -> None:
    page.goto(shared_system.kiosk_url)
    page.get_by_role("button", name="Deutsch").click()

    expect(page.locator("html[lang=de]")).to_have_count(1)
    expect(page.get_by_role("button", name="Deutsch")).to_be_focused()
