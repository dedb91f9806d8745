"""Finding a SKU: browsing, searching, one page of facts, and comparing. Every list is keyset-paged and bounded."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from pos.errors import Invalid, NotFound

SORTS = {
    "popular": ("shelf.rank", ">"),
    "price": ("shelf.from_cents", ">"),
    "-price": ("shelf.from_cents", "<"),
    "new": ("coalesce(shelf.year, 0)", "<"),
}
MAX_WORDS = 8
MAX_COMPARED = 4
FORGIVEN_FROM = 5


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


def browse(database: Database, query: Query, *, limit: int = 24) -> Page:
    """Return a page of SKUs on offer. Raises: BadQuery."""
    match, corrected = _match(database, query.q)
    where, values = _where(query, match)
    order, compare = SORTS.get(query.sort, SORTS["popular"])
    if query.after:
        key, sku_id = _after(query.after)
        where.append(f"({order} {compare} :key or ({order} = :key and shelf.sku_id > :after))")
        values |= {"key": key, "after": sku_id}
    rows = list(
        database.execute(
            f"""
            select shelf.sku_id, sku.sku, sku.brand, sku.model, sku.storage_gb, sku.category_id, sku.year, sku.body,
              shelf.from_cents, shelf.grades, shelf.sellers, category.body, {order}
            from shelf
            join sku on sku.sku_id = shelf.sku_id
            join category on category.category_id = shelf.category_id
            where {" and ".join(where) or "true"}
            order by {order} {"desc" if compare == "<" else ""}, shelf.sku_id
            limit :limit
            """,
            {**values, "limit": limit + 1},
        )
    )
    cards = [_card(row) for row in rows[:limit]]
    after = f"{rows[limit - 1][-1]}.{rows[limit - 1][0]}" if len(rows) > limit else None
    return Page(cards=cards, after=after, corrected=corrected)


def facets(database: Database, query: Query) -> dict[str, list[dict[str, Any]]]:
    """Return what the query can be narrowed to: `categories`, and the `brands` and `storages` of the chosen category."""
    categories = [
        {"category_id": category_id, "form": json.loads(body)["form"], "name": json.loads(body)["name"]}
        for category_id, body in database.execute("select category_id, body from category order by rank, category_id")
    ]
    within = "where category_id = :category" if query.category else ""
    given = {"category": query.category} if query.category else {}
    brands = database.execute(f"select brand from shelf {within} group by brand order by count(*) desc, brand limit 12", given)
    storages = database.execute(
        f"select distinct storage_gb from shelf {within or 'where true'} and storage_gb is not null order by storage_gb", given
    )
    return {
        "categories": categories,
        "brands": [{"brand": brand} for (brand,) in brands],
        "storages": [{"storage_gb": storage} for (storage,) in storages],
    }


def sku(database: Database, code: str) -> dict[str, Any]:
    """Return everything known of a SKU, its `category` included. Raises: NotFound."""
    return _whole(database, "sku.sku = ?", code)


def sku_by_id(database: Database, sku_id: int) -> dict[str, Any]:
    """Return what `sku` returns, by id. Raises: NotFound."""
    return _whole(database, "sku.sku_id = ?", sku_id)


def siblings(database: Database, item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the other SKUs of the same model on offer (capacity, colour), cheapest first."""
    rows = database.execute(
        """
        select sku.sku_id, sku.sku, sku.storage_gb, sku.body, shelf.from_cents
        from sku join shelf using (sku_id)
        where sku.category_id = ? and sku.brand = ? and sku.model = ?
        order by sku.storage_gb, sku.sku
        limit 60
        """,
        [item["category_id"], item["brand"], item["model"]],
    )
    return [
        {"sku_id": sku_id, "sku": code, "storage_gb": storage, "color": json.loads(body).get("color"), "from_cents": cents}
        for sku_id, code, storage, body, cents in rows
    ]


def compare(database: Database, codes: list[str]) -> list[dict[str, Any]]:
    """Return up to four SKUs side by side, in the order asked, each with `from_cents`. Raises: NotFound."""
    return [sku(database, code) for code in dict.fromkeys(codes[:MAX_COMPARED])]


def words_of(text: str) -> list[str]:
    """Return the words of a text as search sees them: no case, no accents, no punctuation."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.findall(r"[a-z0-9]+", plain)


def index_words(database: Database) -> None:
    """Index every SKU's words and the spellings that lead to them; runs inside the caller's transaction."""
    database.execute("delete from sku_search")
    names = {
        category_id: " ".join(json.loads(body)["name"].values())
        for category_id, body in database.execute("select category_id, body from category")
    }
    rows = database.execute("select sku_id, category_id, brand, model, storage_gb, body from sku")
    database.conn.executemany("insert into sku_search (rowid, words) values (?, ?)", (_words_row(row, names) for row in rows))
    database.execute("delete from spelling")
    vocabulary = [word for (word,) in database.execute("select term from sku_word") if len(word) >= FORGIVEN_FROM]
    database.conn.executemany(
        "insert or ignore into spelling (stem, word) values (?, ?)",
        ((stem, word) for word in vocabulary for stem in _stems(word)),
    )


def _words_row(row: tuple[Any, ...], category_names: dict[str, str]) -> tuple[int, str]:
    sku_id, category_id, brand, model, storage_gb, body = row
    facts = json.loads(body)
    color = " ".join((facts.get("color") or {}).get("name", {}).values())
    storage = f"{storage_gb} {storage_gb}go {storage_gb}gb" if storage_gb else ""
    text = f"{brand} {model} {storage} {color} {category_names.get(category_id, '')} {facts.get('words', '')}"
    return sku_id, " ".join(words_of(text))


def _match(database: Database, text: str) -> tuple[str | None, str | None]:
    """Return the full-text expression for `text`, and the words it was corrected to when a typo was forgiven."""
    words = words_of(text)[:MAX_WORDS]
    if not words:
        return (None if not text.strip() else '"\u0000"', None)
    understood = [_understood(database, word) for word in words]
    corrected = " ".join(understood) if understood != words else None
    return " ".join(f'"{word}"*' for word in understood), corrected


def _understood(database: Database, word: str) -> str:
    """Return `word`, or the indexed word one slip of the finger away from it when nothing begins with `word`."""
    begins = database.execute("select 1 from sku_search where sku_search match ? limit 1", [f'"{word}"*']).fetchone()
    if begins or len(word) < FORGIVEN_FROM:
        return word
    stems = list(_stems(word))
    marks = ",".join("?" * len(stems))
    candidates = {row[0] for row in database.execute(f"select word from spelling where stem in ({marks})", stems)}
    near = sorted(candidate for candidate in candidates if _one_slip_apart(word, candidate))
    return near[0] if near else word


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


def _where(query: Query, match: str | None) -> tuple[list[str], dict[str, Any]]:
    conditions = {
        "shelf.sku_id in (select rowid from sku_search where sku_search match :match)": match,
        "shelf.category_id = :category": query.category,
        "shelf.brand = :brand": query.brand,
        "shelf.storage_gb = :storage": query.storage_gb,
        "shelf.from_cents >= :min": query.min_cents,
        "shelf.from_cents <= :max": query.max_cents,
        "shelf.sku_id in (select sku_id from offer where grade_id = :grade)": query.grade_id,
    }
    names = ("match", "category", "brand", "storage", "min", "max", "grade")
    wanted = {text: value for text, value in conditions.items() if value is not None and value != ""}
    values = {name: value for name, value in zip(names, conditions.values(), strict=True) if value is not None and value != ""}
    return list(wanted), values


def _after(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,15})\.(\d{1,15})", text, re.ASCII)
    if not found:
        raise BadQuery(field="after")
    return int(found[1]), int(found[2])


def _card(row: tuple[Any, ...]) -> dict[str, Any]:
    sku_id, code, brand, model, storage_gb, category_id, year, body, from_cents, grade_bits, sellers, category, _ = row
    facts = json.loads(body)
    return {
        "sku_id": sku_id,
        "sku": code,
        "brand": brand,
        "model": model,
        "storage_gb": storage_gb,
        "category_id": category_id,
        "form": json.loads(category)["form"],
        "year": year,
        "color": facts.get("color"),
        "specs": facts.get("specs", {}),
        "updates_until": facts.get("updates_until"),
        "from_cents": from_cents,
        "ranks": [rank for rank in range(1, 9) if grade_bits >> rank & 1],
        "sellers": sellers,
    }


def _whole(database: Database, where: str, value: object) -> dict[str, Any]:
    row = database.execute(
        f"""
        select sku.sku_id, sku.sku, sku.category_id, sku.brand, sku.model, sku.storage_gb, sku.year, sku.body,
          category.body, shelf.from_cents, shelf.grades
        from sku
        join category using (category_id)
        left join shelf using (sku_id)
        where {where}
        """,
        [value],
    ).fetchone()
    if row is None:
        raise NotFound(sku=str(value))
    names = ("sku_id", "sku", "category_id", "brand", "model", "storage_gb", "year")
    category = {**json.loads(row[8]), "category_id": row[2]}
    facts = json.loads(row[7])
    on_offer = {"category": category, "form": category["form"], "from_cents": row[9], "grades": row[10]}
    absent: dict[str, Any] = {"color": None, "specs": {}, "updates_until": None, "new_price": None}
    return {**absent, **facts, **dict(zip(names, row, strict=False)), **on_offer}
