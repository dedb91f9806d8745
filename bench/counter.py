"""The counter's pages of a corner with ten printers and a day's slips, against the floor's list; and a sheet of labels as PDF."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

from bench.measure import Browser, Row, percentile
from bench.turns import Served, times_in_turn
from bench.world import FLOOR_PORT, KIOSK_PORT
from kiosk.printing.installed import MOST_PRINTERS, install, note_state
from kiosk.printing.printers import PrinterState
from pos import clerks, clock
from pos.corners import corner
from pos.db import connect, write

PAGES = {
    "today": "/counter/",
    "table": "/counter/table",
    "labels": "/counter/labels",
    "paper": "/counter/paper",
    "day": "/counter/day",
    "state": "/counter/state",
}
HOLD = 1.2
"""What a device's page may take, in times of the floor's list."""
STATE_HOLD_MS = 10


def measure(directory: Path, floor_paths: list[str]) -> list[Row]:
    """Return the rows of the counter of the kiosk that serves `directory`, beside the floor's lists at `floor_paths`."""
    _furnish(directory)
    rows = [_page_row(name, path, _log_in(directory), floor_paths) for name, path in PAGES.items()]
    browser = Browser(KIOSK_PORT, cookie=_log_in(directory))
    begun = time.perf_counter()
    status, headers, _ = browser.post("/counter/labels/prints", urlencode({"format": "l7160"}))
    assert status == 303, status
    sheet_no = headers["location"].rpartition("=")[2]
    _, _, sheet = browser.get(f"/counter/labels/sheets/{sheet_no}.pdf")
    assert sheet.startswith(b"%PDF"), sheet[:80]
    took = time.perf_counter() - begun
    return [*rows, Row("counter: all labels of the table as a sheet (PDF)", f"{took:.2f} s", "", "", None)]


def _furnish(directory: Path) -> None:
    """Give the corner ten printers, half of them in need of somebody, and let every label of the table be due."""
    with closing(connect(directory / "ops.db", durable=True)) as ops, write(ops):
        ops.execute("delete from shelf_label")
        for number in range(2, MOST_PRINTERS + 1):
            state = PrinterState("fault", ("paper_out",)) if number % 2 else PrinterState("ok")
            install(ops, f"printer-{number}", f"127.0.0.1:{number}")
            note_state(ops, f"printer-{number}", state, now=clock.now())


def _log_in(directory: Path) -> str:
    """Return the cookie of a clerk who has just come: two minutes without a tap lock the counter."""
    with closing(connect(directory / "ops.db", durable=True)) as ops, write(ops):
        return f"clerk={clerks.start_session(ops, corner(ops).clerks[0]['clerk_id'], now=clock.now())}"


def _page_row(name: str, path: str, cookie: str, floor_paths: list[str]) -> Row:
    page = Served(KIOSK_PORT, [path] * len(floor_paths), cookie=cookie)
    seen, said = times_in_turn(page, Served(FLOOR_PORT, floor_paths))
    p50, p99 = percentile(said, 0.5), percentile(said, 0.99)
    figure = f"{seen.own:.1f} ms = {seen.ratio:.2f} × (server time p50 / p99: {p50:.1f} / {p99:.1f} ms)"
    beside = f"the floor's list: {seen.other:.1f} ms"
    if name == "state":
        return Row(
            "counter: state, p50", figure, f"≤ {STATE_HOLD_MS} ms", beside, seen.own <= STATE_HOLD_MS, round(seen.ratio, 3)
        )
    return Row(f"counter: {name}, p50", figure, f"≤ {HOLD} ×", beside, seen.ratio <= HOLD, round(seen.ratio, 3))
