"""What became of an order: each seller's part, its units and the steps they took, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict, cast

from sqlalchemy import Connection

from marketplace.db import rows
from marketplace.orders.order_lines import OrderedListing
from marketplace.orders.orders import Order
from marketplace.orders.units import Unit, units_of_order


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
    agreed = {line["line_no"]: _agreed(order, line["line_no"]) for line in order["facts"]["lines"]}
    return [
        PartOfOrder(
            part_id=part["part_id"],
            number=part["number"],
            seller=_seller(agreed, [unit for unit in units if unit["part_id"] == part["part_id"]]),
            units=[
                UnitOfOrder(
                    unit=unit,
                    listing=listing,
                    steps=[step for step in steps if _is_of(step, unit)],
                )
                for unit in units
                if unit["part_id"] == part["part_id"] and (listing := agreed[unit["line_no"]]) is not None
            ],
        )
        for part in parts
    ]


def _agreed(order: Order, line_no: int) -> OrderedListing | None:
    """Return the device that was agreed on a line: what stands in, where the customer took that."""
    line = next(line for line in order["facts"]["lines"] if line["line_no"] == line_no)
    return line["instead"]["listing"] if line["basis"] == "replaced" and line["instead"] else line["listing"]


def _seller(agreed: dict[int, OrderedListing | None], units: list[Unit]) -> str:
    listings = [agreed[unit["line_no"]] for unit in units]
    return next((listing["seller"]["name"] for listing in listings if listing and listing["seller"]["name"]), "")


def _is_of(step: UnitStep, unit: Unit) -> bool:
    return (step["part_id"], step["line_no"], step["unit_no"]) == (unit["part_id"], unit["line_no"], unit["unit_no"])
