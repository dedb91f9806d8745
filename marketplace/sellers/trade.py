"""What a seller's row is held against: the markets' currencies and forbidden words, the grades, the catalogue's SKUs."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, text

from marketplace.db import rows
from marketplace.sellers.fields import fold
from pos import skus

NARROWED = 8
"""So few SKUs are looked up one by one; for more, or by title, all are read once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldGrade:
    """A grade: its key, its code, its names by language, the least battery in percent."""

    grade_id: int
    code: str
    names: dict[str, str]
    battery_min_pct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SellingRules:
    """The trade as sellers may speak of it: currency and forbidden words by market, grades by every name they have."""

    currencies: dict[str, str]
    words: dict[str, tuple[str, ...]]
    grades: dict[str, SoldGrade]

    def code_of(self, grade_id: int) -> str:
        """Return a grade's code."""
        grade = self._grade(grade_id)
        return grade.code if grade else str(grade_id)

    def names_of(self, grade_id: int) -> dict[str, str]:
        """Return a grade's names by language."""
        grade = self._grade(grade_id)
        return grade.names if grade else {}

    def _grade(self, grade_id: int) -> SoldGrade | None:
        return next((grade for grade in self.grades.values() if grade.grade_id == grade_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """SKUs of the catalogue by EAN, by our code and by title, each folded; two SKUs of one title are found by neither."""

    by_ean: dict[str, int]
    by_code: dict[str, int]
    by_title: dict[str, int | None]


def selling_rules(connection: Connection) -> SellingRules:
    """Return the trade as it is now."""
    words: dict[str, set[str]] = {}
    for law in rows(connection, "select market, body from law where kind = 'forbidden_words'"):
        words.setdefault(law["market"], set()).update(json.loads(law["body"]).get("words", ()))
    grades: dict[str, SoldGrade] = {}
    for stored in rows(connection, "select grade_id, body from grade order by rank"):
        body = json.loads(stored["body"])
        floor = body.get("battery_min_pct", 0)
        grade = SoldGrade(grade_id=stored["grade_id"], code=body["code"], names=body["name"], battery_min_pct=floor)
        grades |= dict.fromkeys((fold(body["code"]), *map(fold, body["name"].values())), grade)
    markets = rows(connection, "select market, body from market order by market")
    return SellingRules(
        currencies={each["market"]: json.loads(each["body"])["currency"] for each in markets},
        words={market: tuple(sorted(some)) for market, some in words.items()},
        grades=grades,
    )


def read_products(connection: Connection, names: Collection[str], *, has_titles: bool) -> Products:
    """Return the SKUs that `names`, EANs or our codes, may stand for; all of them for many names, or with `has_titles`."""
    query, values = "select sku_id, sku, brand, model, storage_gb, body from sku", {}
    if len(names) <= NARROWED and not has_titles:
        values = {f"n{place}": name for place, name in enumerate(sorted(names))}
        values |= {f"e{place}": f'%"ean":"{name}"%' for place, name in enumerate(sorted(names)) if name.isdigit()}
        tests = [f"{'upper(sku) = upper' if name[0] == 'n' else 'body like '}(:{name})" for name in values]
        query += f" where {' or '.join(tests) or 'false'}"
    by_ean: dict[str, int] = {}
    by_code: dict[str, int] = {}
    by_title: dict[str, int | None] = {}
    for sku_id, code, brand, model, storage_gb, body in connection.execute(text(query), values):
        said = json.loads(body)
        by_code[code.casefold()] = sku_id
        if said.get("ean"):
            by_ean[said["ean"]] = sku_id
        for title in _titles(brand, model, storage_gb, said.get("color")) if has_titles else ():
            by_title[title] = None if by_title.get(title, sku_id) != sku_id else sku_id
    return Products(by_ean=by_ean, by_code=by_code, by_title=by_title)


def title_key(title: str) -> str:
    """Return a title as it is compared: its words without order, a capacity as one word, `gb` and `go` alike."""
    words = fold(title).split()
    joined: list[str] = []
    for word in words:
        if word in ("go", "gb", "gb.") and joined and joined[-1].isdigit():
            joined[-1] += "gb"
        else:
            joined.append(f"{word[:-2]}gb" if word[-2:] in ("go", "gb") and word[:-2].isdigit() else word)
    return " ".join(sorted(joined))


def sku_facts(connection: Connection, sku_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return code, EAN, title and what the title is made of (`name`, `storage_gb`, `color` by language) of these SKUs, by key."""
    query = text("select sku_id, sku, brand, model, storage_gb, body from sku where sku_id in :ids")
    found = connection.execute(query.bindparams(bindparam("ids", expanding=True)), {"ids": sorted(set(sku_ids))})
    facts = {}
    for sku_id, code, brand, model, storage_gb, body in found:
        said = json.loads(body)
        color = (said.get("color") or {}).get("name", {})
        device = {"name": skus.title({"brand": brand, "model": model}), "storage_gb": storage_gb, "color": color}
        capacity = f"{storage_gb} Go" if storage_gb else ""
        title = " ".join(part for part in (device["name"], capacity, color.get("fr", "")) if part)
        facts[sku_id] = {"product": code, "ean": said.get("ean") or None, "title": title, **device}
    return facts


def _titles(brand: str, model: str, storage_gb: int | None, color: Any) -> set[str]:
    """Return the titles that name a SKU: model, capacity and colour in any of its languages, with its brand or without."""
    titles = set()
    for name in (color or {}).get("name", {}).values() or ("",):
        rest = " ".join(part for part in (model, f"{storage_gb} gb" if storage_gb else "", name) if part)
        titles |= {title_key(rest), title_key(f"{brand} {rest}")}
    return titles
