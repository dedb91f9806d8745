"""`/orders/<id>/withdrawal` and `/orders/<id>/returns`: changing one's mind, with the two buttons and words the law asks for.

The page asks once more before anything is declared (L221-21, D221-5); its POST declares, and leads to the record of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import reading, run_tx
from marketplace.orders.cases import CaseIncomplete, UnitCase, case_of, cases_of_order, drop, send
from marketplace.orders.contacts import masked_name
from marketplace.orders.order_pages import order_of_address, zone_of
from marketplace.orders.orders import Order
from marketplace.orders.plan_rights import PlanRight, standing_plans
from marketplace.orders.returns import Declaration, PartRights, ask_return, rights_of, withdraw, withdrawal_of
from marketplace.orders.timeline import parts_of_order
from marketplace.orders.units import Actor
from marketplace.running.mail import masked_email
from marketplace.web import marketplace, see_other
from pos import clock
from pos.errors import PosError
from shop.web import render_template

returns = Blueprint("returns", __name__)
WITHDRAWAL, RETURN = "marketplace/orders/withdrawal.html", "marketplace/orders/return.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class RightPage:
    """What a right can still be used for, by seller's part, the plans that stand, and why nothing was declared the last time."""

    order: Order
    zone: str
    rights: list[PartRights]
    plans: list[PlanRight]
    problem: PosError | None

    @property
    def open_plans(self) -> list[PlanRight]:
        """The plans that can still be withdrawn from."""
        return [plan for plan in self.plans if plan.is_open]

    @property
    def left_plans(self) -> list[PlanRight]:
        """The plans that stay though the device they were sold with goes back."""
        return [plan for plan in self.plans if plan.device]

    @property
    def has_unsent_plan(self) -> bool:
        """Whether a device that was not shipped takes its plan with it."""
        units = [each.unit for right in self.rights for each in right.withdrawable]
        return any(unit["partner_id"] is not None and unit["shipped_at"] is None for unit in units)

    @property
    def name(self) -> str:
        """The customer's initials."""
        return masked_name(self.order["name"])

    @property
    def email(self) -> str:
        """The customer's address, masked."""
        return masked_email(self.order["email"])


@returns.get("/orders/<order_id>/withdrawal")
def withdrawal(order_id: str) -> str:
    """Show what can be withdrawn from; the button below it declares."""
    return _right_page(WITHDRAWAL, order_id, None)


@returns.post("/orders/<order_id>/withdrawal")
def declare(order_id: str) -> Response | tuple[str, int]:
    """Declare that the units of the form, each as `part:line:unit`, are withdrawn from."""
    actor, named = _customer(), set(request.form.getlist("unit"))

    def work(connection: Connection) -> int:
        placed = order_of_address(connection, order_id)
        statement: Declaration = {
            "number": placed["number"],
            "name": masked_name(placed["name"]),
            "email": masked_email(placed["email"]),
            "units": [],
            "zone": zone_of(placed),
        }
        return withdraw(connection, placed, parts_of_order(connection, placed), named, statement, actor)

    if not named:
        problem = CaseIncomplete("no unit is named", fields={"unit": "missing"})
        return _right_page(WITHDRAWAL, order_id, problem), problem.status
    try:
        withdrawal_no = run_tx(marketplace().engine, work)
    except CaseIncomplete as problem:
        return _right_page(WITHDRAWAL, order_id, problem), problem.status
    return see_other("returns.record", order_id=order_id, withdrawal_no=withdrawal_no)


@returns.get("/orders/<order_id>/withdrawals/<int:withdrawal_no>")
def record(order_id: str, withdrawal_no: int) -> str:
    """Show the acknowledgement of a declaration, as it was recorded."""
    with reading(marketplace().engine) as connection:
        placed = order_of_address(connection, order_id)
        statement = withdrawal_of(connection, placed, withdrawal_no)
    return render_template("marketplace/orders/withdrawal_record.html", statement=statement, order_id=order_id)


@returns.get("/orders/<order_id>/returns")
def sending_back(order_id: str) -> str:
    """Show what can be sent back within our own 30 days."""
    return _right_page(RETURN, order_id, None)


@returns.post("/orders/<order_id>/returns")
def announce(order_id: str) -> Response | tuple[str, int]:
    """Announce that the units of the form come back."""
    actor, form = _customer(), request.form
    named = set(form.getlist("unit"))

    def work(connection: Connection) -> None:
        placed = order_of_address(connection, order_id)
        parts = parts_of_order(connection, placed)
        ask_return(connection, placed, parts, named, form.get("said", ""), zone=zone_of(placed), actor=actor)

    try:
        if not named:
            raise CaseIncomplete("no unit is named", fields={"unit": "missing"})
        run_tx(marketplace().engine, work)
    except CaseIncomplete as problem:
        return _right_page(RETURN, order_id, problem), problem.status
    return see_other("orders.page", order_id=order_id)


@returns.post("/orders/<order_id>/returns/<case_name>/shipment")
def shipment(order_id: str, case_name: str) -> Response:
    """Note that the device of a case was sent back, with its tracking number."""
    tracking, actor = request.form.get("tracking", ""), _customer()
    return _act(order_id, case_name, lambda connection, case: send(connection, case, tracking, actor))


@returns.post("/orders/<order_id>/returns/<case_name>/removal")
def removal(order_id: str, case_name: str) -> Response:
    """Give a return or a claim up: the customer keeps the device."""
    actor = _customer()
    return _act(order_id, case_name, lambda connection, case: drop(connection, case, actor))


def _act(order_id: str, case_name: str, step: Callable[[Connection, UnitCase], None]) -> Response:
    def work(connection: Connection) -> None:
        placed = order_of_address(connection, order_id)
        step(connection, case_of(connection, case_name, order_id=placed["order_id"]))

    run_tx(marketplace().engine, work)
    return see_other("orders.page", order_id=order_id)


def _customer() -> Actor:
    return Actor(by="customer", at=clock.to_text(clock.now()))


def _right_page(template: str, order_id: str, problem: PosError | None) -> str:
    with reading(marketplace().engine) as connection:
        placed = order_of_address(connection, order_id)
        cases = cases_of_order(connection, placed["order_id"])
        parts = parts_of_order(connection, placed)
        zone, at = zone_of(placed), clock.to_text(clock.now())
        plans = standing_plans(connection, placed, zone=zone, at=at)
    page = RightPage(
        order=placed,
        zone=zone,
        rights=rights_of(placed, parts, cases, zone=zone, at=at),
        plans=plans,
        problem=problem,
    )
    return render_template(template, page=page)
