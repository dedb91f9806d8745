"""What a list is narrowed to, and how many devices each further choice would leave: of the same bits as the list itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from operator import and_
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from pos import spellings
from pos.db import remembered
from pos.finder.conditions import held
from pos.shelf_index import SPECS, Grades, ShelfIndex, know_new_batteries, shelf_index

if TYPE_CHECKING:
    from pos.skus import Query

NAMES = ("category", "brand", "storage", "color", "grade", *SPECS, "table")
"""The facets, in the order they are shown. `table` has one value: what lies on the table of demo devices."""
NEW_BATTERY = "new_battery"
"""The condition that changes which prices count."""
ON_TABLE = "1"
BARS = 24
"""So many bars draw how prices are spread."""
MOST_STEPS = 150
"""A price is set in at most about so many steps from one end to the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A value of a facet: `skus` are the devices the list would hold were it the only one of its facet.

    `value` is as addresses name it, `stands_for` the value itself: a number, a text, yes or no.
    """

    value: str
    stands_for: Any
    skus: int
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSpread:
    """How the prices of a list are spread that no price narrows: `bars` from `least_cents` to `most_cents`, all of one width."""

    least_cents: int
    most_cents: int
    step_cents: int
    bars: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetCounts:
    """What a list holds and could be narrowed to; `facets` by name, those left out in which nothing can be chosen."""

    skus: int
    facets: dict[str, list[Choice]]
    prices: PriceSpread | None


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The bits of a query: of each facet chosen, and of everything else (words, conditions, the categories there are)."""

    index: ShelfIndex
    grades: Grades
    chosen: dict[str, int]
    others: int
    corrected: str | None

    def without(self, facet: str) -> int:
        """Return what the query leaves when one facet is not asked for."""
        return reduce(and_, (bits for name, bits in self.chosen.items() if name != facet), self.others)


def narrowed(database: Database, query: Query) -> Narrowed:
    """Return what a query leaves of the shelf, facet by facet; the price is one of them. Its order and page change nothing."""
    return _narrowed(database, replace(query, after=None, sort="", year=0))


def values_of(database: Database) -> dict[str, dict[str, Any]]:
    """Return what the values of each facet stand for, as addresses name them."""
    return shelf_index(database).values


@remembered
def _narrowed(database: Database, query: Query) -> Narrowed:
    index = shelf_index(database)
    expression, corrected = spellings.match(database, query.q)
    others = index.everything
    if query.among:
        others &= index.any_of("category", query.among)
    if expression is not None:
        found = database.execute("select rowid from sku_search where sku_search match ?", [expression]) if expression else []
        others &= index.of_skus(sku_id for (sku_id,) in found)
    for key, texts in query.hold:
        others &= held(database, index, key, texts)
        if key == NEW_BATTERY:
            know_new_batteries(database, index)
    chosen = {name: index.any_of(name, wanted) for name, wanted in query.chosen if name != "table"}
    if any(name == "table" for name, _ in query.chosen):
        chosen["table"] = index.of_skus(query.table)
    grades = grades_of(index, query)
    chosen["price"] = index.prices(grades).between(query.min_cents, query.max_cents)
    return Narrowed(index, grades, chosen, others, corrected)


def grades_of(index: ShelfIndex, query: Query) -> Grades:
    """Return the grades whose prices count: those asked for, all where none is; of a new battery, its offers alone."""
    ids = frozenset(index.values["grade"].get(code, 0) for code in dict(query.chosen).get("grade", ()))
    return frozenset(-grade_id for grade_id in ids or index.offered) if NEW_BATTERY in dict(query.hold) else ids


@remembered
def counts(database: Database, query: Query, names: tuple[str, ...], *, unit_cents: int) -> FacetCounts:
    """Return how many devices each value of these facets would leave, every filter applied but the facet's own.

    Steps of the price are whole multiples of `unit_cents`, the currency's own unit.
    """
    asked = narrowed(database, query)
    index, wanted = asked.index, dict(query.chosen)
    facets = {}
    for name in names:
        if name == "grade":
            choices = _grades(asked, query)
        elif name == "table":
            choices = [_choice(name, ON_TABLE, None, asked.without(name) & index.of_skus(query.table), wanted)]
        else:
            base, stands_for = asked.without(name), index.values[name]
            held = index.traits[name].items()
            choices = [_choice(name, value, stands_for[value], base & bits, wanted) for value, bits in held]
        if shown := [choice for choice in choices if choice.skus or choice.is_chosen]:
            facets[name] = shown
    return FacetCounts(skus=asked.without("").bit_count(), facets=facets, prices=_spread(asked, unit_cents))


def _choice(name: str, value: str, stands_for: Any, bits: int, wanted: dict[str, tuple[str, ...]]) -> Choice:
    return Choice(value=value, stands_for=stands_for, skus=bits.bit_count(), is_chosen=value in wanted.get(name, ()))


def _grades(asked: Narrowed, query: Query) -> list[Choice]:
    """Return the grades, each by its own prices: what is narrowed by price is the price of the grade."""
    index, wanted = asked.index, dict(query.chosen)
    base = reduce(and_, (bits for name, bits in asked.chosen.items() if name not in ("grade", "price")), asked.others)
    choices = []
    for code, grade_id in index.values["grade"].items():
        own = grades_of(index, replace(query, chosen=(("grade", (code,)),)))
        priced = index.prices(own).between(query.min_cents, query.max_cents)
        bits = base & index.any_of("grade", [code]) & priced
        choices.append(_choice("grade", code, grade_id, bits, wanted))
    return choices


def _spread(asked: Narrowed, unit_cents: int) -> PriceSpread | None:
    """Return how the prices are spread, None where there are not two."""
    index, bits = asked.index, asked.without("price")
    ends = [next(index.ordered(bits, sort, grades=asked.grades, year=0, after=None), None) for sort in ("price", "-price")]
    if ends[0] is None or ends[1] is None or ends[0][1] == ends[1][1]:
        return None
    low, high = ends[0][1], ends[1][1]
    step = _step((high - low) // MOST_STEPS, unit_cents)
    least, most = low // step * step, -(-high // step) * step
    prices = index.prices(asked.grades)
    edges = [least + (most - least) * bar // BARS for bar in range(BARS)] + [most + 1]
    below = [(bits & prices.below(edge)).bit_count() for edge in edges]
    bars = [more - less for less, more in pairwise(below)]
    return PriceSpread(least_cents=least, most_cents=most, step_cents=step, bars=bars)


def _step(least: int, unit_cents: int) -> int:
    """Return the first of 1, 2, 5, 10, 20 … units that is as much as `least` cents."""
    power = unit_cents
    while True:
        for factor in (1, 2, 5):
            if factor * power >= least:
                return factor * power
        power *= 10
