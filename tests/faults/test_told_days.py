"""A corner that was off for two nights: HQ hears of each day once, with the figures its counter shows, whatever comes twice."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from kiosk.app import create_app
from marketplace.events.inbox import judge
from pos import clock
from pos.corners import corner
from pos.day_reports import day_report
from pos.trusted_time import trusted_now
from tests.faults.conftest import Served
from tests.faults.corners import Corner

HEARD_S = 60


def days_at_hq(served: Served, *, least: int) -> list[dict[str, Any]]:
    """Return the days HQ keeps once there are so many, or when time is up."""
    days: list[dict[str, Any]] = []
    until = time.monotonic() + HEARD_S
    while len(days) < least and time.monotonic() < until:
        judge(served.hq.engine)
        days = served.hq.rows("select day, edition, figures from day_report order by day")
        time.sleep(0.05)
    return days


def test_a_corner_that_was_off_tells_its_days_by_itself(tmp_path: Path, served: Served) -> None:
    off = Corner(tmp_path / "kiosk", served)
    asked_at = clock.now() - timedelta(days=2)
    with off.ops.write() as ops:
        names = "kind, subject, copy_no, printer, state, requested_by, requested_at"
        ops.execute(
            f"insert into print_job ({names}) values ('test', 'proof:p', 0, 'p', 'failed', 'c', ?)", [clock.to_text(asked_at)]
        )

    app = create_app(off.directory, sync=True)
    kiosk, call = app.extensions["comptoir"], app.extensions["comptoir-rounds"]
    try:
        until = time.monotonic() + HEARD_S
        while not off.ops.read().execute("select 1 from told_day").fetchone() and time.monotonic() < until:
            time.sleep(0.05)
        call.set()
        days = days_at_hq(served, least=2)
    finally:
        kiosk.ops = None
        call.set()

    now = trusted_now(off.ops.read(), clock.now())
    reports = [day_report(off.ops.read(), corner(off.ops.read()), each["day"], now=now) for each in days]
    assert [each["edition"] for each in days] == [1, 1]
    assert [json.loads(each["figures"]) for each in days] == [list(report.rows) for report in reports]
    assert reports[0].total("papers_failed") == 1
    off.close()
