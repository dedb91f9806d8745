"""What a sentence does not want: how far a negation reaches, and what it excludes.

Invariant: what is denied is excluded or not understood, never asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pos.finder.items import Item, beside
from pos.finder.measures import Criterion
from pos.finder.names import Names
from pos.finder.naming import is_of_name

DENYING = ("words.not", "words.except", "words.needless")
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
ALIKE = (("brand", "family"), ("model", "tier"), ("colors",))


def denials(items: Sequence[Item]) -> dict[int, int]:
    """Return the items that a negation covers, with where it stands: it ends with its clause, "except" goes over commas."""
    denied: dict[int, int] = {}
    since, is_wide = None, False
    for index, item in enumerate(items):
        if any(kind in item for kind in DENYING):
            since, is_wide = index, "words.except" in item
        elif since is None or "words.but" in item:
            since = None
        elif "break" in item and is_wide and _lists_on(items, index, denied):
            continue
        elif "categories" in item and _is_new(items, index):
            continue  # `kein neues Handy` is a phone.
        elif any(kind in item for kind in DENIABLE):
            denied[index] = since
        elif not (item.is_filler or "words.and" in item or "words.or" in item or "units" in item):
            since = None
    return denied


def _is_new(items: Sequence[Item], index: int) -> bool:
    """Tell whether a kind of device is one called new."""
    return any(item is not None and "words.new" in item for item in (beside(items, index, -1), beside(items, index, 1)))


def _lists_on(items: Sequence[Item], index: int, denied: dict[int, int]) -> bool:
    """Tell whether a comma after "except" leads to another name, or colour, as before it."""
    after = beside(items, index, 1)
    before = items[max(denied)] if denied else None
    if after is None or before is None:
        return False
    return any(any(kind in after for kind in kinds) and any(kind in before for kind in kinds) for kinds in ALIKE)


def excluded(items: Sequence[Item], index: int, first: int, names: Names) -> Iterator[Criterion]:
    """Yield what the negation at `first` makes of an item; a wish that is not wished for is not understood."""
    item = items[index]
    is_close = first == index - 1 or all(each.is_filler for each in items[first + 1 : index])
    start = first if is_close else index
    if item.means.get("deals") in ("plan", "bundle"):
        yield Criterion("deal", "device_only", start, index)
    elif "words.needless" not in items[first] and (said := _excluded(items, index, names)):
        yield Criterion(*said, start, index)  # `muss kein iPhone sein` excludes none.


def _excluded(items: Sequence[Item], index: int, names: Names) -> tuple[str, object] | None:
    means = items[index].means
    if "model" in means:
        return "exclude_model_contains", names.models[means["model"]].short
    if "family" in means:
        return "exclude_family", names.families[means["family"]]
    if "tier" in means:
        return "exclude_model_contains", means["tier"]
    if "brand" in means:
        return None if is_of_name(items, index, names) else ("exclude_brand", names.brands[means["brand"]])
    if "colors" in means:
        return "exclude_color", means["colors"]
    return (means["features"], False) if "features" in means and "=" not in means["features"] else None
