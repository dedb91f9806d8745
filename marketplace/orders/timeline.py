"""What became of an order: each seller's part, its units and the steps they took, in order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, cast

from sqlalchemy import Connection

from marketplace.db import rows
from marketplace.orders.order_lines import OrderedListing, OrderLine
from marketplace.orders.orders import Order
from marketplace.orders.units import Unit, units_of_order
from pos.errors import NotFound


class UnitStep(TypedDict):
    """A step of a unit: the state it came to, or "refunded" with `cents`; who took it, when (UTC text) and why."""

    seller_id: int
    part_id: str
    line_no: int
    unit_no: int
    step_no: int
    state: str
    at: str
    by: str
    why: str
    cents: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitOfOrder:
    """A unit with the device it is, as agreed, and its steps."""

    unit: Unit
    listing: OrderedListing
    steps: list[UnitStep]

    @property
    def name(self) -> str:
        """How a form names it."""
        return unit_name(self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOfOrder:
    """What one seller sends of an order."""

    part_id: str
    number: str
    seller: str
    units: list[UnitOfOrder]


def unit_name(unit: Unit) -> str:
    """Return how a form names a unit of an order."""
    return f"{unit['part_id']}:{unit['line_no']}:{unit['unit_no']}"


def parts_of_order(connection: Connection, order: Order) -> list[PartOfOrder]:
    """Return the parts of a paid order, none of another."""
    order_id = order["order_id"]
    parts = rows(
        connection, "select seller_id, part_id, number from part where order_id = :order_id order by number", order_id=order_id
    )
    if not parts:
        return []
    query = """
        select unit_step.* from unit_step
        join part on part.seller_id = unit_step.seller_id and part.part_id = unit_step.part_id
        where part.order_id = :order_id order by unit_step.at, unit_step.step_no
    """
    steps = cast(list[UnitStep], rows(connection, query, order_id=order_id))
    units = units_of_order(connection, order_id)
    lines = order["facts"]["lines"]
    every = [
        UnitOfOrder(unit=unit, listing=agreed_listing(lines, unit), steps=[step for step in steps if _is_of(step, unit)])
        for unit in units
    ]
    return [_part(part, [each for each in every if each.unit["part_id"] == part["part_id"]]) for part in parts]


def agreed_listing(lines: Sequence[OrderLine], unit: Unit) -> OrderedListing:
    """Return the device a unit is: its own where it took another's place, else its line's, as the customer took that.

    Raises: NotFound.
    """
    if unit["agreed"] is not None:
        return cast(OrderedListing, json.loads(unit["agreed"]))
    line = next((line for line in lines if line["line_no"] == unit["line_no"]), None)
    replacement = line["instead"] if line and line["basis"] == "replaced" else None
    listing = replacement["listing"] if replacement else line["listing"] if line else None
    if listing is None:
        raise NotFound("no device was agreed for this unit")
    return listing


def _part(part: dict[str, Any], units: list[UnitOfOrder]) -> PartOfOrder:
    seller = next((each.listing["seller"]["name"] for each in units if each.listing["seller"]["name"]), "")
    return PartOfOrder(part_id=part["part_id"], number=part["number"], seller=seller, units=units)


def _is_of(step: UnitStep, unit: Unit) -> bool:
    return (step["part_id"], step["line_no"], step["unit_no"]) == (unit["part_id"], unit["line_no"], unit["unit_no"])
