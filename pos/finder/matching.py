"""Criteria against the catalogue: what filters is held by every SKU found, what is wished ranks them, and nothing else does.

The score is the number of wishes that hold; among equals the nearest price aimed at, the order asked for, else the shelf's order
come first. Prices are all-in, of the grades asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlite_utils import Database

from pos.db import remembered
from pos.finder.conditions import Condition, Conditions, conditions_of, each_without, spec, wants_of
from pos.finder.names import names_of
from pos.skus import CARD, CARD_COLUMNS, Card, card_of

ORDERS = {
    "price": "price",
    "newest": "sku.year desc",
    "camera": f"{spec('main_mp')} desc",
    "battery": f"coalesce({spec('battery_mah')}, {spec('runtime_h')}) desc",
    "lightest": f"coalesce({spec('weight_g')}, 1e9)",
    "screen": f"{spec('screen_tenths_in')} desc",
    "smallest": f"coalesce({spec('screen_tenths_in')}, 1e9)",
    "storage": "sku.storage_gb desc",
}
MOST_LOOSENED = 8
"""So many criteria are tried out where nothing is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A SKU found, at `offer_cents` all-in, and whether each wish holds, in their order; None where no field tells."""

    card: Card
    offer_cents: int
    wishes: list[bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loosened:
    """The one criterion without which most is found: how many SKUs, and the lowest price of them."""

    key: str
    skus: int
    from_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """What criteria find: the best first, how many there are in all, and what to loosen where there is none."""

    suggestions: list[Suggestion]
    skus: int
    conditions: Conditions
    loosened: Loosened | None


def find(
    database: Database, criteria: Mapping[str, Any], *, year: int, among: tuple[str, ...] = (), limit: int = 12
) -> Suggestions:
    """Return the SKUs on offer that hold what filters, ranked by the wishes. `among` are the categories there are, () for all."""
    return _find(database, json.dumps(criteria), year, among, limit)


@remembered
def _find(database: Database, criteria_text: str, year: int, among: tuple[str, ...], limit: int) -> Suggestions:
    criteria = json.loads(criteria_text)
    conditions = conditions_of(criteria, names_of(database), year=year)
    rows = _rows(database, criteria, conditions, among, limit)
    suggestions = [
        Suggestion(card=card_of(row[:CARD_COLUMNS], cents), offer_cents=cents, wishes=[_held(wish) for wish in wishes])
        for row in rows
        for cents, _, *wishes in [row[CARD_COLUMNS:]]
    ]
    loosened = None if rows else _loosened(database, criteria, conditions, among, year)
    return Suggestions(
        suggestions=suggestions, skus=rows[0][CARD_COLUMNS + 1] if rows else 0, conditions=conditions, loosened=loosened
    )


def _held(wish: int | None) -> bool | None:
    return None if wish is None else bool(wish)


def _rows(
    database: Database, criteria: Mapping[str, Any], conditions: Conditions, among: tuple[str, ...], limit: int
) -> list[tuple[Any, ...]]:
    """Return the columns of cards, how many SKUs there are, and a column for each wish."""
    wishes = "".join(f", {wish.sql}" for wish in conditions.wishes)
    score = " + ".join(f"coalesce({wish.sql}, 0)" for wish in conditions.wishes) or "null"
    tables, values = _tables(criteria, conditions.filters, among)
    wished = {name: value for wish in conditions.wishes for name, value in wish.values.items()}
    return list(
        database.execute(
            f"""
            select {CARD}, price, count(*) over (){wishes}
            {tables}
            order by {score} desc, {_order(criteria)} shelf.rank, sku.sku_id
            limit {limit}
            """,
            {**values, **wished, "price_target_cents": criteria.get("price_target_cents")},
        )
    )


def _order(criteria: Mapping[str, Any]) -> str:
    orders = []
    if criteria.get("sort") in ORDERS:
        orders.append(ORDERS[criteria["sort"]])
    if "price_target_cents" in criteria:
        orders.append("abs(price - :price_target_cents)")
    if "cheap" in wants_of(criteria):
        orders.append("price")
    return "".join(f"{order}, " for order in orders)


def _tables(criteria: Mapping[str, Any], filters: list[Condition], among: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """Return the tables, joined and narrowed, and the values bound."""
    values = {name: value for condition in filters for name, value in condition.values.items()}
    where = [condition.sql for condition in filters]
    if among:
        where.append("shelf.category_id in (select value from json_each(:among))")
        values["among"] = json.dumps(among)
    price = "shelf.from_cents as price"
    if "grade_min" in criteria or criteria.get("new_battery"):
        price = f"({_offer_price(criteria)}) as price"
        values["grade_min"] = criteria.get("grade_min")
    return (
        f"from (select *, {price} from shelf) as shelf cross join shown_sku as sku on sku.sku_id = shelf.sku_id "
        "cross join shown_category as category on category.category_id = shelf.category_id "
        f"where {' and '.join(where) or 'true'}",
        values,
    )


def _offer_price(criteria: Mapping[str, Any]) -> str:
    """Return the lowest price of the offers whose grade and battery are as asked for."""
    wanted = ["offer.sku_id = shelf.sku_id"]
    if "grade_min" in criteria:
        wanted.append(
            "offer.grade_id in (select grade_id from shown_grade where rank >= "
            "(select rank from shown_grade where body ->> '$.code' = :grade_min))"
        )
    join = ""
    if criteria.get("new_battery"):
        join = "join listing on listing.listing_id = offer.listing_id"
        wanted.append("listing.new_battery = 1")
    return f"select min(offer.all_in_cents) from offer {join} where {' and '.join(wanted)}"


def _loosened(
    database: Database, criteria: dict[str, Any], conditions: Conditions, among: tuple[str, ...], year: int
) -> Loosened | None:
    """Return the criterion without which most SKUs are found, None where no single one stands in the way."""
    best: Loosened | None = None
    names = names_of(database)
    for key, rest in islice(each_without(criteria, conditions), MOST_LOOSENED):
        tables, values = _tables(rest, conditions_of(rest, names, year=year).filters, among)
        skus, cents = database.execute(f"select count(*), min(price) {tables}", values).fetchone()
        if skus and (best is None or skus > best.skus):
            best = Loosened(key=key, skus=skus, from_cents=cents)
    return best
