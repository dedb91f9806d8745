"""Which listing we propose for a SKU and grade, and why: the best quality for its all-in price, the same on every device.

The order of candidates is total (score, price, delivery, seller, listing), so corners without network agree with HQ to the row.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from sqlite_utils import Database

from pos import price_past
from pos.bodies import GradeBody, SellerBody, read_body
from pos.db import Row, remembered
from pos.errors import ListingGone

# A price that was announced and has started comes before the one the listing was published with (`pos.prices`).
STARTED = "left join price_now on price_now.listing_id = listing.listing_id"
STARTED_BY = """
  left join shown_price_start as price_now on price_now.price_start_id = (
    select max(price_start_id) from shown_price_start
    where price_start_id > listing.listing_id || '@' and price_start_id <= listing.listing_id || '@' || ?
  )
"""
"""What stands in the place of `STARTED` for prices as they will be at a moment."""
PRICE = "coalesce(price_now.price_cents, listing.price_cents)"
PRIOR = "case when price_now.listing_id is null then listing.prior_cents else price_now.prior_cents end"
# Quality per all-in cent as an integer, so that no rounding of floats can differ between machines (domain.md §2).
SCALE = 1_000_000
TURNS = {
    "score": f"seller.quality_bp * {SCALE} / ({{price}} + listing.shipping_cents) desc",
    "price": "{price} + listing.shipping_cents",
    "delivery": "listing.delivery_days",
    "seller": "listing.seller_id",
    "listing": "listing.listing_id",
}
ORDER = tuple(TURNS)
"""By what candidates are compared, one after the other."""
BEST_FIRST = ", ".join(TURNS.values())
WEIGHTS = {"cancel_bp": 4, "defect_bp": 3, "late_bp": 1}
"""What a point of each rate costs in points of quality; cancellations cost a customer the phone (domain.md §2)."""
REPLY_BP, MOST_REPLY_BP = 10, 500
"""What an hour before an answer costs, and all of them at most."""
ON_OFFER = """
  from shown_listing as listing
  join stock on stock.listing_id = listing.listing_id and stock.quantity > 0
  join shown_seller as seller on seller.seller_id = listing.seller_id and seller.suspended = 0
  {started}
  where coalesce(listing.battery_pct, 100) >= {floor}
"""
SOME_PAIRS = """
  select cast(substr(value, 1, instr(value, '.') - 1) as integer) as sku_id,
    cast(substr(value, instr(value, '.') + 1) as integer) as grade_id
  from json_each(:pairs)
"""
SHELF_ROWS = """
  select sku.sku_id, sku.category_id, sku.brand, sku.storage_gb, min(offer.all_in_cents), sum(1 << grade.rank),
    coalesce(sku.year, 0),
    (select 1000 - min(count(*), 999) from shown_listing where sku_id = sku.sku_id) * 10000 + 2100 - coalesce(sku.year, 2000)
  from offer cross join shown_sku as sku using (sku_id) cross join shown_grade as grade using (grade_id)
    cross join shown_category using (category_id)
  {only}
  group by offer.sku_id
"""


class Grade(GradeBody):
    """A class of looks, with its key and its place: 1 is the plainest."""

    grade_id: int
    rank: int


class Seller(SellerBody):
    """Who sells, with its quality from 0 to 10,000 (`quality_bp`)."""

    quality_bp: int


class RunnerUp(TypedDict):
    """Whose listing comes next, how much dearer it is (cheaper below 0), and what else it lost by."""

    name: str
    difference_cents: int
    quality_bp: int
    delivery_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A listing we propose. Cents are all in the market's currency; `all_in_cents` is price and shipping together."""

    listing_id: int
    sku_id: int
    grade_id: int
    seller_id: int
    seller: Seller
    price_cents: int
    shipping_cents: int
    all_in_cents: int
    delivery_days: int
    warranty_months: int
    vat_margin: bool
    battery_pct: int | None
    new_battery: bool
    prior_cents: int | None
    quantity: int
    runners_up: tuple[RunnerUp, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One grade of the ladder with its winning offer, None where nobody offers it."""

    grade: Grade
    offer: Offer | None


def quality_bp(metrics: dict[str, int]) -> int:
    """Return a seller's quality, 0 to 10,000, from `cancel_bp`, `defect_bp`, `late_bp` and `reply_h`."""
    rates = sum(weight * metrics[name] for name, weight in WEIGHTS.items())
    return max(0, 10000 - rates - min(MOST_REPLY_BP, REPLY_BP * metrics["reply_h"]))


def best_first(price: str) -> str:
    """Return the order of candidates, for `order by`; `price` is the expression of a listing's price in force, in cents."""
    return BEST_FIRST.format(price=price)


@remembered
def grades(database: Database) -> list[Grade]:
    """Return the grades, the plainest first."""
    rows = database.execute("select grade_id, rank, body from shown_grade order by rank")
    bodies: list[tuple[int, int, GradeBody]] = [(grade_id, rank, read_body(text)) for grade_id, rank, text in rows]
    return [{**body, "grade_id": grade_id, "rank": rank} for grade_id, rank, body in bodies]


@remembered
def ladder(database: Database, sku_id: int, at: str | None = None) -> list[Rung]:
    """Return a rung for every grade, the plainest first; a grade nobody offers has no offer.

    `at`, a UTC text to come, asks for the ladder as announced prices will have made it by then, all else being as it is now.
    """
    if at is None:
        rows = _rows(database, "and listing.sku_id = ?", [sku_id])
    else:
        rows = _rows(database, "and listing.sku_id = ?", [at, sku_id], started=STARTED_BY)
    return _rungs(database, rows)


@remembered
def ladders(database: Database, sku_ids: tuple[int, ...]) -> dict[int, list[Rung]]:
    """Return the ladder of each of a few SKUs, all read together."""
    rows = _rows(database, "and listing.sku_id in (select value from json_each(?))", [json.dumps(sku_ids)])
    return {sku_id: _rungs(database, [row for row in rows if row["sku_id"] == sku_id]) for sku_id in sku_ids}


def least_dear(rungs: list[Rung]) -> Rung | None:
    """Return the rung a device is first shown with: the least dear on offer, the plainest of equals; None where none is."""
    on_offer = [rung for rung in rungs if rung.offer is not None]
    return min(on_offer, key=lambda rung: rung.offer.all_in_cents if rung.offer else 0, default=None)


def offer_of_listing(database: Database, listing_id: int) -> Offer:
    """Return what this listing offers now, whether or not it wins its grade.

    Raises: ListingGone, with the `sku` and `grade_id` it was for when the listing is still known.
    """
    rows = _rows(database, "and listing.listing_id = ?", [listing_id])
    if rows:
        return _offer(rows[0], [])
    known = database.execute(
        "select sku, grade_id from shown_listing join shown_sku using (sku_id) where listing_id = ?", [listing_id]
    ).fetchone()
    sku, grade_id = known or (None, None)
    raise ListingGone(listing_id=listing_id, sku=sku, grade_id=grade_id)


def winning_offer(database: Database, sku_id: int, grade_id: int, *, quantity: int = 1) -> Offer | None:
    """Return the offer that wins this SKU and grade, or None when nobody offers as many as `quantity`."""
    where = "and listing.sku_id = ? and listing.grade_id = ? and stock.quantity >= ?"
    rows = _rows(database, where, [sku_id, grade_id, quantity])
    return _offer(rows[0], rows[1:3]) if rows else None


def price_to_win_cents(
    winner: Offer, *, quality_bp: int, shipping_cents: int, delivery_days: int, seller_id: int, listing_id: int
) -> int:
    """Return the highest price at which such a listing comes before `winner`; below one cent none does."""
    score = winner.seller["quality_bp"] * SCALE // winner.all_in_cents
    by_score = quality_bp * SCALE // (score + 1)
    is_first = (delivery_days, seller_id, listing_id) < (winner.delivery_days, winner.seller_id, winner.listing_id)
    by_price = winner.all_in_cents - (not is_first)
    if score:
        by_price = min(by_price, quality_bp * SCALE // score)
    return max(by_score, by_price) - shipping_cents


def pairs_of(database: Database, listing_ids: Collection[int]) -> set[tuple[int, int]]:
    """Return the (SKU, grade) pairs these listings stand for; a listing that is gone stands for none."""
    rows = database.execute(
        "select sku_id, grade_id from json_each(?) cross join listing on listing.listing_id = json_each.value",
        [json.dumps(sorted(listing_ids))],
    )
    return {(sku_id, grade_id) for sku_id, grade_id in rows}


def refresh(
    database: Database, *, pairs: Collection[tuple[int, int]] | None, sku_ids: Collection[int] = (), now: datetime | None = None
) -> None:
    """Find the winner of these (SKU, grade) pairs again, and the shelf row of their SKUs and of `sku_ids`.

    None for `pairs` means all of everything. Only rows that come out different are written: most changes of price or stock
    leave the winner and the lowest price alone, and each row written costs pages of four indexes. A catalogue that remembers
    prices notes what was proposed until `now` (`pos.price_past`).
    Runs inside the caller's transaction.
    """
    given: dict[str, str] = {}
    if pairs is not None:
        given["pairs"] = json.dumps([f"{sku_id}.{grade_id}" for sku_id, grade_id in sorted(pairs)])
        given["skus"] = json.dumps(sorted({sku_id for sku_id, _ in pairs} | set(sku_ids)))
    every_pair = "select sku_id, grade_id from (select distinct sku_id from shown_listing) cross join shown_grade"
    # Most of the time no announced price is in force: not looking for one saves a quarter.
    is_any = database.execute("select exists(select 1 from price_now)").fetchone()[0]
    price, started = (PRICE, STARTED) if is_any else ("listing.price_cents", "")
    winners = f"""
        select best.sku_id, best.grade_id, best.listing_id, {price} + listing.shipping_cents
        from (
          select pair.sku_id, pair.grade_id, (
            select listing.listing_id
            {_on_offer(database, started)} and listing.sku_id = pair.sku_id and listing.grade_id = pair.grade_id
            order by {best_first(price)}
            limit 1
          ) as listing_id
          from ({SOME_PAIRS if given else every_pair}) as pair
        ) as best
        join shown_listing as listing on listing.listing_id = best.listing_id
        {started}
    """
    held = f"select sku_id, grade_id, listing_id, all_in_cents from offer where (sku_id, grade_id) in ({SOME_PAIRS})"
    past = now if now is not None and price_past.is_remembering(database) else None
    _settle(database, "offer", winners, held if given else None, given, key_length=2, past=past)
    held = "select * from shelf where sku_id in (select value from json_each(:skus))"
    only = "where offer.sku_id in (select value from json_each(:skus))" if given else ""
    if _settle(database, "shelf", SHELF_ROWS.format(only=only), held if given else None, given, key_length=1):
        database.execute("delete from facet")
        database.execute(
            """
            insert into facet (category_id, brand, storage_gb, skus)
            select category_id, brand, storage_gb, count(*) from shelf group by category_id, brand, storage_gb
            """
        )


def _settle(
    database: Database,
    table: str,
    wanted: str,
    held: str | None,
    given: dict[str, str],
    *,
    key_length: int,
    past: datetime | None = None,
) -> bool:
    """Make the rows that `held` selects equal those that `wanted` computes; tell whether rows came or went.

    Without `held` the whole table is written anew. What offers were is remembered as of `past`.
    """
    names = {name: text for name, text in given.items() if f":{name}" in wanted + (held or "")}
    if held is None:
        if past is not None:
            price_past.remember_all(database, now=past)
        database.execute(f"delete from {table}")
        database.execute(f"insert into {table} {wanted}", names)
        if past is not None:
            price_past.forget_unmoved(database, now=past)
        return True
    before = {tuple(row) for row in database.execute(held, names)}
    after = {tuple(row) for row in database.execute(wanted, names)}
    if past is not None:
        price_past.remember(database, before, after, now=past)
    keys_before, keys_after = ({row[:key_length] for row in rows} for rows in (before, after))
    keys = " and ".join(("sku_id = ?", "grade_id = ?")[:key_length])
    database.conn.executemany(f"delete from {table} where {keys}", sorted(keys_before - keys_after))
    changed = sorted((row for row in after - before), key=lambda row: row[:key_length])
    if changed:
        marks = ", ".join("?" * len(changed[0]))
        database.conn.executemany(f"insert or replace into {table} values ({marks})", changed)
    return keys_before != keys_after or {row[:4] for row in before} != {row[:4] for row in after}


@remembered
def _on_offer(database: Database, started: str = STARTED) -> str:
    """Return the tables and the condition of what can be offered, the battery floors of the grades written into it.

    Reading a floor out of its grade's JSON for every listing would cost more than all the rest of a refresh.
    """
    floors = database.execute("select grade_id, coalesce(body ->> '$.battery_min_pct', 0) from shown_grade")
    cases = " ".join(f"when {int(grade_id)} then {int(floor)}" for grade_id, floor in floors)
    return ON_OFFER.format(started=started, floor=f"case listing.grade_id {cases} end" if cases else "null")


def _rows(database: Database, where: str, values: list[Any], *, started: str = STARTED) -> list[Row]:
    rows = database.execute(
        f"""
        select listing.listing_id, listing.sku_id, listing.grade_id, listing.seller_id, {PRICE} as price_cents,
          listing.shipping_cents, {PRICE} + listing.shipping_cents as all_in_cents, listing.delivery_days,
          listing.warranty_months, listing.vat_margin, listing.battery_pct, listing.new_battery, {PRIOR} as prior_cents,
          stock.quantity, seller.quality_bp, seller.body as seller_body
        {_on_offer(database, started)} {where}
        order by {best_first(PRICE)}
        """,
        values,
    )
    rows.row_factory = Row
    return rows.fetchall()


def _rungs(database: Database, rows: list[Row]) -> list[Rung]:
    """Return the rungs of one SKU, whose candidates are `rows`, the best first."""
    rungs = []
    for grade in grades(database):
        candidates = [row for row in rows if row["grade_id"] == grade["grade_id"]]
        offer = _offer(candidates[0], candidates[1:3]) if candidates else None
        rungs.append(Rung(grade=grade, offer=offer))
    return rungs


def _offer(row: Row, runners_up: list[Row]) -> Offer:
    seller: SellerBody = read_body(row["seller_body"])
    return Offer(
        listing_id=row["listing_id"],
        sku_id=row["sku_id"],
        grade_id=row["grade_id"],
        seller_id=row["seller_id"],
        seller={**seller, "quality_bp": row["quality_bp"]},
        price_cents=row["price_cents"],
        shipping_cents=row["shipping_cents"],
        all_in_cents=row["all_in_cents"],
        delivery_days=row["delivery_days"],
        warranty_months=row["warranty_months"],
        vat_margin=bool(row["vat_margin"]),
        battery_pct=row["battery_pct"],
        new_battery=bool(row["new_battery"]),
        prior_cents=row["prior_cents"],
        quantity=row["quantity"],
        runners_up=tuple(
            {
                "name": read_body(other["seller_body"])["name"],
                "difference_cents": other["all_in_cents"] - row["all_in_cents"],
                "quality_bp": other["quality_bp"],
                "delivery_days": other["delivery_days"],
            }
            for other in runners_up
        ),
    )
