"""What the business at HQ changes, as an import does: rows, and the marks of the same transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace.db import changed, rows, run_tx
from marketplace.publishing.marks import Marks
from pos import clock
from pos.prices import MOST_AHEAD

MARKET = "fr"
QUARTER_S = 900
Work = Callable[[Connection, Random, Marks], None]


def change(engine: Engine, random: Random) -> str:
    """Change something and mark it in the same transaction; return what it was."""
    name, work = random.choice(CHANGES)
    marks = run_tx(engine, lambda connection: _marked(connection, work, random))
    return f"{name} ({marks})"


def reprice(engine: Engine, listing_id: int, price_cents: int) -> None:
    """Give one listing a new price."""

    def work(connection: Connection) -> None:
        sql = "update listing set price_cents = :price where listing_id = :listing_id"
        changed(connection, sql, price=price_cents, listing_id=listing_id)
        marks = Marks()
        marks.add(MARKET, "listing", listing_id)
        marks.write(connection)

    run_tx(engine, work)


def _marked(connection: Connection, work: Work, random: Random) -> int:
    marks = Marks()
    work(connection, random, marks)
    count = marks.count()
    marks.write(connection)
    return count


def _listings(connection: Connection, random: Random) -> list[dict[str, Any]]:
    every = rows(connection, "select * from listing order by listing_id")
    return random.sample(every, random.randint(1, 3))


def _reprice(connection: Connection, random: Random, marks: Marks) -> None:
    for listing in _listings(connection, random):
        sql = "update listing set price_cents = :price where seller_id = :seller_id and listing_id = :listing_id"
        changed(connection, sql, price=random.randint(100, 900) * 100, **_key(listing))
        if listing["state"] == "online":
            marks.add(MARKET, "listing", listing["listing_id"])


def _restock(connection: Connection, random: Random, marks: Marks) -> None:
    for listing in _listings(connection, random):
        sql = "update listing set quantity = :quantity where seller_id = :seller_id and listing_id = :listing_id"
        changed(connection, sql, quantity=random.randint(0, 9), **_key(listing))
        if listing["state"] == "online":
            marks.add(MARKET, "stock", listing["listing_id"])


def _withdraw(connection: Connection, random: Random, marks: Marks) -> None:
    """Take listings offline, or put them online again."""
    for listing in _listings(connection, random):
        sql = "update listing set state = :state where seller_id = :seller_id and listing_id = :listing_id"
        changed(connection, sql, state="offline" if listing["state"] == "online" else "online", **_key(listing))
        for table in ("listing", "stock"):
            marks.add(MARKET, table, listing["listing_id"])


def _rewrite(connection: Connection, random: Random, marks: Marks) -> None:
    """Change a text of a SKU and the standing of a seller."""
    sku = random.choice(rows(connection, "select sku_id, body from sku order by sku_id"))
    body = json.dumps({**json.loads(sku["body"]), "weight_g": random.randint(100, 300)}, ensure_ascii=False)
    changed(connection, "update sku set body = :body where sku_id = :sku_id", sku_id=sku["sku_id"], body=body)
    marks.add(MARKET, "sku", sku["sku_id"])
    seller = random.choice(rows(connection, "select seller_id from seller order by seller_id"))["seller_id"]
    sql = "update seller set quality_bp = :quality where seller_id = :seller_id"
    changed(connection, sql, quality=random.randint(8000, 10000), seller_id=seller)
    marks.add(MARKET, "seller", seller)


def _retariff(connection: Connection, random: Random, marks: Marks) -> None:
    plan = random.choice(rows(connection, "select plan_id, body from plan order by plan_id"))
    body = json.dumps({**json.loads(plan["body"]), "monthly_cents": random.randint(10, 40) * 100}, ensure_ascii=False)
    changed(connection, "update plan set body = :body where plan_id = :plan_id", plan_id=plan["plan_id"], body=body)
    marks.add(MARKET, "plan", plan["plan_id"])


def _move_corner(connection: Connection, random: Random, _: Marks) -> None:
    """Give a corner another telephone number: its private document changes, the catalogue does not."""
    corner = random.choice(rows(connection, "select corner_id, body from corner order by corner_id"))
    body = json.dumps({**json.loads(corner["body"]), "phone": f"02 40 {random.randint(10, 99)} 00 00"}, ensure_ascii=False)
    changed(connection, "update corner set body = :body where corner_id = :corner_id", body=body, corner_id=corner["corner_id"])


def _jump(connection: Connection, _: Random, marks: Marks) -> None:
    """Let somebody's mistake multiply every price: what a trial is halted for by itself."""
    for listing in rows(connection, "select seller_id, listing_id, price_cents from listing where state = 'online'"):
        sql = "update listing set price_cents = :price where seller_id = :seller_id and listing_id = :listing_id"
        changed(connection, sql, price=min(listing["price_cents"] * 3, 900_000), **_key(listing))
        marks.add(MARKET, "listing", listing["listing_id"])


def _announce_price(connection: Connection, random: Random, marks: Marks) -> None:
    """Announce a price that starts in some hours; every other time one that was announced is taken back."""
    known = rows(connection, "select seller_id, price_start_id from price_start order by price_start_id")
    if known and random.random() < 0.3:
        gone = random.choice(known)
        changed(connection, "delete from price_start where seller_id = :seller_id and price_start_id = :price_start_id", **gone)
        marks.add(MARKET, "price_start", gone["price_start_id"])
        return
    listing = random.choice(rows(connection, "select * from listing where state = 'online' order by listing_id"))
    starts_at = clock.now() + timedelta(hours=random.choice((1, 6, 24, 80))) + MOST_AHEAD
    starts_at -= timedelta(seconds=starts_at.timestamp() % QUARTER_S)
    values: dict[str, Any] = {
        "seller_id": listing["seller_id"],
        "price_start_id": f"p{random.getrandbits(40):010x}",
        "market": MARKET,
        "listing_id": listing["listing_id"],
        "starts_at": clock.to_text(starts_at),
        "price_cents": random.randint(100, 900) * 100,
        "prior_cents": None,
    }
    names = ", ".join(values)
    changed(connection, f"insert into price_start ({names}) values ({', '.join(f':{name}' for name in values)})", **values)
    marks.add(MARKET, "price_start", values["price_start_id"])


def _key(listing: dict[str, Any]) -> dict[str, Any]:
    return {name: listing[name] for name in ("seller_id", "listing_id")}


CHANGES: tuple[tuple[str, Work], ...] = (
    ("prices", _reprice),
    ("prices", _reprice),
    ("stock", _restock),
    ("supply", _withdraw),
    ("content", _rewrite),
    ("tariff", _retariff),
    ("corner", _move_corner),
    ("announced price", _announce_price),
    ("announced price", _announce_price),
    ("jumping prices", _jump),
)
