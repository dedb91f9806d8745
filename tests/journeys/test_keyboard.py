"""Keys on the glass: for a finger on a field, in the language shown, and never beside a keyboard that is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import templates
from pos.languages import LANGUAGES
from tests.journeys.conftest import System

LAYOUTS: dict[str, list[str]] = json.loads((Path(templates.__path__[0]) / "static" / "keyboards.json").read_text())
DOCK = "#keyboard-dock"


def press(page: Page, *keys: str) -> None:
    for each in keys:
        page.locator(f"{DOCK} button").get_by_text(each, exact=True).tap()


@pytest.mark.parametrize(
    ("language", "row"),
    [("fr", "azertyuiop"), ("en", "qwertyuiop"), ("de", "qwertzuiopü"), ("es", "asdfghjklñ"), ("ar", "qwertyuiop")],
)
def test_every_language_has_its_keys(language: str, row: str) -> None:
    assert set(LAYOUTS) >= set(LANGUAGES)
    assert row in LAYOUTS[language]
    assert set("0123456789abcdefghijklmnopqrstuvwxyz") <= set("".join(LAYOUTS[language]))


def test_a_finger_on_the_search_writes_and_searches(page: Page, shared_system: System) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[-1]))
    page.goto(f"{shared_system.kiosk_url}/home")
    assert "keyboard.js" not in asked
    page.locator("#q").tap()
    expect(page.locator(DOCK)).to_be_visible()
    assert page.locator(f"{DOCK} div:nth-child(2)").inner_text().split() == [*"azertyuiop"]
    press(page, "i", "p", "h", "x", "⌫", "o", "n", "e", "espace", "1", "3")
    expect(page.locator("#q")).to_have_value("iphone 13")
    page.locator("#q").evaluate("(field) => field.setSelectionRange(0, 1)")
    press(page, "⇧", "I")
    expect(page.locator("#q")).to_have_value("Iphone 13")
    dock, height = page.locator(DOCK).bounding_box(), page.viewport_size
    assert dock
    assert height
    assert dock["y"] >= 0.55 * height["height"]
    press(page, "Valider")

    page.wait_for_url("**/browse?q=Iphone+13**")
    expect(page.locator(DOCK)).to_have_count(0)


def test_keys_go_when_they_are_closed_or_a_keyboard_is_there(page: Page, shared_system: System) -> None:
    page.goto(f"{shared_system.kiosk_url}/home")
    page.locator("#q").click()
    page.keyboard.press("Tab")
    expect(page.locator(DOCK)).to_have_count(0)
    page.locator("#q").tap()
    press(page, "Fermer")
    expect(page.locator(DOCK)).to_have_count(0)
    page.locator("#q").tap()
    expect(page.locator(DOCK)).to_be_visible()
    page.locator("#q").press("a")

    expect(page.locator(DOCK)).to_have_count(0)
    page.locator("#q").tap()
    expect(page.locator("#q")).to_be_focused()
    expect(page.locator(DOCK)).to_have_count(0)


def test_a_sentence_is_written_with_the_same_keys(page: Page, shared_system: System) -> None:
    page.goto(f"{shared_system.kiosk_url}/finder")
    page.locator("#said").tap()
    press(page, "l", "é", "g", "e", "r")

    expect(page.locator("#said")).to_have_value("léger")


def test_a_phone_shows_its_own_keys(page: Page, shared_system: System) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{shared_system.kiosk_url}/home")
    page.locator("#q").tap()

    expect(page.locator("#q")).to_be_focused()
    expect(page.locator(DOCK)).to_have_count(0)
