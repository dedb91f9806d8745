"""The names a sentence may hold: brands, families and models of the catalogue, however they are written, together or apart.

Invariant: a model is known by its exact name. `S22` is the Galaxy S22 and never the S22+; a name that lacks its size, its chip or
its year stands for every model it may be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from pos.db import remembered
from pos.finder.pieces import Piece, words_in

NAMES = Path(__file__).with_name("lexicons") / "names.json"
VARIANT = " · "
"""What stands between a model and what a variant of it brings."""
LEFT_OUT = (
    r" \([^)]*\)",
    r" \d\d mm\b",
    r" 5G$",
    r" M\d( Pro)?$",
    r"(?<=[a-z]) 1\d(\.\d)?(?= |$)(?=.* M\d|.*\()",
    r"(?<=\w) 1\d(\.\d)?(?= M\d)",
)
"""What people leave out of a model's name: year, size, network, chip."""
APART = frozenset({"Pro", "Pro Max", "Max", "mini", "Ultra", "Lite", "FE", "XL", "Plus"})
BOUNDS = frozenset({"Max", "mini", "Plus"})
"""The words that tell models of one number apart; those that may bound a number, or join one, do at the end of a clause alone."""
MOST_PIECES = 9


@dataclass(frozen=True, slots=True)
class ModelName:
    """What a written name stands for: the models of the catalogue, and how it reads without the family before it."""

    models: tuple[str, ...]
    short: str


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A line of models, by its `family` or `brand`, from a year on; `tier` is what their names hold where the one named did."""

    key: str
    name: str
    year: int
    tier: str


@dataclass(frozen=True, slots=True)
class Names:
    """Every name, by its words written as one."""

    models: dict[str, ModelName]
    families: dict[str, str]
    brands: dict[str, str]
    tiers: dict[str, str]
    brand_of: dict[str, str]
    """The brand of each model and family."""
    year_of: dict[str, int]
    """The year each model came out, where it is known."""
    words: frozenset[str]
    joined: frozenset[str]
    family_names: frozenset[str]

    def family_of(self, model: str) -> str:
        """Return the narrowest family a model is of, "" where it is of none."""
        fitting = [family for family in self.family_names if re.match(rf"{re.escape(family)}(?![a-z])", model)]
        return max(fitting, key=len, default="")

    def is_other(self, pieces: Sequence[Piece], after: int) -> bool:
        """Tell whether a word such as `Lite` follows a model's name, so that another model is meant than the one known."""
        tier = self.tier(pieces, after)
        if tier is None or tier[1] not in APART:
            return False
        follows = pieces[after + tier[0] : after + tier[0] + 1]
        is_bound = bool(follows) and (follows[0].hundredths is not None or not follows[0].is_break)
        return tier[1] not in BOUNDS or not is_bound

    def is_sized(self, key: str) -> bool:
        """Tell whether the number that ends a name is the size of every model it stands for: `MacBook Pro 16`."""
        return all(joined(model) != key and re.search(r" \d\d(\.\d)? (M\d|\()", model) for model in self.models[key].models)

    def line_from(self, models: Sequence[str]) -> ModelLine | None:
        """Return the one line that these models are of, from the year the first came out; None where either is not known."""
        lines = {("family", family) if (family := self.family_of(model)) else ("brand", self.brand_of[model]) for model in models}
        years = [self.year_of[model] for model in models if model in self.year_of]
        if len(lines) != 1 or not years:
            return None
        [(key, name)] = lines
        tiers = {self._tier_of(model) for model in models}
        return ModelLine(key, name, min(years), tiers.pop() if len(tiers) == 1 else "")

    def _tier_of(self, model: str) -> str:
        """Return the word such as `Pro Max` that a model's name ends with, "" where it ends with none."""
        ends = [tier for tier in self.tiers.values() if model.endswith(f" {tier}")]
        return max(ends, key=len, default="")

    def match(self, pieces: Sequence[Piece], place: int) -> tuple[int, str, str] | None:
        """Return how many pieces the longest name at `place` takes, whether it is a `model`, `family` or `brand`, and its key."""
        best: tuple[int, str, str] | None = None
        key = ""
        for length, piece in enumerate(pieces[place : place + MOST_PIECES], start=1):
            if piece.is_break and piece.raw not in "()":
                break
            if piece.is_break:
                continue
            key += joined_number(piece.text)
            for kind, names in (("brand", self.brands), ("family", self.families), ("model", self.models)):
                if key in names:
                    best = length, kind, key
        return best

    def tier(self, pieces: Sequence[Piece], place: int) -> tuple[int, str] | None:
        """Return how many pieces a word such as `Pro Max` takes at `place`, and how it is written."""
        for length in (3, 2, 1):
            key = "".join(piece.text for piece in pieces[place : place + length])
            if place + length <= len(pieces) and key in self.tiers:
                return length, self.tiers[key]
        return None


@remembered
def names_of(database: Database) -> Names:
    """Return the names of a catalogue."""
    return names_from(tuple(database.execute("select distinct brand, model, year from shown_sku order by sku_id")))


@lru_cache(maxsize=8)
def names_from(rows: tuple[tuple[str, str, int | None], ...]) -> Names:
    """Return the names of (brand, model, year), in the order of the catalogue."""
    facts = json.loads(NAMES.read_text(encoding="utf-8"))
    pairs = dict.fromkeys((brand, model.split(VARIANT)[0]) for brand, model, _ in rows)
    years: dict[str, int] = {}
    for _, model, year in rows:
        base = model.split(VARIANT)[0]
        if year:
            years[base] = min(year, years.get(base, year))
    brands = {joined(brand): brand for brand, _ in pairs}
    brands |= {joined(word): brand for brand, words in facts["brands"].items() if brand in brands.values() for word in words}
    families: dict[str, str] = {}
    brand_of: dict[str, str] = {}
    for family, words in ((family, row["words"]) for family, row in facts["families"].items()):
        own = [brand for brand, model in pairs if f"{model} ".startswith(f"{family} ") or model.startswith(family)]
        if own and family not in brands.values():
            brand_of[family] = own[0]
            families |= {joined(spelling): family for word in words for spelling in (word, f"{own[0]} {word}")}
    models = _models(pairs, facts)
    brand_of |= {model: brand for brand, model in pairs}
    words = {word for name in (*(model for _, model in pairs), *brands.values()) for word in words_in(name)}
    words |= {word for row in facts["families"].values() for text in row["words"] for word in words_in(text)}
    brands |= {f"{word}s": brand for word, brand in brands.items() if word[-1].isalpha() and f"{word}s" not in families}
    words |= {f"{word}s" for word in words if word.isalpha() and len(word) > len("pro")}
    tiers = {joined(word): tier for tier, words in facts["tiers"].items() for word in words}
    return Names(
        models,
        families,
        brands,
        tiers,
        brand_of,
        years,
        frozenset(words),
        frozenset({*models, *families, *brands}),
        frozenset(family for family in facts["families"] if family in brand_of),
    )


def joined(name: str) -> str:
    """Return a name's words written as one."""
    return "".join(joined_number(word) for word in words_in(name) if word[0].isalnum() or word == "+")


def joined_number(word: str) -> str:
    """Return a word without the sign before its decimals: `12.9` and `12,9` are one size."""
    return word.replace(".", "").replace(",", "")


def _models(pairs: Iterable[tuple[str, str]], facts: dict[str, Any]) -> dict[str, ModelName]:
    """Return the models by every way their names are written; the exact name goes before one that leaves something out."""
    pairs = list(pairs)
    exact = {joined(model): model for _, model in pairs} | {
        joined(written): model
        for brand, model in pairs
        for word in facts["models"].get(model, ())
        for written in (word, f"{brand} {word}")
    }
    loose: dict[str, dict[str, str]] = {}
    for brand, model in pairs:
        for spelling in _spellings(model):
            for short in _shortened(spelling, facts["dropped"]):
                for written in {short, short.replace("+", " plus")}:
                    for key in (joined(written), joined(f"{brand} {written}")):
                        loose.setdefault(key, {})[model] = short
            first, _, rest = spelling.partition(" ")
            if first in facts["dropped"] and rest[:1].isdecimal():
                loose.setdefault(joined(f"{brand} {rest}"), {})[model] = rest
    told = {key: ModelName(tuple(models), next(iter(models.values()))) for key, models in loose.items()}
    told |= {key: ModelName((model,), next(iter(_shortest(model, facts["dropped"])))) for key, model in exact.items()}
    return {**{f"{key}s": name for key, name in told.items() if key[-1].isalpha()}, **told}


def _spellings(model: str) -> Iterator[str]:
    """Yield a model's name, and what is left of it where people leave something out."""
    told = [model]
    for pattern in LEFT_OUT:
        told += [shorter for name in told if (shorter := re.sub(pattern, "", name)) not in told]
    yield from (name for name in dict.fromkeys(told) if name == model or re.search(r"\d|SE|Series|Ultra", name))


def _shortened(name: str, dropped: Sequence[str]) -> Iterator[str]:
    """Yield a name, and the rest of it where its first word may be missing and the rest says enough."""
    yield name
    first, _, rest = name.partition(" ")
    says_enough = re.search(r"\d", rest) or len(rest.split()) > 1 or len(rest) >= 5
    if first in dropped and rest[:1].isalpha() and says_enough:
        yield rest


def _shortest(model: str, dropped: Sequence[str]) -> list[str]:
    return list(_shortened(model, dropped))[::-1]
