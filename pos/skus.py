"""Finding a SKU: browsing, searching, one page of facts, and comparing. Every list is keyset-paged and bounded."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlite_utils import Database

from pos.bodies import read_body
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
MAX_WORDS = 8
LONGEST_TEXT = 200
LONGEST_WORD = 40
MAX_COMPARED = 4
FORGIVEN_FROM = 5
MOST_GATHERED = 1500
"""So many SKUs are gathered and sorted in a millisecond; an index of all of them may be read in vain for ten."""


class BadQuery(Invalid):
    """A browse parameter is not of the known shape; `data` names the `field`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a customer asked for; None or "" means no wish. Prices are all-in cents."""

    q: str = ""
    category: str | None = None
    brand: str | None = None
    grade_id: int | None = None
    min_cents: int | None = None
    max_cents: int | None = None
    storage_gb: int | None = None
    sort: str = "popular"
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of cards, the key of the next page, and the words understood instead where a typo was forgiven."""

    cards: list[dict[str, Any]]
    after: str | None
    corrected: str | None


@remembered
def browse(database: Database, query: Query, *, limit: int = 24) -> Page:
    """Return a page of SKUs on offer, each at its lowest price, or at the lowest of the grade asked for. Raises: BadQuery."""
    if query.sort not in SORTS:
        raise BadQuery(field="sort")
    match, corrected = _match(database, query.q)
    is_few = match is None and query.grade_id is not None and _is_few(database, query)
    found, values = _found(query, match, is_few=is_few)
    down = "desc" if SORTS[query.sort][1] else ""
    rows = list(
        database.execute(
            f"""
            select sku.sku_id, sku.sku, sku.brand, sku.model, sku.storage_gb, sku.category_id, sku.year,
              sku.body -> '$.color', sku.body -> '$.specs', found.from_cents, shelf.grades, category.body ->> '$.form',
              found.place
            from ({found} limit {limit + 1}) as found
            cross join shelf on shelf.sku_id = found.sku_id
            cross join shown_sku as sku on sku.sku_id = found.sku_id
            cross join shown_category as category on category.category_id = shelf.category_id
            order by found.place {down}, found.sku_id {down}
            """,
            values,
        )
    )
    cards = [_card(row) for row in rows[:limit]]
    after = f"{rows[limit - 1][-1]}.{rows[limit - 1][0]}" if len(rows) > limit else None
    return Page(cards=cards, after=after, corrected=corrected)


@remembered
def facets(database: Database, category_id: str | None) -> dict[str, list[dict[str, Any]]]:
    """Return what a query can be narrowed to: `categories`, the chosen one first, and the `brands` and `storages` in it."""
    categories = [
        {"category_id": each_id, "form": (body := read_body(text))["form"], "name": body["name"]}
        for each_id, text in database.execute("select category_id, body from shown_category order by rank, category_id")
    ]
    within = "where category_id = :category" if category_id else "where true"
    given = {"category": category_id} if category_id else {}
    brands = database.execute(f"select brand from facet {within} group by brand order by sum(skus) desc, brand limit 12", given)
    storages = database.execute(
        f"select distinct storage_gb from facet {within} and storage_gb is not null order by storage_gb", given
    )
    return {
        "categories": sorted(categories, key=lambda category: category["category_id"] != category_id),
        "brands": [{"brand": brand} for (brand,) in brands],
        "storages": [{"storage_gb": storage} for (storage,) in storages],
    }


def sku(database: Database, code: str) -> dict[str, Any]:
    """Return everything known of a SKU, its `category` included. Raises: NotFound."""
    return _whole(database, "sku.sku = ?", code)


def sku_by_id(database: Database, sku_id: int) -> dict[str, Any]:
    """Return what `sku` returns, by id. Raises: NotFound."""
    return _whole(database, "sku.sku_id = ?", sku_id)


@remembered
def siblings(database: Database, *, category_id: str, brand: str, model: str) -> list[dict[str, Any]]:
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


def compare(database: Database, codes: list[str]) -> list[dict[str, Any]]:
    """Return up to four SKUs side by side, in the order asked, each with `from_cents`. Raises: NotFound."""
    return [sku(database, code) for code in dict.fromkeys(codes[:MAX_COMPARED])]


def title(item: Mapping[str, Any]) -> str:
    """Return a SKU's name, the brand said once: `Apple iPhone 13`, `Dyson V11`."""
    brand, model = item["brand"], item["model"]
    return str(model) if model.casefold().startswith(brand.casefold()) else f"{brand} {model}"


def words_of(text: str) -> list[str]:
    """Return the words of a text as search sees them: no case, no accents, no punctuation."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.findall(r"[a-z0-9]+", plain)


def index_words(database: Database) -> None:
    """Index every SKU's words and the spellings that lead to them; runs inside the caller's transaction."""
    database.execute("delete from sku_search")
    names = {
        category_id: " ".join(json.loads(body)["name"].values())
        for category_id, body in database.execute("select category_id, body from shown_category")
    }
    rows = database.execute("select sku_id, category_id, brand, model, storage_gb, body from shown_sku")
    database.conn.executemany("insert into sku_search (rowid, words) values (?, ?)", (_words_row(row, names) for row in rows))
    database.execute("delete from spelling")
    vocabulary = list(database.execute("select term, doc from sku_word"))
    database.conn.executemany(
        "insert into spelling (stem, word, skus) values (?, ?, ?)",
        ((stem, word, skus) for word, skus in vocabulary for stem in _spellings(word)),
    )


def _words_row(row: tuple[Any, ...], category_names: dict[str, str]) -> tuple[int, str]:
    sku_id, category_id, brand, model, storage_gb, body = row
    facts = json.loads(body)
    color = " ".join((facts.get("color") or {}).get("name", {}).values())
    text = f"{brand} {model} {_storage_words(storage_gb)} {color} {category_names.get(category_id, '')} {facts.get('words', '')}"
    return sku_id, " ".join(words_of(text))


def _storage_words(storage_gb: int | None) -> str:
    """Return a capacity as people write it: `128 Go`, `128GB`, and `1 To` for 1,000 or 1,024."""
    if not storage_gb:
        return ""
    words = f"{storage_gb} go gb {storage_gb}go {storage_gb}gb"
    for unit in (1000, 1024):
        if storage_gb % unit == 0:
            words += f" {storage_gb // unit} to tb {storage_gb // unit}to {storage_gb // unit}tb"
    return words


def _match(database: Database, text: str) -> tuple[str | None, str | None]:
    """Return the full-text expression for `text`, None when nothing is asked, and the words it was corrected to after a typo.

    A text without a single word we know how to read (`*`, another script) is `""`: it matches nothing.
    """
    words = [word[:LONGEST_WORD] for word in words_of(text[:LONGEST_TEXT])[:MAX_WORDS]]
    if not words:
        return ("" if text.strip() else None), None
    understood = [_understood(database, word) for word in words]
    corrected = " ".join(understood) if understood != words else None
    return " ".join(f'"{word}"*' for word in understood), corrected


def _understood(database: Database, word: str) -> str:
    """Return `word`, or where nothing begins with it the word of five letters or more that is one slip of the finger away.

    Of several, the one that more SKUs carry.
    """
    if len(word) < FORGIVEN_FROM - 1:
        return word
    begins = "select 1 from spelling where stem >= :word and stem < :word || '{' and word = stem limit 1"
    if database.execute(begins, {"word": word}).fetchone():
        return word
    candidates = database.execute(
        "select distinct word, skus from spelling where stem in (select value from json_each(?))", [json.dumps([*_stems(word)])]
    )
    near = [(-skus, other) for other, skus in candidates if len(other) >= FORGIVEN_FROM and _one_slip_apart(word, other)]
    return min(near)[1] if near else word


def _spellings(word: str) -> set[str]:
    """Return what leads to an indexed word: itself and, where a slip is forgiven, each form of it with one letter left out."""
    return set(_stems(word)) if len(word) >= FORGIVEN_FROM else {word}


def _stems(word: str) -> Iterator[str]:
    """Yield the word and each form of it with one letter left out: two words one slip apart share one of these."""
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


def _one_slip_apart(left: str, right: str) -> bool:
    """Tell whether one letter added, dropped, replaced or swapped with its neighbour turns `left` into `right`."""
    if len(left) > len(right):
        left, right = right, left
    start = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), len(left))
    if len(left) < len(right):
        return left[start:] == right[start + 1 :]
    swapped = right[start + 1 : start + 2] + right[start : start + 1] + right[start + 2 :]
    return left[start + 1 :] == right[start + 1 :] or left[start:] == swapped


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


def _card(row: tuple[Any, ...]) -> dict[str, Any]:
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
def _whole(database: Database, where: str, value: object) -> dict[str, Any]:
    row = database.execute(
        f"""
        select sku.sku_id, sku.sku, sku.category_id, sku.brand, sku.model, sku.storage_gb, sku.year, sku.body,
          category.body, shelf.from_cents, shelf.grades
        from shown_sku as sku
        join shown_category as category using (category_id)
        left join shelf using (sku_id)
        where {where}
        """,
        [value],
    ).fetchone()
    if row is None:
        raise NotFound(sku=str(value))
    names = ("sku_id", "sku", "category_id", "brand", "model", "storage_gb", "year")
    category = {**read_body(row[8]), "category_id": row[2]}
    facts = json.loads(row[7])
    on_offer = {"category": category, "form": category["form"], "from_cents": row[9], "grades": row[10]}
    absent: dict[str, Any] = {"color": None, "specs": {}, "updates_until": None, "new_price": None}
    return {**absent, **facts, **dict(zip(names, row, strict=False)), **on_offer}
