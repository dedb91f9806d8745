"""How long a seller's file of 15,000 lines takes until every line has its verdict, new, unchanged and with a new price.

Beside it: the same lines read by the plain csv module and stored as they are, in one transaction.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from functools import partial
from pathlib import Path

from bench.measure import Row, timed
from bench.world import command
from marketplace.db import open_engine, reading, rows, run_tx
from marketplace.installation import read_installation
from marketplace.running.working import Working
from marketplace.sellers.imports import receive, seller_import
from marketplace.sellers.sheets import MOST_LINES
from pos import clock
from pos.db import connect

LISTINGS = 20_000
HOLD_S = 10
HEADER = "sku;ean;grade;price;quantity;warranty_delay;shipping_delay;vat_type"


def measure(scratch: Path) -> list[Row]:
    """Return the rows of the table."""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        feed, directory = Path(folder) / "feed", Path(folder) / "marketplace"
        command("sample", "--listings", str(LISTINGS), "--seed", "1", "--out", str(feed))
        command("marketplace", "init", "--dir", str(directory), "--public-url", "http://127.0.0.1")
        command("marketplace", "import", str(feed), "--dir", str(directory))
        _work(directory)  # What timers do first of all is not measured.
        eans = _eans(directory)
        sent = {"new": _file(eans, 40_000), "unchanged": _file(eans, 40_000), "with another price": _file(eans, 39_000)}
        floor_s = timed(partial(_store_plainly, Path(folder) / "plain.db", sent["new"]))
        return [_row(directory, name, content, floor_s) for name, content in sent.items()]


def _row(directory: Path, name: str, content: bytes, floor_s: float) -> Row:
    engine = open_engine(read_installation(directory).database)
    try:
        import_id = run_tx(
            engine, lambda connection: receive(connection, 1, content, name="", source="api", market="fr", now=clock.now())
        )
        seconds = timed(Working(engine, directory, "http://127.0.0.1").do_due)
        with reading(engine) as connection:
            about = seller_import(connection, 1, import_id)
    finally:
        engine.dispose()
    is_whole = about.taken == about.lines == MOST_LINES and not about.refused
    return Row(
        f"a seller's file of {MOST_LINES:,} lines, all {name}, judged with its report",
        f"{seconds:.1f} s",
        f"≤ {HOLD_S} s",
        f"read as CSV and stored as it is: {floor_s:.2f} s",
        seconds <= HOLD_S and is_whole,
        seconds / floor_s,
    )


def _work(directory: Path) -> None:
    engine = open_engine(read_installation(directory).database)
    try:
        Working(engine, directory, "http://127.0.0.1").do_due()
    finally:
        engine.dispose()


def _eans(directory: Path) -> list[str]:
    engine = open_engine(read_installation(directory).database)
    try:
        with reading(engine) as connection:
            bodies = [json.loads(each["body"]) for each in rows(connection, "select body from sku order by sku_id")]
    finally:
        engine.dispose()
    return [body["ean"] for body in bodies if body.get("ean")]


def _file(eans: list[str], cents: int) -> bytes:
    lines = (
        f"L-{number};{eans[number % len(eans)]};GOOD;{cents // 100},{number % 100:02};3;24;48;MARGINAL"
        for number in range(MOST_LINES)
    )
    return "\n".join([HEADER, *lines]).encode()


def _store_plainly(path: Path, content: bytes) -> None:
    database = connect(path, durable=True)
    database.execute("create table line (a, b, c, d, e, f, g, h)")
    read = csv.reader(io.StringIO(content.decode()), delimiter=";")
    database.execute("begin immediate")
    database.conn.executemany("insert into line values (?, ?, ?, ?, ?, ?, ?, ?)", read)
    database.execute("commit")
    database.close()
