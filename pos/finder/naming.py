"""Names in their sentence: whether one is what is asked for, or only stands beside it."""

from __future__ import annotations

from collections.abc import Sequence

from pos.finder.items import Item, beside
from pos.finder.names import Names

NAMED = ("model", "family", "brand", "categories")
FROM = frozenset({"de", "d", "du", "from", "von", "vom", "del"})
THAN = frozenset({"que", "qu", "than", "als", "wie"})


def is_beside_the_point(items: Sequence[Item], index: int, *, is_find: bool) -> bool:
    """Tell whether a name is of what one has, compares or uses with it: `earbuds for my iPhone`, `cheaper than a Pixel`."""
    before = beside(items, index, -1)
    if before and ("words.than" in before or (_is_bound(before) and before.pieces[-1] in THAN)):
        return True
    is_switching = any("words.switching" in item for item in items)
    for place in range(index - 1, -1, -1):
        item = items[place]
        if is_switching and FROM.intersection(item.pieces):
            return True
        if "words.seek" in item:
            return False
        if "broken.mine" in item or "words.have" in item:
            others = (*items[:index], *items[index + 1 :])
            return is_find and any(kind in other for other in others for kind in (*NAMED, "words.replacement"))
        if "for_words.for" in item or item.means.get("wants") == "gaming":
            return any(kind in other for other in items[:place] for kind in ("categories", "family", "model"))
        if not item.is_filler:
            return False
    return False


def _is_bound(item: Item) -> bool:
    return "comparators.max" in item or "comparators.min" in item


def sized(items: Sequence[Item], models: Sequence[str]) -> tuple[Sequence[str], set[int]]:
    """Return the models, those of the size said where one is (`Apple Watch SE, 44 mm`), and where it is said."""
    for index, item in enumerate(items[1:] if len(models) > 1 else ()):
        size = [model for model in models if model.endswith(f" {''.join(items[index].pieces)} mm")]
        if item.pieces == ("mm",) and size:
            return size, {index, index + 1}
    return models, set()


def is_of_name(items: Sequence[Item], index: int, names: Names) -> bool:
    """Tell whether a brand is no name by itself: the beginning of its own model's (`Samsung S22`), or the word `nothing`."""
    item, after = items[index], items[index + 1] if index + 1 < len(items) else None
    if after and ("model" in after or "family" in after):
        return _brand(after, names) == _brand(item, names)
    if item.pieces != ("nothing",) or (after and "categories" in after):
        return False
    before = items[max(index - 2, 0) : index]
    return not any(kind in each for each in before for kind in ("brand", "words.not", "words.except"))


def _brand(item: Item, names: Names) -> str:
    if "brand" in item:
        return names.brands[item.means["brand"]]
    if "family" in item:
        return names.brand_of[names.families[item.means["family"]]]
    return names.brand_of[names.models[item.means["model"]].models[0]]
