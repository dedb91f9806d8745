"""`/seller/orders`: a seller's orders at the desk; its people accept, cancel and ship them, its owners refund."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import reading, run_tx
from marketplace.money.refunds import NothingToRefund
from marketplace.orders.messages import PartMessage, close_thread, messages_of_part, write_message
from marketplace.orders.shipments import ImeiKnown, InvalidShipment, Shipment
from marketplace.orders.substitutions import give_up
from marketplace.orders.units import Actor, RefundTooHigh, Unit, WrongUnitState, accept, ship
from marketplace.papers.invoices import Invoice, invoices_of_part
from marketplace.sellers import fulfilment
from marketplace.sellers.fields import WrongField, money
from marketplace.sellers.fulfilment import InvalidAmount, NoUnitChosen, ReasonNeeded, meant, refund_units, units_of_part
from marketplace.sellers.guard import desk_role, signed_in_seller
from marketplace.sellers.orders import (
    PAGE,
    STATES,
    LineToShip,
    Parcel,
    SellerPart,
    lines_to_ship,
    parcels,
    part_of_seller,
    parts_of_seller,
)
from marketplace.web import marketplace, see_other
from pos import clock
from pos.errors import NotFound, PosError
from shop.web import render_template

orders = Blueprint("orders", __name__)
UNIT_NAME = re.compile(r"([^:]{1,40}):([0-9]{1,6}):([0-9]{1,6})", re.ASCII)

Act = Callable[[Connection, list[Unit]], None]


PROBLEMS = (
    *(NoUnitChosen, InvalidAmount, ReasonNeeded, InvalidShipment),
    *(ImeiKnown, RefundTooHigh, NothingToRefund, WrongUnitState),
)
"""What the order's page says itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersPage:
    """Parts in one state or all, whose number begins as asked; `older` leads to the next page, None on the last."""

    parts: list[SellerPart]
    state: str
    number: str
    older: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What was typed into a form of the page, and why nothing was done of it; nothing and None before any was sent."""

    form: Mapping[str, str]
    problem: PosError | None

    @property
    def fields(self) -> dict[str, str]:
        """What is wrong, by field."""
        fields: dict[str, str] = self.problem.data.get("fields", {}) if self.problem else {}
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPage:
    """One part; `to` is whom its parcel goes to."""

    part: SellerPart
    to_ship: list[LineToShip]
    to: Parcel | None
    invoices: list[Invoice]
    messages: list[PartMessage]
    attempt: Attempt


@orders.get("/orders")
def listing() -> str:
    """Show the seller's orders, the newest first."""
    person, asked = signed_in_seller(), request.args
    state = asked.get("state", "") if asked.get("state") in STATES else ""
    number, before = asked.get("number", "").strip(), asked.get("before", "")
    with reading(marketplace().engine) as connection:
        parts = parts_of_seller(
            connection, person.seller_id, state=state or None, number=number, before=before or None, most=PAGE + 1
        )
    older = parts[PAGE - 1].part_id if len(parts) > PAGE else None
    page = OrdersPage(parts=parts[:PAGE], state=state, number=number, older=older)
    return render_template("marketplace/sellers/orders.html", page=page)


@orders.get("/orders/<part_id>")
def part(part_id: str) -> str:
    """Show one order: its units, their steps, and what can be done."""
    return _part_page(part_id, {}, None)


@orders.post("/acceptances")
@desk_role("shipping")
def accept_seen() -> Response:
    """Accept the units of the form, each as `part:line:unit`, of any of the seller's orders, all or none."""
    person, names = signed_in_seller(), _names(request.form.getlist("unit"))
    actor = _actor()

    def work(connection: Connection) -> None:
        for part_id in sorted({part_id for part_id, _, _ in names}):
            units = units_of_part(connection, person.seller_id, part_id)
            accept(connection, meant(units, (), {(line, unit) for of, line, unit in names if of == part_id}), actor)

    if names:
        run_tx(marketplace().engine, work)
    return see_other("desk.home")


@orders.post("/orders/<part_id>/acceptance")
@desk_role("shipping")
def acceptance(part_id: str) -> Response | tuple[str, int]:
    """Accept units."""
    actor = _actor()
    return _act(part_id, lambda connection, units: accept(connection, units, actor))


@orders.post("/orders/<part_id>/cancellation")
@desk_role("shipping")
def cancellation(part_id: str) -> Response | tuple[str, int]:
    """Give up units that were not shipped, with a reason."""

    def act(connection: Connection, units: list[Unit]) -> None:
        give_up(connection, units, _actor(fulfilment.read_reason(request.form.get("reason", ""), fulfilment.CANCEL_REASONS)))

    return _act(part_id, act)


@orders.post("/orders/<part_id>/shipment")
@desk_role("shipping")
def shipment(part_id: str) -> Response | tuple[str, int]:
    """Note that units of one line are on their way: carrier, tracking number, and each one's IMEI or serial number."""
    form = request.form
    actor = _actor()

    def act(connection: Connection, units: list[Unit]) -> None:
        if len({unit["line_no"] for unit in units}) > 1:
            raise NotFound("units of one line go together")
        numbers = [unit["unit_no"] for unit in units]
        sent = Shipment(
            carrier=form.get("carrier", ""),
            tracking=form.get("tracking", ""),
            imeis={number: form.get(f"imei_{number}", "") for number in numbers},
            serials={number: form.get(f"serial_{number}", "") for number in numbers},
        )
        ship(connection, units, sent, actor)

    return _act(part_id, act)


@orders.post("/orders/<part_id>/refund")
@desk_role("owner")
def refund(part_id: str) -> Response | tuple[str, int]:
    """Give money of units that were sent back: an amount for each, or all that is left."""
    form = request.form

    def act(connection: Connection, units: list[Unit]) -> None:
        reason = fulfilment.read_reason(form.get("reason", ""), fulfilment.REFUND_REASONS)
        typed = form.get("amount", "").strip()
        try:
            cents = money(typed, currency=units[0]["currency"], least=1) if typed else None
        except WrongField as problem:
            raise InvalidAmount(str(problem), fields={"amount": problem.code}) from None
        refund_units(connection, units, cents, _actor(reason))

    return _act(part_id, act)


@orders.post("/orders/<part_id>/messages")
@desk_role("shipping")
def message(part_id: str) -> Response:
    """Write to the customer of an order."""
    person, text, actor = signed_in_seller(), request.form.get("text", ""), _actor()
    run_tx(
        marketplace().engine,
        lambda connection: write_message(connection, part_id, text, actor, seller_id=person.seller_id),
    )
    return see_other("desk.orders.part", part_id=part_id, _anchor="messages")


@orders.post("/orders/<part_id>/messages/closing")
@desk_role("shipping")
def close_messages(part_id: str) -> Response:
    """Note that what the customer wrote needs no answer."""
    person, actor = signed_in_seller(), _actor()
    run_tx(marketplace().engine, lambda connection: close_thread(connection, part_id, actor, seller_id=person.seller_id))
    return see_other("desk.orders.part", part_id=part_id, _anchor="messages")


def _act(part_id: str, act: Act) -> Response | tuple[str, int]:
    """Do something with the units that the form names, each as `part:line:unit`, and show the order again."""
    person, names = signed_in_seller(), _names(request.form.getlist("unit"))
    if any(of != part_id for of, _, _ in names):
        raise NotFound("a unit of another order")

    def work(connection: Connection) -> None:
        units = units_of_part(connection, person.seller_id, part_id)
        if not names:
            raise NoUnitChosen("no unit is named")
        act(connection, meant(units, (), {(line_no, unit_no) for _, line_no, unit_no in names}))

    try:
        run_tx(marketplace().engine, work)
    except PROBLEMS as problem:
        return _part_page(part_id, request.form, problem), problem.status
    return see_other("desk.orders.part", part_id=part_id)


def _part_page(part_id: str, form: Mapping[str, str], problem: PosError | None) -> str:
    person = signed_in_seller()
    with reading(marketplace().engine) as connection:
        shown = part_of_seller(connection, person.seller_id, part_id)
        to = parcels(connection, person.seller_id, [part_id]).get(part_id) if person.may("shipping") else None
        invoices = invoices_of_part(connection, person.seller_id, part_id)
        messages = messages_of_part(connection, person.seller_id, part_id)
        to_ship = lines_to_ship(connection, shown, now=clock.now())
    attempt = Attempt(form=form, problem=problem)
    page = PartPage(part=shown, to_ship=to_ship, to=to, invoices=invoices, messages=messages, attempt=attempt)
    return render_template("marketplace/sellers/order.html", page=page)


def _actor(why: str = "") -> Actor:
    return Actor(by=f"seller:{signed_in_seller().user_id}", at=clock.to_text(clock.now()), why=why)


def _names(texts: Iterable[str]) -> list[tuple[str, int, int]]:
    """Read units as forms name them, `part:line:unit`. Raises: NotFound."""
    matches = [UNIT_NAME.fullmatch(text) for text in texts]
    if any(match is None for match in matches):
        raise NotFound("no such unit")
    return [(match[1], int(match[2]), int(match[3])) for match in matches if match]
