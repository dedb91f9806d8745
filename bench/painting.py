"""What a customer sees of the speed: largest paint, moving layout, a tap's next paint, in Chromium with its CPU slowed fourfold.

A page is opened in a fresh browser, which has nothing of ours yet, and once more after another page, as at a kiosk. The floor
is a page of one line, opened the same two ways.

Sources: W3C Largest Contentful Paint, Layout Instability, Event Timing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright

from bench.measure import Row
from bench.pages import shop_paths
from bench.world import KIOSK_PORT, MARKETPLACE_PORT, process

RUNS = 5
FLOOR, BETWEEN = "/healthz", "/plans"
SLOWED = 4
PAINT_HOLD_MS, SHIFT_HOLD, TAP_HOLD_MS = 300, 0.02, 100
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WATCH = """() => {
  window.seen = { paint: 0, shift: 0, tap: 0 };
  const watch = (type, take, more) => new PerformanceObserver((list) => list.getEntries().forEach(take))
    .observe({ type, buffered: true, ...more });
  watch("largest-contentful-paint", (entry) => { seen.paint = entry.startTime; });
  watch("layout-shift", (entry) => { if (!entry.hadRecentInput) seen.shift += entry.value; });
  const taps = (entry) => { if (entry.interactionId) seen.tap = Math.max(seen.tap, entry.duration); };
  watch("event", taps, { durationThreshold: 16 });
}"""


def _narrow(page: Page) -> None:
    """Open the grades and tick the first of them."""
    page.locator("#facet-grade > summary").click()
    page.locator("#facet-grade label.choice").first.click()


TAPS: dict[str, Callable[[Page], Any]] = {
    "list": _narrow,
    "device": lambda page: page.locator("label.plan, a.plan, .plan").nth(1).click(),
}


def measure(scratch: Path) -> list[Row]:
    """Return the rows of painting: a kiosk's portrait screen, then the shop on a phone."""
    kiosk, marketplace = scratch / "kiosk-0", scratch / "marketplace"
    first = {name: pages[0] for name, pages in shop_paths(kiosk, "").items() if name != "selection"}
    paths = {"home": "/home", **first, "list": "/browse?category=phones"}
    doors = (
        ("kiosk", ["kiosk", "serve", "--dir", str(kiosk)], KIOSK_PORT, 1080, 1920),
        ("phone", ["marketplace", "serve", "--dir", str(marketplace)], MARKETPLACE_PORT, 390, 844),
    )
    rows = []
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        for door, serving, port, width, height in doors:
            url = f"http://127.0.0.1:{port}"
            screen: dict[str, Any] = {"viewport": {"width": width, "height": height}, "locale": "fr-FR", "has_touch": True}
            with process("-m", "comptoir", *serving, "--port", str(port), url=f"{url}/healthz"):
                floor: list[dict[str, float]] = []
                for name, path in {"floor": FLOOR, **paths}.items():
                    runs = []
                    for _ in range(RUNS):
                        context = browser.new_context(**screen)
                        runs.append(_seen(context, url, path, TAPS.get(name)))
                        context.close()
                    floor = floor or runs
                    rows += _rows(f"{door}, {name}", runs, floor, is_tapped=name in TAPS) if name in paths else []
        browser.close()
    return rows


def _seen(context: BrowserContext, url: str, path: str, tap: Callable[[Page], Any] | None) -> dict[str, float]:
    """Open a page in a fresh browser and again after another, tap where there is something to, and return what was seen."""
    context.add_init_script(f"({WATCH})()")
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    first = _opened(page, url + path)
    _opened(page, url + BETWEEN)
    again = _opened(page, url + path)
    first |= {"again": again["paint"], "shift": max(first["shift"], again["shift"])}
    if tap:
        tap(page)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(300)
        first["tap"] = page.evaluate("seen.tap")
    return first


def _opened(page: Page, url: str) -> dict[str, float]:
    page.goto(url)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(100)
    seen: dict[str, float] = page.evaluate("seen")
    return seen


def _rows(name: str, runs: list[dict[str, float]], floor: list[dict[str, float]], *, is_tapped: bool) -> list[Row]:
    shift = max(run["shift"] for run in runs)
    rows = []
    for key, what in (("paint", "largest paint, in a fresh browser"), ("again", "largest paint, after another page")):
        paint, least = median(run[key] for run in runs), median(run[key] for run in floor)
        beside = f"a page of one line: {least:.0f} ms"
        rows.append(Row(f"{name}: {what}", f"{paint:.0f} ms", f"≤ {PAINT_HOLD_MS} ms", beside, paint <= PAINT_HOLD_MS))
    rows += [
        Row(f"{name}: layout that moved", f"{shift:.3f}", f"< {SHIFT_HOLD}", "", shift < SHIFT_HOLD),
    ]
    if is_tapped:
        tap = median(run["tap"] for run in runs)
        rows.append(Row(f"{name}: a tap's next paint", f"{tap:.0f} ms", f"≤ {TAP_HOLD_MS} ms", "", tap <= TAP_HOLD_MS))
    return rows
