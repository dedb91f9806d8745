"""What a person may change of one row of HQ's catalogue: its amounts, its texts, a corner's table.

A field is named by its place in the row (`body.bands.phone.0.1`) and has one form as text, in which it is shown, compared and
kept: `34.99`, a sentence, or a table as lines of position, equals sign and SKU (`A1=IPHONE-13-128-BLUE`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.feeds.content import Row
from marketplace.feeds.listings import FILE as LISTINGS_FILE
from pos.amounts import read_amount
from pos.currencies import decimal
from pos.languages import LANGUAGES

LISTINGS = LISTINGS_FILE.removesuffix(".csv")
EDITED = ("plans", "options", "laws", "grades", "categories", "corners", LISTINGS)
"""The files of a feed whose rows are edited one by one."""
LISTING_AMOUNTS = ("price", "prior_price")
TABLE = "planogram"
Place = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditField:
    """One field of a row: `kind` is "amount", "text" or "table"; `note` is the capacity a levy's amount is for, in GB."""

    name: str
    kind: str
    value: str
    note: str = ""


def fields_of(file: str, row: Row, *, currency: str, skus: Mapping[int, str]) -> list[EditField]:
    """Return what may be changed of a row; `skus` are the codes of a table's devices by id."""
    if file == LISTINGS:
        return [EditField(name=name, kind="amount", value=row[name]) for name in LISTING_AMOUNTS]
    if file == "corners":
        lines = sorted(f"{spot['position']}={skus.get(spot['sku_id'], spot['sku_id'])}" for spot in row[TABLE])
        return [EditField(name=TABLE, kind="table", value="\n".join(lines))]
    return list(_leaves(row, (), currency))


def with_values(file: str, row: Row, values: Mapping[str, str], *, currency: str, sku_ids: Mapping[str, int]) -> Row:
    """Return the row with the values of some fields, each in its form as text; `sku_ids` are those of the codes in a table.

    A code without an id becomes SKU 0, which no feed has.
    """
    changed = copy.deepcopy(row)
    for name, value in values.items():
        if file == LISTINGS:
            changed[name] = value
        elif name == TABLE:
            pairs = (line.rpartition("=") for line in value.splitlines())
            changed[TABLE] = _replanned(row[TABLE], [(position, sku_ids.get(code, 0)) for position, _, code in pairs])
        else:
            *way, last = name.split(".")
            place: Any = changed
            for part in way:
                place = place[int(part) if isinstance(place, list) else part]
            place[int(last) if isinstance(place, list) else last] = _stored(value, place, last, currency)
    return changed


def read_value(kind: str, typed: str, *, currency: str, language: str) -> str:
    """Return what somebody typed in the form a field has as text. Raises: Invalid where it is no amount."""
    if kind == "text" or not typed.strip():
        return " ".join(typed.split())
    return decimal(read_amount(typed, currency=currency, language=language), currency)


def _replanned(before: list[Row], wanted: list[tuple[str, int]]) -> list[Row]:
    """Return a table's new spots: a place keeps where it is drawn, a device keeps its tag's number wherever it goes."""
    drawn = {spot["position"]: {name: spot[name] for name in ("row", "column") if name in spot} for spot in before}
    tags = [(spot["position"], spot["sku_id"], spot["demo_id"]) for spot in before if spot.get("demo_id")]
    spots = [{"position": position, "sku_id": sku_id, **drawn.get(position, {})} for position, sku_id in wanted]
    for must_stay in (True, False):
        for spot in spots:
            known = next(
                (tag for tag in tags if tag[1] == spot["sku_id"] and (tag[0] == spot["position"] or not must_stay)), None
            )
            if known and "demo_id" not in spot:
                spot["demo_id"] = known[2]
                tags.remove(known)
    return spots


def _leaves(value: Any, place: Place, currency: str) -> Iterator[EditField]:
    if (
        isinstance(value, dict)
        and value
        and value.keys() <= LANGUAGES.keys()
        and all(isinstance(said, str) for said in value.values())
    ):
        for language in (known for known in LANGUAGES if known in value):
            yield EditField(name=".".join((*place, language)), kind="text", value=value[language])
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, (*place, name), currency)
    elif place[-2:-1] == ("bands",):
        for number, (most_gb, cents) in enumerate(value):
            name = ".".join((*place, str(number), "1"))
            yield EditField(name=name, kind="amount", value=decimal(cents, currency), note=str(most_gb or ""))
    elif place[-1].endswith("_cents"):
        yield EditField(name=".".join(place), kind="amount", value="" if value is None else decimal(value, currency))


def _stored(value: str, place: Any, last: str, currency: str) -> str | int | None:
    if isinstance(place, dict) and not last.endswith("_cents"):
        return value
    return read_amount(value, currency=currency, language="en") if value else None
