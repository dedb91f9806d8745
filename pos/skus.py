"""Finding a SKU: browsing, searching, one page of facts, and comparing. Every list is keyset-paged and bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypedDict, cast

from sqlite_utils import Database

from pos import spellings
from pos.bodies import CategoryBody, ColorBody, Names, read_body
from pos.db import remembered
from pos.errors import Invalid, NotFound

# Each order's column, and whether it runs down; the column of "price" is that of the grade asked for, where one is.
SORTS = {
    "popular": ("shelf.rank", False),
    "price": ("shelf.from_cents", False),
    "-price": ("shelf.from_cents", True),
    "new": ("shelf.year", True),
}
KEYS = {"sku_search": "rowid", "shelf": "sku_id", "offer": "sku_id"}
AMONG = "{} in (select value from json_each(:among))"
MAX_COMPARED = 4
MOST_GATHERED = 1500
"""So many SKUs are gathered and sorted in a millisecond; an index of all of them may be read in vain for ten."""


class BadQuery(Invalid):
    """A browse parameter is not of the known shape; `data` names the `field`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a customer asked for; None or "" means no wish. Prices are all-in cents.

    `among` are the categories there are where they are, every one where it names none.
    """

    q: str = ""
    category: str | None = None
    brand: str | None = None
    grade_id: int | None = None
    min_cents: int | None = None
    max_cents: int | None = None
    storage_gb: int | None = None
    sort: str = "popular"
    after: str | None = None
    among: tuple[str, ...] = ()


class Card(TypedDict):
    """A SKU in a list: `from_cents` all-in at its lowest, `ranks` of the grades it is offered in."""

    sku_id: int
    sku: str
    brand: str
    model: str
    storage_gb: int | None
    category_id: str
    form: str
    year: int | None
    color: ColorBody | None
    specs: Mapping[str, Any]
    from_cents: int
    ranks: list[int]


class Sibling(TypedDict):
    """Another capacity or colour of a model, on offer."""

    sku_id: int
    sku: str
    storage_gb: int | None
    color: ColorBody | None
    from_cents: int


class CategoryChoice(TypedDict):
    """A kind of device to narrow a list to."""

    category_id: str
    form: str
    name: Names


class BrandChoice(TypedDict):
    """A brand to narrow a list to."""

    brand: str


class StorageChoice(TypedDict):
    """A capacity to narrow a list to."""

    storage_gb: int


class Facets(TypedDict):
    """What a query can be narrowed to."""

    categories: list[CategoryChoice]
    brands: list[BrandChoice]
    storages: list[StorageChoice]


class Category(CategoryBody):
    """A kind of device, with its key."""

    category_id: str


class Sku(TypedDict):
    """Everything known of a SKU. `from_cents` and `grades` (a bit for each rank) are None where nobody offers it."""

    sku_id: int
    sku: str
    category_id: str
    brand: str
    model: str
    storage_gb: int | None
    year: int | None
    color: ColorBody | None
    specs: Mapping[str, Any]
    updates_until: int | None
    new_price: Mapping[str, Any] | None
    category: Category
    form: str
    from_cents: int | None
    grades: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of cards, the key of the next page, and the words understood instead where a typo was forgiven."""

    cards: list[Card]
    after: str | None
    corrected: str | None


@remembered
def browse(database: Database, query: Query, *, limit: int = 24) -> Page:
    """Return a page of SKUs on offer, each at its lowest price, or at the lowest of the grade asked for. Raises: BadQuery."""
    if query.sort not in SORTS:
        raise BadQuery(field="sort")
    match, corrected = spellings.match(database, query.q)
    is_few = match is None and query.grade_id is not None and _is_few(database, query)
    cards_query, values = _found(query, match, is_few=is_few)
    down = "desc" if SORTS[query.sort][1] else ""
    rows = list(
        database.execute(
            f"""
            select sku.sku_id, sku.sku, sku.brand, sku.model, sku.storage_gb, sku.category_id, sku.year,
              sku.body -> '$.color', sku.body -> '$.specs', found.from_cents, shelf.grades, category.body ->> '$.form',
              found.place
            from ({cards_query} limit {limit + 1}) as found
            cross join shelf on shelf.sku_id = found.sku_id
            cross join shown_sku as sku on sku.sku_id = found.sku_id
            cross join shown_category as category on category.category_id = shelf.category_id
            order by found.place {down}, found.sku_id {down}
            """,
            values,
        )
    )
    cards = [card_of(row) for row in rows[:limit]]
    after = f"{rows[limit - 1][-1]}.{rows[limit - 1][0]}" if len(rows) > limit else None
    return Page(cards=cards, after=after, corrected=corrected)


@remembered
def facets(database: Database, category_id: str | None, among: tuple[str, ...] = ()) -> Facets:
    """Return what a query can be narrowed to: `categories`, the chosen one first, and the `brands` and `storages` in it.

    `among` are the categories there are, every one where it names none.
    """
    categories: list[CategoryChoice] = [
        {"category_id": each_id, "form": (body := read_body(text))["form"], "name": body["name"]}
        for each_id, text in database.execute("select category_id, body from shown_category order by rank, category_id")
        if not among or each_id in among
    ]
    narrowed = {"category_id = :category": category_id, AMONG.format("category_id"): among}
    within = f"where {' and '.join(text for text, value in narrowed.items() if value) or 'true'}"
    given = {"category": category_id, "among": json.dumps(among)}
    brands = database.execute(f"select brand from facet {within} group by brand order by sum(skus) desc, brand limit 12", given)
    storages = database.execute(
        f"select distinct storage_gb from facet {within} and storage_gb is not null order by storage_gb", given
    )
    return {
        "categories": sorted(categories, key=lambda category: category["category_id"] != category_id),
        "brands": [{"brand": brand} for (brand,) in brands],
        "storages": [{"storage_gb": storage} for (storage,) in storages],
    }


@remembered
def lowest_prices(database: Database) -> dict[str, int]:
    """Return the lowest all-in price of each category in which something is on offer."""
    return dict(database.execute("select category_id, min(from_cents) from shelf group by category_id"))


def sku(database: Database, code: str) -> Sku:
    """Return everything known of a SKU, its `category` included. Raises: NotFound."""
    return _first(_whole(database, "sku.sku = ?", code), code)


def sku_by_id(database: Database, sku_id: int) -> Sku:
    """Return what `sku` returns, by id. Raises: NotFound."""
    return _first(_whole(database, "sku.sku_id = ?", sku_id), sku_id)


@remembered
def siblings(database: Database, *, category_id: str, brand: str, model: str) -> list[Sibling]:
    """Return the SKUs of a model on offer (capacity, colour), by capacity."""
    rows = database.execute(
        """
        select sku.sku_id, sku.sku, sku.storage_gb, sku.body -> '$.color', shelf.from_cents
        from shown_sku as sku join shelf using (sku_id)
        where sku.category_id = ? and sku.brand = ? and sku.model = ?
        order by sku.storage_gb, sku.sku
        limit 60
        """,
        [category_id, brand, model],
    )
    return [
        {"sku_id": sku_id, "sku": code, "storage_gb": storage, "color": color and read_body(color), "from_cents": cents}
        for sku_id, code, storage, color, cents in rows
    ]


def compare(database: Database, codes: list[str]) -> list[Sku]:
    """Return up to four SKUs side by side, in the order asked, each with `from_cents`. Raises: NotFound."""
    wanted = list(dict.fromkeys(codes[:MAX_COMPARED]))
    known = {item["sku"]: item for item in _whole(database, "sku.sku in (select value from json_each(?))", json.dumps(wanted))}
    return [_first([known[code]] if code in known else [], code) for code in wanted]


def title(item: Mapping[str, Any]) -> str:
    """Return a SKU's name, the brand said once: `Apple iPhone 13`, `Dyson V11`."""
    brand, model = item["brand"], item["model"]
    return str(model) if model.casefold().startswith(brand.casefold()) else f"{brand} {model}"


def _is_few(database: Database, query: Query) -> bool:
    """Tell whether the category and brand asked for leave few SKUs; False where neither is asked for."""
    kind = _kind(query)
    values = {"category": query.category, "brand": query.brand, "most": MOST_GATHERED}
    few = f"select coalesce(sum(skus), 0) <= :most from facet where {kind}"
    return bool(kind and database.execute(few, values).fetchone()[0])


def _kind(query: Query) -> str:
    """Return the condition on `facet` of the category and brand asked for, "" where neither is."""
    wanted = {"category_id = :category": query.category, "brand = :brand": query.brand}
    return " and ".join(text for text, value in wanted.items() if value)


def _found(query: Query, match: str | None, *, is_few: bool) -> tuple[str, dict[str, Any]]:
    """Return the statement, without its limit, that finds `sku_id`, `from_cents` and `place` (the sort key), and its values.

    Without words it reads one index in the order asked and stops at the last card; with words it sorts what they match. Where a
    grade is asked for, prices are that grade's, and `is_few` has the SKUs of the kind asked for gathered and sorted, since
    what the grades are offered at is indexed without kinds. Every join is a cross join: the order of the tables is decided here.
    """
    place, is_down = SORTS[query.sort]
    cents, sku_id = "shelf.from_cents", "shelf.sku_id"
    tables = ["sku_search", "shelf"] if match else ["shelf"]
    if query.grade_id is not None:
        tables, cents = [*tables, "offer"], "offer.all_in_cents"
        if place == "shelf.from_cents":
            place = cents
            if not match and not is_few:
                tables, sku_id = ["offer", "shelf"], "offer.sku_id"
    conditions, values = _conditions(query, match, cents if place == cents else f"+{cents}")
    if query.grade_id is not None and query.max_cents is not None:
        # A SKU whose lowest price is too high needs no look at its grade's, which is as high or higher.
        conditions.append("+shelf.from_cents <= :max")
    if is_few:
        conditions.append(f"(shelf.category_id, shelf.brand) in (select category_id, brand from facet where {_kind(query)})")
    conditions += [f"{left}.{KEYS[left]} = {right}.{KEYS[right]}" for left, right in pairwise(tables)]
    if query.after:
        conditions.append(f"({place}, {sku_id}) {'<' if is_down else '>'} (:key, :after)")
        values["key"], values["after"] = _after(query.after)
    down = "desc" if is_down else ""
    return (
        f"""
        select {sku_id} as sku_id, {cents} as from_cents, {place} as place
        from {" cross join ".join(tables)}
        where {" and ".join(conditions) or "true"}
        order by {place} {down}, {sku_id} {down}
        """,
        values,
    )


def _conditions(query: Query, match: str | None, cents: str) -> tuple[list[str], dict[str, Any]]:
    # A plus keeps SQLite off the index of what is only a condition, and on the index that gives the order.
    wanted = {
        "sku_search match :match": ("match", match or None),
        "+shelf.category_id = :category": ("category", query.category or None),
        AMONG.format("+shelf.category_id"): ("among", json.dumps(query.among) if query.among else None),
        "+shelf.brand = :brand": ("brand", query.brand or None),
        "+shelf.storage_gb = :storage": ("storage", query.storage_gb),
        "shelf.grades >> (select rank from shown_grade where grade_id = :grade) & 1": ("grade", query.grade_id),
        "offer.grade_id = :grade": ("grade", query.grade_id),
        f"{cents} >= :min": ("min", query.min_cents),
        f"{cents} <= :max": ("max", query.max_cents),
    }
    conditions = [text for text, (_, value) in wanted.items() if value is not None]
    values = dict(pair for pair in wanted.values() if pair[1] is not None)
    return [*conditions, "false"] if match == "" else conditions, values


def _after(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,15})\.(\d{1,15})", text, re.ASCII)
    if not found:
        raise BadQuery(field="after")
    return int(found[1]), int(found[2])


def card_of(row: tuple[Any, ...]) -> Card:
    """Return the card of a row of a list: the columns that `browse` selects, in their order."""
    sku_id, code, brand, model, storage_gb, category_id, year, color, specs, from_cents, grade_bits, form, _ = row
    return {
        "sku_id": sku_id,
        "sku": code,
        "brand": brand,
        "model": model,
        "storage_gb": storage_gb,
        "category_id": category_id,
        "form": form,
        "year": year,
        "color": color and read_body(color),
        "specs": json.loads(specs) if specs else {},
        "from_cents": from_cents,
        "ranks": [rank for rank in range(1, 9) if grade_bits >> rank & 1],
    }


@remembered
def _whole(database: Database, where: str, value: str | int) -> list[Sku]:
    rows = database.execute(
        f"""
        select sku.sku_id, sku.sku, sku.category_id, sku.brand, sku.model, sku.storage_gb, sku.year, sku.body,
          category.body, shelf.from_cents, shelf.grades
        from shown_sku as sku
        join shown_category as category using (category_id)
        left join shelf using (sku_id)
        where {where}
        """,
        [value],
    )
    return [_item(row) for row in rows]


def _item(row: tuple[Any, ...]) -> Sku:
    sku_id, code, category_id, brand, model, storage_gb, year, body, category_body, from_cents, grades = row
    kind: CategoryBody = read_body(category_body)
    category: Category = {**kind, "category_id": category_id}
    item = {
        **{"color": None, "specs": {}, "updates_until": None, "new_price": None},
        **json.loads(body),
        "sku_id": sku_id,
        "sku": code,
        "category_id": category_id,
        "brand": brand,
        "model": model,
        "storage_gb": storage_gb,
        "year": year,
        "category": category,
        "form": category["form"],
        "from_cents": from_cents,
        "grades": grades,
    }
    return cast(Sku, item)


def _first(items: list[Sku], asked: str | int) -> Sku:
    if not items:
        raise NotFound(sku=str(asked))
    return items[0]
