"""What a customer sees of the speed: largest paint, moving layout, a tap's next paint, in Chromium with its CPU slowed fourfold.

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
from bench.world import KIOSK_PORT, process

RUNS = 5
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
    """Return the rows of painting."""
    directory = scratch / "kiosk-0"
    serving = ["-m", "comptoir", "kiosk", "serve", "--dir", str(directory), "--port", str(KIOSK_PORT)]
    url = f"http://127.0.0.1:{KIOSK_PORT}"
    paths = {"home": "/home", **{name: pages[0] for name, pages in shop_paths(directory, "").items() if name != "selection"}}
    paths["list"] = "/browse?category=phones"
    rows = []
    with process(*serving, url=f"{url}/healthz"), sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        for name, path in paths.items():
            runs = []
            for _ in range(RUNS):
                context = browser.new_context(viewport={"width": 1080, "height": 1920}, locale="fr-FR", has_touch=True)
                runs.append(_seen(context, url + path, TAPS.get(name)))
                context.close()
            rows += _rows(name, runs)
        browser.close()
    return rows


def _seen(context: BrowserContext, url: str, tap: Callable[[Page], Any] | None) -> dict[str, float]:
    """Open a page in a fresh browser, tap where there is something to, and return what was seen."""
    context.add_init_script(f"({WATCH})()")
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    page.goto(url)
    page.wait_for_load_state("networkidle")
    first: dict[str, float] = page.evaluate("seen")
    if tap:
        tap(page)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(300)
        first["tap"] = page.evaluate("seen.tap")
    return first


def _rows(name: str, runs: list[dict[str, float]]) -> list[Row]:
    paint, shift = median(run["paint"] for run in runs), max(run["shift"] for run in runs)
    rows = [
        Row(f"{name}: largest paint", f"{paint:.0f} ms", f"≤ {PAINT_HOLD_MS} ms", "", paint <= PAINT_HOLD_MS),
        Row(f"{name}: layout that moved", f"{shift:.3f}", f"< {SHIFT_HOLD}", "", shift < SHIFT_HOLD),
    ]
    if name in TAPS:
        tap = median(run["tap"] for run in runs)
        rows.append(Row(f"{name}: a tap's next paint", f"{tap:.0f} ms", f"≤ {TAP_HOLD_MS} ms", "", tap <= TAP_HOLD_MS))
    return rows
