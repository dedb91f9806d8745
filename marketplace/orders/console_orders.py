"""`/console/orders`: orders found by number, name, e-mail, IMEI or serial number; each with its whole life, and HQ's own acts.

Invariant: HQ acts with a reason only, and it stands in the step it took. An address names the order's public number, never the
secret that opens it to its customer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import reading, run_tx
from marketplace.money.refunds import NothingToRefund
from marketplace.orders.cases import WrongCaseState, case_of, settle, unit_of_case
from marketplace.orders.dossiers import Dossier, dossier, order_of_customer
from marketplace.orders.finding import find_orders, newest_orders
from marketplace.orders.mails import mail_case_moved
from marketplace.orders.messages import write_message
from marketplace.orders.orders import Order
from marketplace.orders.timeline import unit_name
from marketplace.orders.units import Actor, RefundTooHigh, Unit, WrongUnitState, cancel, deliver, take_back, units_of_order
from marketplace.sellers.fulfilment import InvalidAmount, NoUnitChosen, ReasonNeeded, refund_units
from marketplace.web import marketplace, see_other
from pos import clock
from pos.amounts import read_amount
from pos.errors import Invalid, NotFound, PosError
from shop import door
from shop.web import render_template

orders = Blueprint("orders", __name__, url_prefix="/orders")
MOST_WHY = 200
PROBLEMS = (NoUnitChosen, InvalidAmount, ReasonNeeded, RefundTooHigh, NothingToRefund, WrongUnitState, WrongCaseState)
"""What the order's page says itself."""

Act = Callable[[Connection, list[Unit], Actor], None]
Step = Callable[[Connection, Order, Actor], None]


@dataclass(frozen=True, slots=True)
class FoundOrders:
    """What was looked for, and the orders it means; the newest of all where nothing was."""

    query: str
    orders: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class DossierPage:
    """An order; `problem` is why nothing was done, with what had been typed in `form`."""

    dossier: Dossier
    form: Mapping[str, str]
    problem: PosError | None


@orders.get("")
def listing() -> str:
    """Show the newest orders, or those that are looked for."""
    query = request.args.get("q", "").strip()
    with reading(marketplace().engine) as connection:
        found = find_orders(connection, query) if query else newest_orders(connection)
    return render_template("marketplace/orders/console_orders.html", page=FoundOrders(query, found))


@orders.get("/<customer_id>/<number>")
def page(customer_id: str, number: str) -> str:
    """Show one order with all that became of it."""
    return _page(customer_id, number, {}, None)


@orders.post("/<customer_id>/<number>/cancellation")
def cancel_units(customer_id: str, number: str) -> Response | tuple[str, int]:
    """Cancel units that were not shipped; their money goes back in full."""
    return _act(customer_id, number, cancel)


@orders.post("/<customer_id>/<number>/delivery")
def note_delivery(customer_id: str, number: str) -> Response | tuple[str, int]:
    """Note that units arrived."""
    return _act(customer_id, number, deliver)


@orders.post("/<customer_id>/<number>/return")
def note_return(customer_id: str, number: str) -> Response | tuple[str, int]:
    """Note that units came back to their seller."""
    return _act(customer_id, number, take_back)


@orders.post("/<customer_id>/<number>/cases/<case_name>/refund")
def settle_case(customer_id: str, number: str, case_name: str) -> Response | tuple[str, int]:
    """Give all that is left of a unit's money back and end its open return or claim, where its seller does not."""

    def work(connection: Connection, placed: Order, actor: Actor) -> None:
        case = case_of(connection, case_name, order_id=placed["order_id"])
        settle(connection, case, unit_of_case(connection, case), None, actor)
        mail_case_moved(connection, {**case, "state": "refunded"}, actor.why)

    return _do(customer_id, number, work)


@orders.post("/<customer_id>/<number>/messages")
def write(customer_id: str, number: str) -> Response | tuple[str, int]:
    """Write to the customer about the part that the form names, as HQ, beside what its seller writes."""
    at = clock.to_text(clock.now())

    def work(connection: Connection) -> None:
        placed = order_of_customer(connection, customer_id, number)
        part_id, text = request.form.get("part", ""), request.form.get("text", "")
        write_message(connection, part_id, text, Actor(by="hq", at=at), order_id=placed["order_id"])

    run_tx(marketplace().engine, work)
    return see_other("console.orders.page", customer_id=customer_id, number=number)


@orders.post("/<customer_id>/<number>/refund")
def refund(customer_id: str, number: str) -> Response | tuple[str, int]:
    """Give money of units that were sent back: an amount for each, or all that is left."""

    def act(connection: Connection, units: list[Unit], actor: Actor) -> None:
        refund_units(connection, units, _cents(units[0]["currency"]), actor)

    return _act(customer_id, number, act)


def _cents(currency: str) -> int | None:
    """Return the amount that was typed, None where it was left empty. Raises: InvalidAmount."""
    typed = request.form.get("amount", "").strip()
    try:
        return read_amount(typed, currency=currency, language=door.visitor().language) if typed else None
    except Invalid as problem:
        raise InvalidAmount(str(problem), fields={"amount": "malformed"}) from None


def _act(customer_id: str, number: str, act: Act) -> Response | tuple[str, int]:
    """Do something with the units that the form names, each as `part:line:unit`, all or none, and show the order again."""
    wanted = set(request.form.getlist("unit"))

    def work(connection: Connection, placed: Order, actor: Actor) -> None:
        units = [unit for unit in units_of_order(connection, placed["order_id"]) if unit_name(unit) in wanted]
        if len(units) < len(wanted):
            raise NotFound("a unit of another order")
        if not units:
            raise NoUnitChosen("no unit is named")
        act(connection, units, actor)

    return _do(customer_id, number, work)


def _do(customer_id: str, number: str, step: Step) -> Response | tuple[str, int]:
    """Take a step of HQ's with an order, for a reason that the form gives, and show the order again."""
    why = " ".join(request.form.get("why", "").split())[:MOST_WHY]
    actor = Actor(by="hq", at=clock.to_text(clock.now()), why=why)

    def work(connection: Connection) -> None:
        placed = order_of_customer(connection, customer_id, number)
        if not why:
            raise ReasonNeeded("say why", fields={"why": "missing"})
        step(connection, placed, actor)

    try:
        run_tx(marketplace().engine, work)
    except PROBLEMS as problem:
        return _page(customer_id, number, request.form, problem), problem.status
    return see_other("console.orders.page", customer_id=customer_id, number=number)


def _page(customer_id: str, number: str, form: Mapping[str, str], problem: PosError | None) -> str:
    with reading(marketplace().engine) as connection:
        shown = dossier(connection, customer_id, number)
    return render_template("marketplace/orders/console_order.html", page=DossierPage(shown, form, problem))
