"""The grammar: the items of a sentence become criteria, as docs/protocol.md §14 lists them.

Invariants: a criterion is said, never implied: a model brings no category. What negation covers is excluded or not understood,
never wished for. Nothing is guessed: what no rule reads is given back as it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pos.finder.bounds import NEARBY
from pos.finder.denials import denials, excluded
from pos.finder.intents import QUIET, intent_of, own_words
from pos.finder.items import Item, beside, items_of, praised
from pos.finder.lexicon import LANGUAGES
from pos.finder.measures import Criterion, criteria_of_numbers
from pos.finder.names import Names
from pos.finder.naming import is_beside_the_point, is_of_name, sized
from pos.finder.settling import AMBIGUOUS, LISTS, chosen, covers, settle

LONGEST_SENTENCE = 240
NEEDS_FOR = frozenset({"school", "work", "sport"})
"""Whom a device is for only where the sentence says "for": `de sport` is a wish, `un cours` is no school."""
FOR_WITHIN = 5


PRAISES = {
    "big_battery": frozenset({"good", "big", "long"}),
    "good_camera": frozenset({"good"}),
    "big_screen": frozenset({"big"}),
    "loud": frozenset({"good", "loud"}),
}
"""Which words praise a part so that it is a wish."""
BIG = frozenset({"phones", "tablets", "laptops", "tvs", "portables"})
SUPERLATIVES = {"good_camera": "camera", "big_battery": "battery", "big_screen": "screen"}


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
    values = chosen(criteria)
    refused = [each for each in criteria if each.key in values and not covers(each.key, values[each.key], each.value)]
    kept = [each for each in criteria if each not in refused]
    for criterion in kept:
        if values.get(criterion.key, criterion.value) == criterion.value:
            _add(understanding, criterion, items)
    understanding.not_understood = list(_left(items, reading.used - (_places(refused) - _places(kept))))
    return understanding


def _places(criteria: Sequence[Criterion]) -> set[int]:
    return {place for criterion in criteria for place in range(criterion.first, criterion.last + 1)}


def _add(understanding: Understanding, criterion: Criterion, items: Sequence[Item]) -> None:
    """Add a criterion once: lists grow."""
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
        self.intent: object = "find"
        self.denied = denials(items)
        self.measured = criteria_of_numbers(items, currency)

    def criteria(self) -> list[Criterion]:
        """Return every criterion, in the order of the sentence."""
        self.used |= _places(self.measured)
        measured = {index for index in self.used if "categories" not in self.items[index]}
        told = list(self.measured)
        intent = intent_of(self.items, self.measured)
        self.intent = intent[0].value if intent else "find"
        for index, item in enumerate(self.items):
            if index not in measured:
                told += self._read(index, item)
        told = self._given(told) if intent else self._newer(told)
        if self.intent == "compare":
            told = [criterion for criterion in told if criterion.key != "quantity"]
        settled = settle(told, self.items, self.measured)
        self.used |= _places([*intent, *settled, *(criterion for criterion in told if criterion.value != AMBIGUOUS)])
        return sorted([*intent, *settled], key=lambda criterion: criterion.first)

    def _has(self, *kinds: str) -> bool:
        return any(kind in item for item in self.items for kind in kinds)

    def _read(self, index: int, item: Item) -> Iterator[Criterion]:
        """Yield what one item says."""
        if index in self.denied:
            yield from excluded(self.items, index, self.denied[index], self.names)
            return
        readers = [self._named, self._aspect, self._kind_of_device, self._feature, self._wish, self._person]
        if self.intent == "repair":
            yield from self._fault(index, item)
            readers = [self._named, self._kind_of_device]
            if "faults" in item and ("categories" not in item or self._has("model", "family")):
                return
        elif self.intent in ("trade_in", "compare"):
            readers = [self._named, self._kind_of_device, self._feature, self._person]
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
        if is_beside_the_point(self.items, index, is_find=self.intent == "find"):
            return
        if "model" in item:
            models, size = sized(self.items, self.names.models[item.means["model"]].models)
            self.used |= size
            for model in models:
                yield Criterion("model", model, index, index)
        elif "family" in item:
            yield Criterion("family", self.names.families[item.means["family"]], index, index)
        elif "tier" in item:
            yield Criterion("model_contains", item.means["tier"], index, index)
        elif "brand" in item:
            if is_of_name(self.items, index, self.names):
                self.used.add(index)
            else:
                yield Criterion("brand", self.names.brands[item.means["brand"]], index, index)

    def _kind_of_device(self, index: int, item: Item) -> Iterator[Criterion]:
        if "types" in item:
            category, _, kind = item.means["types"].partition("=")
            said = {each.means["categories"] for each in self.items if "categories" in each and "types" not in each}
            if said <= {category}:
                yield Criterion("category", category, index, index)
                yield Criterion("type", kind, index, index)
        elif "categories" in item and not ("units" in item and index and "number" in self.items[index - 1]):
            yield Criterion("category", item.means["categories"], index, index)

    def _aspect(self, index: int, item: Item) -> Iterator[Criterion]:
        """Yield the wish that a part of a device is, with a word beside it that praises it: `la batterie doit être bonne`."""
        if item.means.get("qualities") == "big" and self._is_big_device(index):
            yield Criterion("wants", "big_screen", index, index)
        want = item.means.get("aspects", "")
        is_device = "categories" in item and not any("categories" in each for each in self.items[:index])
        if want and not is_device and (praise := praised(self.items, index, PRAISES[want])) is not None:
            yield Criterion("wants", want, min(index, praise), max(index, praise))

    def _is_big_device(self, index: int) -> bool:
        """Tell whether a word such as `big` stands right beside a device with a screen."""
        beside = self.items[max(index - 1, 0) : index + 2]
        return any(item.means.get("categories") in BIG for item in beside)

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
        after = self.items[index + 1] if index + 1 < len(self.items) else None
        if "sorts" in item and after and "words.than" in after:
            if item.means["sorts"] == "screen":
                yield Criterion("wants", "big_screen", index, index)  # `pantalla más grande que mi iPhone`
        elif "sorts" in item:
            yield Criterion("sort", item.means["sorts"], index, index)
        elif item.means.get("wants") == "small" and self._is_of_people(index):
            yield Criterion("for_whom", "child", index, index)
        elif "wants" in item and (best := self._best(index)) is not None:
            yield Criterion("sort", SUPERLATIVES[item.means["wants"]], best, index)
        elif "wants" in item:
            yield Criterion("wants", item.means["wants"], index, index)

    def _is_of_people(self, index: int) -> bool:
        """Tell whether "for the little" ones is said, and no thing is little."""
        before, after = self.items[index - 1] if index else None, beside(self.items, index, 1)
        is_for = before is not None and "for_words.for" in before and len(before.pieces) > 1
        return is_for and not (after and any(kind in after for kind in ("categories", "family", "model", "words.screen")))

    def _best(self, index: int) -> int | None:
        """Return where "the best" stands before a wish that is an order then: `le meilleur téléphone pour la photo`."""
        for place in range(index - 1, -1, -1):
            item = self.items[place]
            if "words.best" in item:
                return place if self.items[index].means["wants"] in SUPERLATIVES else None
            if not (item.is_filler or "categories" in item or "family" in item or "brand" in item):
                return None
        return None

    def _person(self, index: int, item: Item) -> Iterator[Criterion]:
        whom = item.means.get("for_whom")
        if item.means.get("ordinals") == "1" and self._is_first_device(index):
            yield Criterion("for_whom", "beginner", index, index)
        if whom and (whom not in NEEDS_FOR or self._says_for(index)):
            yield Criterion("for_whom", whom, index, index)

    def _is_first_device(self, index: int) -> bool:
        """Tell whether a word such as `first` says that somebody has had no such device yet, and nothing says more of them."""
        after = beside(self.items, index, 1)
        return after is not None and ("categories" in after or "family" in after) and not self._has("for_whom")

    def _says_for(self, index: int) -> bool:
        words = self.items[index].pieces
        after = self.items[index + 1] if index + 1 < len(self.items) else None
        if (len(words) > 1 and words[0] in own_words()) or (after and "categories" in after):
            return True  # `our school`, `a work phone`
        for item in reversed(self.items[max(index - FOR_WITHIN, 0) : index]):
            if "for_words.for" in item or "for_words.for_bare" in item:
                return True
            if not any(kind in item for kind in ("words.stop", "for_whom", "qualities", "wants")):
                return False
        return False

    def _given(self, told: list[Criterion]) -> list[Criterion]:
        """Return the criteria of what is given where it is given for something: `reprendre mon S21 contre un iPhone`."""
        names = [criterion for criterion in told if criterion.key in ("model", "family")]
        price = next((index for index, item in enumerate(self.items) if "words.against" in item), None)
        given = [
            criterion for criterion in told if criterion.key in ("model", "family", "category") and criterion.first < (price or 0)
        ]
        if price is None or not given:
            return told
        asked = [criterion for criterion in names if criterion.first > price]
        self.used |= _places(asked)
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
        before, after = beside(self.items, index, -1), beside(self.items, index, 1)
        if "comparators.newer_than" in item or "comparators.since" in item:
            if after is not None and "model" in after:
                return True
        if "comparators.newer" in item:
            return any("model" in each for each in self.items[max(index - NEARBY, 0) : index])
        is_bound = "comparators.or_more" in item and item.pieces != ("+",)
        return is_bound and before is not None and "model" in before and not (after and "grades" in after)
