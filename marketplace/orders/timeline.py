"""What became of an order: each seller's part, its units and the steps they took, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict, cast

from sqlalchemy import Connection

from marketplace.db import rows
from marketplace.orders.order_lines import OrderedListing, agreed_listing
from marketplace.orders.orders import Order
from marketplace.orders.units import Unit, refundable_cents, units_of_order
from marketplace.papers.invoices import Invoice, invoices_of_order


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

    @property
    def left_cents(self) -> int:
        """What of the customer's money can still go back."""
        return refundable_cents(self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOfOrder:
    """What one seller sends of an order."""

    part_id: str
    number: str
    seller: str
    units: list[UnitOfOrder]
    invoices: list[Invoice]


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
    issued = invoices_of_order(connection, order["customer_id"], order_id)
    return [_part(part, every, issued) for part in parts]


def _part(part: dict[str, Any], every: list[UnitOfOrder], issued: list[Invoice]) -> PartOfOrder:
    part_id, number = part["part_id"], part["number"]
    units = [each for each in every if each.unit["part_id"] == part_id]
    seller = next((each.listing["seller"]["name"] for each in units if each.listing["seller"]["name"]), "")
    invoices = [each for each in issued if each.facts["part_number"] == number]
    return PartOfOrder(part_id=part_id, number=number, seller=seller, units=units, invoices=invoices)


def _is_of(step: UnitStep, unit: Unit) -> bool:
    return (step["part_id"], step["line_no"], step["unit_no"]) == (unit["part_id"], unit["line_no"], unit["unit_no"])
