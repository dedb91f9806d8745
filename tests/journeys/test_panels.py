"""On every panel, in millimetres: what is touched, the capitals of the large text, and what low reach brings down."""

from __future__ import annotations

from collections.abc import Iterator

from playwright.sync_api import BrowserContext, Page

from pos.panels import CAPITAL_MM, MAIN_TARGET_MM, PANELS, TARGET_MM, PanelName
from tests.amounts import amount
from tests.journeys.conftest import System
from tests.journeys.screens import Way, in_turn, settle, visitor
from tests.journeys.test_screens import customer_screens, kiosk_refusals

TOUCHED = "a[href], button, summary, select, input:not([type=hidden]), textarea"
SMALL = """([touched, mm, least, main]) => [...document.querySelectorAll(touched)]
  .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.matches(".skip, .unseen"))
  .flatMap((each) => {
    const box = each.matches("[type=checkbox], [type=radio]") && each.closest("label") || each;
    const { width, height } = box.getBoundingClientRect();
    const wanted = each.matches(".btn, .poster") ? main : least;
    return Math.min(width, height) / mm < wanted - 0.05 ? [`${each.outerHTML.slice(0, 70)} ${width / mm} x ${height / mm}`] : [];
  })"""
LOW = """([mm, least]) => {
  const pen = document.createElement("canvas").getContext("2d");
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const low = [];
  while (words.nextNode()) {
    const [said, box] = [words.currentNode.data.trim(), words.currentNode.parentElement];
    if (!said || box.closest("[aria-hidden], .skip, .unseen, script, option")) continue;
    if (!box.checkVisibility({ visibilityProperty: true })) continue;
    const { fontWeight, fontSize, fontFamily } = getComputedStyle(box);
    pen.font = `${fontWeight} 1000px ${fontFamily}`;
    const capital = pen.measureText("H").actualBoundingBoxAscent / 1000 * parseFloat(fontSize) / mm;
    if (capital < least) low.push(`${said.slice(0, 40)}: ${capital}`);
  }
  return low;
}"""
OUT_OF_REACH = """(touched) => [...document.querySelectorAll(touched)]
  .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.matches(".skip"))
  .filter((each) => each.getBoundingClientRect().top + scrollY < 0.6 * innerHeight)
  .map((each) => each.outerHTML.slice(0, 90))"""
LOOK = """([panel, text]) => {
  document.documentElement.dataset.panel = panel;
  document.documentElement.dataset.text = text;
}"""
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
MEASURED: list[PanelName] = ["10.1", "27", "21.5", "32", "15.6"][: amount("panels a page is measured on")]


def opened(page: Page, ways: dict[str, Way]) -> Iterator[str]:
    """Open one page after the other."""
    for name, way in ways.items():
        way(page)
        settle(page)
        yield name


def test_everything_is_large_enough_to_touch_and_the_large_text_to_read(context: BrowserContext, shared_system: System) -> None:
    page, wrong = visitor(context, "fr"), []
    screens = {**customer_screens(context, shared_system), **kiosk_refusals(context, shared_system)}
    for name in opened(page, in_turn(context, screens)):
        assert page.evaluate("document.documentElement.dataset.panel") == "27"
        for panel in MEASURED:
            size = PANELS[panel]
            page.set_viewport_size({"width": size.width_px, "height": size.height_px})
            page.evaluate(LOOK, [panel, ""])
            small = page.evaluate(SMALL, [TOUCHED, size.px_per_mm, TARGET_MM, MAIN_TARGET_MM])
            wide = page.evaluate(WIDE)
            page.evaluate(LOOK, [panel, "large"])
            low = page.evaluate(LOW, [size.px_per_mm, CAPITAL_MM])
            wrong += [f"{name} on {panel}: {each}" for each in (*small, *low)]
            wrong += [f"{name} on {panel}: too wide"] if wide or page.evaluate(WIDE) else []

    assert not wrong, "\n".join(wrong)


def test_low_reach_brings_everything_into_the_lower_forty_percent(context: BrowserContext, shared_system: System) -> None:
    """Whatever lies at that height or below in the page can be dragged there, since nothing above it is fixed."""
    screens = customer_screens(context, shared_system)
    page, wrong = visitor(context, "fr", view="reach"), []
    for name in opened(
        page, {name: screens[name] for name in ("attract", "home", "device with everything", "selection", "slip")}
    ):
        wrong += [f"{name}: {each}" for each in page.evaluate(OUT_OF_REACH, TOUCHED)]
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        wrong += [f"{name}, at its end: {each}" for each in page.evaluate(OUT_OF_REACH, TOUCHED)]

    assert not wrong, "\n".join(wrong)
