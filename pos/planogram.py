"""The table of demo devices as HQ plans it: each device's identity, and where its place stands in the drawing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict, TypeVar

from pos.scans import derived_value

NAMED_PLACE = re.compile(r"([A-Z])([0-9]{1,2})", re.ASCII)
MOST_COLUMNS = 8
UNNAMED_COLUMNS = 4

S = TypeVar("S", bound="Spot")


class Spot(TypedDict):
    """A place on the table and the demo device that lies there.

    `demo_id` is the number on the device's tag, 8 Crockford symbols; `row` and `column`, from 1, are for the drawing.
    """

    position: str
    sku_id: int
    demo_id: NotRequired[str | None]
    row: NotRequired[int | None]
    column: NotRequired[int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDevice:
    """A device of the table: `planned` is its place by HQ's planogram, `position` where it belongs by the corner's own word."""

    demo_id: str
    sku_id: int
    planned: str
    position: str


def planned_devices(corner_id: str, planogram: Iterable[Spot]) -> list[DemoDevice]:
    """Return the devices of a planogram; one without a number of HQ's has one from corner, place and SKU, the same everywhere."""
    devices: dict[str, DemoDevice] = {}
    for spot in planogram:
        position, sku_id = spot["position"], spot["sku_id"]
        given = spot.get("demo_id")
        derived = derived_value("device", corner_id, position, str(sku_id))
        demo_id = given if given and given not in devices else derived
        devices.setdefault(demo_id, DemoDevice(demo_id=demo_id, sku_id=sku_id, planned=position, position=position))
    return list(devices.values())


def drawn_rows(planogram: Sequence[S]) -> list[list[S | None]]:
    """Return the places row by row as the table is drawn, None where there is none.

    A place stands where HQ says, else where its name does ("B3": second row, third), else in rows of four below the others.
    """
    placed: dict[tuple[int, int], S] = {}
    others: list[S] = []
    for spot in planogram:
        where = _where(spot)
        if where is None or where in placed:
            others.append(spot)
        else:
            placed[where] = spot
    numbers = sorted({row for row, _ in placed})
    columns = sorted({column for _, column in placed})
    rows: list[list[S | None]] = [[placed.get((row, column)) for column in columns] for row in numbers]
    width = len(columns) or UNNAMED_COLUMNS
    for start in range(0, len(others), width):
        rest = others[start : start + width]
        rows.append([*rest, *[None] * (width - len(rest))])
    return rows


def _where(spot: Spot) -> tuple[int, int] | None:
    row, column = spot.get("row"), spot.get("column")
    if row and column:
        return row, column
    named = NAMED_PLACE.fullmatch(spot["position"])
    if named is None or not 1 <= int(named[2]) <= MOST_COLUMNS:
        return None
    return ord(named[1]) - ord("A") + 1, int(named[2])
