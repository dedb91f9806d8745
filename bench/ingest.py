"""How fast HQ takes events in, whether a killed HQ loses any, and what an endpoint for one event a request does instead."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from bench.measure import Row, family, timed
from bench.world import MARKETPLACE_PORT, PEER_PORT, process, wait_for
from demo.corners import Outbox, enrol_corners, remove_corners
from demo.following import Poll
from demo.kiosks import LoadKiosk
from demo.wire import Tally, Wire
from marketplace.db import open_engine, reading, rows
from marketplace.installation import read_installation
from pos import clock
from sync.errors import SyncError

KIOSKS = 4
EVENTS = 5000
SINGLE_EVENTS = 500
MARKET = "fr"
URL = f"http://127.0.0.1:{MARKETPLACE_PORT}"
BODY = {"position": "A1", "sku_id": 1, "state": "present", "clerk_id": "camille", "checked_at": "2026-11-22T08:00:00Z"}


def measure(scratch: Path) -> list[Row]:
    """Return the rows of the ingest table. The corners it uses are taken out again."""
    directory = scratch / "marketplace"
    try:
        rate = _rate(directory)
        held, recorded, tries = _killed(directory)
    finally:
        remove_corners(directory)
    single = single_rate(scratch)
    return [
        Row(
            f"events taken in from {KIOSKS} kiosks at once, batches of 500, {KIOSKS * EVENTS:,} in all",
            f"{rate:,.0f} events/s",
            "≥ 3,000 events/s",
            f"one event a request, one durable row each, without signatures: {single:,.0f} events/s",
            rate >= 3000,
        ),
        Row(
            "… and HQ killed (SIGKILL) in the middle, started again, the rest sent again",
            f"{held:,} of {recorded:,} events held, each once, without gaps",
            "all",
            f"{tries} rounds failed meanwhile",
            held == recorded,
        ),
    ]


def _rate(directory: Path) -> float:
    serving = ("-m", "comptoir", "marketplace", "serve", "--dir", str(directory), "--port", str(MARKETPLACE_PORT))
    with process(*serving, url=f"{URL}/readyz"):
        kiosks = _kiosks(directory)
        return KIOSKS * EVENTS / timed(lambda: _at_once([partial(_deliver, *each) for each in kiosks]))


def _killed(directory: Path) -> tuple[int, int, int]:
    """Kill HQ once a third of the events is in; return how many it holds in the end, how many there were, and failed rounds."""
    before = _held(directory)
    failed: list[SyncError] = []
    first = _start(directory)
    kiosks = _kiosks(directory)
    senders = threading.Thread(target=_at_once, args=([partial(_deliver, *each, failed=failed) for each in kiosks],))
    senders.start()
    while _held(directory) - before < KIOSKS * EVENTS // 3:
        time.sleep(0.01)
    # The workers first, so that none of them outlives the process that watches them.
    for process_id in reversed(family(first.pid)):
        os.kill(process_id, signal.SIGKILL)
    first.wait()
    second = _start(directory)
    try:
        senders.join()
    finally:
        second.terminate()
        second.wait(10)
    return _held(directory) - before, KIOSKS * EVENTS, len(failed)


def _kiosks(directory: Path) -> list[tuple[LoadKiosk, Outbox]]:
    """Return kiosks with events to send, recorded beforehand: what is measured is HQ."""
    outboxes, _ = enrol_corners(directory, MARKET, KIOSKS, progress=lambda _done, _of: None)
    made = []
    for outbox in outboxes:
        for _ in range(EVENTS):
            outbox.record("demo_checked", BODY, now=clock.now())
        poll, wire = Poll(MARKET, is_cold=False), Wire(URL, Tally())
        kiosk = LoadKiosk(
            outbox.corner_id, poll, wire, outbox=outbox, slips=None, slips_per_s=0, silence_s=float("inf"), random=Random(1)
        )
        made.append((kiosk, outbox))
    return made


def _deliver(kiosk: LoadKiosk, outbox: Outbox, *, failed: list[SyncError] | None = None) -> None:
    """Send until nothing waits, whatever HQ does meanwhile; `failed` hears of each round that did not go through."""
    while outbox.waiting:
        try:
            kiosk.round(time.monotonic())
        except SyncError as problem:
            if failed is not None:
                failed.append(problem)
            time.sleep(0.2)
    kiosk.close()


def _held(directory: Path) -> int:
    """Return how many events of the simulated corners HQ holds. Raises: SystemExit when a stream has a gap."""
    engine = open_engine(read_installation(directory).database)
    with reading(engine) as connection:
        streams = rows(
            connection,
            """
            select count(*) as held, max(seq) as last from inbox
            where corner_id like 'load-%' group by corner_id, key_id, stream
            """,
        )
    engine.dispose()
    if any(each["held"] != each["last"] for each in streams):
        raise SystemExit("a stream has a gap at HQ")
    return sum(each["held"] for each in streams)


def single_rate(scratch: Path) -> float:
    """Return the events per second of an endpoint that stores one durable row a request, asked by as many clients at once."""
    folder = scratch / "peers"
    folder.mkdir(exist_ok=True)
    serve = ("-m", "bench.naive", "serve", str(folder / "single.db"), str(PEER_PORT))
    body = json.dumps(BODY)

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", PEER_PORT, timeout=20)
        for _ in range(SINGLE_EVENTS):
            connection.request("POST", "/events", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
        connection.close()

    with process(*serve, url=f"http://127.0.0.1:{PEER_PORT}/readyz"):
        return KIOSKS * SINGLE_EVENTS / timed(lambda: _at_once([send] * KIOSKS))


def _at_once(works: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _start(directory: Path) -> subprocess.Popen[bytes]:
    arguments = ["marketplace", "serve", "--dir", str(directory), "--port", str(MARKETPLACE_PORT)]
    started = subprocess.Popen(
        [sys.executable, "-m", "comptoir", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(f"{URL}/readyz")
    return started
