"""What a fleet costs HQ: the CPU of one kiosk's quiet round, and how fast events are taken in."""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path

from bench.measure import Row, timed
from bench.world import MARKETPLACE_PORT, enrol, process
from pos import clock, outbox
from pos.db import Store, connect, write
from pos.ops import open_ops
from sync.client import Client
from sync.rounds import run_round

QUIET_ROUNDS = 300
KIOSKS = 500
POLL_S = 60
EVENTS = 5000
TICKS = os.sysconf("SC_CLK_TCK")


def measure(scratch: Path, *, runs: int) -> list[Row]:
    """Return the rows of the HQ table."""
    marketplace = str(scratch / "marketplace")
    serving = ["-m", "comptoir", "marketplace", "serve", "--dir", marketplace, "--port", str(MARKETPLACE_PORT)]
    with process(*serving, url=f"http://127.0.0.1:{MARKETPLACE_PORT}/readyz") as hq:
        directory = enrol(scratch, "kiosk-hq")
        _Round(directory).run()
        each_s = statistics.median(_quiet_round_s(directory, hq.pid) for _ in range(runs))
        rates = [EVENTS / _upload_s(directory) for _ in range(runs)]
    floor = statistics.median(EVENTS / _bare_inserts_s(scratch) for _ in range(runs))
    share = each_s * KIOSKS / POLL_S
    rate = statistics.median(rates)
    return [
        Row(
            f"{KIOSKS} kiosks polling every {POLL_S} s, head and heartbeat",
            f"{100 * share:.1f} % of a core",
            "≤ 5 %",
            f"{each_s * 1000:.1f} ms of CPU a round, measured over {QUIET_ROUNDS} rounds of one kiosk",
            share <= 0.05,
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
        self._directory = directory
        self._catalog = Store(directory / "catalog.db", durable=False)
        self._client = Client(f"http://127.0.0.1:{MARKETPLACE_PORT}")

    def run(self) -> None:
        report = run_round(self._directory, self._catalog, self.ops, self._client, software="bench", printer={"state": "unknown"})
        assert not report.problems, report.problems


def _quiet_round_s(directory: Path, process_id: int) -> float:
    """Return the seconds of CPU that one round without news costs HQ."""
    kiosk = _Round(directory)
    kiosk.run()
    before = _cpu_s(process_id)
    for _ in range(QUIET_ROUNDS):
        kiosk.run()
    return (_cpu_s(process_id) - before) / QUIET_ROUNDS


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


def _cpu_s(process_id: int) -> float:
    """Return the CPU seconds a process and its children have used."""
    total = 0.0
    family = [process_id]
    for each in family:
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS
        family += [int(child) for child in Path(f"/proc/{each}/task/{each}/children").read_text().split()]
    return total
