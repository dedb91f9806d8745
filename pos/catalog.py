"""The catalogue a corner holds: its tables, which channel owns each, and what is derived from them for fast pages.

Rows come only from HQ. Every table here belongs to one channel; what is derived (`left_out`, `price_now`, `offer`, `shelf`,
`facet`, search) holds nothing that cannot be computed again from the others and the time, and is brought up to date in the
transaction that changes the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from pos import left_out, offers, price_past, prices, spellings
from pos.db import connect, write


@dataclass(frozen=True, slots=True)
class Table:
    """One published table: its channel and its columns, the key first. Order is part of the wire format."""

    name: str
    channel: str
    columns: tuple[str, ...]


CHANNELS = ("content", "price", "stock")
FORMER_PAIRS = "listing.former"
TURNED_STOCK = "stock.turned"
EDITION = 2
"""Which derived tables and which judgement of rows a file was made with; one of another is derived anew when it is opened."""

# The order is the order of application: what others refer to comes first.
TABLES = (
    Table("law", "content", ("law_id", "kind", "valid_from", "valid_to", "body")),
    Table("partner", "content", ("partner_id", "body")),
    Table("grade", "content", ("grade_id", "rank", "body")),
    Table("category", "content", ("category_id", "rank", "body")),
    Table("seller", "content", ("seller_id", "quality_bp", "suspended", "body")),
    Table("sku", "content", ("sku_id", "sku", "category_id", "brand", "model", "storage_gb", "year", "body")),
    Table("media", "content", ("media_id", "sku_id", "category_id", "kind", "rank", "sha256", "length", "body")),
    Table("plan", "content", ("plan_id", "partner_id", "rank", "body")),
    Table("option", "content", ("option_id", "rank", "body")),
    Table(
        "listing",
        "price",
        (
            "listing_id",
            "sku_id",
            "grade_id",
            "seller_id",
            "price_cents",
            "shipping_cents",
            "delivery_days",
            "warranty_months",
            "vat_margin",
            "battery_pct",
            "new_battery",
            "prior_cents",
        ),
    ),
    Table(
        "price_start",
        "price",
        ("price_start_id", "seller_id", "listing_id", "starts_at", "price_cents", "prior_cents"),
    ),
    Table("stock", "stock", ("listing_id", "quantity")),
)

SCHEMA = f"""
pragma user_version = {EDITION};
create table sync_cursor (channel text primary key, epoch text not null, version integer not null, root text not null,
  state blob not null, rows integer not null, applied_at text not null) strict;
create table catalog_fact (name text primary key, value text not null) strict;

create table law (law_id text primary key, kind text not null, valid_from text not null, valid_to text,
  body text not null) strict;
create table partner (partner_id text primary key, body text not null) strict;
create table grade (grade_id integer primary key, rank integer not null, body text not null) strict;
create table category (category_id text primary key, rank integer not null, body text not null) strict;
create table seller (seller_id integer primary key, quality_bp integer not null check (quality_bp between 0 and 10000),
  suspended integer not null check (suspended in (0, 1)), body text not null) strict;
create table sku (sku_id integer primary key, sku text not null unique, category_id text not null, brand text not null,
  model text not null, storage_gb integer, year integer, body text not null) strict;
create table media (media_id integer primary key, sku_id integer, category_id text,
  kind text not null check (kind in ('drawing', 'picture')), rank integer not null, sha256 text not null,
  length integer not null check (length > 0), body text not null,
  check ((sku_id is null) <> (category_id is null))) strict;
create table plan (plan_id integer primary key, partner_id text not null, rank integer not null, body text not null) strict;
create table option (option_id integer primary key, rank integer not null, body text not null) strict;
create table listing (listing_id integer primary key, sku_id integer not null, grade_id integer not null,
  seller_id integer not null, price_cents integer not null check (price_cents > 0),
  shipping_cents integer not null check (shipping_cents >= 0), delivery_days integer not null,
  warranty_months integer not null, vat_margin integer not null, battery_pct integer, new_battery integer not null,
  prior_cents integer) strict;
create table price_start (price_start_id text primary key, seller_id integer not null, listing_id integer not null,
  starts_at text not null, price_cents integer not null check (price_cents > 0), prior_cents integer) strict;
create table stock (listing_id integer primary key, quantity integer not null check (quantity >= 0)) strict;

{left_out.SCHEMA}
create table price_now (listing_id integer primary key, starts_at text not null, price_cents integer not null,
  prior_cents integer) strict;
create table offer (sku_id integer not null, grade_id integer not null, listing_id integer not null,
  all_in_cents integer not null, primary key (sku_id, grade_id)) strict, without rowid;
create table shelf (sku_id integer primary key, category_id text not null, brand text not null, storage_gb integer,
  from_cents integer not null, grades integer not null, year integer not null,
  rank integer not null) strict;
create table facet (category_id text not null, brand text not null, storage_gb integer, skus integer not null) strict;
create virtual table sku_search using fts5 (words, tokenize="unicode61 remove_diacritics 2", prefix='1 2 3');
create virtual table sku_word using fts5vocab ('sku_search', 'row');
create table spelling (stem text not null, word text not null, skus integer not null,
  primary key (stem, word)) strict, without rowid;
"""

# Each order of the shelf carries what lists are narrowed by: a page is read from one index, and the scan ends at its last card.
INDEXES = """
create index listing_by_sku on listing (sku_id, grade_id);
create index price_start_by_time on price_start (starts_at);
create index price_now_by_time on price_now (starts_at);
create index sku_by_model on sku (category_id, brand, model);
create index media_by_sku on media (sku_id, kind, rank);
create index media_by_category on media (category_id, kind, rank);
create index media_by_sha256 on media (sha256);
create index offer_by_price on offer (grade_id, all_in_cents, sku_id);
create index shelf_by_kind on shelf (category_id, brand, storage_gb);
create index shelf_by_rank on shelf (rank, sku_id, category_id, brand, storage_gb, from_cents, grades);
create index shelf_by_price on shelf (from_cents, sku_id, category_id, brand, storage_gb, grades);
create index shelf_by_year on shelf (year, sku_id, category_id, brand, storage_gb, from_cents, grades);
"""


def create_catalog(database: Database) -> None:
    """Make the tables of an empty catalogue, without the indexes: `create_indexes` comes after a bulk load."""
    database.conn.executescript(SCHEMA)


def create_indexes(database: Database) -> None:
    """Make the indexes that pages and refreshes need."""
    database.conn.executescript(INDEXES)


def upgrade_catalog(path: Path, *, now: datetime) -> None:
    """Derive anew what a file of an earlier edition lacks; its rows stay as HQ published them. Nothing where there is no file.

    A file that does not remember prices yet begins to (`pos.price_past`). Raises: DatabaseError, DiskFull; the file then stays as
    it was.
    """
    if not path.exists():
        return
    database = connect(path, durable=False, is_new=False)
    try:
        is_current = database.execute("pragma user_version").fetchone()[0] == EDITION
        if is_current and price_past.is_remembering(database):
            return
        with write(database):
            price_past.begin(database, now=now)
            if is_current:
                return
            for statement in left_out.SCHEMA.split(";\n"):
                database.execute(statement)
            refresh(database, None, now=now)
            database.execute(f"pragma user_version = {EDITION}")
    finally:
        database.close()


def publication(database: Database) -> int:
    """Return the number of HQ's publication this catalogue stands at; 0 before the first."""
    row = database.execute("select value from catalog_fact where name = 'publication'").fetchone()
    return int(row[0]) if row else 0


def currency(database: Database) -> str | None:
    """Return the currency of this catalogue's market; None before its first publication."""
    row = database.execute("select value from catalog_fact where name = 'currency'").fetchone()
    return str(row[0]) if row else None


def refresh(database: Database, touched: Mapping[str, set[Any]] | None, *, now: datetime) -> None:
    """Bring the derived tables up to date; runs inside the transaction that changed the rows.

    `touched` names the changed keys of each table, under `FORMER_PAIRS` the (SKU, grade) that changed listings stood for
    before, since a listing deleted or moved tells it no more, and under `TURNED_STOCK` the listings that sold out or came back:
    other quantities change no offer. None means everything is new. Announced prices that have started
    by `now` are in force afterwards. Rows that no page could show are left out of all of it. Texts are indexed again only when a
    SKU or category changed, and a change of grade or seller touches every offer.
    """
    unfit = left_out.judge(database, touched, now=now)
    due = prices.next_start(database)
    # Comparing all that is in force takes half a second in a large campaign: changes of other rows do not pay for it.
    must_settle = touched is None or "price_start" in touched or (due is not None and due <= now)
    repriced = prices.settle(database, now) if must_settle else set()
    if touched is None or touched.keys() & {"grade", "seller"} or "category" in unfit:
        offers.refresh(database, pairs=None, now=now)
    else:
        listing_ids = touched.get("listing", set()) | touched.get(TURNED_STOCK, set()) | repriced
        pairs = offers.pairs_of(database, listing_ids) | touched.get(FORMER_PAIRS, set())
        offers.refresh(database, pairs=pairs, sku_ids=touched.get("sku", set()), now=now)
    if touched is None or touched.keys() & {"sku", "category"}:
        spellings.index_words(database)
