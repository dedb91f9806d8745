"""One planogram, one price, one text of HQ's catalogue changed in the console: a feed of one row.

Invariant: it is judged by the rules of a whole feed and leaves the same marks, so it is published as any feed is; what somebody
else changed meanwhile is never overwritten unseen; who changed what, and why, is kept with the imports.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, Engine, select

from marketplace import tables
from marketplace.db import rows, run_tx
from marketplace.feeds import listings
from marketplace.feeds.content import Content, Row, wrong_in_feed_row
from marketplace.feeds.edit_fields import EDITED, LISTINGS, TABLE, EditField, fields_of, with_values
from marketplace.feeds.imports import CONTENT_TABLES, Imported, judge_reductions, keep_report, store_content, store_supply
from marketplace.feeds.listings import JudgedSupply, judge_record
from marketplace.feeds.price_starts import Announced, PriceStart, judge_price_starts, stored_starts
from marketplace.feeds.problems import Problems
from marketplace.feeds.shapes import FEED_ROWS
from marketplace.feeds.stored import TABLE_OF, last_name, listing_record, stored_markets, stored_rows, stored_supply
from marketplace.fleet.standings import match_corners_to_feed
from marketplace.publishing.marks import Marks
from pos import clock
from pos.errors import Conflict, NotFound
from sync.hq.log import HQ, Mark, waiting_marks

SKU = select(tables.sku.c.sku_id, tables.sku.c.sku)
WAITING = "select 1 as one from sync_dirty where table_name = :table and row_key = :key and origin = :origin limit 1"
MOST_EDITS = 30
MOST_DIGITS = 16


class EditedMeanwhile(Conflict):
    """What was to be changed is no longer what it was; `data["now"]` has today's value of each such field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One row of HQ's catalogue that may be edited: its file and key, what it is called, its row and what of it may change.

    `market` is None where the row belongs to all; amounts are in `currency`.
    """

    file: str
    key: str
    title: str
    market: str | None
    currency: str
    row: Row
    fields: tuple[EditField, ...]

    @property
    def values(self) -> dict[str, str]:
        """The value of each field as text."""
        return {field.name: field.value for field in self.fields}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """What a field was and what it is to be, as text."""

    was: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What somebody changes of a row, by field, and why."""

    file: str
    key: str
    changes: Mapping[str, FieldChange]
    who: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEdit:
    """An edit that was made: of what, when, and whether it still waits for a publication."""

    edit: Edit
    title: str
    made_at: str
    is_waiting: bool


def target_of(connection: Connection, file: str, key: str) -> Target:
    """Return what is to be edited as it is now. Raises: NotFound, for listings of sellers with a desk as well."""
    row = _row(connection, file, key) if file in EDITED else None
    if row is None:
        raise NotFound(f"nothing to edit: {file} {key}")
    markets = stored_markets(connection)
    market = row.get("market")
    currency = next((body["currency"] for name, body in markets.items() if market in (None, name)), "EUR")
    fields = tuple(fields_of(file, row, currency=currency, skus=_codes(connection, row)))
    title = _title(connection, file, row)
    return Target(file=file, key=key, title=title, market=market, currency=currency, row=row, fields=fields)


def judge_edit(connection: Connection, edit: Edit) -> None:
    """Judge an edit as the feed of one row that it is. Raises: NotFound, EditedMeanwhile, FeedRefused."""
    _judged(connection, edit)


def make_edit(engine: Engine, edit: Edit) -> Imported:
    """Change HQ's catalogue; published rows then wait for a publication, a corner's table is there for its kiosk at once.

    Raises: NotFound, EditedMeanwhile, FeedRefused.
    """

    def work(connection: Connection) -> Imported:
        target, content, supply = _judged(connection, edit)
        imported, marks = Imported(feed=content.name), Marks()
        if edit.file == LISTINGS:
            store_supply(connection, supply, imported, marks, lambda _stage, _count: None)
        else:
            store_content(connection, edit.file, content, imported, marks, is_whole=False)
            match_corners_to_feed(connection)
        imported.marked = marks.count()
        marks.write(connection)
        now = clock.to_text(clock.now())
        keep_report(connection, content.name, now, {**imported.report(), "edit": {**asdict(edit), "title": target.title}})
        return imported

    return run_tx(engine, work)


def marks_of(connection: Connection, edit: Edit, market: str) -> list[Mark]:
    """Return the marks that wait in a market for the publication of what was edited."""
    of_row = (TABLE_OF.get(edit.file, "listing"), _row_key(edit))
    return [mark for mark in waiting_marks(connection, market, origins=(HQ,)) if mark[:2] == of_row]


def recent_edits(connection: Connection, *, of: tuple[str, str] | None = None) -> list[KeptEdit]:
    """Return the edits that were made last, the newest first; of one file and key alone where these are given."""
    kept = rows(connection, "select * from feed_import where report like '%\"edit\":%' order by import_id desc limit 200")
    edits: list[KeptEdit] = []
    for stored in kept:
        said = json.loads(stored["report"])["edit"]
        title = said.pop("title")
        changes = {name: FieldChange(**change) for name, change in said.pop("changes").items()}
        edit = Edit(changes=changes, **said)
        if of in (None, (edit.file, edit.key)) and len(edits) < MOST_EDITS:
            is_waiting = bool(rows(connection, WAITING, table=TABLE_OF.get(edit.file, "listing"), key=_row_key(edit), origin=HQ))
            edits.append(KeptEdit(edit=edit, title=title, made_at=stored["started_at"], is_waiting=is_waiting))
    return edits


def sku_ids(connection: Connection, codes: list[str]) -> dict[str, int]:
    """Return the ids of the SKUs with these codes."""
    return {each.sku: each.sku_id for each in connection.execute(SKU.where(tables.sku.c.sku.in_(codes)))}


def _judged(connection: Connection, edit: Edit) -> tuple[Target, Content, JudgedSupply]:
    target, content, problems = target_of(connection, edit.file, edit.key), _context(connection), Problems()
    values = target.values
    moved = {name: values.get(name, "") for name, change in edit.changes.items() if values.get(name) != change.was}
    if moved:
        raise EditedMeanwhile(now=moved)
    supply = JudgedSupply(io.BytesIO())
    typed = {name: change.now for name, change in edit.changes.items()}
    codes = [line.rpartition("=")[2] for line in typed.get(TABLE, "").splitlines()]
    row = with_values(edit.file, target.row, typed, currency=target.currency, sku_ids=sku_ids(connection, codes))
    if edit.file == LISTINGS:
        _judge_listing(connection, row, content, supply, problems)
    else:
        for field, reason in wrong_in_feed_row(edit.file, row, content):
            problems.add(f"{edit.file}.jsonl", 0, field, reason)
        content.rows[edit.file] = {_key(edit.file, edit.key): row}
    problems.refuse_any()
    return target, content, supply


def _judge_listing(connection: Connection, row: Row, content: Content, supply: JudgedSupply, problems: Problems) -> None:
    listing = judge_record([row[column] for column in listings.HEADER], content, problems)
    problems.refuse_any()
    if listing is None:
        return
    supply.add([(0, listing)])
    currencies = {market: body["currency"] for market, body in content.markets.items()}
    if listing.prior_cents is not None and listing.is_online:
        judge_reductions(connection, [(0, listing)], currencies, problems)
    # A price announced for later names the lowest of the 30 days before it: today's is one of them.
    announced = Announced()
    announced.starts[listing.listing_id] = [
        PriceStart(
            line=0,
            listing_id=start["listing_id"],
            starts_at=start["starts_at"],
            price_cents=start["price_cents"],
            prior_cents=start["prior_cents"],
            is_urgent=True,
            decimals={},
        )
        for start in stored_starts(connection)
        if start["listing_id"] == listing.listing_id
    ]
    announced.meet([(0, listing)])
    judge_price_starts(connection, announced, currencies, problems, now=clock.now())


def _context(connection: Connection) -> Content:
    """Return what a row is held against, without what only fills memory."""
    content = Content(name=last_name(connection), markets=stored_markets(connection))
    for file in FEED_ROWS:
        if file in ("skus", "corners", "media"):
            content.rows[file] = {}
        else:
            content.rows[file] = {row[CONTENT_TABLES[file].columns[0].name]: row for row in stored_rows(connection, file)}
    content.rows["skus"] = {each["sku_id"]: {} for each in rows(connection, "select sku_id from sku")}
    content.take_words()
    return content


def _row_key(edit: Edit) -> str:
    """Return the key by which marks name what is edited (`sync.hq.log`)."""
    return json.dumps(_key(edit.file, edit.key))


def _key(file: str, key: str) -> int | str:
    if file != LISTINGS and CONTENT_TABLES[file].columns[0].type.python_type is str:
        return key
    if not (key.isascii() and key.isdigit() and len(key) < MOST_DIGITS):
        raise NotFound(f"nothing to edit: {file} {key}")
    return int(key)


def _row(connection: Connection, file: str, key: str) -> Row | None:
    known = _key(file, key)
    if not isinstance(known, int) or file != LISTINGS:
        return next(stored_rows(connection, file, key=known), None)
    supply = next(stored_supply(connection, listing_id=known), None)
    if supply is None:
        return None
    grades = {each["grade_id"]: each["code"] for each in stored_rows(connection, "grades")}
    currency = stored_markets(connection)[supply.market]["currency"]
    return listing_record(supply, currency=currency, grade=grades[supply.grade_id])


def _codes(connection: Connection, row: Row) -> dict[int, str]:
    ids = sorted({spot["sku_id"] for spot in row.get(TABLE, ())})
    return {each.sku_id: each.sku for each in connection.execute(SKU.where(tables.sku.c.sku_id.in_(ids)))}


def _title(connection: Connection, file: str, row: Row) -> str:
    if file == LISTINGS:
        [sku] = stored_rows(connection, "skus", key=int(row["sku_id"]))
        return f"{row['listing_id']} · {sku['sku']} · {row['grade']}"
    name = row.get("name", row.get("law_id"))
    return str(name.get("fr") or next(iter(name.values())) if isinstance(name, dict) else name)
