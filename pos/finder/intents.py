"""What a sentence wants done: find is the default, and the others are trading in, repairing, a quote for many, and comparing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from pos.finder.bounds import CURRENCIES
from pos.finder.items import Item
from pos.finder.lexicon import LANGUAGES, lexicon
from pos.finder.measures import Criterion

BULK_FROM = 10
"""So many devices are asked for by a school or a business alone."""
QUIET = (
    "words.stop",
    "words.with",
    "words.and",
    "words.or",
    "words.but",
    "words.for",
    "words.not",
    "words.prefer",
    "words.screen",
    "words.generation",
    "words.storage",
    "words.memory",
    "words.ram",
    "words.data",
    "for_words.for",
    "for_words.for_bare",
    "break",
    "broken.mine",
    "intents",
    "words.except",
    "comparators.or_less",
    "comparators.or_more",
    "words.how_much",
    "words.aged",
    "words.is_aged",
    "words.which",
    "words.needless",
    "words.have",
    "words.seek",
)
"""What says nothing by itself: none of it is ever told as not understood."""


def intent_of(items: Sequence[Item], measured: Sequence[Criterion]) -> list[Criterion]:
    """Return what the sentence wants done where that is not finding, as one criterion, and a battery to be changed as another."""
    if (said := _said(items)) is not None:
        return said
    for intent, place in (("compare", _asks_which(items)), ("trade_in", _asks_worth(items)), ("trade_in", _exchanges(items))):
        if place is not None:
            return [Criterion("intent", intent, place, place)]
    if (battery := _wants_battery(items)) is not None:
        return [Criterion("intent", "repair", battery, battery), Criterion("fault", "battery", battery, battery)]
    if (broken := _broken(items)) is not None:
        return [Criterion("intent", "repair", broken, broken)]
    if _is_bulk(items, measured):
        return [_at(items, "business_quote", "number")]
    return [_at(items, "compare", "words.or")] if _is_choice(items) else []


def _said(items: Sequence[Item]) -> list[Criterion] | None:
    """Return the intent that words say, nothing where they say that something is sought; None where none says any."""
    for index, item in enumerate(items):
        said = item.means.get("intents")
        if said == "trade_in" and _is_amount(items, index + 1):
            continue  # `what can I get for 200 euros`
        if said in ("trade_in", "repair", "business_quote") or (said == "compare" and _names_several(items)):
            return [Criterion("intent", said, index, index)]
        if said == "find":
            return []
    return None


def _is_amount(items: Sequence[Item], place: int) -> bool:
    """Tell whether an amount of money comes next."""
    while place < len(items) and items[place].is_filler:
        place += 1
    return place + 1 < len(items) and "number" in items[place] and items[place + 1].means.get("units") in CURRENCIES


def _asks_worth(items: Sequence[Item]) -> int | None:
    """Return where the sentence asks how much a device of one's own is; None where it does not, or asks for a part of it."""
    asked = next((index for index, item in enumerate(items) if "words.how_much" in item), None)
    if asked is None:
        return None
    for index in range(asked + 1, len(items)):
        if any(kind in items[index] for kind in ("break", "faults", "failures", "broken.change", "deals")):
            return None
        after = items[index + 1] if index + 1 < len(items) else None
        if _is_mine(items[index]) and after and any(kind in after for kind in ("model", "family", "brand", "categories")):
            return asked
    return None


def _exchanges(items: Sequence[Item]) -> int | None:
    """Return where a device of one's own is given for another: `mein S20 gegen ein S22`; None where it is not."""
    names = ("model", "family", "brand", "categories")
    own = next((index for index, item in enumerate(items[:-1]) if _is_mine(item) and _is_any(items[index + 1], names)), None)
    if own is None:
        return None
    for index in range(own + 2, len(items) - 1):
        if "break" in items[index]:
            return None
        if "words.against" in items[index] and _is_any(items[index + 1], (*names, "number")):
            return own
    return None


def _is_any(item: Item, kinds: Sequence[str]) -> bool:
    return any(kind in item for kind in kinds)


def _asks_which(items: Sequence[Item]) -> int | None:
    """Return where the sentence asks which of two models is more of something: `welches ist leichter, A oder B?`"""
    which = next((index for index, item in enumerate(items) if "words.which" in item), None)
    is_choice = sum("model" in item for item in items) > 1 and _says_or(items)
    return which if is_choice and not _has(items, "comparators.max", "units") else None


def _is_mine(item: Item) -> bool:
    """Tell whether a word says that something is one's own: `for my` does."""
    return "broken.mine" in item or ("for_words.for" in item and item.pieces[-1] in own_words())


@lru_cache
def own_words() -> frozenset[str]:
    """Return the words that say that something is one's own: `my`, `notre`."""
    return frozenset(
        words[-1]
        for language in LANGUAGES
        for words, kinds in lexicon(language).phrases.items()
        if kinds.keys() & {"broken.mine", "for_words.for_bare"}
    )


def _at(items: Sequence[Item], intent: str, kind: str) -> Criterion:
    index = next(place for place, item in enumerate(items) if kind in item)
    return Criterion("intent", intent, index, index)


def _has(items: Sequence[Item], *kinds: str) -> bool:
    return any(kind in item for item in items for kind in kinds)


def _broken(items: Sequence[Item]) -> int | None:
    """Return where the sentence says that something of one's own is broken; None where it does not."""
    if _has(items, "words.seek") and _has(items, "comparators.max", "words.replacement", "words.new", "wants"):
        return None  # What replaces it is asked for.
    has_part, has_device = _has(items, "faults"), _has(items, "broken.mine", "family", "model", "categories", "brand")
    for index, item in enumerate(items):
        is_denied = any("words.not" in before for before in items[max(index - 2, 0) : index])  # `das nicht kaputt geht`
        says_so = "failures" in item or ("broken.broken" in item and (has_part or has_device) and not is_denied)
        if says_so or ("broken.change" in item and has_part):
            return index
    is_own = any(_is_mine(item) and _is_any(after, ("model", "family", "brand", "categories")) for item, after in pairwise(items))
    if (
        has_part
        and is_own
        and not _has(items, "number", "wants", "qualities", "deals", "comparators.max", "words.best", "words.seek")
    ):
        return next(index for index, item in enumerate(items) if "faults" in item)
    return None


def _says_or(items: Sequence[Item]) -> bool:
    return any("words.or" in item and item.pieces != ("slash",) for item in items)


def _wants_battery(items: Sequence[Item]) -> int | None:
    """Return where a new battery is asked for a device of one's own; None where it is not."""
    for index, (item, after) in enumerate(pairwise(items)):
        if item.means.get("features") == "new_battery" and "for_words.for" in after and _is_mine(after):
            return index
    return None


def _is_bulk(items: Sequence[Item], measured: Sequence[Criterion]) -> bool:
    """Tell whether a quantity is one that only a school, a business or a quote asks for."""
    quantities = [int(str(criterion.value)) for criterion in measured if criterion.key == "quantity"]
    is_for_many = any(item.means.get("for_whom") in ("school", "work") for item in items)
    return bool(quantities) and (quantities[0] >= BULK_FROM or is_for_many)


def _names_several(items: Sequence[Item]) -> bool:
    return sum(any(kind in item for kind in ("model", "family", "brand")) for item in items) > 1


def _is_choice(items: Sequence[Item]) -> bool:
    """Tell whether the sentence is two models and "or": with more criteria it looks for either."""
    says_more = any(not any(kind in item for kind in ("model", "break", *QUIET)) or "comparators.max" in item for item in items)
    is_denied = _has(items, "words.not", "words.except", "words.seek")
    return sum("model" in item for item in items) > 1 and _says_or(items) and not says_more and not is_denied
