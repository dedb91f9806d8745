"""What every screen must hold as a browser shows it: nothing inaccessible, nothing wider than the glass, no complaint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from pos.languages import LANGUAGES

AXE = Axe().axe_script
SIZES = ((1080, 1920), (820, 1180), (390, 844))
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
CONTRAST = ["color-contrast"]
Theme = Literal["light", "dark"]
POST = """([path, fields]) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = path;
  for (const [name, value] of fields) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = name;
    input.value = value;
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}"""
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return "";
  const wide = [...document.querySelectorAll("body *")].filter((each) => each.getBoundingClientRect().right > width + 1);
  return wide.slice(0, 3).map((each) => each.outerHTML.slice(0, 90)).join(" ") || "the page";
}"""

Way = Callable[[Page], int]
"""Brings a page to a screen and returns the status its document must have had."""


def visitor(context: BrowserContext, language: str, **cookies: str) -> Page:
    """Return a page of somebody who chose a language, of the kiosk and of the marketplace alike."""
    said = {"language": language, **cookies}
    context.add_cookies([{"name": name, "value": value, "domain": "127.0.0.1", "path": "/"} for name, value in said.items()])
    page = context.new_page()
    page.emulate_media(reduced_motion="reduce")
    return page


def in_turn(context: BrowserContext, ways: Mapping[str, Way], *, start: int = 0) -> dict[str, Way]:
    """Return these ways, each in one of the languages we speak: over a handful of them all are seen, on each page one."""

    def speaking(way: Way, language: str) -> Way:
        def go(page: Page) -> int:
            context.add_cookies([{"name": "language", "value": language, "domain": "127.0.0.1", "path": "/"}])
            return way(page)

        return go

    turns = zip(ways.items(), islice(cycle(LANGUAGES), start, None), strict=False)
    return {f"{name} ({language})": speaking(way, language) for (name, way), language in turns}


def goto(url: str, status: int = 200) -> Way:
    """Return the way that opens an address."""

    def go(page: Page) -> int:
        page.goto(url)
        return status

    return go


def post(url: str, status: int, *, at: str, **fields: Any) -> Way:
    """Return the way that sends a form from the page at `at`, as that page itself could."""

    def go(page: Page) -> int:
        page.goto(at)
        with page.expect_navigation():
            page.evaluate(POST, [url, [[name, str(value)] for name, value in fields.items()]])
        return status

    return go


def problems(page: Page, ways: dict[str, Way], themes: Sequence[Theme] = ("light", "dark")) -> list[str]:
    """Go every way and return everything wrong with the screens it leads to; nothing is the only good answer.

    A second theme changes colours only, so that it is looked at for contrast alone.
    """
    found: list[str] = []
    for name, way in ways.items():
        with watching(page) as said:
            expected = way(page)
            settle(page)
        found += [f"{name}: {message}" for message in said.complaints(expected)]
        found += [f"{name} at {size}: wider than the glass: {what}" for size, what in _too_wide(page)]
        found += [f"{name}, {theme}: {what}" for theme, what in _violations(page, themes)]
    return found


def settle(page: Page) -> None:
    """Wait for the part of a slip that asks the printer; everything else is there with the page."""
    paper = page.locator("#paper[hx-trigger^=load]")
    if paper.count():
        paper.wait_for(state="detached")


class Said:
    """The documents a page loaded, and what the browser said about them."""

    def __init__(self) -> None:
        self.documents: list[tuple[str, int]] = []
        self.messages: list[tuple[str, str]] = []

    def complaints(self, expected: int) -> list[str]:
        """Return what should not have been said; that a document answers with the status it should is no complaint."""
        status = self.documents[-1][1] if self.documents else 0
        wrong = [] if status == expected else [f"answered {status}, not {expected}"]
        refused = {url for url, status in self.documents if status >= 400}
        return wrong + [text for url, text in self.messages if not (url in refused and "Failed to load resource" in text)]


@contextmanager
def watching(page: Page) -> Iterator[Said]:
    """Listen to everything the browser says about a page: its console, its errors, its refusals by policy, failed loads."""
    said = Said()

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.messages.append((message.location.get("url", ""), message.text))

    def on_error(problem: Exception) -> None:
        said.messages.append(("", str(problem)))

    def on_response(response: Any) -> None:
        if response.request.is_navigation_request() and response.status not in range(300, 400):
            said.documents.append((response.url, response.status))

    page.on("console", on_console)
    page.on("pageerror", on_error)
    page.on("response", on_response)
    try:
        yield said
    finally:
        page.remove_listener("console", on_console)
        page.remove_listener("pageerror", on_error)
        page.remove_listener("response", on_response)


def _too_wide(page: Page) -> Iterator[tuple[str, str]]:
    for width, height in reversed(SIZES):
        page.set_viewport_size({"width": width, "height": height})
        if what := page.evaluate(TOO_WIDE):
            yield f"{width}x{height}", what


def _violations(page: Page, themes: Sequence[Theme]) -> Iterator[tuple[str, str]]:
    page.evaluate(AXE)
    for theme in themes:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        options = {"runOnly": WCAG if theme == themes[0] else CONTRAST, "resultTypes": ["violations"], "preload": False}
        for violation in page.evaluate("(options) => axe.run(options)", options)["violations"]:
            nodes = [f"{node['target'][0]} ({node['any'][0]['message'] if node['any'] else ''})" for node in violation["nodes"]]
            yield theme, f"{violation['id']}: {'; '.join(nodes[:3])}"
