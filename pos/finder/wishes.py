"""What ranks what is found and filters nothing: preferences, a price aimed at, and wishes by the thresholds of each category."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from pos.db import remembered
from pos.facets import Narrowed
from pos.finder.conditions import FACETS, HOLDS, UNMEASURED, facet_of, held, texts_of
from pos.shelf_index import know_new_batteries

DATA = Path(__file__).with_name("lexicons")
TARGET_PCT = 15
"""So far from the price aimed at a price may be and still be "about" it."""
LONG_YEARS = 3
IN_BODY = ("weight_g", "updates_until", "words")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinderWish:
    """What one wish leaves, as bits: the SKUs that hold it, and those of which a field tells whether they do.

    `fact` is the specification it reads, where it reads one alone, and `least` what that must at least or at most be.
    """

    key: str
    value: Any
    held: int
    known: int
    fact: str = ""
    least: int | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """A wish as SQL over `shelf` and `sku`."""

    want: str
    sql: str
    fact: str = ""
    least: int | None = None


def soft_keys(criteria: Mapping[str, Any]) -> frozenset[str]:
    """Return the criteria that only rank."""
    return frozenset({*criteria.get("prefer", ()), "price_target_cents"})


def wants_of(criteria: Mapping[str, Any]) -> list[str]:
    """Return the wishes said, and after them those looked at for whom the device is."""
    whom = _file("whom").get(criteria.get("for_whom", ""), [])
    return list(dict.fromkeys([*criteria.get("wants", ()), *whom]))


def wishes_of(database: Database, criteria: Mapping[str, Any], asked: Narrowed, *, year: int) -> list[FinderWish]:
    """Return every wish of the criteria, preferences first. `year` is this year, from which long updates count."""
    preferred = {**{key: True for key in criteria.get("prefer", ()) if key not in criteria}, **criteria}
    soft = soft_keys(criteria)
    wishes = [
        _preference(database, key, value, criteria, asked)
        for key, value in preferred.items()
        if key in soft and (key == "price_target_cents" or key in FACETS or key in HOLDS)
    ]
    told = [told for want in wants_of(criteria) if (told := _threshold(want, criteria.get("category"), year))]
    places = _measured(database, tuple(each.sql for each in told), criteria.get("category")) if told else []
    for each, skus in zip(told, places, strict=True):
        yes, known = map(asked.index.of_skus, skus)
        wishes.append(FinderWish(key="wants", value=each.want, held=yes, known=known, fact=each.fact, least=each.least))
    return wishes


def unmeasured_of(criteria: Mapping[str, Any], *, year: int) -> list[tuple[str, Any]]:
    """Return the criteria that no field tells."""
    told = [(key, criteria.get(key, True)) for key in UNMEASURED if key in criteria or key in criteria.get("prefer", ())]
    wants = [want for want in wants_of(criteria) if want != "cheap" and not _threshold(want, criteria.get("category"), year)]
    return [*told, *(("wants", want) for want in wants)]


def preferred_prices(criteria: Mapping[str, Any], asked: Narrowed) -> list[tuple[Sequence[int], int]]:
    """Return the prices of each grade that is preferred, by place, with the SKUs that have it at a price asked for."""
    if "grade_min" not in criteria or "grade_min" not in soft_keys(criteria):
        return []
    facet = facet_of(asked.index, "grade_min", criteria["grade_min"])
    ids = [asked.index.values["grade"][code] for code in (facet[1] if facet else ()) if code in asked.index.values["grade"]]
    bounds = criteria.get("price_min_cents"), criteria.get("price_max_cents")
    priced = [asked.index.prices(frozenset({grade_id})) for grade_id in ids]
    return [(prices.cents, prices.between(*bounds)) for prices in priced]


def _preference(database: Database, key: str, value: Any, criteria: Mapping[str, Any], asked: Narrowed) -> FinderWish:
    index = asked.index
    known = index.everything
    if key == "price_target_cents":
        least, most = -(-value * (100 - TARGET_PCT) // 100), value * (100 + TARGET_PCT) // 100
        bits = index.prices(asked.grades).between(least, most)
    elif key == "grade_min":
        bits = reduce(or_, (bits for _, bits in preferred_prices(criteria, asked)), 0)
    elif key == "new_battery":
        know_new_batteries(database, index)
        bits = index.prices(frozenset(-grade_id for grade_id in index.offered)).between(None, None)
    elif facet := facet_of(index, key, value):
        bits, known = index.any_of(*facet), index.any_of(facet[0], index.traits[facet[0]])
    else:
        bits = held(database, index, key, texts_of(value))
        known = index.any_of(key, index.traits[key]) if key in index.traits else known
    return FinderWish(key=key, value=value, held=bits, known=known)


def spec(name: str) -> str:
    """Return the SQL of a specification."""
    return f"sku.body ->> '$.{name}'" if name in IN_BODY else f"sku.body ->> '$.specs.{name}'"


def _threshold(want: str, category: str | None, year: int) -> Threshold | None:
    """Return what a wish asks, by the thresholds of each category in `wishes.json`; None where no field tells."""
    if want in ("stylus", "sport"):
        return Threshold(want, f"{spec('words')} like '%{want}%'")
    thresholds = _file("wishes").get(want, {})
    if category is not None and category not in thresholds:
        return None
    arms = []
    fact: str = ""
    least: int | None = None
    for kind, tests in thresholds.items():
        if category in (None, kind):
            bounds = [(name, sign, year + LONG_YEARS if bound == "years+3" else int(bound)) for name, sign, bound in tests]
            told = " or ".join(f"{spec(name)} {sign} {bound}" for name, sign, bound in bounds)
            if category is not None:
                fact, _, least = bounds[0]
            arms.append(f"(shelf.category_id = '{kind}' and ({told}))")
    return Threshold(want, f"({' or '.join(arms)})", fact, least) if arms else None


@remembered
def _measured(database: Database, tests: tuple[str, ...], category: str | None) -> list[tuple[array[int], array[int]]]:
    """Return for each test the SKUs that hold it, and those of which a field tells; of one category, of all where it is None."""
    told = [(array("q"), array("q")) for _ in tests]
    for sku_id, *answers in _rows(database, tests, category):
        for answer, (yes, known) in zip(answers, told, strict=True):
            if answer is not None:
                known.append(sku_id)
                if answer:
                    yes.append(sku_id)
    return told


@remembered
def keys_of(database: Database, sql: str) -> dict[int, int]:
    """Return a specification by SKU, where it is a number."""
    return {sku_id: value for sku_id, value in _rows(database, (sql,), None) if isinstance(value, int)}


def _rows(database: Database, columns: tuple[str, ...], category: str | None) -> Iterator[tuple[Any, ...]]:
    yield from database.execute(
        f"""
        select shelf.sku_id, {", ".join(columns)}
        from shelf cross join shown_sku as sku on sku.sku_id = shelf.sku_id
        where :category is null or shelf.category_id = :category
        """,
        {"category": category},
    )


@lru_cache
def _file(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return told
