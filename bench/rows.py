"""The rows that peers send: one SQLite file with the published listings and stock of a market, as a plain till keeps them."""

from __future__ import annotations

import random
from pathlib import Path

from sqlite_utils import Database

from pos.db import connect, write

COLUMNS = (
    "listing_id",
    "seller_id",
    "sku_id",
    "grade_id",
    "price_cents",
    "shipping_cents",
    "delivery_days",
    "warranty_months",
    "vat_margin",
    "battery_pct",
    "new_battery",
    "prior_cents",
    "quantity",
)
BEGAN_AT = 1


def make_rows(replica: Path, path: Path) -> int:
    """Copy the published listings to `path`, all changed at `BEGAN_AT`, and return how many there are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    source = connect(replica, durable=False)
    rows = source.execute(f"select {', '.join(COLUMNS)} from listing join stock using (listing_id)").fetchall()
    source.close()
    target = open_rows(path)
    with write(target):
        target.conn.executemany(f"insert into listing values ({', '.join('?' * len(COLUMNS))}, {BEGAN_AT})", rows)
    target.execute("create index listing_by_change on listing (updated_at, listing_id)")
    target.execute("pragma wal_checkpoint(truncate)").fetchall()
    target.close()
    return len(rows)


def open_rows(path: Path) -> Database:
    """Open a till's file, with its table."""
    database = connect(path, durable=False)
    columns = ", ".join(f"{name} integer" for name in COLUMNS[1:])
    database.execute(f"create table if not exists listing (listing_id integer primary key, {columns}, updated_at integer) strict")
    return database


def change_rows(path: Path, count: int, *, at: int, seed: int) -> None:
    """Change the price or the stock of `count` random listings, at time `at`."""
    database = connect(path, durable=False)
    chosen = random.Random(seed).sample([row[0] for row in database.execute("select listing_id from listing").fetchall()], count)
    with write(database):
        for place, listing_id in enumerate(chosen):
            column = "quantity = quantity + 1" if place % 2 else "price_cents = price_cents + 100"
            database.execute(f"update listing set {column}, updated_at = ? where listing_id = ?", [at, listing_id])
    database.execute("pragma wal_checkpoint(truncate)").fetchall()
    database.close()
