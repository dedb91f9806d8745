"""Criteria against the shelf: what filters is the query of a list, what is wished ranks what it leaves, and nothing else does.

Invariant: how many SKUs are told, here and of a criterion loosened, is what the list of the same query tells. The score is the
number of wishes that hold; among equals the nearest price aimed at, the order asked for, else the shelf's order come first.
Prices are all-in, of the grades asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlite_utils import Database

from pos import skus
from pos.db import remembered
from pos.facets import Narrowed, narrowed
from pos.finder.conditions import HOLDS, facet_of, texts_of
from pos.finder.wishes import FinderWish, keys_of, preferred_prices, soft_keys, spec, unmeasured_of, wants_of, wishes_of
from pos.shelf_index import Grades, shelf_index
from pos.skus import Card, Query

LARGEST_FIRST = {
    "camera": spec("main_mp"),
    "battery": f"coalesce({spec('battery_mah')}, {spec('runtime_h')})",
    "screen": spec("screen_tenths_in"),
    "storage": "sku.storage_gb",
}
SMALLEST_FIRST = {"smallest": spec("screen_tenths_in")}
"""The orders of a specification that no list has; what is not known comes last."""
LAST = 10**14
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
    """What criteria find: the best first, the query of the list that holds them all, how many there are, and what to loosen."""

    suggestions: list[Suggestion]
    query: Query
    skus: int
    wishes: list[FinderWish]
    unmeasured: list[tuple[str, Any]]
    loosened: Loosened | None


def find(
    database: Database, criteria: Mapping[str, Any], *, year: int, among: tuple[str, ...] = (), limit: int = 12
) -> Suggestions:
    """Return the SKUs on offer that hold what filters, ranked by the wishes. `among` are the categories there are, () for all."""
    return _find(database, json.dumps(criteria), year, among, limit)


@remembered
def _find(database: Database, criteria_text: str, year: int, among: tuple[str, ...], limit: int) -> Suggestions:
    criteria = json.loads(criteria_text)
    query = query_of(database, criteria, among=among)
    asked = narrowed(database, query)
    left = asked.without("")
    wishes = wishes_of(database, criteria, asked, year=year)
    cents = _cents(criteria, asked)
    best = {asked.index.ids[place]: place for place in islice(_ranked(database, criteria, asked, left, wishes, cents), limit)}
    cards, grades = skus.cards(database, {sku_id: cents(place) for sku_id, place in best.items()}), _grades(criteria, asked)
    for card in cards:
        card["grade"] = asked.index.grade_at(best[card["sku_id"]], card["from_cents"], grades)
    return Suggestions(
        suggestions=[
            Suggestion(card=card, offer_cents=card["from_cents"], wishes=[_holds(wish, best[card["sku_id"]]) for wish in wishes])
            for card in cards
        ],
        query=query,
        skus=left.bit_count(),
        wishes=wishes,
        unmeasured=unmeasured_of(criteria, year=year),
        loosened=None if left else _loosened(database, criteria, among),
    )


def query_of(database: Database, criteria: Mapping[str, Any], *, among: tuple[str, ...]) -> Query:
    """Return the query of the list that holds what filters."""
    index, soft = shelf_index(database), soft_keys(criteria)
    chosen, hold = {}, {}
    for key, value in criteria.items():
        if key in soft:
            continue
        if facet := facet_of(index, key, value):
            chosen[facet[0]] = facet[1]
        elif key in HOLDS:
            hold[key] = texts_of(value)
    return Query(
        chosen=tuple(chosen.items()),
        hold=tuple(hold.items()),
        min_cents=criteria.get("price_min_cents"),
        max_cents=criteria.get("price_max_cents"),
        among=among,
    )


def _grades(criteria: Mapping[str, Any], asked: Narrowed) -> Grades:
    """Return the grades whose prices are told: those asked for, else those preferred, which may not be there."""
    facet = facet_of(asked.index, "grade_min", criteria["grade_min"]) if "grade_min" in criteria else None
    known = asked.index.values["grade"]
    return asked.grades or frozenset(known[code] for code in (facet[1] if facet else ()) if code in known)


def _cents(criteria: Mapping[str, Any], asked: Narrowed) -> Callable[[int], int]:
    """Return what tells the price of a place: of a preferred grade where it is had at a price asked for, else the list's."""
    listed, preferred = asked.index.prices(asked.grades).cents, preferred_prices(criteria, asked)

    def cents(place: int) -> int:
        return min((prices[place] for prices, bits in preferred if bits >> place & 1), default=listed[place])

    return cents


def _holds(wish: FinderWish, place: int) -> bool | None:
    return bool(wish.held >> place & 1) if wish.known >> place & 1 else None


def _ranked(
    database: Database,
    criteria: Mapping[str, Any],
    asked: Narrowed,
    left: int,
    wishes: list[FinderWish],
    cents: Callable[[int], int],
) -> Iterator[int]:
    """Yield the best SKU of each model, as places, those first of which most wishes hold."""
    index, seen = asked.index, set()
    levels = [left]
    for wish in wishes:
        held = [level & wish.held for level in levels]
        missed = [level & ~wish.held for level in levels]
        levels = [less | more for less, more in zip([*missed, 0], [0, *held], strict=True)]
    key = _key(database, criteria, asked, cents)
    for level in reversed(levels):
        for place in sorted(index.places_of(level), key=key):
            if index.models[place] not in seen:
                seen.add(index.models[place])
                yield place


def _key(
    database: Database, criteria: Mapping[str, Any], asked: Narrowed, cents: Callable[[int], int]
) -> Callable[[int], tuple[int, ...]]:
    """Return what SKUs of the same score are ordered by."""
    index, target = asked.index, criteria.get("price_target_cents")
    parts: list[Callable[[int], int]] = []
    match criteria.get("sort"):
        case "price":
            parts.append(cents)
        case "newest":
            parts.append(lambda place: -index.years[place])
        case "lightest":
            parts.append(index.weights.__getitem__)
        case str() as sort if sort in LARGEST_FIRST:
            largest = keys_of(database, LARGEST_FIRST[sort])
            parts.append(lambda place: -largest.get(index.ids[place], -LAST))
        case str() as sort if sort in SMALLEST_FIRST:
            smallest = keys_of(database, SMALLEST_FIRST[sort])
            parts.append(lambda place: smallest.get(index.ids[place], LAST))
    if target is not None:
        parts.append(lambda place: abs(cents(place) - target))
    if "cheap" in wants_of(criteria):
        parts.append(cents)
    parts += [index.ranks.__getitem__, index.ids.__getitem__]
    return lambda place: tuple(part(place) for part in parts)


def _loosened(database: Database, criteria: dict[str, Any], among: tuple[str, ...]) -> Loosened | None:
    """Return the criterion without which most SKUs are found, None where no single one stands in the way."""
    best: Loosened | None = None
    soft = soft_keys(criteria)
    for key in islice((key for key in criteria if key not in soft and _filters(database, key, criteria[key])), MOST_LOOSENED):
        rest = {name: value for name, value in criteria.items() if name != key}
        asked = narrowed(database, query_of(database, rest, among=among))
        left = asked.without("")
        count = left.bit_count()
        if count and (best is None or count > best.skus):
            _, cents = next(asked.index.ordered(left, "price", grades=asked.grades, year=0, after=None))
            best = Loosened(key=key, skus=count, from_cents=cents)
    return best


def _filters(database: Database, key: str, value: Any) -> bool:
    return (
        key in HOLDS or key in ("price_min_cents", "price_max_cents") or facet_of(shelf_index(database), key, value) is not None
    )
