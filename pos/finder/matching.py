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
from pos.finder.conditions import BASE, Condition, Conditions, conditions_of, each_without, spec, wants_of
from pos.finder.names import names_of
from pos.skus import CARD, CARD_COLUMNS, Card, card_of

ORDERS = {
    "price": ("price", ""),
    "newest": ("sku.year", "desc"),
    "camera": (spec("main_mp"), "desc"),
    "battery": (f"coalesce({spec('battery_mah')}, {spec('runtime_h')})", "desc"),
    "lightest": (f"coalesce({spec('weight_g')}, 1e9)", ""),
    "screen": (spec("screen_tenths_in"), "desc"),
    "smallest": (f"coalesce({spec('screen_tenths_in')}, 1e9)", ""),
    "storage": ("sku.storage_gb", "desc"),
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
    suggestions = [_suggestion(row) for row in rows]
    loosened = None if rows else _loosened(database, criteria, conditions, among, year)
    skus = rows[0][CARD_COLUMNS + 1] if rows else 0
    return Suggestions(suggestions=suggestions, skus=skus, conditions=conditions, loosened=loosened)


def _suggestion(row: tuple[Any, ...]) -> Suggestion:
    cents, _, *wishes = row[CARD_COLUMNS:]
    card = card_of(row[:CARD_COLUMNS], cents)
    return Suggestion(card=card, offer_cents=cents, wishes=[None if held is None else bool(held) for held in wishes])


def _rows(
    database: Database, criteria: Mapping[str, Any], conditions: Conditions, among: tuple[str, ...], limit: int
) -> list[tuple[Any, ...]]:
    """Return the best SKU of each model: the columns of its card, what else is known, how many SKUs there are, and its wishes."""
    wishes = [f"wish{index}" for index in range(len(conditions.wishes))]
    wished = "".join(f", {wish.sql} as {name}" for name, wish in zip(wishes, conditions.wishes, strict=True))
    score = " + ".join(f"coalesce({name}, 0)" for name in wishes) or "0"
    orders = _orders(criteria)
    keys = "".join(f", {sql} as order{index}" for index, (sql, _) in enumerate(orders))
    order = f"{score} desc, {''.join(f'order{index} {down}, ' for index, (_, down) in enumerate(orders))} shelf_rank, sku_id"
    tables, values = _tables(criteria, conditions.filters, among)
    wish_values = {name: value for wish in conditions.wishes for name, value in wish.values.items()}
    return list(
        database.execute(
            f"""
            select {CARD}, ranked.price, ranked.skus {"".join(f", ranked.{name}" for name in wishes)}
            from (
              select *, row_number() over (order by {order}) as place,
                row_number() over (partition by brand, base order by {order}) as nth, count(*) over () as skus
              from (
                select shelf.sku_id as sku_id, price, shelf.rank as shelf_rank, shelf.brand as brand, {BASE} as base
                  {wished} {keys}
                {tables}
              )
            ) as ranked
            cross join shelf on shelf.sku_id = ranked.sku_id
            cross join shown_sku as sku on sku.sku_id = ranked.sku_id
            cross join shown_category as category on category.category_id = shelf.category_id
            where nth = 1
            order by place
            limit {limit}
            """,
            {**values, **wish_values, "price_target_cents": criteria.get("price_target_cents")},
        )
    )


def _orders(criteria: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what SKUs of the same score are ordered by, and which way."""
    orders = []
    if criteria.get("sort") in ORDERS:
        orders.append(ORDERS[criteria["sort"]])
    if "price_target_cents" in criteria:
        orders.append(("abs(price - :price_target_cents)", ""))
    if "cheap" in wants_of(criteria):
        orders.append(("price", ""))
    return orders


def _tables(criteria: Mapping[str, Any], filters: list[Condition], among: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """Return the tables, joined and narrowed, and the values bound."""
    values = {name: value for condition in filters for name, value in condition.values.items()}
    where = [condition.sql for condition in filters]
    if among:
        where.append("shelf.category_id in (select value from json_each(:among))")
        values["among"] = json.dumps(among)
    is_preferred = "grade_min" in criteria.get("prefer", ())
    if is_preferred:
        values |= {name: criteria.get(name) for name in ("price_min_cents", "price_max_cents")}
    if "grade_min" in criteria:
        values["grade_min"] = criteria["grade_min"]
    prices = f"{_offer_price(criteria, in_grade=True)} as asked_cents, {_offer_price(criteria, in_grade=False)} as other_cents"
    # A grade that is only preferred takes nothing off the list: where it is not to be had at such a price, another is shown.
    price = "coalesce(asked_cents, other_cents)" if is_preferred else "asked_cents"
    return (
        f"from (select *, {price} as price from (select *, {prices} from shelf)) as shelf "
        "cross join shown_sku as sku on sku.sku_id = shelf.sku_id "
        "cross join shown_category as category on category.category_id = shelf.category_id "
        f"where {' and '.join(where) or 'true'}",
        values,
    )


def _offer_price(criteria: Mapping[str, Any], *, in_grade: bool) -> str:
    """Return the SQL of the lowest price of the offers whose battery is as asked for and, where it counts, whose grade is.

    A preferred grade is had only at a price asked for.
    """
    wanted = ["offer.sku_id = shelf.sku_id"]
    join = ""
    if in_grade and "grade_min" in criteria:
        wanted.append(
            "offer.grade_id in (select grade_id from shown_grade where rank >= "
            "(select rank from shown_grade where body ->> '$.code' = :grade_min))"
        )
        if "grade_min" in criteria.get("prefer", ()):
            wanted += [
                "(:price_min_cents is null or offer.all_in_cents >= :price_min_cents)",
                "(:price_max_cents is null or offer.all_in_cents <= :price_max_cents)",
            ]
    if criteria.get("new_battery"):
        join = "join listing on listing.listing_id = offer.listing_id"
        wanted.append("listing.new_battery = 1")
    if len(wanted) == 1:
        return "from_cents"
    return f"(select min(offer.all_in_cents) from offer {join} where {' and '.join(wanted)})"


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
