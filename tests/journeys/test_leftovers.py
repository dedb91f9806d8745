"""What one visitor left is gone for the next, in a browser that keeps everything: a profile on disk, nothing private about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, BrowserType, Page, expect

from tests.journeys.conftest import System
from tests.journeys.steps import enter_counter

STORED = "[localStorage.length, 'mine' in sessionStorage, JSON.parse(sessionStorage.visit).length]"


@pytest.fixture
def lasting(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any], browser_context_args: dict[str, Any], tmp_path: Path
) -> Iterator[BrowserContext]:
    """A browser with a profile on disk."""
    opened = browser_type.launch_persistent_context(tmp_path / "profile", **browser_type_launch_args, **browser_context_args)
    yield opened
    opened.close()


def visit(page: Page, system: System) -> None:
    """Look around as somebody does who wants everything their own way."""
    page.goto(system.kiosk_url)
    page.get_by_role("button", name="English").click()
    page.get_by_text("Touch to start").click()
    page.get_by_role("button", name="Strong contrast").click()
    expect(page.locator("html[data-contrast=high]")).to_have_count(1)
    page.goto(f"{system.kiosk_url}/browse")
    page.locator("#q").fill("iphone")
    page.wait_for_url("**/browse?q=iphone")
    page.locator("#max").press("PageDown")
    page.wait_for_url("**max=**")
    page.evaluate("localStorage.setItem('mine', '1'); sessionStorage.setItem('mine', '1'); scrollTo(0, 900)")
    page.locator(".device > a").first.click()
    page.locator("#choose").click()
    page.wait_for_url("**/selections/*")


def test_the_next_visitor_finds_nothing_of_the_last(lasting: BrowserContext, shared_system: System) -> None:
    page = lasting.pages[0]
    visit(page, shared_system)
    page.evaluate("document.getElementById('leave').requestSubmit()")
    page.get_by_text("Touchez pour commencer").click()
    expect(page.get_by_role("heading", name="Que cherchez-vous ?")).to_be_visible()

    assert lasting.cookies() == []
    assert page.evaluate(STORED) == [0, False, 2]
    expect(page.locator("html[data-contrast]")).to_have_count(0)
    page.goto(f"{shared_system.kiosk_url}/browse")
    assert page.locator("#q").input_value() == ""
    assert page.locator("#max").evaluate("each => each.value === each.max")
    assert page.evaluate("[scrollY, document.activeElement.tagName]") == [0, "BODY"]


def test_a_language_chosen_on_the_first_screen_does_not_stay_there(lasting: BrowserContext, shared_system: System) -> None:
    page = lasting.pages[0]
    page.clock.install()
    page.goto(shared_system.kiosk_url)
    page.get_by_role("button", name="English").click()
    expect(page.get_by_text("Touch to start")).to_be_visible()
    page.clock.run_for(95_000)

    expect(page.get_by_text("Touchez pour commencer")).to_be_visible()
    assert lasting.cookies() == []


def test_a_clerk_who_leaves_takes_their_session_along(lasting: BrowserContext, shared_system: System) -> None:
    page = lasting.pages[0]
    enter_counter(page, shared_system)
    page.locator("#find").fill("35-0001-H")
    page.locator("#me").click()
    page.locator("#log-out").click()
    expect(page.get_by_text("Touchez pour commencer")).to_be_visible()

    assert lasting.cookies() == []
    page.goto(f"{shared_system.kiosk_url}/counter/")
    assert page.url.endswith("/counter/session?next=%2Fcounter%2F")
    assert page.locator("#pin").input_value() == ""


def test_a_browser_started_anew_remembers_no_choice(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any], shared_system: System, tmp_path: Path
) -> None:
    """The power went while somebody was there: their cookies last no longer than the browser."""
    for _ in range(2):
        opened = browser_type.launch_persistent_context(tmp_path / "profile", **browser_type_launch_args)
        assert opened.cookies() == []
        page = opened.pages[0]
        page.goto(shared_system.kiosk_url)
        page.get_by_role("button", name="English").click()
        expect(page.get_by_text("Touch to start")).to_be_visible()
        opened.close()
