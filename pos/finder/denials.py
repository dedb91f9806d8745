"""What a sentence does not want: how far a negation reaches, and what it excludes.

Invariant: what is denied is excluded or not understood, never asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pos.finder.items import Item, beside
from pos.finder.measures import Criterion
from pos.finder.names import Names
from pos.finder.naming import is_of_name

ENDING = ("words.but", "words.with", "words.seek", "broken.mine")
NAMES = (0, 1)
DENYING = ("words.not", "words.except", "words.needless")
KINDS = (
    ("brand", "family"),
    ("model", "tier"),
    ("colors",),
    ("features", "types"),
    ("wants",),
    ("deals",),
    ("grades",),
    ("sorts",),
    ("for_whom",),
)
"""What can be denied: one negation covers what is of one kind, and of the first two where they are joined."""


def denials(items: Sequence[Item]) -> dict[int, int]:
    """Return the items that a negation covers, with where it stands: it ends with its clause, "except" goes over commas."""
    denied: dict[int, int] = {}
    since, is_wide, last = None, False, None
    for index, item in enumerate(items):
        if any(kind in item for kind in DENYING):
            since, is_wide, last = index, "words.except" in item, None
        elif since is None or any(kind in item for kind in ENDING):
            since = None
        elif "break" in item and is_wide and _lists_on(items, index, last):
            continue
        elif "categories" in item and not _kinds(item):
            if not _qualifies(items, index):
                denied[index] = since
        elif kinds := _kinds(item):
            if last is not None and not _goes_on(items, index, last):
                since = None
                continue
            denied[index], last = since, (kinds[0], index)
        elif not (item.is_filler or "words.and" in item or "words.or" in item or "units" in item):
            since = None
    return denied


def _kinds(item: Item) -> list[int]:
    return [number for number, kinds in enumerate(KINDS) if any(kind in item for kind in kinds)]


def _qualifies(items: Sequence[Item], index: int) -> bool:
    """Tell whether it is not the kind of device that is denied: `kein neues Handy`, `kein Handy von Apple`."""
    before, after = beside(items, index, -1), beside(items, index, 1)
    is_new = any(item is not None and "words.new" in item for item in (before, after))
    return is_new or (before is not None and bool(_kinds(before))) or (after is not None and bool(_kinds(after)))


def _goes_on(items: Sequence[Item], index: int, last: tuple[int, int]) -> bool:
    """Tell whether a negation that covered an item covers this one, too."""
    own = _kinds(items[index])
    if last[0] in own:
        return True
    is_joined = any("words.and" in item or "words.or" in item or "break" in item for item in items[last[1] + 1 : index])
    return is_joined and last[0] in NAMES and any(number in NAMES for number in own)


def _lists_on(items: Sequence[Item], index: int, last: tuple[int, int] | None) -> bool:
    """Tell whether a comma after "except" leads to another of the kind before it."""
    after = beside(items, index, 1)
    if after is None or last is None or ("tier" in items[last[1]] and "model" in after):
        return False
    return last[0] in _kinds(after)


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
