"""`/orders/<id>/activations/<line>/<unit>`: the number of a plan is asked, and what follows when its carrier refuses it.

`POST /activations/events` hears carriers (TMF622, ProductOrderStateChangeEvent): each is a reason to ask, once it holds the key.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from marketplace.db import reading, row, run_tx
from marketplace.orders.activations import (
    Activation,
    NumberMissing,
    activation_of,
    answer_number,
    porting_of,
    take_carrier_event,
)
from marketplace.orders.carriers import read_carrier
from marketplace.orders.order_lines import OrderLine
from marketplace.orders.order_pages import order_of_address, zone_of
from marketplace.orders.orders import Order
from marketplace.orders.plan_waits import drop_plan
from marketplace.orders.units import Actor, units_of_order
from marketplace.web import has_nul, marketplace, see_other
from pos import clock
from pos.errors import Invalid, InvalidAccount, InvalidRio, PosError
from pos.laws import PortingKind
from shop import web
from shop.web import render_template

pages = Blueprint("activations", __name__)
REFUSED = "the carrier refused the plan"
MOST_EVENT_ID = 100
CHOICES = ("device", "plan", "nothing")


class UnknownCarrier(Invalid):
    """An event that does not carry the key of the carrier it speaks for: nothing of it is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationPage:
    """A plan of an order, what was typed of its number so far, and why that was not taken."""

    order: Order
    line: OrderLine
    activation: Activation
    form: Mapping[str, str]
    problem: PosError | None
    has_device: bool
    """Whether a device was sold with it that has not left: it goes with the plan."""
    asks: PortingKind
    """What the operator asks for that the number leaves."""

    @property
    def zone(self) -> str:
        """The time zone in which the order was placed."""
        return zone_of(self.order)

    @property
    def error(self) -> str:
        """What is wrong with what was typed: a field's name, or the reason of a refusal of `pos.porting`; "" where nothing is."""
        if self.problem is None:
            return ""
        return str(self.problem.data.get("reason") or next(iter(self.problem.data.get("fields", {})), ""))


@pages.get("/orders/<order_id>/activations/<int:line_no>/<int:unit_no>")
def page(order_id: str, line_no: int, unit_no: int) -> str:
    """Show how far a plan is, to whoever holds the order's address."""
    return _page(order_id, line_no, unit_no, {}, None)


@pages.post("/orders/<order_id>/activations/<int:line_no>/<int:unit_no>/number")
def take_number(order_id: str, line_no: int, unit_no: int) -> Response | tuple[str, int]:
    """Take the number of a plan, check it, and have the plan ordered."""

    def work(connection: Connection) -> None:
        order_of_address(connection, order_id)
        answer_number(connection, activation_of(connection, order_id, line_no, unit_no), request.form)

    try:
        run_tx(marketplace().engine, work)
    except (NumberMissing, InvalidRio, InvalidAccount) as problem:
        return _page(order_id, line_no, unit_no, request.form, problem), problem.status
    return see_other("orders.page", order_id=order_id)


@pages.post("/orders/<order_id>/activations/<int:line_no>/<int:unit_no>/choice")
def choose(order_id: str, line_no: int, unit_no: int) -> Response:
    """Give a waiting plan up and its device's money back, and lead to what the customer takes instead, at today's prices."""
    choice = request.form.get("choice", "")
    if choice not in CHOICES:
        raise Invalid("a choice is device, plan or nothing", field="choice")
    at = clock.to_text(clock.now())

    def work(connection: Connection) -> str:
        order_of_address(connection, order_id)
        asked = activation_of(connection, order_id, line_no, unit_no)
        why = REFUSED if asked["state"] == "refused" else ""
        sold_with = drop_plan(connection, asked, Actor(by="customer", at=at, why=why))
        if choice == "nothing" or not sold_with:
            return "/plans" if choice == "plan" else f"/orders/{order_id}"
        if choice == "device":
            return f"/selections/new?l={sold_with[0]['listing_id']}..1.new."
        found = row(connection, "select sku from sku where sku_id = :sku_id", sku_id=sold_with[0]["sku_id"])
        return f"/sku/{found['sku']}" if found else "/plans"

    return web.see_other(run_tx(marketplace().engine, work))


@pages.post("/activations/events")
def hear() -> Response:
    """Take a carrier's word that a plan moved as a reason to ask. Raises: UnknownCarrier, Invalid."""
    said: Any = request.get_json(silent=True)
    try:
        event_id, activation_id = str(said["eventId"]), str(said["event"]["productOrder"]["externalId"])
    except (TypeError, KeyError, IndexError):
        raise Invalid("not a ProductOrderStateChangeEvent") from None
    if has_nul(said):
        raise Invalid("an event has no NUL character")
    if len(event_id) > MOST_EVENT_ID:
        raise Invalid("an eventId is at most 100 characters", field="eventId")
    with reading(marketplace().engine) as connection:
        query = "select partner_id from activation where activation_id = :activation_id"
        found = row(connection, query, activation_id=activation_id)
        settings = read_carrier(connection, found["partner_id"]) if found else None
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if settings is None or not hmac.compare_digest(given.encode(), settings["key"].encode()):
        raise UnknownCarrier("the event does not carry its carrier's key")
    run_tx(marketplace().engine, lambda connection: take_carrier_event(connection, activation_id, event_id))
    return Response(status=204)


def _page(order_id: str, line_no: int, unit_no: int, form: Mapping[str, str], problem: PosError | None) -> str:
    with reading(marketplace().engine) as connection:
        placed = order_of_address(connection, order_id)
        asked = activation_of(connection, order_id, line_no, unit_no)
        units = units_of_order(connection, placed["order_id"])
        asks = porting_of(connection, asked["customer_id"], placed["order_id"])
    has_device = any(unit["line_no"] == line_no and unit["state"] in ("to_accept", "accepted") for unit in units)
    line = next(line for line in placed["facts"]["lines"] if line["line_no"] == line_no)
    shown = ActivationPage(
        order=placed, line=line, activation=asked, form=form, problem=problem, has_device=has_device, asks=asks
    )
    return render_template("marketplace/orders/activation.html", page=shown)
