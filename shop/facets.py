"""What a list can be narrowed to, in the visitor's words: facets with their counts, the slider of prices, what is chosen now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pos import facets, languages, offers, skus
from pos.bodies import Names
from pos.currencies import places
from pos.facets import Choice, FacetCounts, PriceSpread
from pos.finder.conditions import value_of
from pos.locales import LOCALES
from pos.shelf_index import SPECS
from shop import door, specs
from shop.forms import with_query
from shop.languages import sentence

ALWAYS = ("category", "brand", "storage", "color", "grade", "network")
LABELS = {"brand": "Marque", "color": "Couleur", "grade": "Grade", "table": "Sur cette table"}
"""French labels of the facets that are no specification; every one stands in the catalogues of the other languages."""
COLORS = {
    "black": ("Noir", "#1d1d1f"),
    "grey": ("Gris", "#8a8d8f"),
    "silver": ("Argent", "#c9ccd1"),
    "white": ("Blanc", "#f5f5f2"),
    "blue": ("Bleu", "#276787"),
    "turquoise": ("Turquoise", "#4fb0ae"),
    "green": ("Vert", "#4c8060"),
    "red": ("Rouge", "#b3202c"),
    "pink": ("Rose", "#e99aa8"),
    "purple": ("Violet", "#8a6fae"),
    "yellow": ("Jaune", "#f2d45c"),
    "gold": ("Doré", "#e0bf8a"),
    "orange": ("Orange", "#e88a4e"),
    "brown": ("Marron", "#6b4a34"),
    "beige": ("Beige", "#e2d5c2"),
}
"""French labels of the plain colours, and the colour each is drawn in."""
BY_COUNT = ("brand", "color")
"""Facets whose commonest values come first; the others have an order of their own."""
MOST_CHOICES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceShown:
    """A value to tick: how many devices it leaves, and for a colour the `hex` it is drawn in."""

    value: str
    label: str
    skus: int
    is_chosen: bool
    hex: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetShown:
    """A facet with its values; `chosen` of them are ticked."""

    name: str
    label: str
    choices: list[ChoiceShown]

    @property
    def chosen(self) -> list[ChoiceShown]:
        """The values ticked."""
        return [choice for choice in self.choices if choice.is_chosen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slider:
    """The prices from one end to the other, and those asked for, in whole units of the currency; `bars` draw how they spread.

    Of a bar: its height in hundredths of the highest, and whether a price in it is asked for.
    """

    least: int
    most: int
    step: int
    low: int
    high: int
    unit_cents: int
    bars: list[tuple[int, bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """Something chosen, and the address of the list without it; `held` is a condition that no facet tells, instead of a label."""

    label: str
    without: str
    held: tuple[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KindShown:
    """A kind of device, with how many there are of it and the address of its list; `name` is None for all of them."""

    name: Names | None
    skus: int
    address: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What stands beside a list: kinds of device, facets, prices, and what is chosen, each to be taken away."""

    skus: int
    kinds: list[KindShown]
    facets: list[FacetShown]
    slider: Slider | None
    chips: list[Chip]


def holds_of(held: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    """Return conditions as an address names them, one by one."""
    return [f"{key}:{text}" for key, texts in held for text in texts]


def list_address(query: skus.Query, **parameters: Any) -> str:
    """Return the address of the list of a query."""
    ends = {"min": query.min_cents, "max": query.max_cents}
    typed = {name: None if cents is None else _typed(cents) for name, cents in ends.items()}
    return with_query("/browse", **{**dict(query.chosen), "hold": holds_of(query.hold), **typed, **parameters})


def _typed(cents: int) -> str:
    """Return an amount as a person here types it."""
    width = places(door.visitor().currency)
    whole, part = divmod(cents, 10**width)
    return f"{whole}{LOCALES[door.visitor().language].decimal}{part:0{width}}" if part else str(whole)


def narrowing(query: skus.Query, parameters: Mapping[str, Any]) -> Narrowing:
    """Return what stands beside the list of a query; `parameters` are those of its address."""
    catalog, asked = door.catalog(), dict(query.chosen)
    kinds = skus.categories(catalog, query.among)
    chosen_kinds = [kind for kind in kinds if kind["category_id"] in asked.get("category", ())]
    compared = {name for kind in chosen_kinds for name in kind["compare"]}
    names = [*ALWAYS, *(name for name in SPECS if name not in ALWAYS and (name in compared or name in asked))]
    if query.table:
        names.append("table")
    unit = 10 ** places(door.visitor().currency)
    told = facets.counts(catalog, query, tuple(names), unit_cents=unit)
    shown = [
        FacetShown(name=name, label=facet_label(name), choices=_choices(name, choices))
        for name, choices in told.facets.items()
        if name != "category" and (len(choices) > 1 or name in asked or name == "table")
    ]
    return Narrowing(
        skus=told.skus,
        kinds=_kinds(kinds, told, parameters),
        facets=shown,
        slider=_slider(told.prices, query, unit),
        chips=_chips(query, parameters),
    )


def facet_label(name: str) -> str:
    """Return what a facet is called in the visitor's language."""
    if name in LABELS:
        return sentence(LABELS[name])
    return specs.label("storage_gb" if name == "storage" else name)


def value_label(name: str, value: Any) -> str:
    """Return what a value of a facet is called in the visitor's language: `128 Go`, `Bleu`, `Très bon état`."""
    if name == "grade":
        named = (grade["name"] for grade in offers.grades(door.catalog()) if value in (grade["grade_id"], grade["code"]))
        return languages.text_of(next(named, {}), door.visitor().language)
    if name == "color":
        return sentence(COLORS[value][0])
    if name == "table":
        return sentence("Seulement ce qui est là")
    return specs.spec_value("storage_gb" if name == "storage" else name, value)


def _choices(name: str, choices: list[Choice]) -> list[ChoiceShown]:
    """Return the values in the order people look for them, the commonest where there are many; what is chosen always."""
    shown = [
        ChoiceShown(
            value=choice.value,
            label=value_label(name, choice.stands_for),
            skus=choice.skus,
            is_chosen=choice.is_chosen,
            hex=COLORS[choice.value][1] if name == "color" else None,
        )
        for choice in choices
    ]
    commonest = sorted(shown, key=lambda choice: (not choice.is_chosen, -choice.skus, choice.label))[:MOST_CHOICES]
    if name in BY_COUNT:
        return sorted(commonest, key=lambda choice: (-choice.skus, choice.label))
    values = {choice.value: choice.stands_for for choice in choices}
    kept = [choice for choice in shown if choice in commonest]
    if name == "grade":
        return kept
    if all(isinstance(value, int) for value in values.values()):
        return sorted(kept, key=lambda choice: int(values[choice.value]))
    return sorted(kept, key=lambda choice: choice.label)


def _kinds(kinds: list[skus.CategoryChoice], told: FacetCounts, parameters: Mapping[str, Any]) -> list[KindShown]:
    """Return the kinds in which something is left, the chosen ones first; the first of all is no kind in particular."""
    known = {choice.value: choice for choice in told.facets.get("category", [])}
    shown = [
        KindShown(
            name=kind["name"],
            skus=known[kind["category_id"]].skus,
            address=with_query("/browse", **{**parameters, "category": kind["category_id"]}),
            is_chosen=known[kind["category_id"]].is_chosen,
        )
        for kind in kinds
        if kind["category_id"] in known
    ]
    every = KindShown(
        name=None,
        skus=sum(choice.skus for choice in known.values()),
        address=with_query("/browse", **{**parameters, "category": None}),
        is_chosen=not parameters.get("category"),
    )
    return [every, *sorted(shown, key=lambda kind: not kind.is_chosen)]


def _slider(spread: PriceSpread | None, query: skus.Query, unit: int) -> Slider | None:
    if spread is None:
        return None
    low = spread.least_cents if query.min_cents is None else min(max(query.min_cents, spread.least_cents), spread.most_cents)
    high = spread.most_cents if query.max_cents is None else max(min(query.max_cents, spread.most_cents), spread.least_cents)
    highest, count = max(spread.bars), len(spread.bars)
    width = (spread.most_cents - spread.least_cents) / count
    bars = []
    for place, held in enumerate(spread.bars):
        start = spread.least_cents + place * width
        bars.append((-(-held * 100 // highest), start + width > low and start <= high))
    return Slider(
        least=spread.least_cents // unit,
        most=spread.most_cents // unit,
        step=spread.step_cents // unit,
        low=low // unit,
        high=-(-high // unit),
        unit_cents=unit,
        bars=bars,
    )


def _chips(query: skus.Query, parameters: Mapping[str, Any]) -> list[Chip]:
    """Return everything the list is narrowed by but its kind, in words, each with the address of the list without it."""
    index = facets.values_of(door.catalog())
    chips = []
    if query.q:
        chips.append(Chip(label=f"« {query.q} »", without=with_query("/browse", **{**parameters, "q": None})))
    for name, wanted in query.chosen:
        for value in wanted if name != "category" else ():
            rest = [other for other in wanted if other != value]
            known = index.get(name, {}).get(value)
            label = facet_label(name) if name == "table" else value_label(name, known) if known is not None else value
            chips.append(Chip(label=label, without=with_query("/browse", **{**parameters, name: rest})))
    held = [(key, text) for key, texts in query.hold for text in texts]
    for key, text in held:
        rest = holds_of((other, (value,)) for other, value in held if (other, value) != (key, text))
        without = with_query("/browse", **{**parameters, "hold": rest})
        chips.append(Chip(label="", without=without, held=(key, value_of(key, text))))
    bounds = (("min", query.min_cents, "à partir de %(price)s"), ("max", query.max_cents, "jusqu’à %(price)s"))
    for name, cents, words in bounds:
        if cents is not None:
            price = languages.short_money(cents, door.visitor().currency, door.visitor().language)
            said = sentence(words) % {"price": price}
            chips.append(Chip(label=said, without=with_query("/browse", **{**parameters, name: None})))
    return chips
