"""`/orders/<id>`: an order for whoever holds its address, a secret, with what they may do about it. GET reads, POSTs act."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import reading, run_tx
from marketplace.money.payments import PaymentOfOrder, payment_of_order
from marketplace.orders.activations import Activation, activations_of
from marketplace.orders.care import Care, care_of
from marketplace.orders.contacts import masked_name
from marketplace.orders.orders import Order, order
from marketplace.orders.substitutions import SubstituteOffer, offers_of_order
from marketplace.orders.timeline import PartOfOrder, UnitOfOrder, parts_of_order, unit_name
from marketplace.orders.units import Actor, Unit, cancel, deliver, refundable_cents, units_of_order
from marketplace.running.mail import masked_email
from marketplace.web import marketplace, may_lead_to, see_other
from pos import clock
from pos.errors import NotFound
from shop.web import render_template

orders = Blueprint("orders", __name__)
ORDER_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
"""A secret of 128 bits; orders of the first version have a UUID."""

LOOK_AGAIN_S = 4
"""After how many seconds a page that waits for the provider's word is loaded again."""


@dataclass(frozen=True, slots=True)
class OrderPage:
    """An order with its frozen facts and what became of it; name and e-mail only as their owner recognises them."""

    order: Order
    parts: list[PartOfOrder]
    offers: list[SubstituteOffer]
    payment: PaymentOfOrder
    activations: list[Activation]
    is_back: bool
    """Whether the customer comes from the provider's page and says to have paid there."""
    care: Care

    @property
    def name(self) -> str:
        """The customer's initials."""
        return masked_name(self.order["name"])

    @property
    def email(self) -> str:
        """The customer's address, as only its owner recognises it."""
        return masked_email(self.order["email"])

    @property
    def is_confirming(self) -> bool:
        """Whether the provider is still to say what the customer says."""
        return self.is_back and self.payment.can_pay and self.payment.state in ("opening", "open")

    @property
    def zone(self) -> str:
        """The time zone in which the order was placed."""
        return zone_of(self.order)

    @property
    def stage(self) -> str:
        """How far the order is, for its headline: its own state until it is paid, then that of its slowest unit on the way.

        "choice" where the customer is asked about a unit that was given up, "refused" or "needs_number" about a plan.
        """
        if self.offers:
            return "choice"
        states = {unit.unit["state"] for part in self.parts for unit in part.units}
        plans = {plan["state"] for plan in self.activations}
        if waiting := next((state for state in ("refused", "needs_number") if state in plans), None):
            return waiting
        if self.order["state"] in ("requested", "closed") and plans and not states:
            return "active" if "active" in plans else "given_up" if plans == {"given_up"} else self.order["state"]
        if self.order["state"] != "paid" or not states:
            return self.order["state"]
        under_way = ("to_accept", "accepted", "shipped", "delivered", "returned", "cancelled")
        slowest = next(state for state in under_way if state in states)
        back = [each.unit for each in self.units_in("returned")]
        is_settled = all(unit["refunded_cents"] or not refundable_cents(unit) for unit in back)
        return "refunded" if slowest == "returned" and is_settled else slowest

    @property
    def steps_left(self) -> tuple[str, ...]:
        """What is still to come, in order: "payment", "parcel", "withdrawal"; of an order of plans alone nothing."""
        if not any(line["listing"] for line in self.order["facts"]["lines"] if line["basis"] != "dropped"):
            return ()
        is_to_pay = self.order["state"] in ("open", "unpaid")
        begins = 1 if self.units_in("to_accept", "accepted", "shipped") else 2 if self.units_in("delivered") else 3
        steps = ("payment", "parcel", "withdrawal")[0 if is_to_pay else begins :]
        can_withdraw = self.order["facts"]["guarantees"]["withdrawal_days"] if is_to_pay else self.care.can_withdraw
        return steps if can_withdraw else tuple(step for step in steps if step != "withdrawal")

    def units_in(self, *states: str) -> list[UnitOfOrder]:
        """Return the units in one of these states."""
        return [unit for part in self.parts for unit in part.units if unit.unit["state"] in states]


@orders.get("/orders/<order_id>")
def page(order_id: str) -> Response:
    """Show an order to whoever holds its address: name and e-mail masked, nothing of the delivery address.

    It is one text as somebody typed it: no rule tells its town from its street everywhere.
    """
    with reading(marketplace().engine) as connection:
        placed = order_of_address(connection, order_id)
        parts = parts_of_order(connection, placed)
        units = [each.unit for part in parts for each in part.units]
        offers = offers_of_order(connection, placed["order_id"], units, placed["facts"]["lines"])
        payment = payment_of_order(connection, placed["customer_id"], placed["order_id"])
        care = care_of(connection, placed, parts, zone=zone_of(placed), at=clock.to_text(clock.now()))
        activations = activations_of(connection, placed["order_id"])
    shown = OrderPage(placed, parts, offers, payment, activations, is_back="paid" in request.args, care=care)
    origin = payment.origin if payment.can_pay else None
    response = may_lead_to(origin, render_template("marketplace/orders/order.html", page=shown))
    if shown.is_confirming:
        response.headers["Refresh"] = str(LOOK_AGAIN_S)
    return response


@orders.post("/orders/<order_id>/cancellation")
def cancel_units(order_id: str) -> Response:
    """Cancel what was not shipped yet: the units of the form, each as `part:line:unit`, or all that can be."""
    return _act(order_id, ("to_accept", "accepted"), cancel)


@orders.post("/orders/<order_id>/delivery")
def note_delivery(order_id: str) -> Response:
    """Note by the customer's word that units arrived."""
    return _act(order_id, ("shipped",), deliver)


def order_of_address(connection: Connection, order_id: str) -> Order:
    """Return the order of a secret address. Raises: NotFound."""
    if not ORDER_ID.fullmatch(order_id):
        raise NotFound("no such order")
    return order(connection, order_id)


def zone_of(order: Order) -> str:
    """Return the time zone an order was placed in: that of its corner, or of its market."""
    facts = order["facts"]
    corner = facts["corner"]
    return facts.get("time_zone") or (corner["time_zone"] if corner else clock.HOME_ZONE)


def _act(order_id: str, states: tuple[str, ...], step: Callable[[Connection, list[Unit], Actor], None]) -> Response:
    """Take a step with the units that the form names, or with all that are where it begins, and show the order again."""
    wanted = set(request.form.getlist("unit"))
    actor = Actor(by="customer", at=clock.to_text(clock.now()))

    def work(connection: Connection) -> None:
        placed = order_of_address(connection, order_id)
        units = [unit for unit in units_of_order(connection, placed["order_id"]) if unit["state"] in states]
        named = [unit for unit in units if not wanted or unit_name(unit) in wanted]
        if not named or len(named) < len(wanted):
            raise NotFound("no unit that this can be done with")
        step(connection, named, actor)

    run_tx(marketplace().engine, work)
    return see_other("orders.page", order_id=order_id)
