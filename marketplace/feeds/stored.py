"""HQ's working catalogue as the files of a feed: what single files that are sent, and edits made in the console, are judged with.

Invariant: importing what is written here changes nothing. It comes from the database, so it knows the units that were shipped and
the prices that started since a feed was sent.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from marketplace.bodies import compact
from marketplace.db import row, rows, statement
from marketplace.feeds import listings, price_starts
from marketplace.feeds.content import HEADER_FILE, Row
from marketplace.feeds.listings import FIRST_SELLERS_ID, Supply
from marketplace.feeds.media_files import ENDINGS
from marketplace.feeds.media_files import FOLDER as MEDIA
from marketplace.feeds.shapes import FEED_ROWS
from marketplace.publishing.media import BLOBS
from pos.currencies import decimal

TABLE_OF = {name: name if name == "media" else name.removesuffix("s") for name in FEED_ROWS} | {"categories": "category"}
"""The table of each readable file."""
VAT_TYPES = ("REGULAR", "MARGINAL")
FORMAT = "comptoir-feed/1"


def stored_markets(connection: Connection) -> dict[str, Row]:
    """Return HQ's markets by name: currency, languages, whether prices hold the tax; empty before the first import."""
    kept = rows(connection, "select market, body from market order by market")
    return {each["market"]: json.loads(each["body"]) for each in kept}


def stored_rows(connection: Connection, file: str, *, key: Any = None) -> Iterator[Row]:
    """Yield the rows of a readable file as a feed has them, in order of their keys; or the one of `key`, if there is one."""
    table, key_name = TABLE_OF[file], next(iter(FEED_ROWS[file].model_fields))
    wheres = [*(["source = 'feed'"] if file == "sellers" else []), *([f"{key_name} = :key"] if key is not None else [])]
    where = f" where {' and '.join(wheres)}" if wheres else ""
    values = {} if key is None else {"key": key}
    for stored in rows(connection, f"select * from {table}{where} order by {key_name}", **values):
        yield _as_sent(file, stored)


def stored_supply(connection: Connection, *, listing_id: int | None = None) -> Iterator[Supply]:
    """Yield the listings that HQ's feed speaks for, withdrawn ones left out, in order of their ids; or the one of this id."""
    one = "" if listing_id is None else " and listing_id = :listing_id"
    columns = ", ".join(f"listing.{name}" for name in Supply._fields)
    found = connection.execute(
        statement(
            f"select {columns} from listing join seller on seller.seller_id = listing.seller_id and seller.source = 'feed' "
            f"where listing.state <> 'withdrawn' and listing_id < :sellers{one} order by listing_id"
        ),
        {"sellers": FIRST_SELLERS_ID, **({} if listing_id is None else {"listing_id": listing_id})},
    )
    return (Supply(*each) for each in found)


def listing_record(supply: Supply, *, currency: str, grade: str) -> dict[str, str]:
    """Return a line of `listings.csv` by its columns; `grade` is the code of the listing's grade."""
    said: dict[str, Any] = {
        **supply._asdict(),
        "grade": grade,
        "currency": currency,
        "price": decimal(supply.price_cents, currency),
        "shipping_price": decimal(supply.shipping_cents, currency),
        "prior_price": "" if supply.prior_cents is None else decimal(supply.prior_cents, currency),
        "vat_type": VAT_TYPES[supply.vat_margin],
        "battery_pct": "" if supply.battery_pct is None else supply.battery_pct,
    }
    return {column: str(said[column]) for column in listings.HEADER}


def complete_feed(connection: Connection, place: Path, static: Path) -> None:
    """Put beside the files of a feed in the folder `place` those that are not there, as HQ has them now."""
    markets = stored_markets(connection)
    if not (place / HEADER_FILE).exists():
        header = {"format": FORMAT, "name": last_name(connection), "markets": markets}
        (place / HEADER_FILE).write_text(compact(header), encoding="utf-8")
    for file in FEED_ROWS:
        path = place / f"{file}.jsonl"
        if not path.exists():
            _write_rows(path, stored_rows(connection, file))
            if file == "media":
                _link_media(connection, place, static)
    currencies = {market: body["currency"] for market, body in markets.items()}
    if not (place / listings.FILE).exists():
        grades = {each["grade_id"]: each["code"] for each in stored_rows(connection, "grades")}
        records = (
            listing_record(supply, currency=currencies[supply.market], grade=grades[supply.grade_id])
            for supply in stored_supply(connection)
        )
        _write_table(place / listings.FILE, listings.HEADER, records)
    if not (place / price_starts.FILE).exists():
        _write_table(place / price_starts.FILE, price_starts.HEADER, _starts(connection, currencies))


def last_name(connection: Connection) -> str:
    """Return what the feed that was imported last is called."""
    last = row(connection, "select feed from feed_import where problems = 0 order by import_id desc limit 1")
    return str(last["feed"]) if last else "HQ"


def _as_sent(file: str, stored: Mapping[str, Any]) -> Row:
    body: Row = json.loads(stored["body"])
    if file == "laws":
        source = body.pop("source")
        names = ("law_id", "market", "kind", "valid_from", "valid_to")
        return {**{name: stored[name] for name in names}, "source": source, "body": body}
    if file == "media":
        columns = ("media_id", "sku_id", "category_id", "kind", "rank", "sha256")
        said = {name: stored[name] for name in columns if stored[name] is not None}
        return {**said, "file": _file_of(stored["sha256"], body["type"]), "alt": body["alt"], "credit": body["credit"]}
    return body


def _file_of(sha256: str, type_: str) -> str:
    return sha256 + next(ending for ending, known in ENDINGS.items() if known == type_)


def _link_media(connection: Connection, place: Path, static: Path) -> None:
    (place / MEDIA).mkdir(exist_ok=True)
    for medium in stored_rows(connection, "media"):
        blob, ours = static / BLOBS / medium["sha256"], place / MEDIA / medium["file"]
        if blob.exists() and not ours.exists():
            os.link(blob, ours)


def _starts(connection: Connection, currencies: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for start in price_starts.stored_starts(connection):
        currency, prior_cents = currencies[start["market"]], start["prior_cents"]
        yield {
            "listing_id": str(start["listing_id"]),
            "starts_at": start["starts_at"],
            "price": decimal(start["price_cents"], currency),
            "prior_price": "" if prior_cents is None else decimal(prior_cents, currency),
            "urgent": "1",
        }


def _write_rows(path: Path, sent: Iterable[Row]) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.writelines(compact(each) + "\n" for each in sent)


def _write_table(path: Path, header: list[str], records: Iterable[Mapping[str, str]]) -> None:
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, delimiter=";", lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
