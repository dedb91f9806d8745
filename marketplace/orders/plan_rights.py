"""Plans that their customer may withdraw from for some days after the order: ordered alone, or left by a device that goes back.

A plan sold with a device is another contract, with its carrier. It is given up with a device that was not shipped; one that was
shipped leaves it, and its customer withdraws from both, or from the plan once the device goes back: they had one price.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from sqlalchemy import Connection

from marketplace.orders.activations import Activation, activations_of
from marketplace.orders.cases import OPEN, UnitCase, is_case_of
from marketplace.orders.orders import Order
from marketplace.orders.rights import Period, plan_period
from marketplace.orders.units import Unit, units_of_order
from pos.bodies import Names

GONE = ("cancelled", "returned")


class LeftPlan(TypedDict):
    """A plan that stays though its device goes back; `last_day` (`YYYY-MM-DD`) to withdraw from it, None once it is over."""

    plan: Names
    last_day: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRight:
    """A plan that stands, until when it can be withdrawn from, and the device it was sold with, "" for a plan alone."""

    activation: Activation
    plan: Names
    period: Period
    device: str
    is_open: bool
    """Whether it can still be withdrawn from."""

    @property
    def name(self) -> str:
        """How a form names it."""
        return f"plan:{self.activation['line_no']}:{self.activation['unit_no']}"

    @property
    def line_no(self) -> int:
        """The line it was ordered by."""
        return self.activation["line_no"]


def plan_rights(connection: Connection, order: Order, *, zone: str, at: str) -> list[PlanRight]:
    """Return the plans of an order that can be withdrawn from at a moment (UTC text)."""
    return [plan for plan in standing_plans(connection, order, zone=zone, at=at) if plan.is_open]


def standing_plans(connection: Connection, order: Order, *, zone: str, at: str) -> list[PlanRight]:
    """Return the plans of an order that stand: alone, or sold with a device that was shipped. None where no law lets withdraw."""
    period = plan_period(order["placed_at"], order["facts"]["guarantees"]["withdrawal_days"], zone)
    if period is None:
        return []
    shipped = {unit["line_no"] for unit in units_of_order(connection, order["order_id"]) if unit["shipped_at"] is not None}
    lines = {line["line_no"]: line for line in order["facts"]["lines"]}
    standing = []
    for activation in activations_of(connection, order["order_id"]):
        line = lines[activation["line_no"]]
        listing, plan = line["listing"], line["plan"]
        if activation["state"] == "given_up" or plan is None or (listing is not None and line["line_no"] not in shipped):
            continue
        device = listing["title"] if listing else ""
        is_open = period.is_open(at)
        standing.append(PlanRight(activation=activation, plan=plan["name"], period=period, device=device, is_open=is_open))
    return standing


def plans_to_spare(plans: Sequence[PlanRight], units: Sequence[Unit], cases: Sequence[UnitCase]) -> list[PlanRight]:
    """Return those of standing plans that no kept device needs any more: alone, or more of a line than devices it keeps.

    A device is kept unless it was cancelled, came back, or an open withdrawal or return sends it back.
    """
    back = [case for case in cases if case["ground"] in ("withdrawal", "return") and case["state"] in OPEN]
    kept = Counter(
        unit["line_no"] for unit in units if unit["state"] not in GONE and not any(is_case_of(case, unit) for case in back)
    )
    spare = []
    for plan in plans:
        if plan.device and kept[plan.line_no] > 0:
            kept[plan.line_no] -= 1
        else:
            spare.append(plan)
    return spare
