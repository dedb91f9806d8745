"""How many orders of slips a second HQ places, durably, with its two workers, on SQLite and PostgreSQL.

Beside them: an endpoint of the same machine that stores one bare durable row a request.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.ingest import single_rate
from bench.measure import Browser, Row, timed
from bench.world import MARKETPLACE_PORT, command, process
from demo.corners import enrol_corners
from marketplace.db import changed, open_engine, reading, rows, run_tx
from marketplace.installation import read_installation
from pos import clock
from tests.marketplace.postgres import Cluster, PostgresMissing

CLIENTS, ORDERS = 4, 250
"""Orders each client places in a run."""
LISTINGS = 2_000
HOLDS = {"SQLite": 100, "PostgreSQL": 150}
FORM = "name=Camille+Roux&email=camille%40example.org&address=12+rue+Cr%C3%A9billon%0A44000+Nantes"
URL = f"http://127.0.0.1:{MARKETPLACE_PORT}"


def measure(scratch: Path, *, runs: int) -> list[Row]:
    """Return a row for each database there is here."""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        floor = single_rate(Path(folder))
        made = [_row("SQLite", Path(folder) / "sqlite", [], runs=runs, floor=floor)]
        try:
            cluster = Cluster()
        except PostgresMissing:
            return made
        cluster.start(durable=True)
        try:
            database = ["--database", cluster.url(cluster.new_database("postgres"))]
            return [*made, _row("PostgreSQL", Path(folder) / "postgres", database, runs=runs, floor=floor)]
        finally:
            cluster.stop()


def _row(name: str, directory: Path, database: list[str], *, runs: int, floor: float) -> Row:
    with _serving(directory, database):
        rates = [CLIENTS * ORDERS / timed(partial(_place_at_once, slips)) for slips in _slips(directory, runs)]
    placed = _count(directory)
    rate, hold = statistics.median(rates), HOLDS[name]
    return Row(
        f"orders placed from slips by {CLIENTS} clients, durable, two workers, {name}; {placed:,} of them kept",
        f"{rate:,.0f} orders/s",
        f"≥ {hold} orders/s",
        f"one bare row a request: {floor:,.0f} rows/s",
        rate >= hold and placed == runs * CLIENTS * ORDERS,
        floor / rate,
    )


@contextmanager
def _serving(directory: Path, database: list[str]) -> Iterator[None]:
    feed = directory.with_suffix(".feed")
    command("sample", "--listings", str(LISTINGS), "--seed", "1", "--out", str(feed))
    command("marketplace", "init", "--dir", str(directory), "--public-url", URL, *database)
    command("marketplace", "import", str(feed), "--dir", str(directory))
    command("marketplace", "publish", "--dir", str(directory))
    engine = open_engine(read_installation(directory).database)
    run_tx(engine, lambda connection: changed(connection, "update listing set quantity = 1000000 where quantity > 2"))
    engine.dispose()
    serve = ("-m", "comptoir", "marketplace", "serve", "--dir", str(directory), "--port", str(MARKETPLACE_PORT))
    with process(*serve, url=f"{URL}/readyz"):
        yield


def _slips(directory: Path, runs: int) -> Iterator[list[list[str]]]:
    """Yield what each client of a run posts to: slips of a corner of its own, issued by the kiosk's own code."""
    corners, slips = enrol_corners(directory, "fr", runs * CLIENTS, progress=lambda _done, _of: None)
    for run in range(runs):
        of_clients = []
        for corner in corners[run * CLIENTS : (run + 1) * CLIENTS]:
            for _ in range(ORDERS):
                slips.issue(corner, now=clock.now())
            of_clients.append([json.loads(event["body"])["digits"] for event in corner.waiting])
        yield of_clients


def _place_at_once(of_clients: list[list[str]]) -> None:
    failed: list[tuple[int, bytes]] = []

    def place(slips: list[str]) -> None:
        browser = Browser(MARKETPLACE_PORT)
        for digits in slips:
            status, _, body = browser.post(f"/k/{digits}/claim", FORM)
            if status != 303:
                failed.append((status, body[:200]))

    threads = [threading.Thread(target=place, args=(slips,)) for slips in of_clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"{len(failed)} orders were not placed, the first: {failed[0]}")


def _count(directory: Path) -> int:
    engine = open_engine(read_installation(directory).database)
    with reading(engine) as connection:
        [found] = rows(connection, "select count(*) as placed from customer_order")
    engine.dispose()
    return int(found["placed"])
