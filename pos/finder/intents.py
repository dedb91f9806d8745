"""What a sentence wants done: find is the default, and the others are trading in, repairing, a quote for many, and comparing."""

from __future__ import annotations

from collections.abc import Sequence

from pos.finder.items import Item
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
)
"""What says nothing by itself: none of it is ever told as not understood."""


def intent_of(items: Sequence[Item], measured: Sequence[Criterion]) -> list[Criterion]:
    """Return what the sentence wants done where that is not finding, as one criterion."""
    for index, item in enumerate(items):
        said = item.means.get("intents")
        if said in ("trade_in", "repair", "business_quote") or (said == "compare" and _names_several(items)):
            return [Criterion("intent", said, index, index)]
        if said == "find":
            return []
    if (broken := _broken(items)) is not None:
        return [Criterion("intent", "repair", broken, broken)]
    if _is_bulk(items, measured):
        return [_at(items, "business_quote", "number")]
    return [_at(items, "compare", "words.or")] if _is_choice(items) else []


def _at(items: Sequence[Item], intent: str, kind: str) -> Criterion:
    index = next(place for place, item in enumerate(items) if kind in item)
    return Criterion("intent", intent, index, index)


def _has(items: Sequence[Item], *kinds: str) -> bool:
    return any(kind in item for item in items for kind in kinds)


def _broken(items: Sequence[Item]) -> int | None:
    """Return where the sentence says that something of one's own is broken; None where it does not."""
    has_part, has_device = _has(items, "faults"), _has(items, "broken.mine", "family", "model", "categories", "brand")
    for index, item in enumerate(items):
        says_so = "failures" in item or ("broken.broken" in item and (has_part or has_device))
        if says_so or ("broken.change" in item and has_part):
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
    is_denied = _has(items, "words.not", "words.except")
    return sum("model" in item for item in items) > 1 and _has(items, "words.or") and not says_more and not is_denied
