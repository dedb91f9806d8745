"""What the numbers of a sentence measure: money, gigabytes, inches, years, a quantity; and between which bounds.

Two traps: the data of a plan is no storage, and a number without a unit is no price unless something says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from pos import clock
from pos.currencies import places
from pos.finder.bounds import CURRENCIES, NEARBY, Measured, bound_before, is_gigabyte_word, measured_at, unit_at
from pos.finder.items import Item

CAPACITIES = frozenset({16, 32, 64, 128, 256, 512, 1000, 1024, 2000, 2048})
ODD_CAPACITIES = range(20, 1000, 10)
"""What only plans hold: no device has 100 GB."""
MOST_RAM, MOST_RAM_OF_COMPUTER = 24, 64
COMPUTERS = frozenset({"laptops", "desktops", "portables", "computers"})
COMPUTER_NAMES = frozenset(
    {("macbook",), ("imac",), ("mac",), ("thinkpad",), ("latitude",), ("elitebook",), ("xps",), ("surface",)}
)
OF = frozenset({("de",), ("en",), ("in",), ("con",), ("with",), ("mit",), ("avec",)})
FOR = frozenset({("a",), ("at",), ("for",), ("pour",), ("por",), ("fur",), ("um",)})
DESCRIBING = ("colors", "features", "grades", "words.or", "break")
"""What may stand between a model and its capacity."""
LEAST_AGE, LAST_AGE = 8, 110
LEAST_PRICE, LEAST_PRICE_OVER = 20, 100
"""From where on a bounded number without a unit is a price: "at least 30" is hours, or pieces."""
LEAST_WORD = 3
TERABYTE_GB = 1024
HUNDRED = 10_000
YEARS = range(2010, 2046)
NAMED = ("categories", "family", "model", "brand")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion, and the items of the sentence that say it."""

    key: str
    value: object
    first: int
    last: int


def criteria_of_numbers(items: Sequence[Item], currency: str) -> list[Criterion]:
    """Return what the numbers say; each of them is read once."""
    criteria: list[Criterion] = []
    place = 0
    while place < len(items):
        if items[place].means.get("units") == "tb" and not _has_number(items, place):
            criteria.append(_one_terabyte(items, place))
        if "number" in items[place] and (measured := measured_at(items, place)):
            told = [] if _is_denied(items, measured) else list(_told(items, measured, currency))
            criteria += told
            place = max(measured.last, place) + 1 if told else place + 1
        else:
            place += 1
    return criteria


def _is_denied(items: Sequence[Item], measured: Measured) -> bool:
    """Tell whether a measure is not wanted: `mais pas 64 Go`."""
    before = next((item for item in reversed(items[: measured.first]) if not item.is_filler or "words.not" in item), None)
    return not measured.bound and before is not None and ("words.not" in before or "words.except" in before)


def _has_number(items: Sequence[Item], place: int) -> bool:
    """Tell whether a number stands right before a unit; `to` alone is a word."""
    if len(items[place].pieces[0]) < LEAST_WORD or not place:
        return True
    before = items[place - 1]
    return "number" in before or not (before.is_filler or "words.half" in before)


def _one_terabyte(items: Sequence[Item], place: int) -> Criterion:
    """Return what a terabyte without a number says: one, or half of one."""
    first, bound = bound_before(items, place)
    half = next((index for index in range(place - 1, max(place - NEARBY, -1), -1) if "words.half" in items[index]), None)
    gigabytes, first = (TERABYTE_GB, first) if half is None else (TERABYTE_GB // 2, min(first, half))
    return Criterion("storage_min_gb" if bound == "min" else "storage_gb", gigabytes, first, place)


def _told(items: Sequence[Item], measured: Measured, currency: str) -> Iterator[Criterion]:
    """Yield what a measure says; nothing where it says nothing we know."""
    readers: dict[str, Callable[[Sequence[Item], Measured], Iterator[tuple[str, object]]]] = {
        "gb": _gigabytes,
        "tb": _terabytes,
        "inch": _inches,
        "years": _years,
        "old": _age,
        "": _bare,
    }
    if items[measured.last].pieces == ("e",) and measured.hundredths < LEAST_PRICE * 100:
        return  # `9e`, a generation
    if measured.unit in CURRENCIES or _is_price(items, measured):
        pairs = _money(measured, currency)
    elif reader := readers.get(measured.unit):
        pairs = reader(items, measured)
    else:
        return
    for key, value in pairs:
        yield Criterion(key, value, measured.first, measured.last)


def _is_price(items: Sequence[Item], measured: Measured) -> bool:
    """Tell whether a number without a unit is a price: something bounds it, and it is no year."""
    least = LEAST_PRICE_OVER if measured.bound == "min" else LEAST_PRICE
    if measured.unit or not measured.bound or measured.hundredths < least * 100 or _is_capacity(items, measured):
        return False
    after = items[measured.last + 1] if measured.last + 1 < len(items) else None
    if after and (not after.means or [*after.means] == ["words.other"]):
        return False  # What is counted is a word nobody knows.
    return measured.hundredths // 100 not in YEARS and _updates_before(items, measured.first) is None


def _is_capacity(items: Sequence[Item], measured: Measured) -> bool:
    """Tell whether a least number after a device is one of the capacities devices have: `iPhone 11, at least 128`."""
    number = measured.hundredths // 100
    if measured.bound != "min" or number not in CAPACITIES or measured.upper is not None:
        return False
    return number >= LEAST_PRICE_OVER or any("model" in item or "family" in item for item in items[: measured.first])


def _money(measured: Measured, currency: str) -> Iterator[tuple[str, object]]:
    if measured.unit and measured.unit != currency:
        yield "unsupported_currency", measured.unit
        return
    amounts = [hundredths * 10 ** places(currency) // 100 for hundredths in (measured.hundredths, measured.upper or 0)]
    if measured.upper is not None:
        low, high = sorted(amounts)
        if measured.is_in_words and low < LEAST_PRICE * 100 and high % HUNDRED == 0:
            low *= 100  # `deux ou trois cents euros`
        yield from [("monthly_max_cents", high)] if measured.is_monthly else [("price_min_cents", low), ("price_max_cents", high)]
    elif measured.is_monthly:
        yield "monthly_max_cents", amounts[0]
    else:
        keys = {"about": "price_target_cents", "min": "price_min_cents"}
        yield keys.get(measured.bound, "price_max_cents"), amounts[0]


def _terabytes(items: Sequence[Item], measured: Measured) -> Iterator[tuple[str, object]]:
    del items
    yield _storage_key(measured), measured.hundredths * TERABYTE_GB // 100


def _gigabytes(items: Sequence[Item], measured: Measured) -> Iterator[tuple[str, object]]:
    """Yield whose gigabytes they are: a plan's data, memory, or storage."""
    gigabytes = measured.hundredths // 100
    kind = _gigabytes_of(items, measured)
    if kind == "data":
        yield "data_min_gb", gigabytes
    elif kind == "ram" or (kind in ("", "memory") and _is_memory(items, gigabytes)):
        yield ("ram_min_gb" if measured.bound in ("min", "between") else "ram_gb"), gigabytes
    else:
        yield _storage_key(measured), gigabytes


def _is_memory(items: Sequence[Item], gigabytes: int) -> bool:
    """Tell whether gigabytes of nothing said are memory: little of them, or of a computer whose storage is said, too."""
    if gigabytes <= MOST_RAM:
        return not _is_watch(items)
    is_computer = any(item.means.get("categories") in COMPUTERS or item.pieces[:1] in COMPUTER_NAMES for item in items)
    return is_computer and gigabytes <= MOST_RAM_OF_COMPUTER and any(_is_storage(items, place) for place in range(1, len(items)))


def _is_storage(items: Sequence[Item], place: int) -> bool:
    """Tell whether a capacity above all memories ends at `place`."""
    hundredths, unit = items[place - 1].hundredths or 0, items[place].means.get("units")
    return (unit == "tb" and hundredths > 0) or (unit == "gb" and hundredths > MOST_RAM_OF_COMPUTER * 100)


def _is_watch(items: Sequence[Item]) -> bool:
    """Tell whether the sentence is of watches, whose storage is as small as the memory of others."""
    return any(item.means.get("categories") == "watches" or "watch" in "".join(item.pieces) for item in items)


def _storage_key(measured: Measured) -> str:
    return "storage_min_gb" if measured.bound in ("min", "between") else "storage_gb"


def _gigabytes_of(items: Sequence[Item], measured: Measured) -> str:
    """Return what gigabytes are of, by what stands right after them, else before them in the same clause."""
    after = takewhile(lambda item: item.is_filler or is_gigabyte_word(item), items[measured.last + 1 : measured.last + 3])
    around = [item for item in after if "words.and" not in item and "deals" not in item] + list(
        items[measured.first : measured.last + 1]
    )
    for index in range(measured.first - 1, max(measured.first - 1 - NEARBY, -1), -1):
        if _is_of_number(items, index):
            break
        around.append(items[index])
        if not (items[index].is_filler or is_gigabyte_word(items[index]) or "words.with" in items[index]):
            break
    for item in around:
        for kind in ("ram", "data", "storage", "memory"):
            if f"words.{kind}" in item:
                return kind
        if _is_plan(item):
            return "data"
    is_of_plan = any(_is_plan(item) or "words.sim" in item or item.means.get("units") == "month" for item in items)
    is_of_plan = is_of_plan and not any(kind in item for item in items for kind in NAMED)
    is_plan_size = _speaks_of_plan(items) and measured.hundredths // 100 in ODD_CAPACITIES
    is_alone = not any(kind in item for item in items for kind in NAMED) and measured.hundredths // 100 in ODD_CAPACITIES
    return "data" if is_of_plan or is_plan_size or is_alone else ""


def _speaks_of_plan(items: Sequence[Item]) -> bool:
    """Tell whether the sentence speaks of a plan, or of what only plans have."""
    return any(_is_plan(item) or "words.data" in item for item in items)


def _is_of_number(items: Sequence[Item], index: int) -> bool:
    """Tell whether a word such as `RAM` says what the gigabytes before it are of, and so nothing of those after it."""
    if not any(kind in items[index] for kind in ("words.ram", "words.storage", "words.memory", "words.data")):
        return False
    before = next((item for item in reversed(items[:index]) if not item.is_filler), None)
    return before is not None and before.means.get("units") == "gb"


def _is_plan(item: Item) -> bool:
    return "deals" in item and item.means["deals"] != "device_only"


def _inches(items: Sequence[Item], measured: Measured) -> Iterator[tuple[str, object]]:
    del items
    tenths = measured.hundredths // 10
    if measured.upper is not None:
        yield "screen_min_tenths_in", tenths
        yield "screen_max_tenths_in", measured.upper // 10
    else:
        keys = {"min": "screen_min_tenths_in", "max": "screen_max_tenths_in"}
        yield keys.get(measured.bound, "screen_tenths_in"), tenths


def _years(items: Sequence[Item], measured: Measured) -> Iterator[tuple[str, object]]:
    """Yield until when updates come, where the years are of updates, else for whom a device is, by the age said."""
    after = measured.last + 1
    while after < len(items) and items[after].is_filler:
        after += 1
    before = _updates_before(items, measured.first)
    if after < len(items) and "words.updates" in items[after]:
        measured.last = after
        yield "updates_min_year", clock.now().year + measured.hundredths // 100
    elif before is not None:
        measured.first = before
        yield "updates_min_year", clock.now().year + measured.hundredths // 100
    else:
        yield from _age(items, measured)


def _age(items: Sequence[Item], measured: Measured) -> Iterator[tuple[str, object]]:
    years = measured.hundredths // 100
    is_child = measured.unit == "old" or any(item.means.get("for_whom") in ("child", "teen") for item in items)
    said = items[measured.first - 1] if measured.first else None
    is_aged = said is not None and ("words.aged" in said or "words.is_aged" in said) and not measured.bound
    if (is_child or (is_aged and years >= LEAST_AGE)) and years < 18:
        yield "for_whom", "teen" if years >= 13 else "child"
    elif 65 <= years <= LAST_AGE:
        yield "for_whom", "elderly"


def _bare(items: Sequence[Item], measured: Measured) -> Iterator[tuple[str, object]]:
    """Yield what a number without a unit says: a year, a quantity, or the capacity after a model."""
    number = measured.hundredths // 100
    if number in YEARS:
        updates = _updates_before(items, measured.first)
        is_update = updates is not None
        if is_update or measured.bound != "max":
            measured.first = measured.first if updates is None else updates
            is_after = measured.first > 0 and "words.after" in items[measured.first - 1]
            yield ("updates_min_year" if is_update else "year_min"), number + is_after
        return
    after = next((item for item in items[measured.last + 1 :] if not item.is_filler or "words.and" in item), None)
    before = _before_capacity(items, measured.first)
    is_after_memory = _is_after_memory(items, measured.first)
    is_last_of_model = not measured.bound and _is_last_of_model(items, measured)
    if memory := _memory_and_storage(items, measured):
        yield from memory
    elif (
        before
        and number in CAPACITIES
        and ("model" in before or "family" in before or "words.storage" in before or is_last_of_model or is_after_memory)
    ):
        yield _storage_key(measured), number
    elif _is_capacity(items, measured):
        yield "storage_min_gb", number
    elif after and "words.storage" in after and number in CAPACITIES:
        yield _storage_key(measured), number
    elif number <= MOST_RAM and any("words.ram" in item for item in (after, *items[measured.first : measured.last + 1]) if item):
        yield ("ram_min_gb" if measured.bound == "min" else "ram_gb"), number
    elif number > 1 and (_is_times(items, measured.first) or (after and any(kind in after for kind in NAMED))):
        yield "quantity", number
    elif _is_age(items, measured.first):
        yield from _age(items, measured)


def _is_last_of_model(items: Sequence[Item], measured: Measured) -> bool:
    """Tell whether a number ends what is said of a model, with its colour and more between: `iPhone 13 pink 128`."""
    if measured.first and items[measured.first - 1].pieces in FOR:
        return False  # `at 256` is a price.
    told = [item for item in items[: measured.first] if not item.is_filler]
    described = list(takewhile(lambda item: any(kind in item for kind in DESCRIBING), reversed(told)))
    follows = items[measured.last + 1 : measured.last + 2]
    is_last = not follows or not any(kind in follows[0] for kind in ("units", *NAMED))
    return is_last and len(described) < len(told) and "model" in told[-1 - len(described)]


def _is_times(items: Sequence[Item], place: int) -> bool:
    """Tell whether a number says how often: `iPhone 12 x2`."""
    return place > 0 and items[place - 1].pieces == ("x",)


def _is_after_memory(items: Sequence[Item], place: int) -> bool:
    """Tell whether the memory was told right before: `16 Go 512`."""
    told = [item for item in items[:place] if not (item.is_filler or "words.ram" in item or "break" in item)][-2:]
    return len(told) == 2 and told[1].means.get("units") == "gb" and 0 < (told[0].hundredths or 0) <= MOST_RAM * 100


def _is_age(items: Sequence[Item], place: int) -> bool:
    """Tell whether a number is how old somebody is: `my daughter is 15`."""
    before = next((item for item in reversed(items[:place]) if not (item.is_filler or "break" in item)), None)
    return "words.is_aged" in items[place - 1] or (before is not None and "for_whom" in before) if place else False


def _before_capacity(items: Sequence[Item], place: int) -> Item | None:
    """Return what a capacity may go with: `S21 de 128`."""
    while place and items[place - 1].pieces in OF:
        place -= 1
    return items[place - 1] if place else None


def _memory_and_storage(items: Sequence[Item], measured: Measured) -> list[tuple[str, object]]:
    """Return both where a number is one of a pair as sellers write them, `8/256`, and take the second with it."""
    pair = items[measured.last + 1 : measured.last + 3]
    if len(pair) < 2 or pair[0].pieces != ("slash",) or pair[1].hundredths is None:
        return []
    memory, storage = measured.hundredths // 100, pair[1].hundredths // 100
    if memory > MOST_RAM or storage not in CAPACITIES:
        return []
    _, measured.last = unit_at(items, measured.last + 2)
    return [("ram_gb", memory), ("storage_gb", storage)]


def _updates_before(items: Sequence[Item], place: int) -> int | None:
    """Return where the sentence speaks of updates, in the clause before `place`, or right after it."""
    for index in range(place, max(place - NEARBY, -1), -1):
        if "words.updates" in items[index]:
            return index
        if "break" in items[index]:
            break
    is_after = any(
        "words.updates" in item for item in takewhile(lambda item: not item.means.get("break"), items[place + 1 : place + 3])
    )
    return place if is_after else None
