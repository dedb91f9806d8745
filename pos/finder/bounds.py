"""A number of a sentence with what stands around it: its unit, the bound before or after it, and the second number of a range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pos.finder.items import Item

CURRENCIES = frozenset({"EUR", "USD", "GBP", "CHF", "JPY"})
NEARBY = 4
"""So many items away a word says what a number bounds."""
JOINING = frozenset({"ou", "or", "o", "oder", "et", "and", "y", "und"})
BOUNDS_AFTER = (("comparators.or_less", "max"), ("comparators.or_more", "min"), ("comparators.about", "about"))
"""The words that bound the number before them; of a bare number, a year, "or newer" does, too."""


@dataclass(slots=True)
class Measured:
    """A number on its way: its items, its bound, its unit, and the second number of a range."""

    first: int
    last: int
    hundredths: int
    bound: str
    unit: str
    is_monthly: bool = False
    is_in_words: bool = False
    upper: int | None = None


def measured_at(items: Sequence[Item], place: int) -> Measured:
    """Gather what stands around the number at `place`."""
    first, bound = bound_before(items, place)
    unit, last = unit_at(items, place)
    measured = Measured(first, last, items[place].hundredths or 0, bound, unit)
    measured.is_in_words = items[place].pieces[0].isalpha()
    second = _second(items, last, bound)
    if second is not None and unit_at(items, second)[0] not in ("", unit) and unit:
        second = None  # `128 Go à 300 €` is no range.
    if second is not None:
        unit, measured.last = unit_at(items, second)
        measured.unit = unit or measured.unit
        measured.upper, measured.bound = items[second].hundredths or 0, "between"
    after = measured.last + 1
    if after < len(items) and "units" in items[after] and items[after].means["units"] == "month":
        measured.is_monthly, measured.last = True, after
    measured.last = _with_words_after(items, measured)
    return measured


def _with_words_after(items: Sequence[Item], measured: Measured) -> int:
    """Return the last item of a measure: a bound may come after it, and after what its gigabytes are of."""
    after = measured.last + 1
    skipped = 0
    while after < len(items) and skipped < 2 and (is_gigabyte_word(items[after]) or "categories" in items[after]):
        after, skipped = after + 1, skipped + 1
    if after < len(items) and not measured.bound:
        for kind, bound in BOUNDS_AFTER if measured.unit else (*BOUNDS_AFTER, ("comparators.newer", "min")):
            follows = items[after + 1] if after + 1 < len(items) else None
            is_joined = items[after].pieces[0] in JOINING
            if kind in items[after] and (is_joined or not (follows and ("number" in follows or "grades" in follows))):
                measured.bound = bound
                return measured.last if any("categories" in item for item in items[measured.last : after]) else after
    return measured.last


def is_gigabyte_word(item: Item) -> bool:
    """Tell whether a word says what gigabytes or inches are of, and nothing by itself."""
    return any(kind in item for kind in ("words.ram", "words.data", "words.storage", "words.memory", "words.screen", "deals"))


def bound_before(items: Sequence[Item], place: int) -> tuple[int, str]:
    """Return where a measure begins and its bound, looking back over what says nothing: `""` where there is none."""
    passes_device = False
    for index in range(place - 1, max(place - 1 - NEARBY, -1), -1):
        item = items[index]
        passes_device = passes_device or "categories" in item
        for bound in ("between", "max", "min", *(() if passes_device else ("about",))):  # `unos cascos por 50`
            if f"comparators.{bound}" in item and not _belongs_before(items, index):
                denied = _denied_at(items, index) if bound == "min" else None
                budget = index - 1 if index and bound in ("about", "between") and "comparators.max" in items[index - 1] else index
                return (budget, bound) if denied is None else (denied, "max")
        if not (item.is_filler or is_gigabyte_word(item) or "categories" in item or item.means.get("units") in CURRENCIES):
            break
    is_before = place > 0 and items[place - 1].means.get("units") in CURRENCIES
    return (place - 1 if is_before else place), ""


def _denied_at(items: Sequence[Item], place: int) -> int | None:
    """Return where a bound is denied: `que no cueste más de 200 €` is at most; None where it is not."""
    for index in range(place - 1, max(place - NEARBY, -1), -1):
        if "words.not" in items[index]:
            return index
        if items[index].means and not items[index].is_filler:
            return None
    return None


def _belongs_before(items: Sequence[Item], index: int) -> bool:
    """Tell whether a word that may stand after a number does: `250 € max un téléphone`."""
    is_after_too = "comparators.or_less" in items[index] or "comparators.or_more" in items[index]
    follows = items[index + 1 : index + 3]
    if follows and "number" in follows[0] and not (len(follows) > 1 and "categories" in follows[1]):
        return False  # `60 Go maximum 30 € par mois`
    before = next((item for item in reversed(items[:index]) if not (item.is_filler or is_gigabyte_word(item))), None)
    is_near = before is not None and (before is items[index - 1] or "units" not in before or before.means["units"] == "gb")
    return bool(is_after_too and before and is_near and ("number" in before or "units" in before))


def unit_at(items: Sequence[Item], place: int) -> tuple[str, int]:
    """Return the unit of the number at `place` and the last item of both."""
    after = items[place + 1] if place + 1 < len(items) else None
    is_range = bool(after and "comparators.range" in after and place + 2 < len(items) and "number" in items[place + 2])
    if after and "units" in after and after.means["units"] != "month" and not is_range:
        return after.means["units"], place + 1
    before = items[place - 1] if place else None
    if before and before.means.get("units") in CURRENCIES:
        return before.means["units"], place
    return "", place


def _second(items: Sequence[Item], last: int, bound: str) -> int | None:
    """Return the place of a range's second number. "and" joins a range that was announced alone."""
    place = last + 1
    if place >= len(items) or "comparators.range" not in items[place]:
        return None
    if bound != "between" and "words.and" in items[place]:
        return None
    place += 1
    while place < len(items) and (items[place].is_filler or items[place].means.get("units") in CURRENCIES):
        place += 1
    return place if place < len(items) and "number" in items[place] else None
