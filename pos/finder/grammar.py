"""The grammar: the items of a sentence become criteria, as docs/protocol.md §14 lists them.

Invariants: a criterion is said, never implied: a model brings no category. What negation covers is excluded or not understood,
never wished for. Nothing is guessed: what no rule reads is given back as it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pos.finder.intents import QUIET, intent_of
from pos.finder.items import Item, items_of
from pos.finder.lexicon import LANGUAGES
from pos.finder.measures import NEARBY, Criterion, criteria_of_numbers
from pos.finder.names import Names

LONGEST_SENTENCE = 240
LISTS = frozenset({"brand", "exclude_brand", "exclude_family", "model", "color", "exclude_color", "prefer", "wants"})
NEEDS_FOR = frozenset({"school", "work", "sport"})
"""Whom a device is for only where the sentence says "for": `de sport` is a wish, `un cours` is no school."""
DENIABLE = (
    "brand",
    "family",
    "model",
    "tier",
    "colors",
    "features",
    "categories",
    "types",
    "wants",
    "deals",
    "grades",
    "sorts",
    "for_whom",
)
SOFT = frozenset({"color", "brand", "grade_min", "network", "connector"})
CELLULAR = {"tablets": "Wi-Fi + Cellular", "watches": "GPS + Cellular"}
TABLETS = frozenset({"iPad", "Galaxy Tab"})
WATCHES = frozenset({"Apple Watch", "Galaxy Watch", "Pixel Watch"})


@dataclass(slots=True)
class Understanding:
    """What a sentence says: its criteria, each with the places of the sentence that say it, and what was not understood."""

    criteria: dict[str, Any] = field(default_factory=dict)
    said: list[tuple[str, Any, int, int]] = field(default_factory=list)
    not_understood: list[tuple[int, int]] = field(default_factory=list)


def understand(sentence: str, *, language: str, names: Names, currency: str) -> Understanding:
    """Return what a sentence of up to `LONGEST_SENTENCE` letters says; words are looked up in `language` first."""
    sentence = sentence[:LONGEST_SENTENCE]
    languages = sorted(LANGUAGES, key=lambda each: each != language)
    items = items_of(sentence, languages, names)
    reading = _Reading(items, names, currency)
    criteria = reading.criteria()
    understanding = Understanding()
    for criterion in criteria:
        _add(understanding, criterion, items)
    understanding.not_understood = list(_left(items, reading.used))
    return understanding


def _add(understanding: Understanding, criterion: Criterion, items: Sequence[Item]) -> None:
    """Add a criterion: the first of a key counts, and lists grow."""
    key, value, kept = criterion.key, criterion.value, understanding.criteria
    if key in LISTS:
        values = kept.setdefault(key, [])
        if value in values:
            return
        values.append(value)
    elif key in kept:
        return
    else:
        kept[key] = value
    understanding.said.append((key, value, items[criterion.first].start, items[criterion.last].end))


def _left(items: Sequence[Item], used: set[int]) -> Iterator[tuple[int, int]]:
    """Yield the places of what was not understood: neighbours are one, and words that say nothing by themselves do not count."""
    run: list[int] = []
    for index in range(len(items) + 1):
        item = items[index] if index < len(items) else None
        is_left = item is not None and index not in used and not any(kind in item for kind in QUIET)
        if is_left:
            run.append(index)
        elif run and (item is None or index in used or "break" in item or not item.is_filler):
            yield items[run[0]].start, items[run[-1]].end
            run = []


class _Reading:
    """One reading of a row of items."""

    def __init__(self, items: Sequence[Item], names: Names, currency: str) -> None:
        self.items, self.names, self.currency = items, names, currency
        self.used: set[int] = set()
        self.denied = self._denials()
        self.measured = criteria_of_numbers(items, currency)

    def criteria(self) -> list[Criterion]:
        """Return every criterion, in the order of the sentence."""
        for criterion in self.measured:
            self._use(criterion)
        measured = {index for index in self.used if "categories" not in self.items[index]}
        told = list(self.measured)
        intent = intent_of(self.items, self.measured)
        for index, item in enumerate(self.items):
            if index not in measured:
                told += self._read(index, item, intent[0].value if intent else "find")
        told = self._given(told) if intent else self._newer(told)
        settled = self._settled(told)
        for criterion in (*intent, *told, *settled):
            self._use(criterion)
        told = settled
        return sorted([*intent, *told], key=lambda criterion: criterion.first)

    def _use(self, criterion: Criterion) -> None:
        self.used |= set(range(criterion.first, criterion.last + 1))

    def _has(self, *kinds: str) -> bool:
        return any(kind in item for item in self.items for kind in kinds)

    def _denials(self) -> dict[int, int]:
        """Return the items that a negation covers, with where it stands: it ends with its clause, "except" goes over commas."""
        denied, since, is_wide = {}, None, False
        for index, item in enumerate(self.items):
            if "words.not" in item or "words.except" in item:
                since, is_wide = index, "words.except" in item
            elif since is None:
                continue
            elif "break" in item and is_wide and self._lists_on(index):
                continue
            elif any(kind in item for kind in DENIABLE):
                denied[index] = since
            elif not (item.is_filler or "words.and" in item or "words.or" in item or "units" in item):
                since = None
        return denied

    def _lists_on(self, index: int) -> bool:
        """Tell whether a comma after "except" leads to another name."""
        after = self.items[index + 1] if index + 1 < len(self.items) else None
        return bool(after and ("brand" in after or "family" in after))

    def _read(self, index: int, item: Item, intent: object) -> Iterator[Criterion]:
        """Yield what one item says."""
        if index in self.denied:
            yield from self._denied(index, item)
            return
        readers = [self._named, self._kind_of_device, self._feature, self._wish, self._person]
        if intent == "repair":
            yield from self._fault(index, item)
            readers = readers[:2]
            if "faults" in item and ("categories" not in item or self._has("model", "family")):
                return
        for reader in readers:
            told = list(reader(index, item))
            yield from told
            if told:
                return

    def _fault(self, index: int, item: Item) -> Iterator[Criterion]:
        if "failures" in item:
            yield Criterion("fault", item.means["failures"], index, index)
        elif "faults" in item and ("categories" not in item or self._has("model", "family")):
            yield Criterion("fault", item.means["faults"], index, index)
        elif "broken.change" in item or "broken.broken" in item:
            self.used.add(index)

    def _named(self, index: int, item: Item) -> Iterator[Criterion]:
        if "model" in item:
            for model in self.names.models[item.means["model"]].models:
                yield Criterion("model", model, index, index)
        elif "family" in item:
            yield Criterion("family", self.names.families[item.means["family"]], index, index)
        elif "tier" in item:
            yield Criterion("model_contains", item.means["tier"], index, index)
        elif "brand" in item:
            if self._is_of_name(index):
                self.used.add(index)
            else:
                yield Criterion("brand", self.names.brands[item.means["brand"]], index, index)

    def _is_of_name(self, index: int) -> bool:
        """Tell whether a brand is the beginning of its own model's name: `Samsung S22`."""
        after = self.items[index + 1] if index + 1 < len(self.items) else None
        return (
            after is not None and ("model" in after or "family" in after) and self._brand(after) == self._brand(self.items[index])
        )

    def _brand(self, item: Item) -> str:
        if "brand" in item:
            return self.names.brands[item.means["brand"]]
        if "family" in item:
            return self.names.brand_of[self.names.families[item.means["family"]]]
        return self.names.brand_of[self.names.models[item.means["model"]].models[0]]

    def _kind_of_device(self, index: int, item: Item) -> Iterator[Criterion]:
        if "types" in item:
            category, _, kind = item.means["types"].partition("=")
            said = {each.means["categories"] for each in self.items if "categories" in each and "types" not in each}
            if said <= {category}:
                yield Criterion("category", category, index, index)
                yield Criterion("type", kind, index, index)
        elif "categories" in item:
            yield Criterion("category", item.means["categories"], index, index)

    def _feature(self, index: int, item: Item) -> Iterator[Criterion]:
        if "features" in item:
            key, _, value = item.means["features"].partition("=")
            yield Criterion(key, value or True, index, index)
        elif "grades" in item:
            yield Criterion("grade_min", item.means["grades"], index, index)
        elif "colors" in item:
            yield Criterion("color", item.means["colors"], index, index)
        elif "deals" in item:
            yield Criterion("deal", item.means["deals"], index, index)

    def _wish(self, index: int, item: Item) -> Iterator[Criterion]:
        if "sorts" in item:
            yield Criterion("sort", item.means["sorts"], index, index)
        elif "wants" in item:
            yield Criterion("wants", item.means["wants"], index, index)

    def _person(self, index: int, item: Item) -> Iterator[Criterion]:
        whom = item.means.get("for_whom")
        if whom and (whom not in NEEDS_FOR or self._says_for(index)):
            yield Criterion("for_whom", whom, index, index)

    def _says_for(self, index: int) -> bool:
        before = self.items[max(index - 3, 0) : index]
        return any("for_words.for" in item or "for_words.for_bare" in item for item in before)

    def _denied(self, index: int, item: Item) -> Iterator[Criterion]:
        """Yield what a negation excludes; a wish that is not wished for is not understood."""
        first = self.denied[index]
        if first == index - 1 or all(each.is_filler for each in self.items[first + 1 : index]):
            start = first
        else:
            start = index
        if "model" in item:
            yield Criterion("exclude_model_contains", self.names.models[item.means["model"]].short, start, index)
        elif "family" in item:
            yield Criterion("exclude_family", self.names.families[item.means["family"]], start, index)
        elif "tier" in item:
            yield Criterion("exclude_model_contains", item.means["tier"], start, index)
        elif "brand" in item:
            if not self._is_of_name(index):
                yield Criterion("exclude_brand", self.names.brands[item.means["brand"]], start, index)
        elif "colors" in item:
            yield Criterion("exclude_color", item.means["colors"], start, index)
        elif "features" in item and "=" not in item.means["features"]:
            yield Criterion(item.means["features"], False, start, index)

    def _given(self, told: list[Criterion]) -> list[Criterion]:
        """Return the criteria of what is given where it is given for something: `reprendre mon S21 contre un iPhone`."""
        names = [criterion for criterion in told if criterion.key in ("model", "family")]
        price = next((index for index, item in enumerate(self.items) if "words.against" in item), None)
        if price is None or not any(criterion.first < price for criterion in names):
            return told
        asked = [criterion for criterion in names if criterion.first > price]
        for criterion in asked:
            self._use(criterion)
        return [criterion for criterion in told if criterion not in asked]

    def _newer(self, told: list[Criterion]) -> list[Criterion]:
        """Return the criteria, a model "or newer" read as its line from its year on; left as said where no line is known."""
        models = [criterion for criterion in told if criterion.key == "model"]
        bounds = [index for index, item in enumerate(self.items) if index not in self.denied and self._bounds_model(index, item)]
        line = self.names.line_from([str(criterion.value) for criterion in models]) if models else None
        if not bounds or line is None:
            return told
        named, bound = models[0], bounds[0]
        year = line.year + ("comparators.newer_than" in self.items[bound])
        told = [criterion for criterion in told if criterion not in models]
        told += [Criterion(line.key, line.name, named.first, models[-1].last), Criterion("year_min", year, bound, bound)]
        return told + ([Criterion("model_contains", line.tier, named.first, named.last)] if line.tier else [])

    def _bounds_model(self, index: int, item: Item) -> bool:
        """Tell whether an item says "or newer" after a model, or "from" before one."""
        if index in self.used:
            return False
        before, after = self._beside(index, -1), self._beside(index, 1)
        if "comparators.newer_than" in item or "comparators.since" in item:
            if after is not None and "model" in after:
                return True
        if "comparators.newer" in item:
            return any("model" in each for each in self.items[max(index - NEARBY, 0) : index])
        is_bound = "comparators.or_more" in item and item.pieces != ("+",)
        return is_bound and before is not None and "model" in before and not (after and "grades" in after)

    def _beside(self, index: int, step: int) -> Item | None:
        """Return the next item on one side that says something; a comma does."""
        place = index + step
        while 0 <= place < len(self.items) and self.items[place].is_filler:
            place += step
        return self.items[place] if 0 <= place < len(self.items) else None

    def _settled(self, told: list[Criterion]) -> list[Criterion]:
        """Return the criteria once each has seen the others: ambiguous words, wishes, and what a plan goes with."""
        if any(criterion.key == "for_whom" for criterion in self.measured):
            # An age says more than "daughter" does.
            told = [criterion for criterion in told if criterion.key != "for_whom" or criterion in self.measured]
        if any((criterion.key, criterion.value) == ("for_whom", "teen") for criterion in told):
            told = [criterion for criterion in told if (criterion.key, criterion.value) != ("for_whom", "child")]
        has_device = any(criterion.key in ("category", "family", "model", "brand") for criterion in told)
        told = self._dealt(told)
        told = [self._resolved(criterion, told, has_device=has_device) for criterion in told]
        if any(criterion.key == "connectivity" and "Cellular" in str(criterion.value) for criterion in told):
            told = [criterion for criterion in told if (criterion.key, criterion.value) != ("connectivity", "Wi-Fi")]
        return list(self._softened(told))

    def _dealt(self, told: list[Criterion]) -> list[Criterion]:
        """Return the criteria with one deal: a plan "without contract" is one without commitment, and the surest word counts."""
        deals = [criterion for criterion in told if criterion.key == "deal"]
        values = {criterion.value for criterion in deals}
        if "device_only" in values and values & {"plan", "bundle"}:
            deals = [self._with(deal, "no_commitment") if deal.value == "device_only" else deal for deal in deals]
        surest = sorted(deals, key=lambda deal: (deal.value == "plan", deal.value != "no_commitment"))[:1]
        return [criterion for criterion in told if criterion.key != "deal"] + surest

    def _resolved(self, criterion: Criterion, told: Sequence[Criterion], *, has_device: bool) -> Criterion:
        match criterion.key, criterion.value:
            case "category", "portables":
                return self._with(criterion, "laptops" if self._is_laptop(told) else "phones")
            case "deal", "plan":
                return self._with(criterion, "bundle" if has_device else "sim_only")
            case "price_max_cents", _ if not has_device and any(
                each.key == "deal" and each.value != "device_only" for each in told
            ):
                return Criterion("monthly_max_cents", criterion.value, criterion.first, criterion.last)
            case "network", _ if self._line(told):
                return Criterion("connectivity", CELLULAR[self._line(told)], criterion.first, criterion.last)
            case "connectivity", "Cellular":
                return self._with(criterion, CELLULAR.get(self._line(told), "Cellular"))
        return criterion

    @staticmethod
    def _with(criterion: Criterion, value: object) -> Criterion:
        return Criterion(criterion.key, value, criterion.first, criterion.last)

    def _is_laptop(self, told: Sequence[Criterion]) -> bool:
        keys = {criterion.key for criterion in told}
        for_whom = {criterion.value for criterion in told if criterion.key == "for_whom"}
        return bool(keys & {"ram_gb", "ram_min_gb", "keyboard", "chip"} or for_whom & {"school", "student", "work"})

    @staticmethod
    def _line(told: Sequence[Criterion]) -> str:
        said = {criterion.value for criterion in told if criterion.key in ("category", "family", "model")}
        if said & TABLETS or "tablets" in said or any(str(each).startswith(("iPad", "Galaxy Tab")) for each in said):
            return "tablets"
        return "watches" if said & WATCHES or "watches" in said or any("Watch" in str(each) for each in said) else ""

    def _softened(self, told: Sequence[Criterion]) -> Iterator[Criterion]:
        """Yield the criteria, those that "if possible" goes with marked: a flag is named by `prefer` alone."""
        soft = {place: index for index, item in enumerate(self.items) if "words.prefer" in item for place in self._covered(index)}
        for criterion in told:
            is_soft = criterion.first in soft and (criterion.key in SOFT or criterion.value is True)
            if not is_soft:
                yield criterion
                continue
            if criterion.value is not True:
                yield criterion
            yield Criterion("prefer", criterion.key, criterion.first, criterion.last)

    def _covered(self, index: int) -> list[int]:
        """Return the items that "if possible" goes with: what follows it in its clause, else what is right before it."""
        after: list[int] = []
        for place in range(index + 1, len(self.items)):
            if "break" in self.items[place]:
                break
            after.append(place)
        if any(kind in self.items[place] for place in after for kind in ("colors", "features", "brand", "grades")):
            return after
        for place in range(index - 1, -1, -1):
            if not self.items[place].is_filler and "break" not in self.items[place]:
                return [place]
        return []
