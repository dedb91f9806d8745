"""What a fleet costs HQ: the CPU of one kiosk's quiet hour, and how fast events are taken in."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import NamedTuple

from bench.capacity import quiet_fleet
from bench.front import nginx
from bench.measure import Row, timed
from bench.world import MARKETPLACE_PORT, NGINX_PORT, enrol, process
from demo.corners import remove_corners
from pos import clock, outbox
from pos.db import Store, connect, write
from pos.ops import open_ops
from sync.corner.client import Client
from sync.corner.rounds import KioskSide, run_round
from sync.corner.schedule import POLL_S

KIOSKS = 500
HOUR_S = 3600
EVENTS = 5000


def measure(scratch: Path, *, runs: int) -> list[Row]:
    """Return the rows of the HQ table."""
    marketplace = str(scratch / "marketplace")
    serving = ["-m", "comptoir", "marketplace", "serve", "--dir", marketplace, "--port", str(MARKETPLACE_PORT)]
    with process(*serving, url=f"http://127.0.0.1:{MARKETPLACE_PORT}/readyz"):
        directory = enrol(scratch, "kiosk-hq")
        _Round(directory).run()
        whole, polls = _kiosk_hour_s(scratch, whole=True), _kiosk_hour_s(scratch, whole=False)
        rates = [EVENTS / _upload_s(directory) for _ in range(runs)]
    floor = statistics.median(EVENTS / _bare_inserts_s(scratch) for _ in range(runs))
    share = whole.origin_s * KIOSKS / HOUR_S
    rate = statistics.median(rates)
    return [
        Row(
            f"{KIOSKS} kiosks polling every {POLL_S:.0f} s, a heartbeat each 10 min",
            f"{100 * share:.1f} % of a core",
            "≤ 5 %",
            f"the next row without a cache · {KIOSKS} / {HOUR_S:,} s",
            share <= 0.05,
        ),
        Row(
            "HQ's CPU for one kiosk and hour when nothing changes, behind nginx as a cache: polls and a heartbeat each 10 min",
            f"{whole.cached_s:.3f} s",
            "≤ 0.05 s",
            f"without a cache: {whole.origin_s:.3f} s",
            whole.cached_s <= 0.05,
        ),
        Row(
            "… its polls alone, behind nginx as a cache",
            f"{polls.cached_s:.3f} s",
            "~0",
            f"without a cache: {polls.origin_s:.3f} s",
            polls.cached_s <= 0.01,
        ),
        Row(
            f"events taken in, batches of 500, {EVENTS:,} in all, with the kiosk's own work",
            f"{rate:,.0f} events/s",
            "≥ 3,000 events/s",
            f"one bare durable insert an event: {floor:,.0f} events/s",
            rate >= 3000,
        ),
    ]


class _Round:
    """A kiosk's round as its thread runs it, on one connection."""

    def __init__(self, directory: Path) -> None:
        self.ops = open_ops(directory / "ops.db")
        self._side = KioskSide(
            directory=directory,
            catalog=Store(directory / "catalog.db", durable=False),
            ops=self.ops,
            client=Client(f"http://127.0.0.1:{MARKETPLACE_PORT}"),
            software="bench",
            printer={"state": "unknown"},
            now=clock.now,
        )

    def run(self) -> None:
        report = run_round(self._side)
        assert not report.problems, report.problems


class _KioskHour(NamedTuple):
    """HQ's CPU seconds for a kiosk's quiet hour, asked directly and through a cache."""

    origin_s: float
    cached_s: float


def _kiosk_hour_s(scratch: Path, *, whole: bool) -> _KioskHour:
    """Return what a kiosk's hour costs, `whole` or without its heartbeats."""
    directory, url = scratch / "marketplace", f"http://127.0.0.1:{MARKETPLACE_PORT}"
    named = directory if whole else None
    try:
        direct = quiet_fleet(named, url)["hq_cpu"]["seconds_per_kiosk_hour"]
        with nginx(scratch / "nginx", port=NGINX_PORT, origin_port=MARKETPLACE_PORT) as front:
            cached = quiet_fleet(named, front.url, origin=url)["hq_cpu"]["seconds_per_kiosk_hour"]
    finally:
        remove_corners(directory)
    return _KioskHour(direct, cached)


def _upload_s(directory: Path) -> float:
    """Return the seconds it takes until HQ has stored this many events."""
    kiosk = _Round(directory)
    with kiosk.ops.write() as ops:
        for place in range(EVENTS):
            body = {
                "position": f"A{place % 9}",
                "sku_id": 1,
                "state": "present",
                "clerk_id": "camille",
                "checked_at": "2026-11-22T08:00:00Z",
            }
            outbox.record(ops, "demo_checked", body, now=clock.now())
    return timed(kiosk.run)


def _bare_inserts_s(scratch: Path) -> float:
    path = scratch / "inbox-floor.db"
    path.unlink(missing_ok=True)
    database = connect(path, durable=True)
    database.execute("create table inbox (seq integer primary key, body text)")
    body = json.dumps({"position": "A1", "sku_id": 1, "state": "present", "clerk_id": "camille"})

    def insert() -> None:
        for seq in range(EVENTS):
            with write(database):
                database.execute("insert into inbox values (?, ?)", [seq, body])

    seconds = timed(insert)
    database.close()
    return seconds
