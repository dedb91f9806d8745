"""Plans ordered alone, which their customer may withdraw from for some days after the order.

A plan that was sold with a device goes with that device: withdrawing from one that was not shipped gives its plan up.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from marketplace.orders.activations import Activation, activations_of
from marketplace.orders.orders import Order
from marketplace.orders.rights import Period, plan_period
from pos.bodies import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRight:
    """A plan that can be withdrawn from, and until when."""

    activation: Activation
    plan: Names
    period: Period

    @property
    def name(self) -> str:
        """How a form names it."""
        return f"plan:{self.activation['line_no']}:{self.activation['unit_no']}"


def plan_rights(connection: Connection, order: Order, *, zone: str, at: str) -> list[PlanRight]:
    """Return the plans of an order that can be withdrawn from at a moment (UTC text)."""
    period = plan_period(order["placed_at"], order["facts"]["guarantees"]["withdrawal_days"], zone)
    if period is None or not period.is_open(at):
        return []
    alone = {line["line_no"]: line["plan"] for line in order["facts"]["lines"] if line["listing"] is None}
    return [
        PlanRight(activation=activation, plan=plan["name"], period=period)
        for activation in activations_of(connection, order["order_id"])
        if activation["state"] != "given_up" and (plan := alone.get(activation["line_no"])) is not None
    ]
