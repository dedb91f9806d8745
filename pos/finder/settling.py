"""What the criteria of a sentence are once each has seen the others: words of two meanings, what a plan goes with, wishes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pos.finder.items import Item
from pos.finder.measures import Criterion

LISTS = frozenset({"brand", "exclude_brand", "exclude_family", "model", "color", "exclude_color", "prefer", "wants"})
SOFT = frozenset({"color", "brand", "grade_min", "network", "connector"})
CELLULAR = {"tablets": "Wi-Fi + Cellular", "watches": "GPS + Cellular"}
TABLETS = frozenset({"iPad", "Galaxy Tab"})
LAPTOPS = frozenset(
    {"MacBook", "ThinkPad", "Latitude", "EliteBook", "XPS", "Surface", "Dell", "Lenovo", "HP", "Windows", "macOS", "Linux"}
)
"""Makers, families and systems that make a portable a laptop."""
AMBIGUOUS = "computers"
LEAST_OF_BUNDLE = 5000
"""What costs less with a plan costs it every month."""
CARRIED = frozenset({"light", "small", "big_battery", "lightest"})
"""The wishes that make a computer a laptop."""
WATCHES = frozenset({"Apple Watch", "Galaxy Watch", "Pixel Watch"})


def chosen(criteria: Sequence[Criterion]) -> dict[str, object]:
    """Return the value of each key that has one: that said most often (`USB-C or Lightning? USB-C`), of those the first.

    Of models not wanted it is the one whose name is within most of the others: `Pro` leaves no Pro Max.
    """
    values: dict[str, list[object]] = {}
    for criterion in criteria:
        if criterion.key not in LISTS:
            values.setdefault(criterion.key, []).append(criterion.value)
    return {key: max(said, key=lambda value: sum(covers(key, value, other) for other in said)) for key, said in values.items()}


def covers(key: str, value: object, other: object) -> bool:
    """Tell whether a criterion says another of its key, too."""
    if key != "exclude_model_contains":
        return value == other
    return f" {value} " in f" {other} "


def settle(told: Sequence[Criterion], items: Sequence[Item], measured: Sequence[Criterion]) -> list[Criterion]:
    """Return the criteria, in the order of the sentence. `measured` are those that numbers say."""
    told = list(told)
    if any(criterion.key == "for_whom" for criterion in measured):
        # An age says more than "daughter" does.
        told = [criterion for criterion in told if criterion.key != "for_whom" or criterion in measured]
    if any((criterion.key, criterion.value) == ("for_whom", "teen") for criterion in told):
        told = [criterion for criterion in told if (criterion.key, criterion.value) != ("for_whom", "child")]
    if not (_is_laptop(told) or any(criterion.value in CARRIED for criterion in told)):
        told = [criterion for criterion in told if criterion.value != AMBIGUOUS]  # Of which kind, nobody knows.
    has_device = any(criterion.key in ("category", "family", "model", "brand") for criterion in told)
    takes_sim = next((index for index, item in enumerate(items) if "words.sim" in item), None)
    if takes_sim is not None and not any(criterion.key in ("deal", "connectivity", "intent") for criterion in told):
        if _line(told):
            told.append(Criterion("connectivity", CELLULAR[_line(told)], takes_sim, takes_sim))
        elif not has_device:
            told.append(Criterion("deal", "sim_only", takes_sim, takes_sim))
    told = _one_deal(told, items)
    told = [_resolved(criterion, told, has_device=has_device) for criterion in told]
    if any(criterion.key == "connectivity" and "Cellular" in str(criterion.value) for criterion in told):
        told = [criterion for criterion in told if (criterion.key, criterion.value) != ("connectivity", "Wi-Fi")]
    return list(_softened(told, items))


def _one_deal(told: list[Criterion], items: Sequence[Item]) -> list[Criterion]:
    """Return the criteria with one deal: a plan "without contract" is one without commitment, and the surest word counts."""
    deals = [criterion for criterion in told if criterion.key == "deal"]
    values = {criterion.value for criterion in deals}
    if "device_only" in values and values & {"plan", "bundle"}:
        deals = [_with(deal, "no_commitment") if deal.value == "device_only" else deal for deal in deals]
    if any(criterion.key in ("model", "family") for criterion in told):
        deals = [_with(deal, "bundle") if deal.value == "sim_only" and _goes_with(items, deal.first) else deal for deal in deals]
    surest = sorted(deals, key=lambda deal: (deal.value == "plan", deal.value != "no_commitment"))[:1]
    return [criterion for criterion in told if criterion.key != "deal"] + surest


def _goes_with(items: Sequence[Item], place: int) -> bool:
    """Tell whether "with" stands right before an item."""
    while place and items[place - 1].is_filler and "words.with" not in items[place - 1]:
        place -= 1
    return place > 0 and "words.with" in items[place - 1]


def _resolved(criterion: Criterion, told: Sequence[Criterion], *, has_device: bool) -> Criterion:
    match criterion.key, criterion.value:
        case "category", value if value == AMBIGUOUS:
            return _with(criterion, "laptops")
        case "category", "portables":
            return _with(criterion, "laptops" if _is_laptop(told) else "phones")
        case "deal", "plan":
            return _with(criterion, "bundle" if has_device else "sim_only")
        case "price_max_cents", _ if not has_device and any(each.key == "deal" and each.value != "device_only" for each in told):
            return Criterion("monthly_max_cents", criterion.value, criterion.first, criterion.last)
        case "network", _ if _line(told):
            return Criterion("connectivity", CELLULAR[_line(told)], criterion.first, criterion.last)
        case "connectivity", "Cellular":
            return _with(criterion, CELLULAR.get(_line(told), "Cellular"))
        case "price_max_cents", int(cents) if cents < LEAST_OF_BUNDLE and any(each.key == "data_min_gb" for each in told):
            return Criterion("monthly_max_cents", cents, criterion.first, criterion.last)
        case "price_max_cents", int(cents) if cents < LEAST_OF_BUNDLE and any(
            each.key == "deal" and each.value != "device_only" for each in told
        ):
            return Criterion("monthly_max_cents", cents, criterion.first, criterion.last)
    return criterion


def _with(criterion: Criterion, value: object) -> Criterion:
    return Criterion(criterion.key, value, criterion.first, criterion.last)


def _is_laptop(told: Sequence[Criterion]) -> bool:
    keys = {criterion.key for criterion in told}
    for_whom = {criterion.value for criterion in told if criterion.key == "for_whom"}
    says_so = keys & {"ram_gb", "ram_min_gb", "keyboard", "chip"} or for_whom & {"school", "student", "work"}
    return bool(says_so or {str(criterion.value).split()[0] for criterion in told} & LAPTOPS)


def _line(told: Sequence[Criterion]) -> str:
    said = {criterion.value for criterion in told if criterion.key in ("category", "family", "model")}
    if said & TABLETS or "tablets" in said or any(str(each).startswith(("iPad", "Galaxy Tab")) for each in said):
        return "tablets"
    return "watches" if said & WATCHES or "watches" in said or any("Watch" in str(each) for each in said) else ""


def _softened(told: Sequence[Criterion], items: Sequence[Item]) -> Iterator[Criterion]:
    """Yield the criteria, those that "if possible" goes with marked: a flag is named by `prefer` alone."""
    soft = {place: index for index, item in enumerate(items) if "words.prefer" in item for place in _covered(items, index)}
    for criterion in told:
        is_soft = criterion.first in soft and (criterion.key in SOFT or criterion.value is True)
        if not is_soft:
            yield criterion
            continue
        if criterion.value is not True:
            yield criterion
        yield Criterion("prefer", criterion.key, criterion.first, criterion.last)


def _covered(items: Sequence[Item], index: int) -> list[int]:
    """Return the items that "if possible" goes with: what follows it in its clause, else what is right before it."""
    after: list[int] = []
    for place in range(index + 1, len(items)):
        if "break" in items[place]:
            break
        after.append(place)
    if any(kind in items[place] for place in after for kind in ("colors", "features", "brand", "grades")):
        return after
    for place in range(index - 1, -1, -1):
        if not items[place].is_filler and "break" not in items[place]:
            return [place]
    return []
