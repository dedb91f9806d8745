"""What every screen must hold as a browser shows it: nothing inaccessible, nothing wider than the glass, no complaint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, ViewportSize

from pos.panels import CAPITAL_MM, MAIN_TARGET_MM, PANELS, TARGET_MM
from tests.journeys.looks import SIZES, Look

MEASURES = (Path(__file__).parent / "measures.js").read_text(encoding="utf-8")
EYE = f"{Axe().axe_script};{MEASURES}"
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

NARROW: ViewportSize = {"width": 320, "height": 640}
"""What is left of a desktop's window at 400 % (WCAG 1.4.10)."""

Mark = tuple[str, str, int]
Way = Callable[[Page], int]
"""Brings a page to a screen and returns the status its document must have had."""


@dataclass(frozen=True)
class Screen:
    """The way to an address that is opened, or that is sent `fields` from the page at `at`, as that page itself could."""

    url: str
    status: int = 200
    at: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, page: Page) -> int:
        page.goto(self.at or self.url)
        if self.at:
            with page.expect_navigation():
                page.evaluate(POST, [self.url, [[name, str(value)] for name, value in self.fields.items()]])
        return self.status


def post(url: str, status: int, *, at: str, **fields: Any) -> Screen:
    """Return the way that sends a form."""
    return Screen(url, status, at, fields)


def problems(
    page: Page,
    screens: Mapping[str, Way],
    chosen: Iterable[tuple[str, Sequence[Look]]],
    *,
    sizes: Sequence[str],
    is_touched: bool,
) -> list[str]:
    """Go to each screen chosen and return everything wrong with it in its looks; nothing is the only good answer.

    The first time a screen comes it is measured in all `sizes`: what `is_touched` on a panel in millimetres, anything else also
    narrow with its text spaced.
    """
    page.context.add_init_script(EYE)
    texts = ("normal", "large") if is_touched else ("normal",)
    judged: dict[str, set[Mark]] = {}
    wrong: list[str] = []
    for name, looks in chosen:
        with watching(page) as said:
            prepare(page, looks[0])
            expected = screens[name](page)
            settle(page)
        wrong += [f"{name} ({looks[0]}): {message}" for message in said.complaints(expected)]
        is_first, marks = name not in judged, judged.setdefault(name, set())
        wrong += [f"{name} ({look}): {what}" for look in looks for what in _judged(page, look, is_touched, marks)]
        if not is_first:
            continue
        beside = [replace(looks[-1], size=size, text=text) for size in sizes for text in texts]
        for look in (each for each in beside if each not in looks):
            _resize(page, look)
            wrong += [f"{name} ({look}): {what}" for what in _measured(page, look, is_touched)]
        if is_touched:
            continue
        page.set_viewport_size(NARROW)
        wrong += [f"{name} (narrow, spaced): {what}" for what in page.evaluate("eye.spaced()")]
    return wrong


def prepare(page: Page, look: Look) -> None:
    """Have the next pages come as to somebody who wishes this look."""
    cookies = {"language": look.language, "view": look.view}
    page.context.add_cookies(
        [{"name": name, "value": value, "domain": "127.0.0.1", "path": "/"} for name, value in cookies.items()]
    )
    _set_device(page, look)


def _set_device(page: Page, look: Look) -> None:
    _resize(page, look)
    contrast: Literal["more", "no-preference"] = "more" if look.contrast == "more" else "no-preference"
    theme: Literal["dark", "light"] = "dark" if look.theme == "dark" else "light"
    page.emulate_media(color_scheme=theme, contrast=contrast, reduced_motion="reduce")


def _resize(page: Page, look: Look) -> None:
    size: ViewportSize = {"width": SIZES[look.size].width, "height": SIZES[look.size].height}
    if page.viewport_size != size:
        page.set_viewport_size(size)


def _worn(look: Look) -> list[Any]:
    """Return what the page is told of a look; its device shows the rest."""
    return [look.contrast == "high", look.text == "large", SIZES[look.size].panel]


def _measured(page: Page, look: Look, is_touched: bool) -> list[str]:
    panel = SIZES[look.size].panel if is_touched else None
    mm = PANELS[panel].px_per_mm if panel else 0
    limits = [mm, TARGET_MM, MAIN_TARGET_MM, CAPITAL_MM if look.text == "large" else 0]
    asked = [_worn(look), limits]
    wrong: list[str] = page.evaluate("([look, limits]) => { eye.wear(look); return eye.measured(limits); }", asked)
    return wrong


def _judged(page: Page, look: Look, is_touched: bool, judged: set[Mark]) -> list[str]:
    """Return what is wrong with the page in a look; what stands or is coloured as it was `judged` to be well is not judged again.

    A language moves what stands on a page, but colours nothing.
    """
    _set_device(page, look)
    places, colours = page.evaluate("(look) => { eye.wear(look); return eye.drawn(); }", _worn(look))
    marks: tuple[Mark, Mark] = (look.language, look.reach, places), (look.size, look.text, colours)
    is_new_shape, is_new_colour = (mark not in judged for mark in marks)
    judged.update(marks)
    wrong = _measured(page, look, is_touched) if is_new_shape else []
    if is_new_shape or is_new_colour:
        wrong += page.evaluate("(asked) => eye.violations(asked)", [is_new_shape, is_new_colour])
    return wrong


def settle(page: Page) -> None:
    """Wait for the part of a slip that asks the printer; everything else is there with the page."""
    if "/slips/" not in page.url:
        return
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
