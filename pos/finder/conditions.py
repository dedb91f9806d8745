"""What a criterion asks of the shelf in the words of its lists: a facet where one tells it, else a condition (`hold`).

Invariants: a list and the finder read the same bits for the same criterion, so that their counts agree; every condition reads a
field of the catalogue, and a field that is not known holds nothing. What no field tells is no condition (`UNMEASURED`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from pos.db import remembered
from pos.finder.names import Names, joined, names_of
from pos.finder.pieces import words_in
from pos.shelf_index import SPECS, ShelfIndex, bits_of

FACETS = {
    "category": "category",
    "brand": "brand",
    "color": "color",
    "storage_gb": "storage",
    "ram_gb": "ram_gb",
    "network": "network",
    "panel": "panel",
    "grade_min": "grade",
}
"""The criteria that a facet of lists tells, and which one."""
PLAIN = {"gray": "grey"}
"""Colours of the finder that lists spell in another way."""
NAMED = ("model", "family", "model_contains", "exclude_family", "exclude_model_contains")
LISTED = ("model", "exclude_family")
EXCLUDED = {"exclude_brand": "brand", "exclude_color": "color"}
SWITCHES = ("disc_drive", "grinder", "noise_cancelling", "gps", "jack", "dual_sim", "new_battery")
BOUNDED = ("storage_min_gb", "ram_min_gb", "screen_tenths_in", "screen_min_tenths_in", "screen_max_tenths_in")
DATED = ("year_min", "updates_min_year")
NUMBERS = frozenset({*BOUNDED, *DATED})
WORDED = ("os", "type")
LIKE = ("connector", "chip", "keyboard", "connectivity")
HOLDS = frozenset({*NAMED, *EXCLUDED, *SWITCHES, *BOUNDED, *DATED, *WORDED, *LIKE})
"""The criteria that no facet of lists tells: each narrows a list as a condition of its address."""
UNMEASURED = frozenset({"unlocked"})
SPELT = {"stand": "stand mixer"}
"""How the words of a SKU name a type, where they do not by its own name."""
LINES = ("core i5", "core i7", "snapdragon", "exynos", "tensor")
WHOLE_INCH = 10
TERABYTE_GB, SLACK_GB = 1000, 24
"""A terabyte is 1,000 or 1,024 GB, half of it 500 or 512."""


def facet_of(index: ShelfIndex, key: str, value: Any) -> tuple[str, tuple[str, ...]] | None:
    """Return the facet of lists that tells a criterion, with the values it leaves; None where none does."""
    if key in SPECS and value is True:
        return key, ("true",)
    facet = FACETS.get(key)
    if facet is None:
        return None
    known = index.values[facet]
    values: Sequence[str] = [PLAIN.get(str(each), str(each)) for each in value] if isinstance(value, list) else [str(value)]
    if key == "grade_min":
        codes = [*known]
        values = codes[codes.index(value) :] if value in codes else values
    elif key == "storage_gb":
        values = _between(index, facet, *_same_storage(value)) or values
    elif key in ("network", "panel"):
        values = [name for name in known if name.casefold() == value.casefold()] or values
    return facet, tuple(values)


def texts_of(value: Any) -> tuple[str, ...]:
    """Return how an address writes the value of a condition."""
    return tuple(
        str(each).lower() if isinstance(each, bool) else str(each) for each in (value if isinstance(value, list) else [value])
    )


def value_of(key: str, text: str) -> Any:
    """Return what a text of an address stands for."""
    if key in NUMBERS:
        return int(text)
    return text == "true" if key in SWITCHES else text


def held(database: Database, index: ShelfIndex, key: str, texts: Sequence[str]) -> int:
    """Return the SKUs that hold a condition of `HOLDS` by one of its texts; by none of them where it excludes."""
    if key == "new_battery":
        return index.everything  # Its offers have prices of their own, and those say who has one: `pos.facets.grades_of`.
    if key in NAMED:
        return _of_models(index, _named(key, texts, names_of(database)))
    if key in EXCLUDED:
        return index.everything & ~index.any_of(EXCLUDED[key], [PLAIN.get(text, text) for text in texts])
    if key in SWITCHES:
        has = _dual_sim(index) if key == "dual_sim" else index.any_of(key, ["true", "1"])
        return has if value_of(key, texts[0]) else index.everything & ~has
    if key in DATED:
        years, least = index.years if key == "year_min" else index.updates, int(texts[0])
        return bits_of((place for place, year in enumerate(years) if year >= least), len(years))
    if key in BOUNDED:
        facet, low, high = _bounds(key, int(texts[0]))
        return index.any_of(facet, _between(index, facet, low, high))
    if key in WORDED:
        return index.of_skus(sku_id for text in texts for sku_id in _skus_with(database, SPELT.get(text, text)))
    known = index.values[key]
    return index.any_of(key, [name for name in known if any(_is_like(key, name.casefold(), text.casefold()) for text in texts)])


def models_of(criteria: Mapping[str, Any], names: Names) -> list[str]:
    """Return the models that the names said leave. Words are whole: `S22` is in no `S22+`."""
    return [model for model in names.brand_of if model not in names.family_names and _is_named(model, criteria, names)]


def _named(key: str, texts: Sequence[str], names: Names) -> set[str]:
    each = [set(models_of({key: [text] if key in LISTED else text}, names)) for text in texts]
    return set.intersection(*each) if key.startswith("exclude") else set.union(*each)


def _of_models(index: ShelfIndex, models: set[str]) -> int:
    return bits_of((place for place, (_, model) in enumerate(index.models) if model in models), len(index.ids))


def _is_named(model: str, criteria: Mapping[str, Any], names: Names) -> bool:
    if "model" in criteria and model not in criteria["model"]:
        return False
    if "family" in criteria and names.family_of(model) != criteria["family"] and not _is_within(model, criteria["family"], names):
        return False
    if any(names.family_of(model) == family or _is_within(model, family, names) for family in criteria.get("exclude_family", ())):
        return False
    if "model_contains" in criteria and not holds_words(model, criteria["model_contains"]):
        return False
    return not ("exclude_model_contains" in criteria and holds_words(model, criteria["exclude_model_contains"]))


def _is_within(model: str, family: str, names: Names) -> bool:
    """Tell whether a model's line is part of a wider one: a Galaxy Z Flip is a Galaxy, but a Pixel Watch is no Pixel."""
    own = names.family_of(model)
    return own.startswith(f"{family} ") and own.split()[-1] not in ("Watch", "Tab", "Buds")


def holds_words(model: str, words: str) -> bool:
    """Tell whether a name holds words in their order, each whole; a plus belongs to the word before it."""
    own, asked = words_in(model), words_in(words)
    for start in range(len(own) - len(asked) + 1):
        after = own[start + len(asked) : start + len(asked) + 1]
        if own[start : start + len(asked)] == asked and after != ("+",):
            return True
    return joined(model) == joined(words)


def _between(index: ShelfIndex, facet: str, low: float, high: float) -> list[str]:
    """Return the values of a facet within bounds, both included."""
    return [name for name, value in index.values[facet].items() if isinstance(value, int) and low <= value <= high]


def _same_storage(gigabytes: int) -> tuple[int, int]:
    """Return between which bounds a capacity is the same, however a terabyte and its half are counted."""
    return next(
        (
            (low, high)
            for low, high in ((TERABYTE_GB, TERABYTE_GB + SLACK_GB), (TERABYTE_GB // 2, (TERABYTE_GB + SLACK_GB) // 2))
            if gigabytes in (low, high)
        ),
        (gigabytes, gigabytes),
    )


def _bounds(key: str, number: int) -> tuple[str, float, float]:
    """Return the facet that a bound is of, and its two ends: whole inches stand for all up to the next."""
    match key:
        case "storage_min_gb":
            return "storage", number - SLACK_GB * (number >= TERABYTE_GB), math.inf
        case "ram_min_gb":
            return "ram_gb", number, math.inf
        case "screen_min_tenths_in":
            return "screen_tenths_in", number, math.inf
        case "screen_max_tenths_in":
            return "screen_tenths_in", 0, number
    return "screen_tenths_in", number, number if number % WHOLE_INCH else number + WHOLE_INCH - 1


def _dual_sim(index: ShelfIndex) -> int:
    return index.any_of("sim", [name for name in index.values["sim"] if "+" in name or name.startswith("2 ")])


def _is_like(key: str, name: str, asked: str) -> bool:
    """Tell whether a specification is what was asked for: a line of chips is each of its own, `Cellular` any with it."""
    if key == "chip" and asked in LINES:
        return name.startswith(asked)
    if key == "keyboard":
        return f"{name} ".startswith(f"{asked} ")
    return name.endswith(asked) if asked == "cellular" else name == asked


@remembered
def _skus_with(database: Database, word: str) -> list[int]:
    """Return the SKUs whose words, or whose system, hold a word."""
    said = "' ' || coalesce(sku.body ->> '$.words', '') || ' ' || coalesce(sku.body ->> '$.specs.system', '') || ' '"
    rows = database.execute(
        f"select shelf.sku_id from shelf cross join shown_sku as sku using (sku_id) where instr(lower({said}), ?)",
        [f" {word.lower()} "],
    )
    return [sku_id for (sku_id,) in rows]
