"""The shelf as lists are narrowed and ordered by: each value's SKUs as one number with a bit a SKU, prices by grade, and orders.

Derived from the catalogue as it stands and held in memory, one for all readers of a file until the file changes: a count is an
"and" and a count of bits, some microseconds at 20,000 SKUs. Lists and counts are read from the same bits, so they agree.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlite_utils import Database

from pos.colors import color_family
from pos.db import shared
from pos.finder.names import VARIANT

SPECS = (
    "network",
    "screen_tenths_in",
    "ram_gb",
    "chip",
    "keyboard",
    "connectivity",
    "case_mm",
    "noise_cancelling",
    "disc_drive",
    "max_resolution",
    "panel",
    "system",
    "grinder",
    "mount",
    "sensor",
    "capacity_l",
    "grill",
    "heats",
)
"""The specifications lists are narrowed by; which of them stand beside a list is its category's word."""
UNFACETED = ("connector", "sim", "gps", "jack")
"""The specifications that only conditions of the finder ask for."""
UNKNOWN = 10**14
"""What stands for a price that is not asked and for a weight nobody knows: it comes last."""
UNDATED = 10**13
"""Added to the price of what has no known end of updates: it comes behind all that has one, by price."""
MOST_GATHERED = 2000
"""So many SKUs are gathered and sorted in a millisecond; more are met soon enough on a walk along all of an order."""
MOST_ORDERS = 8
STEP = 128
"""Bits of so many prices in a row are gathered at a time; a bound in between costs half as many steps."""
ORDERS = ("popular", "price", "-price", "value", "new", "light")
DOWN = frozenset({"-price", "new"})

Grades = frozenset[int]
"""The grades whose lowest price counts; none means all of them. Below zero, a grade's offers with a new battery alone count."""


@dataclass(frozen=True, slots=True)
class PriceOrder:
    """The SKUs offered in some grades, least dear first: `cents` by place, `places` in order with their `sorted_cents`.

    `steps` are the bits of the first 0, `STEP`, 2 × `STEP` … of them.
    """

    cents: Sequence[int]
    places: Sequence[int]
    sorted_cents: Sequence[int]
    steps: list[int]

    def between(self, least: int | None, most: int | None) -> int:
        """Return the SKUs whose price lies within the bounds, both included."""
        return self.below(None if most is None else most + 1) & ~(self.below(least) if least is not None else 0)

    def below(self, cents: int | None) -> int:
        """Return the SKUs that cost less, all of them where no price is said."""
        return self._first(len(self.places) if cents is None else bisect_left(self.sorted_cents, cents))

    def _first(self, count: int) -> int:
        """Return the `count` least dear as bits."""
        bits = self.steps[count // STEP]
        for place in self.places[count - count % STEP : count]:
            bits |= 1 << place
        return bits


@dataclass(frozen=True, slots=True)
class ShelfIndex:
    """What is on offer, SKU by SKU in the order of their ids: a SKU's place is its bit.

    `traits` are the bits of each value by facet, `values` what each value stands for; `models` are brand and model without what a
    variant brings, `offered` the cents of each grade by place, `renewed` those of offers with a new battery, once asked for.
    """

    ids: list[int] = field(default_factory=list)
    place_of: dict[int, int] = field(default_factory=dict)
    traits: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    values: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    models: list[tuple[str, str]] = field(default_factory=list)
    offered: dict[int, array[int]] = field(default_factory=dict)
    renewed: dict[int, array[int]] = field(default_factory=dict)
    ranks: list[int] = field(default_factory=list)
    years: list[int] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    updates: list[int] = field(default_factory=list)
    codes: dict[int, int] = field(default_factory=dict)
    _prices: dict[Grades, PriceOrder] = field(default_factory=dict)
    _orders: dict[tuple[object, ...], tuple[Sequence[int], Sequence[int]]] = field(default_factory=dict)

    @property
    def everything(self) -> int:
        """Every SKU on the shelf."""
        return (1 << len(self.ids)) - 1

    def any_of(self, facet: str, values: Iterable[str]) -> int:
        """Return the SKUs that have one of these values; a value unknown has none."""
        bits, known = 0, self.traits[facet]
        for value in values:
            bits |= known.get(value, 0)
        return bits

    def of_skus(self, sku_ids: Iterable[int]) -> int:
        """Return those of the SKUs that are on the shelf."""
        places = map(self.place_of.get, sku_ids)
        return bits_of((place for place in places if place is not None), len(self.ids))

    def prices(self, grades: Grades) -> PriceOrder:
        """Return the lowest prices over these grades."""
        known = self._prices.get(grades)
        if known is None:
            known = self._prices[grades] = self._priced(grades)
            _keep_latest(self._prices)
        return known

    def grade_at(self, place: int, cents: int, grades: Grades) -> str | None:
        """Return the code of the plainest of these grades that is had for this price, None where none is named."""
        side = -1 if any(grade_id < 0 for grade_id in grades) else 1
        known, codes = self.renewed if side < 0 else self.offered, self.values["grade"].items()
        asked = ((code, side * grade_id) for code, grade_id in codes if side * grade_id in grades)
        return next((code for code, grade_id in asked if known[grade_id][place] == cents), None)

    def ordered(
        self, bits: int, sort: str, *, grades: Grades, year: int, after: tuple[int, int] | None
    ) -> Iterator[tuple[int, int]]:
        """Yield (place, key) of the SKUs in the order asked for, those behind the key and SKU `after`."""
        places, keys = self._order(sort, grades, year)
        sign = -1 if sort in DOWN else 1

        def turn(place: int) -> tuple[int, int]:
            return sign * keys[place], sign * self.ids[place]

        if bits.bit_count() < MOST_GATHERED:
            places = sorted(self.places_of(bits), key=turn)
        start = 0 if after is None else bisect_right(places, (sign * after[0], sign * after[1]), key=turn)
        held = bits.to_bytes(len(self.ids) // 8 + 1, "little")
        for place in islice(places, start, None):
            if held[place >> 3] >> (place & 7) & 1:
                yield place, keys[place]

    def places_of(self, bits: int) -> list[int]:
        """Return the places of some SKUs."""
        held = bits.to_bytes(len(self.ids) // 8 + 1, "little")
        return [at * 8 + bit for at, byte in enumerate(held) if byte for bit in range(8) if byte >> bit & 1]

    def _order(self, sort: str, grades: Grades, year: int) -> tuple[Sequence[int], Sequence[int]]:
        """Return every place in an order, and the key of each by place. Equals follow their ids."""
        asked = (sort, grades if "price" in sort or sort == "value" else None, year if sort == "value" else None)
        known = self._orders.get(asked)
        if known is None:
            keys = self._keys(sort, grades, year)
            places = sorted(range(len(keys)), key=keys.__getitem__)
            if sort in DOWN:
                # Turned round and not sorted downwards: of equals the last comes first, as the key of a page says.
                places.reverse()
            known = self._orders[asked] = (array("i", places), array("q", keys))
            _keep_latest(self._orders)
        return known

    def _keys(self, sort: str, grades: Grades, year: int) -> Sequence[int]:
        if sort == "value":
            return [
                cents // (until - year + 1) if until >= year and cents < UNKNOWN else UNDATED + cents
                for cents, until in zip(self.prices(grades).cents, self.updates, strict=True)
            ]
        return {"popular": self.ranks, "new": self.years, "light": self.weights}.get(sort) or self.prices(grades).cents

    def _priced(self, grades: Grades) -> PriceOrder:
        known = self.renewed if any(grade_id < 0 for grade_id in grades) else self.offered
        asked = [offered for grade_id, offered in known.items() if not grades or grade_id in grades]
        cents = list(map(min, zip(*asked, strict=True))) if asked else [UNKNOWN] * len(self.ids)
        places = sorted((place for place, price in enumerate(cents) if price < UNKNOWN), key=cents.__getitem__)
        steps, held = [0], bytearray(len(self.ids) // 8 + 1)
        for start in range(0, len(places), STEP):
            for place in places[start : start + STEP]:
                held[place >> 3] |= 1 << (place & 7)
            steps.append(int.from_bytes(held, "little"))
        in_order = array("q", [cents[place] for place in places])
        return PriceOrder(cents=array("q", cents), places=array("i", places), sorted_cents=in_order, steps=steps)


def _keep_latest(made: dict[Any, Any]) -> None:
    """Forget the order made first: there are as many as sets of grades, and each takes a megabyte."""
    for first in list(made)[:-MOST_ORDERS]:
        made.pop(first, None)


def shelf_index(database: Database) -> ShelfIndex:
    """Return the index of the shelf as it stands; readers of a `Store` share one, made anew when the file has changed."""
    return shared(database, read_shelf)


def read_shelf(database: Database) -> ShelfIndex:
    """Read the index from the catalogue: three statements, a fifth of a second at 20,000 SKUs."""
    index = ShelfIndex()
    gathered: dict[tuple[str, str], list[int]] = defaultdict(list)
    # Thousands of SKUs share their specifications or their colour: each text is read once.
    told: dict[tuple[str, Any], list[tuple[str, str]]] = {}
    named: dict[tuple[str, str], tuple[str, str]] = {}
    for place, row in enumerate(database.execute(SHELF)):
        sku_id, rank, year, weight_g, updates_until, ean, model, *facts = row
        index.place_of[sku_id] = place
        line = (str(facts[1]), str(model).partition(VARIANT)[0])
        index.models.append(named.setdefault(line, line))
        index.ranks.append(rank)
        index.years.append(year)
        index.weights.append(weight_g if isinstance(weight_g, int) and weight_g > 0 else UNKNOWN)
        index.updates.append(updates_until if isinstance(updates_until, int) else 0)
        if isinstance(ean, str) and ean.isdecimal():
            index.codes[int(ean)] = sku_id
        for kind, text in zip(READERS, facts, strict=True):
            if (kind, text) not in told:
                told[kind, text] = [_note(index, facet, value) for facet, value in READERS[kind](kind, text)]
            for trait in told[kind, text]:
                gathered[trait].append(place)
    index.ids.extend(index.place_of)
    _read_offers(database, index, gathered)
    for (facet, name), places in gathered.items():
        index.traits[facet][name] = bits_of(places, len(index.ids))
    return index


def _read_offers(database: Database, index: ShelfIndex, gathered: dict[tuple[str, str], list[int]]) -> None:
    codes = {}
    for grade_id, code in database.execute("select grade_id, body ->> '$.code' from shown_grade order by rank"):
        codes[code] = index.values["grade"][code] = grade_id
        index.offered[grade_id] = array("q", [UNKNOWN]) * len(index.ids)
    for grade_id, sku_id, cents in database.execute("select grade_id, sku_id, all_in_cents from offer"):
        if grade_id in index.offered and (place := index.place_of.get(sku_id)) is not None:
            index.offered[grade_id][place] = cents
    for code, grade_id in codes.items():
        gathered["grade", code] = [place for place, cents in enumerate(index.offered[grade_id]) if cents < UNKNOWN]


def know_new_batteries(database: Database, index: ShelfIndex) -> None:
    """Read which offers have a new battery: one statement over all of them, and seldom asked for."""
    if index.renewed:
        return
    renewed = {-grade_id: array("q", [UNKNOWN]) * len(index.ids) for grade_id in index.offered}
    rows = database.execute(
        """
        select -offer.grade_id, offer.sku_id, offer.all_in_cents
        from offer cross join shown_listing as listing on listing.listing_id = offer.listing_id
        where listing.new_battery
        """
    )
    for grade_id, sku_id, cents in rows:
        if grade_id in renewed and (place := index.place_of.get(sku_id)) is not None:
            renewed[grade_id][place] = cents
    index.renewed.update(renewed)


SHELF = """
  select shelf.sku_id, shelf.rank, shelf.year, sku.body ->> '$.weight_g', sku.body ->> '$.updates_until', sku.body ->> '$.ean',
    sku.model, shelf.category_id, shelf.brand, shelf.storage_gb, sku.body -> '$.color', sku.body -> '$.specs'
  from shelf cross join shown_sku as sku using (sku_id)
  order by shelf.sku_id
"""


def bits_of(places: Iterable[int], size: int) -> int:
    """Return these of `size` places as bits."""
    held = bytearray(size // 8 + 1)
    for place in places:
        held[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(held, "little")


def _note(index: ShelfIndex, facet: str, value: Any) -> tuple[str, str]:
    """Note what a value stands for; return its facet and how addresses name it."""
    name = json.dumps(value) if isinstance(value, bool) else str(value)
    index.values[facet].setdefault(name, value)
    return facet, name


def _plain(facet: str, value: Any) -> Iterator[tuple[str, Any]]:
    if value is not None:
        yield facet, value


def _color(facet: str, text: str | None) -> Iterator[tuple[str, Any]]:
    color = json.loads(text) if text else None
    if isinstance(color, dict) and (family := color_family(color)):
        yield facet, family


def _specs(_: str, text: str | None) -> Iterator[tuple[str, Any]]:
    told = json.loads(text) if text else None
    specs: dict[str, Any] = told if isinstance(told, dict) else {}
    for name in (*SPECS, *UNFACETED):
        if isinstance(value := specs.get(name), (str, int)) and value != "":
            yield name, value


READERS: dict[str, Callable[[str, Any], Iterator[tuple[str, Any]]]] = {
    "category": _plain,
    "brand": _plain,
    "storage": _plain,
    "color": _color,
    "specs": _specs,
}
"""How each fact of `SHELF`, from the category on, is read: as pairs of facet and value."""
