"""What a criterion asks of a SKU, as SQL over `shelf`, `sku` and the price asked for: a filter, or a wish that only ranks.

Invariant: every condition reads a field of the catalogue; a field that is not known holds nothing. What no field tells (whether a
device is simple, loud, waterproof after a repair) is no condition: `unmeasured` names it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pos.finder.names import VARIANT, Names, joined
from pos.finder.pieces import words_in

DATA = Path(__file__).with_name("lexicons")
TEXT_FACTS = {"network", "connector", "panel"}
AT_LEAST = {"storage_min_gb": "storage_gb", "ram_min_gb": "ram_gb", "screen_min_tenths_in": "screen_tenths_in"}
YES_NO = ("disc_drive", "grinder", "noise_cancelling", "gps", "jack")
WHOLE_INCH = 10
TARGET_PCT = 15
"""So far from the price aimed at a price may be and still be "about" it."""
SPELT = {"stand": "stand mixer"}
"""How the words of a SKU name a type, where they do not by its own name."""
LINES = ("Core i5", "Core i7", "Snapdragon", "Exynos", "Tensor")
LONG_YEARS = 3
UNMEASURED = frozenset({"unlocked"})
STORAGE = "sku.storage_gb"
BASE = f"substr(sku.model, 1, instr(sku.model || '{VARIANT}', '{VARIANT}') - 1)"
"""A SKU's model without what its variant brings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What one criterion asks, as SQL with values of its own.

    `fact` is the specification it reads, where it reads one, and `least` what that must at least or at most be.
    """

    key: str
    value: Any
    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)
    fact: str = ""
    least: int | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """What filters, what only ranks, and the criteria no field tells."""

    filters: list[Condition]
    wishes: list[Condition]
    unmeasured: list[tuple[str, Any]]


def conditions_of(criteria: Mapping[str, Any], names: Names, *, year: int) -> Conditions:
    """Return what criteria ask. `year` is this year, from which long updates count."""
    soft = set(criteria.get("prefer", ()))
    told = Conditions([], [], [])
    asked = {**{key: True for key in criteria.get("prefer", ()) if key not in criteria}, **criteria}
    for key, value in asked.items():
        if key in UNMEASURED:
            told.unmeasured.append((key, value))
        elif key not in ("wants", "for_whom") and (condition := _condition(key, value, criteria, names)):
            (told.wishes if key in soft or key == "price_target_cents" else told.filters).append(condition)
    for want in wants_of(criteria):
        wish = _wish(want, criteria.get("category"), year)
        if wish:
            told.wishes.append(wish)
        elif want != "cheap":
            told.unmeasured.append(("wants", want))
    return told


def wants_of(criteria: Mapping[str, Any]) -> list[str]:
    """Return the wishes said, and after them those looked at for whom the device is."""
    whom = _file("whom").get(criteria.get("for_whom", ""), [])
    return list(dict.fromkeys([*criteria.get("wants", ()), *whom]))


def spec(name: str) -> str:
    """Return the SQL of a specification."""
    return f"sku.body ->> '$.{name}'" if name in ("weight_g", "updates_until", "words") else f"sku.body ->> '$.specs.{name}'"


def models_of(criteria: Mapping[str, Any], names: Names) -> list[str] | None:
    """Return the models that the names said leave, None where no name was said. Words are whole: `S22` is in no `S22+`."""
    keys = ("model", "family", "model_contains", "exclude_family", "exclude_model_contains")
    if not any(key in criteria for key in keys):
        return None
    return [model for model in names.brand_of if model not in names.family_names and _is_named(model, criteria, names)]


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


def _condition(key: str, value: Any, criteria: Mapping[str, Any], names: Names) -> Condition | None:
    """Return the condition of a criterion that is no wish; None where it is none of a device."""
    if key in TEXT_FACTS:
        return _made(key, value, f"{spec(key)} = :{key} collate nocase", key)
    if key in YES_NO:
        return _made(key, value, f"coalesce({spec(key)}, 0) = :{key}" if not value else f"{spec(key)} = :{key}", key)
    makers = (_names_condition, _column_condition, _price_condition, _spec_condition)
    return next((made for maker in makers if (made := maker(key, value, criteria, names))), None)


def _made(key: str, value: Any, sql: str, fact: str = "", **values: Any) -> Condition:
    bound = values or {key: json.dumps(value) if isinstance(value, list) else int(value) if isinstance(value, bool) else value}
    return Condition(key=key, value=value, sql=sql, values=bound, fact=fact)


def _names_condition(key: str, value: Any, criteria: Mapping[str, Any], names: Names) -> Condition | None:
    """Return the condition of a name: several names are one condition, on the first of them."""
    if key in ("model", "family", "model_contains", "exclude_family", "exclude_model_contains"):
        models = models_of({key: value}, names) or []
        return _made(key, value, f"{BASE} in (select value from json_each(:{key}))", **{key: json.dumps(models)})
    del criteria
    if key == "brand":
        return _made(key, value, "+shelf.brand in (select value from json_each(:brand))")
    if key == "exclude_brand":
        return _made(key, value, "+shelf.brand not in (select value from json_each(:exclude_brand))")
    return None


def _column_condition(key: str, value: Any, criteria: Mapping[str, Any], names: Names) -> Condition | None:
    del criteria, names
    if key == "category":
        return _made(key, value, "shelf.category_id = :category")
    if key == "storage_gb":
        same = (1000, 1024) if value in (1000, 1024) else (500, 512) if value in (500, 512) else (value, value)
        return _made(
            key,
            value,
            f"{STORAGE} between :storage_low and :storage_high",
            "storage_gb",
            storage_low=same[0],
            storage_high=same[1],
        )
    if key == "storage_min_gb":
        return _made(key, value, f"{STORAGE} >= :storage_min_gb - (:storage_min_gb >= 1000) * 24", "storage_gb")
    if key == "year_min":
        return _made(key, value, "sku.year >= :year_min", "year")
    if key == "updates_min_year":
        return _made(key, value, f"{spec('updates_until')} >= :updates_min_year", "updates_until")
    if key in ("color", "exclude_color"):
        codes = _color_sql(value)
        return _made(key, value, codes if key == "color" else f"not coalesce({codes}, 0)", "color", **{f"{key}_none": 0})
    return None


def _color_sql(colors: Sequence[str]) -> str:
    """Return whether the code of a SKU's colour is a shade of one of these: a word of it is, or the whole of it."""
    code = "('-' || (sku.body ->> '$.color.code') || '-')"
    shades = _file("shades")
    words = [word for color in colors for word in shades.get(color, ()) if word.replace("-", "").isalpha()]
    return "(" + (" or ".join(f"{code} like '%-{word}-%'" for word in words) or "false") + ")"


def _price_condition(key: str, value: Any, criteria: Mapping[str, Any], names: Names) -> Condition | None:
    del criteria, names
    if key == "price_max_cents":
        return _made(key, value, "price <= :price_max_cents")
    if key == "price_min_cents":
        return _made(key, value, "price >= :price_min_cents")
    if key == "grade_min":
        return _made(key, value, "asked_cents is not null")
    if key == "new_battery":
        battery = "listing.new_battery = 1 and offer.sku_id = shelf.sku_id"
        return _made(key, value, f"exists (select 1 from offer join listing using (listing_id) where {battery})")
    if key == "price_target_cents":
        return _made(key, value, f"abs(price - :price_target_cents) * 100 <= :price_target_cents * {TARGET_PCT}")
    return None


def _spec_condition(key: str, value: Any, criteria: Mapping[str, Any], names: Names) -> Condition | None:
    del criteria, names
    if key in AT_LEAST:
        return _made(key, value, f"{spec(AT_LEAST[key])} >= :{key}", AT_LEAST[key])
    if key == "ram_gb":
        return _made(key, value, f"{spec(key)} = :ram_gb", key)
    if key == "screen_max_tenths_in":
        return _made(key, value, f"{spec('screen_tenths_in')} <= :{key}", "screen_tenths_in")
    if key == "screen_tenths_in":
        most = value + WHOLE_INCH - 1 if value % WHOLE_INCH == 0 else value
        return _made(key, value, f"{spec(key)} between :screen_low and :screen_high", key, screen_low=value, screen_high=most)
    if key == "dual_sim":
        return _made(key, value, f"({spec('sim')} like '%+%' or {spec('sim')} like '2 %')", "sim", dual_sim=1)
    if key == "chip":
        line = f" or {spec('chip')} like :chip || '%'" if value in LINES else ""
        return _made(key, value, f"({spec('chip')} = :chip collate nocase{line})", "chip")
    if key == "connectivity":
        return _made(
            key, value, f"{spec(key)} = :connectivity" if value != "Cellular" else f"{spec(key)} like '%' || :connectivity", key
        )
    if key == "keyboard":
        return _made(key, value, f"({spec(key)} = :keyboard or {spec(key)} like :keyboard || ' %')", key)
    if key in ("os", "type"):
        word = SPELT.get(value, value) if key == "type" else value
        return _made(
            key,
            value,
            f"(' ' || coalesce({spec('words')}, '') || ' ' || coalesce({spec('system')}, '') || ' ') like :{key}",
            **{key: f"% {word} %"},
        )
    return None


def _wish(want: str, category: str | None, year: int) -> Condition | None:
    """Return what a wish asks, by the thresholds of each category in `wishes.json`; None where no field tells."""
    if want in ("stylus", "sport"):
        word = {"stylus": "stylus", "sport": "sport"}[want]
        return Condition(key="wants", value=want, sql=f"{spec('words')} like '%{word}%'")
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
    return Condition(key="wants", value=want, sql=f"({' or '.join(arms)})", fact=fact, least=least) if arms else None


@lru_cache
def _file(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return told


def each_without(criteria: Mapping[str, Any], conditions: Conditions) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each criterion that filters, with the criteria that are left without it."""
    for key in dict.fromkeys(condition.key for condition in conditions.filters):
        yield key, {name: value for name, value in criteria.items() if name != key}
