"""A feed becomes the catalogue HQ works from: judged whole, then applied in one transaction, or refused whole.

Invariant: importing the same feed twice changes nothing and marks nothing; only real changes are published. A feed speaks only
for sellers of source `feed`: those with a desk, their listings and their announced prices are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, bindparam, text
from sqlalchemy import select as select_rows

from marketplace import tables
from marketplace.bodies import compact
from marketplace.db import new_id, reading, rows, run_tx, upsert
from marketplace.feeds.content import HEADER_FILE, Content, read_content
from marketplace.feeds.listings import FILE, FIRST_SELLERS_ID, JudgedSupply, Supply, mark_supply, read_supply
from marketplace.feeds.media_files import store_files
from marketplace.feeds.price_starts import FILE as STARTS_FILE
from marketplace.feeds.price_starts import Announced, judge_price_starts, read_price_starts, store_price_starts
from marketplace.feeds.problems import FeedRefused, Problems
from marketplace.feeds.reductions import NO_HISTORY, PRIOR_DAYS, Goods, published_prices, with_past
from marketplace.feeds.withdrawals import judge_withdrawals
from marketplace.fleet.standings import match_corners_to_feed
from marketplace.publishing.marks import Marks
from pos import clock
from pos.catalog import TABLES
from pos.currencies import decimal

BATCH = 5000
PUBLISHED = frozenset(table.name for table in TABLES)
CONTENT_TABLES = {
    "laws": tables.law,
    "partners": tables.partner,
    "grades": tables.grade,
    "categories": tables.category,
    "sellers": tables.seller,
    "skus": tables.sku,
    "media": tables.media,
    "plans": tables.plan,
    "options": tables.option,
    "corners": tables.corner,
}
EVERY_FILE = frozenset({HEADER_FILE, FILE, STARTS_FILE, *(f"{name}.jsonl" for name in CONTENT_TABLES)})
Progress = Callable[[str, int], None]
T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Imported:
    """What an import did: rows added, changed and removed by table; `marked` rows are for the next publication.

    `notes` say in words what was left out although it is no mistake.
    """

    feed: str
    added: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    listings: int = 0
    marked: int = 0
    notes: list[str] = field(default_factory=list)

    def count(self, table: str, *, added: int, changed: int, removed: int) -> None:
        """Add to the counts of one table."""
        for counts, number in ((self.added, added), (self.changed, changed), (self.removed, removed)):
            if number:
                counts[table] = counts.get(table, 0) + number

    def report(self) -> dict[str, Any]:
        """Return what is kept of it for the console."""
        counts = {"added": self.added, "changed": self.changed, "removed": self.removed}
        return {**counts, "listings": self.listings, "problems": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A feed without a problem: what is stored comes from here, whatever becomes of its files meanwhile."""

    content: Content
    announced: Announced
    supply: JudgedSupply


def import_feed(
    engine: Engine,
    directory: Path,
    *,
    static: Path,
    progress: Progress,
    is_withdrawal_meant: bool = False,
    name: str | None = None,
    sent: Collection[str] = EVERY_FILE,
) -> Imported:
    """Import the feed in `directory`, all or nothing; `progress` hears a stage and a count of rows.

    Media become blobs below `static`, the folder served as `/sync/v1/`, before a row names them. Listings that left the feed are
    withdrawn; many at once only where `is_withdrawal_meant`. The outcome, good or bad, is kept for the console; a feed that is
    refused is called `name`, or as its folder. Of the files only those that were `sent` are stored: what the others hold was told
    from the database, where it may have changed since.
    Raises: FeedRefused with every problem found, up to a hundred.
    """
    started_at = clock.to_text(clock.now())
    try:
        with TemporaryFile() as aside:
            judged = _judge(engine, directory, JudgedSupply(aside), progress)
            fresh = store_files(judged.content.files, static, Problems())

            def work(connection: Connection) -> Imported:
                if not is_withdrawal_meant:
                    _refuse_withdrawals(connection, judged)
                return _apply(connection, judged, fresh, sent, progress)

            imported = run_tx(engine, work)
    except FeedRefused as refusal:
        refused = {"problems": refusal.data["problems"]}
        run_tx(engine, lambda connection: keep_report(connection, name or directory.name, started_at, refused))
        raise
    run_tx(engine, lambda connection: keep_report(connection, imported.feed, started_at, imported.report()))
    return imported


def recent_imports(connection: Connection) -> list[dict[str, Any]]:
    """Return the last imports, good and refused, each with its `report`: counts by table, or the `problems`."""
    kept = rows(connection, "select * from feed_import order by import_id desc limit 10")
    return [{**each, "report": json.loads(each["report"])} for each in kept]


def _judge(engine: Engine, directory: Path, supply: JudgedSupply, progress: Progress) -> Judged:
    """Read everything once without writing, so that the writing transaction is short and cannot meet a bad row."""
    problems = Problems()
    content = read_content(directory, problems)
    announced = read_price_starts(directory, problems)
    currencies = {market: body["currency"] for market, body in content.markets.items()}
    with reading(engine) as connection:
        is_first = _is_empty(connection)
        reduced: list[tuple[int, Supply]] = []
        for number, batch in enumerate(_batches(read_supply(directory, content, supply.lines, problems), BATCH)):
            announced.meet(batch)
            supply.add(batch)
            # A listing that is not on sale announces nothing, and has no history to be held against.
            reduced += [(line, row) for line, row in batch if row.prior_cents is not None and row.is_online]
            if not is_first:
                _judge_owners(connection, batch, problems)
            progress("judged", number * BATCH + len(batch))
        _judge_sellers(connection, content, problems)
        judge_reductions(connection, reduced, currencies, problems)
        judge_price_starts(connection, announced, currencies, problems, now=clock.now())
    problems.refuse_any()
    return Judged(content=content, announced=announced, supply=supply)


def _refuse_withdrawals(connection: Connection, judged: Judged) -> None:
    problems = Problems()
    active = {key for key, seller in judged.content.rows["sellers"].items() if seller["status"] == "active"}
    on_sale = {
        row.listing_id: row.market
        for batch in (() if _is_empty(connection) else judged.supply.batches())
        for row in batch
        if row.is_online and row.quantity and row.seller_id in active
    }
    judge_withdrawals(connection, judged.content, on_sale, problems)
    problems.refuse_any()


def _judge_sellers(connection: Connection, content: Content, problems: Problems) -> None:
    """Refuse what a feed says of sellers who speak for themselves."""
    for seller in rows(connection, "select seller_id from seller where source = 'desk' order by seller_id"):
        if seller["seller_id"] in content.rows["sellers"]:
            problems.add("sellers.jsonl", 0, "seller_id", f"seller {seller['seller_id']} has a desk and speaks for itself")


def _judge_owners(connection: Connection, batch: list[tuple[int, Supply]], problems: Problems) -> None:
    owners = {stored.listing_id: stored.seller_id for stored in _stored_supply(connection, [row for _, row in batch])}
    for line, row in batch:
        owner = owners.get(row.listing_id, row.seller_id)
        if owner != row.seller_id:
            problems.add(FILE, line, "listing_id", f"belongs to seller {owner}")


def judge_reductions(
    connection: Connection, reduced: list[tuple[int, Supply]], currencies: Mapping[str, str], problems: Problems
) -> None:
    """Hold the rows with a prior price against what their sellers published; `currencies` are those of the feed's markets."""
    now = clock.now()
    since = clock.to_text(now - timedelta(days=PRIOR_DAYS))
    markets = with_past(connection, currencies)
    reduced = [(line, row) for line, row in reduced if row.market in markets]
    past = published_prices(connection, {Goods.of(row) for _, row in reduced}, since=since, until=clock.to_text(now))
    for line, row in reduced:
        prices = past.get(Goods.of(row))
        if prices is None:
            problems.add(FILE, line, "prior_price", NO_HISTORY)
        elif row.prior_cents is not None and not prices.justify(price_cents=row.price_cents, prior_cents=row.prior_cents):
            lowest = decimal(prices.lowest_cents, currencies[row.market])
            reason = f"above {lowest}, the lowest price published in {PRIOR_DAYS} days (L112-1-1)"
            problems.add(FILE, line, "prior_price", reason)


def _apply(connection: Connection, judged: Judged, fresh: set[str], sent: Collection[str], progress: Progress) -> Imported:
    content = judged.content
    imported, marks = Imported(feed=content.name, notes=judged.announced.notes), Marks()
    if HEADER_FILE in sent:
        _store_markets(connection, content)
    for file in CONTENT_TABLES:
        if f"{file}.jsonl" in sent:
            store_content(connection, file, content, imported, marks, is_whole=True)
    _mark_restored(content, fresh, marks)
    match_corners_to_feed(connection)
    if FILE in sent:
        store_supply(connection, judged.supply, imported, marks, progress)
        _withdraw_others(connection, judged.supply, imported, marks)
    if STARTS_FILE in sent:
        added, changed, removed = store_price_starts(connection, judged.announced, marks)
        imported.count("price_start", added=added, changed=changed, removed=removed)
    imported.marked = marks.count()
    marks.write(connection)
    return imported


def _store_markets(connection: Connection, content: Content) -> None:
    connection.execute(text("delete from market"))
    values = [{"market": market, "body": compact(body)} for market, body in content.markets.items()]
    if values:
        connection.execute(tables.market.insert(), values)


def store_content(
    connection: Connection, file: str, content: Content, imported: Imported, marks: Marks, *, is_whole: bool
) -> None:
    """Bring one content table to what the feed says: insert, update, where it `is_whole` delete, and mark what is published."""
    table, wanted = CONTENT_TABLES[file], content.columns(file)
    key_name = table.columns[0].name
    query = select_rows(table) if is_whole else select_rows(table).where(table.columns[0].in_(list(wanted)))
    if table is tables.seller:
        query = query.where(table.columns.source == "feed")
    present = {row[key_name]: dict(row) for row in connection.execute(query).mappings()}
    put = [key for key, row in wanted.items() if present.get(key) != row]
    gone = [key for key in present if key not in wanted]
    if put:
        connection.execute(upsert(table), [wanted[key] for key in put])
    if gone:
        connection.execute(text(f"delete from {table.name} where {key_name} = :key"), [{"key": key} for key in gone])
    added = sum(key not in present for key in put)
    imported.count(table.name, added=added, changed=len(put) - added, removed=len(gone))
    if table.name not in PUBLISHED:
        return
    for key in [*put, *gone]:
        versions = [row for row in (present.get(key), wanted.get(key)) if row is not None]
        for market in {row["market"] for row in versions} if "market" in table.columns else content.markets:
            marks.add(market, table.name, key)


def _mark_restored(content: Content, fresh: set[str], marks: Marks) -> None:
    """Mark media whose blob was not there: unchanged rows among them may have been left out of a publication for that."""
    for media_id, row in content.rows["media"].items():
        if row["sha256"] in fresh:
            for market in content.markets:
                marks.add(market, "media", media_id)


def store_supply(connection: Connection, supply: JudgedSupply, imported: Imported, marks: Marks, progress: Progress) -> None:
    """Write the listings that differ from what is stored."""
    is_first = _is_empty(connection)
    write_listings = upsert(tables.listing, skip=("reserved",))
    for batch in supply.batches():
        stored = {} if is_first else {row.listing_id: row for row in _stored_supply(connection, batch)}
        changed = [row for row in batch if stored.get(row.listing_id) != row]
        if changed:
            connection.execute(write_listings, [{**row._asdict(), "reserved": 0} for row in changed])
        for row in changed:
            mark_supply(marks, stored.get(row.listing_id), row)
        added = sum(row.listing_id not in stored for row in changed)
        imported.count("listing", added=added, changed=len(changed) - added, removed=0)
        imported.listings += len(batch)
        progress("stored", imported.listings)


def _withdraw_others(connection: Connection, supply: JudgedSupply, imported: Imported, marks: Marks) -> None:
    # A feed's silence says nothing of what sellers list themselves.
    present = rows(
        connection,
        """
        select listing.seller_id, listing_id, market, listing.state from listing
        join seller on seller.seller_id = listing.seller_id and seller.source = 'feed'
        where listing.state <> 'withdrawn' and listing_id < :sellers
        """,
        sellers=FIRST_SELLERS_ID,
    )
    gone = [listing for listing in present if listing["listing_id"] not in supply.lines]
    withdraw = text("update listing set state = 'withdrawn' where seller_id = :seller_id and listing_id = :listing_id")
    for batch in _batches(gone, BATCH):
        connection.execute(withdraw, batch)
    for listing in gone:
        if listing["state"] == "online":
            marks.add(listing["market"], "listing", listing["listing_id"])
            marks.add(listing["market"], "stock", listing["listing_id"])
    imported.count("listing", added=0, changed=0, removed=len(gone))


def _stored_supply(connection: Connection, batch: list[Supply]) -> list[Supply]:
    """Return what is stored of the listings of these ids, whoever sells them."""
    query = text(f"select {', '.join(Supply._fields)} from listing where listing_id in :ids")
    found = connection.execute(query.bindparams(bindparam("ids", expanding=True)), {"ids": [row.listing_id for row in batch]})
    return [Supply(*row) for row in found]


def _is_empty(connection: Connection) -> bool:
    return not rows(connection, "select 1 as one from listing limit 1")


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def keep_report(connection: Connection, feed: str, started_at: str, report: Mapping[str, Any]) -> None:
    """Keep for the console what an import did, or why it was refused (`problems`)."""
    values = {
        "import_id": new_id(),
        "feed": feed,
        "started_at": started_at,
        "problems": len(report["problems"]),
        "report": json.dumps(report, ensure_ascii=False),
    }
    connection.execute(tables.feed_import.insert(), values)
