"""First sync and small changes, through real processes on loopback."""

from __future__ import annotations

import gzip
import json
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bench.measure import MemoryWatch, Row, timed
from bench.world import MARKETPLACE_PORT, change_feed, command, enrol, process, sync
from pos.db import connect, write

CHANGES = 1000


def measure(scratch: Path, *, runs: int) -> list[Row]:
    """Return the rows of the sync table."""
    with _marketplace(scratch):
        firsts = [first_sync(scratch, f"kiosk-{run}") for run in range(runs)]
        seconds, received, memory = (statistics.median(values) for values in zip(*firsts, strict=True))
        floor_s = statistics.median(_bare_inserts(scratch, scratch / "kiosk-0" / "catalog.db") for _ in range(runs))
        rounds = [changes(scratch, seed) for seed in range(runs)]
        change_bytes, apply_ms = (statistics.median(values) for values in zip(*rounds, strict=True))
    listings = connect(scratch / "kiosk-0" / "catalog.db", durable=False).execute("select count(*) from listing").fetchone()[0]
    json_bytes = _changes_as_json(scratch / "kiosk-0" / "catalog.db")
    return [
        Row(
            f"first sync of {listings:,} listings, whole command",
            f"{seconds:.1f} s",
            "≤ 12 s",
            f"the same rows inserted bare: {floor_s:.1f} s",
            seconds <= 12,
        ),
        Row("… bytes on the wire", f"{received / 1e6:.1f} MB", "≤ 26 MB", "", received <= 26e6),
        Row("… peak memory, with its helpers", f"{memory:.0f} MB", "≤ 150 MB", "", memory <= 150),
        Row(
            f"{CHANGES:,} price and stock changes, bytes",
            f"{change_bytes / 1e3:.1f} kB",
            "≤ 9 kB",
            f"the changed rows as one JSON page, gzipped: {json_bytes / 1e3:.1f} kB",
            change_bytes <= 9000,
        ),
        Row("… applied and verified", f"{apply_ms:.0f} ms", "≤ 120 ms", "", apply_ms <= 120),
    ]


def first_kiosk(scratch: Path) -> None:
    """Make the kiosk whose pages are measured, where no round of the sync table made it."""
    if not (scratch / "kiosk-0").exists():
        with _marketplace(scratch):
            first_sync(scratch, "kiosk-0")


def _marketplace(scratch: Path) -> AbstractContextManager[Any]:
    serving = ["-m", "comptoir", "marketplace", "serve", "--dir", str(scratch / "marketplace"), "--port", str(MARKETPLACE_PORT)]
    return process(*serving, url=f"http://127.0.0.1:{MARKETPLACE_PORT}/readyz")


def first_sync(scratch: Path, name: str) -> tuple[float, float, float]:
    """Return seconds, bytes and MB of one first sync."""
    shutil.rmtree(scratch / name, ignore_errors=True)
    directory = enrol(scratch, name)
    start = time.perf_counter()
    running = subprocess.Popen(
        [sys.executable, "-m", "comptoir", "kiosk", "sync", "--dir", str(directory), "--json"], stdout=subprocess.PIPE
    )
    watch = MemoryWatch(running.pid)
    output, _ = running.communicate()
    seconds = time.perf_counter() - start
    return seconds, json.loads(output)["down"]["bytes"], watch.stop()


def changes(scratch: Path, seed: int) -> tuple[float, float]:
    """Publish a thousand random changes; return the bytes and milliseconds they cost the kiosk."""
    change_feed(scratch / "feed", CHANGES, seed)
    command("marketplace", "import", str(scratch / "feed"), "--dir", str(scratch / "marketplace"))
    command("marketplace", "publish", "--dir", str(scratch / "marketplace"))
    report = sync(scratch / "kiosk-0")["down"]
    return report["bytes"], report["apply_ms"]


def _changes_as_json(catalog: Path) -> int:
    """Return the bytes an endpoint of changed rows would send for as many listings, gzipped: what most tills poll."""
    database = connect(catalog, durable=False)
    rows = database.query(
        f"select listing.*, quantity from listing join stock using (listing_id) where listing_id % 487 = 3 limit {CHANGES}"
    )
    text = json.dumps(list(rows), separators=(",", ":"))
    database.close()
    return len(gzip.compress(text.encode()))


def _bare_inserts(scratch: Path, catalog: Path) -> float:
    """Return the seconds SQLite needs to insert the same listings and stock with nothing else."""
    path = scratch / "floor.db"
    path.unlink(missing_ok=True)
    source = connect(catalog, durable=False)
    listings = source.execute("select * from listing").fetchall()
    stock = source.execute("select * from stock").fetchall()
    source.close()
    target = connect(path, durable=False)
    marks = ", ".join("?" * len(listings[0]))
    target.execute(f"create table listing ({', '.join(f'c{place} integer' for place in range(len(listings[0])))})")
    target.execute("create table stock (listing_id integer primary key, quantity integer)")

    def insert() -> None:
        with write(target):
            target.conn.executemany(f"insert into listing values ({marks})", listings)
            target.conn.executemany("insert into stock values (?, ?)", stock)

    seconds = timed(insert)
    target.close()
    return seconds
