"""Finding a SKU: browsing, searching, one page of facts, and comparing. Every list is keyset-paged and bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypedDict, cast

from sqlite_utils import Database

from pos.bodies import CategoryBody, ColorBody, Names, read_body
from pos.db import remembered
from pos.errors import Invalid, NotFound
from pos.facets import narrowed
from pos.shelf_index import ORDERS, shelf_index

SORTS = ORDERS
MAX_COMPARED = 4
CARD = """
  sku.sku_id, sku.sku, sku.brand, sku.model, sku.storage_gb, sku.category_id, sku.year, sku.body -> '$.color',
  sku.body -> '$.specs', sku.body ->> '$.weight_g', sku.body ->> '$.updates_until', shelf.grades, category.body ->> '$.form'
"""
"""The columns a card is made from."""


class BadQuery(Invalid):
    """A browse parameter is not of the known shape; `data` names the `field`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a customer asked for; empty means no wish. Prices are all-in cents.

    `chosen` are the values of each facet (`pos.facets.NAMES`), any of them, as addresses name them, and `hold` what no
    facet tells (`pos.finder.conditions.HOLDS`). `among` are the categories there are where they are, every one where it names
    none; `table` the SKUs on the table of demo devices. `year` is the one that years of
    updates are counted from, itself included.
    """

    q: str = ""
    chosen: tuple[tuple[str, tuple[str, ...]], ...] = ()
    hold: tuple[tuple[str, tuple[str, ...]], ...] = ()
    min_cents: int | None = None
    max_cents: int | None = None
    sort: str = "popular"
    after: str | None = None
    among: tuple[str, ...] = ()
    table: frozenset[int] = frozenset()
    year: int = 0


class Card(TypedDict):
    """A SKU in a list: `from_cents` all-in at its lowest, `ranks` of the grades it is offered in.

    `grade` is the code of the grade that has this price, where it is the lowest of some grades alone.
    """

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
    weight_g: int | None
    updates_until: int | None
    from_cents: int
    grade: str | None
    ranks: list[int]


class Sibling(TypedDict):
    """Another capacity or colour of a model, on offer."""

    sku_id: int
    sku: str
    storage_gb: int | None
    color: ColorBody | None
    from_cents: int


class CategoryChoice(TypedDict):
    """A kind of device to narrow a list to; `compare` names its specifications."""

    category_id: str
    form: str
    name: Names
    compare: list[str]


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
    """Return a page of SKUs on offer, each at its lowest price, or at the lowest of the grades asked for. Raises: BadQuery."""
    if query.sort not in SORTS:
        raise BadQuery(field="sort")
    after = _after(query.after) if query.after else None
    asked = narrowed(database, query)
    index = asked.index
    places = index.ordered(asked.without(""), query.sort, grades=asked.grades, year=query.year, after=after)
    listed = list(islice(places, limit + 1))
    cents = index.prices(asked.grades).cents
    listed_cards = cards(database, {index.ids[place]: cents[place] for place, _ in listed[:limit]})
    for card in listed_cards:
        card["grade"] = index.grade_at(index.place_of[card["sku_id"]], card["from_cents"], asked.grades)
    last = f"{listed[limit - 1][1]}.{index.ids[listed[limit - 1][0]]}" if len(listed) > limit else None
    return Page(cards=listed_cards, after=last, corrected=asked.corrected)


@remembered
def categories(database: Database, among: tuple[str, ...] = ()) -> list[CategoryChoice]:
    """Return the kinds of device there are, those `among` the named where any is."""
    rows = database.execute("select category_id, body from shown_category order by rank, category_id")
    return [
        {"category_id": each, "form": (body := read_body(text))["form"], "name": body["name"], "compare": body["compare"]}
        for each, text in rows
        if not among or each in among
    ]


@remembered
def offered_categories(database: Database, among: tuple[str, ...] = ()) -> list[CategoryChoice]:
    """Return the kinds of device of which something is on offer in this market, those `among` the named where any is."""
    offered = lowest_prices(database)
    return [kind for kind in categories(database, among) if kind["category_id"] in offered]


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


def code_of_id(database: Database, sku_id: int) -> str | None:
    """Return the code of a SKU, None where it cannot be shown."""
    row = database.execute("select sku from shown_sku where sku_id = ?", [sku_id]).fetchone()
    return str(row[0]) if row else None


def code_of_ean(database: Database, ean: str) -> str | None:
    """Return the code of the SKU that has this EAN, one on offer before any other; a UPC is an EAN that begins with zero."""
    sku_id = shelf_index(database).codes.get(int(ean))
    return code_of_id(database, sku_id) if sku_id is not None else _code_without_offer(database, int(ean))


@remembered
def _code_without_offer(database: Database, ean: int) -> str | None:
    """Return the code of a SKU by its EAN, looked for in all of them: seldom asked, and searched before parsed."""
    row = database.execute(
        """
        select sku from shown_sku
        where instr(body, :digits) and cast(body ->> '$.ean' as integer) = :ean
        order by sku_id
        limit 1
        """,
        {"digits": str(ean), "ean": ean},
    ).fetchone()
    return str(row[0]) if row else None


@remembered
def siblings(database: Database, *, category_id: str, brand: str, model: str, grade_id: int | None = None) -> list[Sibling]:
    """Return the SKUs of a model on offer (capacity, colour), by capacity: at their price in a grade where they have it."""
    rows = database.execute(
        """
        select sku.sku_id, sku.sku, sku.storage_gb, sku.body -> '$.color', coalesce(offer.all_in_cents, shelf.from_cents)
        from shown_sku as sku join shelf using (sku_id)
        left join offer on offer.sku_id = sku.sku_id and offer.grade_id = ?
        where sku.category_id = ? and sku.brand = ? and sku.model = ?
        order by sku.storage_gb, sku.sku
        limit 60
        """,
        [grade_id, category_id, brand, model],
    )
    return [
        {"sku_id": sku_id, "sku": code, "storage_gb": storage, "color": color and read_body(color), "from_cents": cents}
        for sku_id, code, storage, color, cents in rows
    ]


def compare(database: Database, codes: list[str]) -> list[Sku]:
    """Return up to four SKUs side by side, in the order asked, each with `from_cents`. Raises: NotFound."""
    wanted = [*dict.fromkeys(codes)][:MAX_COMPARED]
    known = {item["sku"]: item for item in _whole(database, "sku.sku in (select value from json_each(?))", json.dumps(wanted))}
    return [_first([known[code]] if code in known else [], code) for code in wanted]


def title(item: Mapping[str, Any]) -> str:
    """Return a SKU's name, the brand said once: `Apple iPhone 13`, `Dyson V11`."""
    brand, model = item["brand"], item["model"]
    return str(model) if model.casefold().startswith(brand.casefold()) else f"{brand} {model}"


def cards(database: Database, prices: dict[int, int]) -> list[Card]:
    """Return the cards of these SKUs in their order, each with the price in cents that is told."""
    rows = database.execute(
        f"""
        select {CARD}
        from json_each(?) as listed
        cross join shelf on shelf.sku_id = listed.value
        cross join shown_sku as sku on sku.sku_id = listed.value
        cross join shown_category as category on category.category_id = shelf.category_id
        order by listed.key
        """,
        [json.dumps([*prices])],
    )
    return [card_of(row, prices[row[0]]) for row in rows]


def _after(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,15})\.(\d{1,15})", text, re.ASCII)
    if not found:
        raise BadQuery(field="after")
    return int(found[1]), int(found[2])


def card_of(row: tuple[Any, ...], from_cents: int) -> Card:
    """Return the card of a row of `CARD`."""
    sku_id, code, brand, model, storage_gb, category_id, year, color, specs, weight_g, updates_until, grade_bits, form = row
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
        "weight_g": weight_g,
        "updates_until": updates_until,
        "from_cents": from_cents,
        "grade": None,
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
